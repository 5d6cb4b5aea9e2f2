"""The background behind the person: made once per photo, seen where the head uncovers it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

NONE = 0.03
"""Matte value up to which a pixel may still be mixed with the person."""
MARGIN_SHARE = 1 / 80
"""The background is only trusted so far away from the person, over the longer side."""
DETAIL_SHARE = 1 / 12
"""Detail is continued so far behind the person, over the longer side, and fades on the way."""
COARSE_SHARE = 1 / 60
"""What is finer than this, over the longer side, counts as detail."""
COARSE_STEPS = 4.0
"""Samples per standard deviation of a blur: it is made on a smaller picture."""


def background(photo: NDArray[np.uint8], matte: Float) -> NDArray[np.uint8]:
    """The photo (H, W, 3) with the person taken out.

    The hole is filled with the smooth continuation of what is around it, and near its border with
    the mirror image of the detail there, so that walls stay rough and leaves stay leaves.
    """
    longer = max(photo.shape)
    margin = max(2, round(longer * MARGIN_SHARE))
    person = cv2.dilate((matte > NONE).astype(np.uint8), np.ones((margin, margin), np.uint8))
    known = (person == 0).astype(np.float32)
    image = photo.astype(np.float32)
    filled = fill_smoothly(image, known)
    filled += _mirrored_detail(image, filled, person, longer)
    # Between the pixels that are surely background and the hole, go over softly.
    trust = cv2.blur(known, (margin, margin))
    trust = np.where(matte > 0.0, 0.0, np.clip(2.0 * trust, 0.0, 1.0))[..., None]
    return np.clip(trust * photo + (1.0 - trust) * filled + 0.5, 0, 255).astype(np.uint8)


def _mirrored_detail(
    image: Float, filled: Float, person: NDArray[np.uint8], longer_px: int
) -> Float:
    """Detail (H, W, 3) for the hole where `person` (H, W) is 1, mirrored at its border."""
    if person.all() or not person.any():
        return np.zeros_like(image)
    height, width = person.shape
    away, nearest = cv2.distanceTransformWithLabels(
        person, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(person == 0)
    order = np.zeros(int(nearest.max()) + 1, np.int64)
    order[nearest[rows, columns]] = np.arange(len(rows))
    place = order[nearest]
    y, x = np.mgrid[:height, :width]
    there = [2 * rows[place] - y, 2 * columns[place] - x]
    seen = (there[0] >= 0) & (there[0] < height) & (there[1] >= 0) & (there[1] < width)
    there = [np.clip(there[0], 0, height - 1), np.clip(there[1], 0, width - 1)]
    seen &= person[there[0], there[1]] == 0
    known = np.where(person[..., None] == 0, image, filled)
    detail = known - _coarse(known, max(1.0, longer_px * COARSE_SHARE))
    fade = np.clip(1.0 - away / (longer_px * DETAIL_SHARE), 0.0, 1.0)
    # Where nearest border points jump, neighbours mirror different places: go over softly.
    weight = cv2.GaussianBlur((fade * seen).astype(np.float32), (0, 0), 1.5) * (person > 0)
    mirrored = cv2.GaussianBlur(detail[there[0], there[1]], (0, 0), 0.7)
    return np.asarray(weight[..., None] * mirrored, np.float32)


def _coarse(image: Float, sigma_px: float) -> Float:
    """The image (H, W, C) without what is finer than `sigma_px`."""
    height, width = image.shape[:2]
    factor = max(1.0, sigma_px / COARSE_STEPS)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / factor)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def fill_smoothly(values: Float, known: Float) -> Float:
    """Values (H, W, C) where `known` (H, W) is 0 taken from the known ones, coarse to fine.

    Push-pull interpolation (Gortler et al., "The Lumigraph", 1996).
    """
    levels = [(values * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        colour, weight = levels[-1]
        half = (max(1, weight.shape[1] // 2), max(1, weight.shape[0] // 2))
        small_weight = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
        small = cv2.resize(colour, half, interpolation=cv2.INTER_AREA)
        small = small.reshape(*small_weight.shape, values.shape[2])
        full = np.minimum(1.0, 4.0 * small_weight)
        ratio = full / np.maximum(small_weight, 1e-6)
        levels.append((small * ratio[..., None], full))
    colour, weight = levels.pop()
    result = colour / np.maximum(weight, 1e-6)[..., None]
    while levels:
        colour, weight = levels.pop()
        size = (weight.shape[1], weight.shape[0])
        result = cv2.resize(result, size, interpolation=cv2.INTER_LINEAR)
        result = result.reshape(*weight.shape, values.shape[2])
        result = colour + (1.0 - weight[..., None]) * result
    return np.asarray(result, np.float32)
