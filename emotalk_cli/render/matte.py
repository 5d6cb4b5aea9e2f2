"""The person matte: how much of each pixel is the person; made once per photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.mediapipe_solutions import silenced, solution

Float = NDArray[np.float32]

GUIDE_RADIUS_SHARE = 1 / 64
"""Radius of the guided filter over the picture's longer side."""
GUIDE_EPSILON = 2e-4
GUIDE_STEPS = 8.0
"""Samples per radius of the guided filter."""
SURE, NONE = 0.97, 0.03
"""Matte values beyond which a pixel counts as all person, or none."""
PERSON_IN_FACE = 0.6
"""Mean matte inside the face below which the matte is no good."""


def person_matte(photo: NDArray[np.uint8], face: NDArray[np.bool_]) -> Float | None:
    """How much of each pixel of a photo (H, W, 3) is the person, (H, W) in 0..1.

    None where the segmenter does not see the person whose face (H, W) is given (some paintings).
    Segmentation: MediaPipe Selfie Segmentation; edges: guided filter (He et al., 2010).
    """
    module = solution("selfie_segmentation")
    with silenced(), module.SelfieSegmentation(model_selection=0) as segmenter:
        rough = np.asarray(segmenter.process(photo).segmentation_mask, np.float32)
    if float(rough[face].mean()) < PERSON_IN_FACE:
        return None
    rough = _same_person(rough, face)
    radius = max(2, round(max(photo.shape) * GUIDE_RADIUS_SHARE))
    fine = guided_filter(photo.astype(np.float32) / 255.0, rough, radius, GUIDE_EPSILON)
    matte = np.clip((fine - NONE) / (SURE - NONE), 0.0, 1.0)
    matte = matte * matte * (3.0 - 2.0 * matte)
    matte[face] = 1.0
    return np.asarray(matte, np.float32)


def _same_person(rough: Float, face: NDArray[np.bool_]) -> Float:
    """The matte without other people who do not touch this one."""
    _, labels = cv2.connectedComponents((rough > 0.3).astype(np.uint8))
    inside = labels[face]
    own = np.bincount(inside[inside > 0]).argmax() if (inside > 0).any() else 0
    near = cv2.dilate((labels == own).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return np.where(near, rough, 0.0).astype(np.float32)


def read_at(weights: Float, xy: Float) -> Float:
    """What a picture of weights (H, W) holds at positions (N, 2) px; beyond its border as there."""
    height, width = weights.shape
    column = np.clip(xy[:, 0], 0, width - 1).astype(int)
    row = np.clip(xy[:, 1], 0, height - 1).astype(int)
    return np.asarray(weights[row, column], np.float32)


def guided_filter(guide: Float, values: Float, radius: int, epsilon: float) -> Float:
    """`values` (H, W) with the edges of the colour `guide` (H, W, 3) in 0..1 (He et al. 2010).

    What is linear in the guide is measured on a smaller picture (He and Sun, "Fast guided filter",
    2015).
    """
    height, width = values.shape
    factor = max(1.0, radius / GUIDE_STEPS)
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    slope, offset = _linear_model(
        np.asarray(cv2.resize(guide, small, interpolation=cv2.INTER_AREA), np.float32),
        np.asarray(cv2.resize(values, small, interpolation=cv2.INTER_AREA), np.float32),
        max(1, round(radius / factor)),
        epsilon,
    )
    slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray((slope * guide).sum(axis=-1) + offset, np.float32)


def _linear_model(guide: Float, values: Float, radius: int, epsilon: float) -> tuple[Float, Float]:
    """Slope (H, W, 3) and offset (H, W) with which the guide tells the values best around."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(image: Float) -> Float:
        return np.asarray(cv2.blur(image, size), np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    covariance = mean(guide * values[..., None]) - mean_guide * mean_values[..., None]
    pairs = mean((guide[..., :, None] * guide[..., None, :]).reshape(*values.shape, 9))
    spread = (
        pairs.reshape(*values.shape, 3, 3) - mean_guide[..., :, None] * mean_guide[..., None, :]
    )
    slope = np.linalg.solve(spread + epsilon * np.eye(3, dtype=np.float32), covariance[..., None])
    slope = slope[..., 0].astype(np.float32)
    offset = mean_values - (slope * mean_guide).sum(axis=-1)
    return mean(slope), mean(offset)
