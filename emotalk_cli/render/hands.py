"""Hands at the face: found once per photo, so that chin and head move without bending them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.mediapipe_solutions import silenced, solution
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import FACE_OVAL

Float = NDArray[np.float32]

MOST_HANDS, SURE = 2, 0.5
"""So many hands are looked for; least confidence of MediaPipe Hands."""
FINGERS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
PALM = (0, 1, 5, 9, 13, 17)
"""MediaPipe's points of a hand, from the wrist (0) to the tips."""
KNUCKLES, WRIST, MIDDLE = (5, 17), 0, 9
BREADTH_TO_LENGTH, FINGER_SHARE = 1.45, 0.115
"""The palm is so many times as long as its knuckles are wide; half a finger's width over it."""
NEAR = 1.25
"""Growth of the face's outline within which a hand is at the face."""
SOFT_SHARE = 0.4
"""Skin lets go of a hand over this length, over the distance of the irises."""


def hands_at_face(photo: NDArray[np.uint8], landmarks: Float) -> Float | None:
    """How firmly each pixel of a photo (H, W, 3) is held by a hand, (H, W) in 0..1: 1 on the hand,
    0 well away from it; None if no hand is at the face.

    landmarks: (478, 2) px. Hands: MediaPipe Hands (Zhang et al., 2020).
    """
    module = solution("hands")
    options = {"max_num_hands": MOST_HANDS, "model_complexity": 0, "min_detection_confidence": SURE}
    with silenced(), module.Hands(static_image_mode=True, **options) as finder:
        found = finder.process(photo).multi_hand_landmarks or []
    size = f32([photo.shape[1], photo.shape[0]])
    hands = [f32([(p.x, p.y) for p in hand.landmark]) * size for hand in found]
    return weight_of_hands(hands, landmarks, photo.shape[:2])


def weight_of_hands(hands: list[Float], landmarks: Float, shape: tuple[int, ...]) -> Float | None:
    """The same for hands given as (21, 2) px, in a picture of `shape` (H, W)."""
    oval = landmarks[list(FACE_OVAL), :2]
    middle = oval.mean(axis=0)
    face = np.zeros(shape, np.uint8)
    cv2.fillPoly(face, [np.round((oval - middle) * NEAR + middle).astype(np.int32)], 1)
    masks = [_mask_of(points, shape) for points in hands]
    held = np.zeros(shape, np.uint8)
    for mask in masks:
        if (mask & face).any():
            held |= mask
    if not held.any():
        return None
    eyes_px = float(np.linalg.norm(landmarks[473, :2] - landmarks[468, :2]))
    away = cv2.distanceTransform(1 - held, cv2.DIST_L2, 3) / max(1.0, SOFT_SHARE * eyes_px)
    near = np.clip(1.0 - away, 0.0, 1.0)
    return f32(near * near * (3.0 - 2.0 * near))


def _mask_of(points: Float, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """1 on a hand of points (21, 2) px, 0 elsewhere (H, W)."""
    breadth = float(np.linalg.norm(points[KNUCKLES[1]] - points[KNUCKLES[0]]))
    length = float(np.linalg.norm(points[MIDDLE] - points[WRIST]))
    width = max(1, round(2.0 * FINGER_SHARE * max(length, BREADTH_TO_LENGTH * breadth)))
    mask = np.zeros(shape, np.uint8)
    at = np.round(points).astype(np.int32)
    for finger in FINGERS:
        cv2.polylines(mask, [at[list(finger)]], False, 1, width)
    palm = cv2.convexHull(at[list(PALM)])
    cv2.fillPoly(mask, [palm], 1)
    cv2.polylines(mask, [palm], True, 1, width)
    return mask
