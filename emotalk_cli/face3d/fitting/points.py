"""How much each MediaPipe point counts in the fit, and the differences of points that count extra.

Indices are those of MediaPipe's face mesh with refined irises (478 points); Right and Left are
the subject's.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Int = NDArray[np.int64]

POINTS = 478
EYE_RIGHT_CENTRE = (33, 133)
EYE_LEFT_CENTRE = (362, 263)
INNER_LIPS = (
    (191, 95), (80, 88), (81, 178), (82, 87), (13, 14),
    (312, 317), (311, 402), (310, 318), (415, 324),
)  # fmt: skip
"""Upper and lower inner lip, from the subject's right to the left."""
INNER_CORNERS = (78, 308)
OUTER_LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375,
)  # fmt: skip
LIDS_RIGHT = ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155))
LIDS_LEFT = ((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382))
"""Upper and lower lid, from the outer to the inner corner of the eye."""
IRIS_RIGHT = (468, 469, 470, 471, 472)
IRIS_LEFT = (473, 474, 475, 476, 477)
BROWS = (
    70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285,
)  # fmt: skip
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

INNER_LIP_WEIGHT = 3.0
OUTER_LIP_WEIGHT = 2.0
LID_WEIGHT = 2.0
IRIS_WEIGHT = 1.0
BROW_WEIGHT = 1.5
CONTOUR_WEIGHT = 0.1
"""The outline slides over the skin as the head turns, so it says little."""
LIP_GAP_WEIGHT = 28.0
LID_GAP_WEIGHT = 8.0
GAZE_WEIGHT = 10.0


def point_weights(is_contour: NDArray[np.bool_]) -> Float:
    """Weight (478,) of every point; `is_contour` (478,) marks those that slide on the outline."""
    weights = np.ones(POINTS, np.float32)
    weights[list(BROWS)] = BROW_WEIGHT
    weights[list(OUTER_LIPS)] = OUTER_LIP_WEIGHT
    weights[[i for pair in INNER_LIPS for i in pair]] = INNER_LIP_WEIGHT
    weights[list(INNER_CORNERS)] = INNER_LIP_WEIGHT
    weights[[i for pair in LIDS_RIGHT + LIDS_LEFT for i in pair]] = LID_WEIGHT
    weights[[*EYE_RIGHT_CENTRE, *EYE_LEFT_CENTRE]] = LID_WEIGHT
    weights[[*IRIS_RIGHT, *IRIS_LEFT]] = IRIS_WEIGHT
    weights[np.asarray(is_contour, bool)] = CONTOUR_WEIGHT
    return weights


def differences() -> tuple[Int, Float]:
    """Differences that count on their own: points (M, 3) and weights (M,).

    Row (a, b, c) is the vector from the middle of b and c to a: between the lips, between the
    lids, and from the eye's corners to its iris. What all landmarks of a region share, such as
    an error of shape or pose, drops out of them: they say whether a mouth or an eye is closed.
    """
    rows: list[tuple[int, int, int]] = []
    weights: list[float] = []
    for upper, lower in INNER_LIPS:
        rows.append((upper, lower, lower))
        weights.append(LIP_GAP_WEIGHT)
    for upper, lower in LIDS_RIGHT + LIDS_LEFT:
        rows.append((upper, lower, lower))
        weights.append(LID_GAP_WEIGHT)
    for iris, corners in ((IRIS_RIGHT[0], EYE_RIGHT_CENTRE), (IRIS_LEFT[0], EYE_LEFT_CENTRE)):
        rows.append((iris, *corners))
        weights.append(GAZE_WEIGHT)
    return np.asarray(rows, np.int64), np.asarray(weights, np.float32)


def inter_ocular(landmarks: NDArray[np.float32]) -> Float:
    """Distance (...) between the middles of the two eyes' corners, in the landmarks' unit.

    `landmarks` is (..., 478, 2 or 3); turning the head shortens the distance in the picture.
    """
    right = landmarks[..., EYE_RIGHT_CENTRE, :].mean(axis=-2)
    left = landmarks[..., EYE_LEFT_CENTRE, :].mean(axis=-2)
    return np.asarray(np.linalg.norm(left - right, axis=-1), np.float32)


def lip_gap(landmarks: NDArray[np.float32]) -> Float:
    """Mean distance (...) between the two inner lips, in the landmarks' unit."""
    upper = landmarks[..., _first(INNER_LIPS), :]
    lower = landmarks[..., _second(INNER_LIPS), :]
    return np.asarray(np.linalg.norm(upper - lower, axis=-1).mean(axis=-1), np.float32)


def _first(pairs: Iterable[tuple[int, int]]) -> list[int]:
    return [pair[0] for pair in pairs]


def _second(pairs: Iterable[tuple[int, int]]) -> list[int]:
    return [pair[1] for pair in pairs]
