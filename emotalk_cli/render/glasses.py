"""Glasses: found by the edges of their frames, and kept rigid while the face moves."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

MIN_BAR, MIN_BARS = 0.075, 0.12
"""Edge strengths (grey step over mean grey) from which on bars count as a frame's: of each, and
the geometric mean of all three."""
OUTER_CORNERS, INNER_CORNERS = (33, 263), (133, 362)
LOWER_LIDS = (145, 374)
BELOW_EYES_M, ABOVE_EYES_M, EDGE_M = 0.024, 0.015, 0.016
"""The band around the eyes that glasses hold still, and how softly it ends."""


def wears_glasses(photo: NDArray[np.uint8], landmarks: Float) -> bool:
    """Whether a frame's bars cross the bridge of the nose and both cheeks under the eyes.

    photo: (H, W, 3) uint8 RGB; landmarks: (478, 2) px. Rimless frames are not found.
    """
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    left, right = landmarks[list(OUTER_CORNERS)]
    width = float(np.linalg.norm(right - left))
    along = (right - left) / width
    up = f32([along[1], -along[0]])
    grey = cv2.GaussianBlur(grey, (0, 0), max(0.5, width / 200))
    bridge = landmarks[list(INNER_CORNERS)].mean(axis=0)
    bars = [_bar(grey, bridge, along * 0.09 * width, up * 0.22 * width)]
    for lid in LOWER_LIDS:
        cheek = landmarks[lid] - 0.16 * width * up
        bars.append(_bar(grey, cheek, along * 0.10 * width, up * 0.12 * width))
    return min(bars) > MIN_BAR and math.prod(bars) > MIN_BARS**3


def _bar(grey: Float, middle: Float, half_along: Float, half_up: Float) -> float:
    """The strongest step up or down in a patch, if it runs all across; over the mean grey."""
    a, b = np.meshgrid(np.linspace(-1, 1, 15), np.linspace(1, -1, 41))
    at = (middle + a[..., None] * half_along + b[..., None] * half_up).astype(np.float32)
    patch = cv2.remap(grey, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    steps = np.abs(np.diff(patch, axis=0)).max(axis=0)
    return float(np.median(steps)) / (float(patch.mean()) + 20.0)


def free_of_glasses(vertices: Float, eyes_y_m: float) -> Float:
    """How freely each vertex (V, 3) m may move under glasses, (V,) in 0..1."""
    y = vertices[:, 1] - eyes_y_m
    outside = np.maximum(y - ABOVE_EYES_M, -BELOW_EYES_M - y)
    free = np.clip(outside / EDGE_M, 0.0, 1.0)
    return np.where(vertices[:, 2] < 0.0, 1.0, free * free * (3.0 - 2.0 * free)).astype(np.float32)
