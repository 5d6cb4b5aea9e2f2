"""Colours of teeth, gums and tongue in the light of the photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

LUMINANCE = f32([0.299, 0.587, 0.114])
CHEEKS = (50, 280, 205, 425, 101, 330, 36, 266)
BESIDE_MOUTH = (205, 425, 206, 426, 212, 432, 199, 200, 201, 421, 167, 393)
"""How the light falls next to the mouth; in beards, the skin beside them."""
LIPS = (0, 17, 37, 267, 84, 314, 39, 269, 181, 405)
TOOTH = f32([236, 226, 208])
"""Teeth in white light that shows fair skin at SKIN_LUMINANCE."""
SKIN_LUMINANCE = 175.0
MIN_LIGHT, MAX_LIGHT = 0.45, 1.05
COLOURED_SKIN = 0.12
"""Skin whose channels differ by this share of the brightest shows all colours."""
TINT = 0.5
"""How much of the light's colour (from eyes and skin) teeth take on."""


def mouth_colours(photo: NDArray[np.uint8], landmarks: Float) -> dict[str, Float]:
    """RGB (3,) of "tooth", "gum", "tongue", "lip" (inside) and "depth" for a photo (H, W, 3).

    How bright the light is comes from the whites of the eyes and the skin, whichever says more.
    """
    smooth = cv2.blur(photo, (3, 3))
    skin = _median(smooth, landmarks[list(CHEEKS)])
    lips = _median(smooth, landmarks[list(LIPS)])
    white = _eye_white(photo, landmarks)
    beside = _sampled(smooth, landmarks[list(BESIDE_MOUTH)]) @ LUMINANCE
    bright = max(float(skin @ LUMINANCE), float(np.quantile(beside, 0.75)))
    level = max(bright * 1.02, float(white @ LUMINANCE) * 1.08)
    light = float(np.clip(level / (TOOTH @ LUMINANCE), MIN_LIGHT, MAX_LIGHT))
    seen = 0.6 * white / max(float(white @ LUMINANCE), 1.0)
    tint = seen + 0.4 * skin / max(float(skin @ LUMINANCE), 1.0)
    spread = float(skin.max() - skin.min()) / max(float(skin.max()), 1.0)
    own = TOOTH * light * (1.0 + TINT * (np.clip(tint, 0.75, 1.25) - 1.0))
    warm = f32([1.0, 0.62, 0.60])
    red = lips / max(float(lips.max()), 1.0)
    flesh = (0.5 * red + 0.5 * warm) * 205.0 * light
    colours = {
        "tooth": own,
        "gum": flesh * f32([1.0, 0.88, 0.9]),
        "tongue": flesh * f32([1.0, 0.85, 0.84]),
        "lip": lips * f32([0.80, 0.72, 0.72]),
        "depth": flesh * f32([0.62, 0.45, 0.45]),
    }
    # Inside a grey photo's mouth all is grey as well.
    colour = min(1.0, spread / COLOURED_SKIN)
    return {name: _faded(f32(rgb), colour) for name, rgb in colours.items()}


def _faded(rgb: Float, colour: float) -> Float:
    grey = float(rgb @ LUMINANCE)
    return f32(grey + colour * (rgb - grey))


def _sampled(picture: NDArray[np.uint8], points: Float) -> Float:
    """Colours (N, 3) at points (N, 2) px."""
    height, width = picture.shape[:2]
    x = np.clip(points[:, 0].astype(int), 0, width - 1)
    y = np.clip(points[:, 1].astype(int), 0, height - 1)
    return f32(picture[y, x])


def _median(picture: NDArray[np.uint8], points: Float) -> Float:
    return f32(np.median(_sampled(picture, points), axis=0))


def _eye_white(photo: NDArray[np.uint8], landmarks: Float) -> Float:
    """The whites of the eyes: the brighter pixels between lids and outside the irises."""
    found = []
    for lids, iris in (((33, 160, 158, 133, 153, 144), 468), ((263, 387, 385, 362, 380, 373), 473)):
        mask = np.zeros(photo.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(landmarks[list(lids), :2]).astype(np.int32)], 1)
        radius = float(np.linalg.norm(landmarks[iris + 1, :2] - landmarks[iris, :2]))
        centre = tuple(int(v) for v in np.round(landmarks[iris, :2]))
        cv2.circle(mask, centre, max(1, round(1.15 * radius)), 0, cv2.FILLED)
        found.append(photo[mask > 0])
    pixels = np.concatenate(found).astype(np.float32)
    if len(pixels) < 8:
        return f32([200, 195, 190])
    level = pixels @ LUMINANCE
    bright = pixels[(level >= np.quantile(level, 0.6)) & (level <= np.quantile(level, 0.95))]
    return np.asarray(bright.mean(axis=0), np.float32)
