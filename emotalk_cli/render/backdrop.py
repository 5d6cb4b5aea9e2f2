"""The background behind the person: made once per photo, seen where the head uncovers it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.inpaint import complete

Float = NDArray[np.float32]

NONE = 0.03
"""Matte value up to which a pixel may still be mixed with the person."""
MARGIN_SHARE = 1 / 80
"""The background is only trusted so far away from the person, over the longer side."""
DETAIL_SHARE = 1 / 12
"""Detail is continued so far behind the person, over the longer side, and fades at the end."""
FADE_SHARE = 0.3
"""Share of that length over which it fades."""


def background(photo: NDArray[np.uint8], matte: Float) -> NDArray[np.uint8]:
    """The photo (H, W, 3) with the person taken out.

    The hole is filled with the smooth continuation of what is around it, and near its border with
    patches of it, so that walls stay rough, leaves stay leaves, and frames go on behind the head.
    """
    longer = max(photo.shape)
    margin = max(2, round(longer * MARGIN_SHARE))
    person = cv2.dilate((matte > NONE).astype(np.uint8), np.ones((margin, margin), np.uint8))
    known = (person == 0).astype(np.float32)
    image = photo.astype(np.float32)
    filled = fill_smoothly(image, known)
    reach = longer * DETAIL_SHARE
    away = cv2.distanceTransform(person, cv2.DIST_L2, 3)
    fade = np.clip((1.0 - away / reach) / FADE_SHARE, 0.0, 1.0)[..., None]
    grown = complete(image, person, filled, reach, margin)
    # What the patches miss at the border goes on behind the person, ever less.
    rim = cv2.dilate(person, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) - person
    missed = fill_smoothly(image - grown, rim.astype(np.float32))
    grown += missed * np.exp(-away / margin)[..., None]
    filled += fade * (grown - filled)
    # Between the pixels that are surely background and the hole, go over softly.
    trust = cv2.blur(known, (margin, margin))
    trust = np.where(matte > 0.0, 0.0, np.clip(2.0 * trust, 0.0, 1.0))[..., None]
    return np.clip(trust * photo + (1.0 - trust) * filled + 0.5, 0, 255).astype(np.uint8)


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
