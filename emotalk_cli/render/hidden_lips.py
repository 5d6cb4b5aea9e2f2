"""Hair or a hand over one side of the mouth: found by the lips' colour, and kept still."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.lips import COLUMNS
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import LOWER_INNER_LIP, LOWER_OUTER_LIP

Float = NDArray[np.float32]

CHEEKS = (50, 280, 205, 425)
RED_LIPS = 14.0
"""Lips this much redder than the cheeks (a* of CIELAB) tell what covers them; paler ones do not."""
COVERED_SHARE, MIRROR_SHARE = 0.2, 0.45
"""A place with less than the first share of the reddest lip's red, opposite one with more than the
second, is covered."""
BLUR_SHARE = 0.012
"""Colours are smoothed by this much of the distance of the irises."""
REACH_M = 0.016
"""Around covered lips the face is held still so far."""


def lips_seen(photo: NDArray[np.uint8], landmarks: Float) -> Float:
    """How much of the lips is seen at even shares of the mouth's width, (COLUMNS,) in 0..1.

    photo: (H, W, 3) uint8 RGB; landmarks: (478, 2) px.
    """
    eyes_px = float(np.linalg.norm(landmarks[473] - landmarks[468]))
    smooth = cv2.GaussianBlur(photo, (0, 0), max(0.8, BLUR_SHARE * eyes_px))
    red = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32)
    inner, outer = landmarks[list(LOWER_INNER_LIP)], landmarks[list(LOWER_OUTER_LIP)]
    share = np.linspace(0.25, 0.75, 5)[:, None, None]
    lip = np.median(_at(red, inner + share * (outer - inner)), axis=0)[1:-1]
    lip = lip - np.median(_at(red, landmarks[list(CHEEKS)]))
    reddest = float(lip.max())
    covered = (lip < COVERED_SHARE * reddest) & (lip[::-1] > MIRROR_SHARE * reddest)
    if reddest < RED_LIPS or covered.sum() < 2:
        return np.ones(COLUMNS, np.float32)
    x = np.linspace(0.0, 1.0, len(lip) + 2)
    edges = np.concatenate([covered[:1], covered, covered[-1:]]).astype(np.float64)
    return f32(1.0 - np.interp(np.linspace(0.0, 1.0, COLUMNS), x, edges))


def free_of_cover(vertices: Float, line: Float, seen: Float) -> Float:
    """How freely each vertex (V, 3) m may move beside lips (N, 3) m, `seen` by (COLUMNS,)."""
    at = np.linspace(0.0, 1.0, COLUMNS)
    x = line[0, 0] + at * (line[-1, 0] - line[0, 0])
    places = np.stack([np.interp(x, line[:, 0], line[:, k]) for k in range(3)], axis=1)
    away = np.linalg.norm(vertices[:, None] - places[None], axis=2) / REACH_M
    held = (1.0 - seen) * np.exp(-0.5 * np.maximum(away - 0.5, 0.0) ** 2 * 4.0)
    return f32(1.0 - held.max(axis=1))


def _at(values: Float, points: Float) -> Float:
    """Values (H, W) at points (..., 2) px."""
    height, width = values.shape
    x = np.clip(points[..., 0].astype(int), 0, width - 1)
    y = np.clip(points[..., 1].astype(int), 0, height - 1)
    return f32(values[y, x])
