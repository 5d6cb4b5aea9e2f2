"""How well each frame of a video would serve as the photo of its person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.landmarks import head_angles

Float = NDArray[np.float32]

INNER_LIPS = ((13, 14), (82, 87), (312, 317))
MOUTH_CORNERS = (61, 291)
LIDS = ((159, 145), (158, 153), (386, 374), (385, 380))
BROWS = ((105, 159), (334, 386))
"""Points of a brow and of the lid below it."""
EYE_CORNERS = (33, 263)
TURN_DEG = 12.0
"""A head turned so far from the front counts e^-1/2."""
OPEN_SHARE = 0.03
WIDTH_SHARE = 0.06
BROW_SHARE = 0.07
"""Lips so far apart, or a mouth or brows so far from the person's usual, over the eyes' distance,
count e^-1."""
CLOSED_EYES = 0.6
"""Share of the eyes' usual opening below which they count as shut."""
LEAST = 1e-3
"""Of no frame is everything wrong: one must be best."""


def portrait_scores(landmarks: Float, sharp: Float) -> Float:
    """How good each frame of one person is as a neutral photo, (T,) in 0..1; 1 is best.

    landmarks: (T, 478, 3) px, sharp: (T,) from `landmarks.sharpness`. A good frame is sharp, looks
    ahead, has its eyes open and its mouth closed, and mouth and brows are where they mostly are.
    """
    eyes = np.linalg.norm(np.diff(landmarks[:, EYE_CORNERS, :2], axis=1)[:, 0], axis=-1)
    gap, lids, brow = (_distance(landmarks, pairs) / eyes for pairs in (INNER_LIPS, LIDS, BROWS))
    width = _distance(landmarks, (MOUTH_CORNERS,)) / eyes
    turned = np.array([head_angles(frame) for frame in landmarks])
    front = np.exp(-0.5 * (turned[:, :2] ** 2).sum(axis=1) / TURN_DEG**2)
    usual = max(float(np.quantile(lids, 0.7)), 1e-6)
    seeing = np.clip((lids / usual - CLOSED_EYES) / (1.0 - CLOSED_EYES), 0.0, 1.0)
    shut = np.exp(-((gap / OPEN_SHARE) ** 2))
    # Smiles are wider than usual; narrow mouths speak.
    at_rest = np.exp(-(((width - np.quantile(width, 0.4)) / WIDTH_SHARE) ** 2))
    at_rest *= np.exp(-(((brow - np.median(brow)) / BROW_SHARE) ** 2))
    clear = sharp / max(float(sharp.max()), 1e-6)
    parts = np.stack([front, seeing, shut, at_rest, clear])
    return np.asarray(np.maximum(parts, LEAST).prod(axis=0), np.float32)


def _distance(landmarks: Float, pairs: tuple[tuple[int, int], ...]) -> Float:
    """Mean distance (T,) px of pairs of landmarks."""
    first, second = zip(*pairs, strict=True)
    apart = landmarks[:, list(first), :2] - landmarks[:, list(second), :2]
    return np.asarray(np.linalg.norm(apart, axis=-1).mean(axis=-1), np.float32)
