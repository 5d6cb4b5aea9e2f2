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
FACE_OVAL = (10, 297, 284, 389, 454, 361, 397, 378, 152, 149, 172, 132, 234, 162, 54, 67)
MIN_LIGHT, MAX_LIGHT, SHINE_LUMINANCE = 0.45, 1.05, 140.0
"""Teeth are no darker than the first share of TOOTH on dark skin, if the brightest spots of the
face (which shine on all skin) have this luminance, and in dimmer light less in proportion."""
COLOURED_LIPS = 0.012
"""Where lips are so much redder (in shares of all light) than the eyes' whites or the skin, the
photo shows colours; in a grey or toned photo everything has one colour."""
USUAL_CAST = f32([1.20, 0.93, 0.82])
"""Skin and eyes' whites in white light, over their luminance."""
TINT, USUAL_SPREAD = 0.5, 0.15
"""How much of deviations from it teeth take on: so far it may be the person; beyond this share it
is the light, which they take on wholly."""


def mouth_colours(photo: NDArray[np.uint8], landmarks: Float) -> dict[str, Float]:
    """RGB (3,) of "tooth", "gum", "tongue", "lip" (inside) and "depth" for a photo (H, W, 3).

    How bright the light is comes from the whites of the eyes and the skin, whichever says more;
    all is in proportion to it, however dark the photo.
    """
    smooth = cv2.blur(photo, (3, 3))
    skin = _median(smooth, landmarks[list(CHEEKS)])
    lips = _median(smooth, landmarks[list(LIPS)])
    white = _eye_white(photo, landmarks, skin)
    beside = _sampled(smooth, landmarks[list(BESIDE_MOUTH)]) @ LUMINANCE
    bright = max(float(skin @ LUMINANCE), float(np.quantile(beside, 0.75)))
    level = max(bright * 1.02, float(white @ LUMINANCE) * 1.08)
    least = MIN_LIGHT * min(1.0, _shine(smooth, landmarks) / SHINE_LUMINANCE)
    light = float(np.clip(level / (TOOTH @ LUMINANCE), least, MAX_LIGHT))
    cast = light_cast(skin, white)
    warm = f32([1.0, 0.62, 0.60])
    red = lips / cast
    flesh = (0.5 * red / max(float(red.max()), 1.0) + 0.5 * warm) * 205.0 * light * cast
    colours = {
        "tooth": TOOTH * (1.0 + TINT * (USUAL_CAST - 1.0)) * light * cast,
        "gum": flesh * f32([1.0, 0.88, 0.9]),
        "tongue": flesh * f32([1.0, 0.85, 0.84]),
        "lip": lips * f32([0.80, 0.72, 0.72]),
        "depth": flesh * f32([0.62, 0.45, 0.45]),
    }
    redder = max(float(np.abs(_shares(lips) - _shares(c)).max()) for c in (white, skin))
    colour = min(1.0, redder / COLOURED_LIPS)
    tone = skin / max(float(skin @ LUMINANCE), 1.0)
    return {name: _faded(f32(rgb), colour, tone) for name, rgb in colours.items()}


def light_cast(skin: Float, white: Float) -> Float:
    """The light's colour (3,), of luminance 1, from the skin's and the eyes' whites' RGB (3,)."""
    seen = 0.6 * white / max(float(white @ LUMINANCE), 1.0)
    seen = seen + 0.4 * skin / max(float(skin @ LUMINANCE), 1.0)
    deviation = np.log(np.maximum(seen, 0.05) / USUAL_CAST)
    usual = np.clip(deviation, -USUAL_SPREAD, USUAL_SPREAD)
    cast = np.exp(deviation - (1.0 - TINT) * usual)
    return f32(cast / (cast @ LUMINANCE))


def _shine(smooth: NDArray[np.uint8], landmarks: Float) -> float:
    """The luminance of the brightest spots in the face."""
    mask = np.zeros(smooth.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(landmarks[list(FACE_OVAL), :2]).astype(np.int32)], 1)
    face = smooth[mask > 0]
    return float(np.quantile(face @ LUMINANCE, 0.99)) if len(face) else SHINE_LUMINANCE


def _shares(rgb: Float) -> Float:
    return f32(rgb / max(float(rgb.sum()), 1.0))


def _faded(rgb: Float, colour: float, tone: Float) -> Float:
    """RGB (3,) with a share `colour` of its own colour, else in the photo's one tone (3,)."""
    grey = float(rgb @ LUMINANCE) * tone
    return f32(grey + colour * (rgb - grey))


def _sampled(picture: NDArray[np.uint8], points: Float) -> Float:
    """Colours (N, 3) at points (N, 2) px."""
    height, width = picture.shape[:2]
    x = np.clip(points[:, 0].astype(int), 0, width - 1)
    y = np.clip(points[:, 1].astype(int), 0, height - 1)
    return f32(picture[y, x])


def _median(picture: NDArray[np.uint8], points: Float) -> Float:
    return f32(np.median(_sampled(picture, points), axis=0))


def _eye_white(photo: NDArray[np.uint8], landmarks: Float, skin: Float) -> Float:
    """The whites of the eyes: the brighter pixels between lids and outside the irises; without
    any, they are taken to be like the skin (3,).
    """
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
        return skin
    level = pixels @ LUMINANCE
    bright = pixels[(level >= np.quantile(level, 0.6)) & (level <= np.quantile(level, 0.95))]
    return np.asarray(bright.mean(axis=0), np.float32)
