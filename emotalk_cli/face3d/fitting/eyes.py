"""What the landmarker says of lids and irises, set right.

On eyes that are truly shut MediaPipe leaves about a fifth of the open gap between the lids (seen
on blinks of filmed people), and where lids cover the iris it makes one up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.fitting.points import (
    IRIS_LEFT,
    IRIS_RIGHT,
    LIDS_LEFT,
    LIDS_RIGHT,
    POINTS,
    inter_ocular,
)

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

SHUT_SHARE = 0.2
"""Gap between shut lids as the landmarker sees it, as a share of the open eye's."""
OPEN_QUANTILE = 0.8
OPEN_FRAMES = 20
"""From so many frames on, the open eye's gap is this person's own: this quantile of all frames."""
USUAL_OPEN = 0.13
"""The open eye's gap between the lids' middles, as a share of the inter-ocular distance."""
SURELY_SHUT, SURELY_OPEN = 0.3, 0.6
"""Gaps, as shares of the usual one, below which a single picture shows a shutting eye, and above
which it shows how open this person's eyes are."""
IRIS_HIDDEN, IRIS_SEEN = 0.25, 0.6
"""Openness at which an iris says nothing of the gaze, and from which on it counts fully."""
MIDDLE = slice(2, 5)


def set_lids_right(observed: Float, valid: Bool) -> tuple[Float, Float]:
    """Landmarks (T, 478, 2) px with lids that shut, and visibility (T, 478) in 0..1 of each point.

    valid (T,) marks the frames that show a face.
    """
    lids = observed.copy()
    visible = np.ones((len(observed), POINTS), np.float32)
    for pairs, iris in ((LIDS_RIGHT, IRIS_RIGHT), (LIDS_LEFT, IRIS_LEFT)):
        upper, lower = np.array(pairs).T
        gap = observed[:, upper] - observed[:, lower]
        openness = _openness(gap, inter_ocular(observed), valid)
        shut = np.clip((openness - SHUT_SHARE) / (1.0 - SHUT_SHARE), 0.0, None)
        share = np.minimum(shut / np.maximum(openness, 1e-6), 1.0)
        lids[:, upper] = observed[:, lower] + share[:, None, None] * gap
        seen = np.clip((openness - IRIS_HIDDEN) / (IRIS_SEEN - IRIS_HIDDEN), 0.0, 1.0)
        visible[:, iris] = seen[:, None]
    return lids, visible


def gaze_shown(visible: Float, names: Sequence[str]) -> Float:
    """Visibility (T, 478) of the points -> how much each frame says of each unit, (T, E) in 0..1.

    Where the lids cover an iris they say nothing of the gaze, though they follow it: it goes on as
    the frames before and behind tell.
    """
    shown = np.ones((len(visible), len(names)), np.float32)
    for side, iris in (("Right", IRIS_RIGHT), ("Left", IRIS_LEFT)):
        gaze = [i for i, name in enumerate(names) if "Look" in name and name.endswith(side)]
        shown[:, gaze] = visible[:, iris[:1]]
    return shown


def _openness(gap: Float, eyes: Float, valid: Bool) -> Float:
    """Gap (T,) of one eye's lids, from vectors (T, 7, 2) px, as a share of that when it is open."""
    height = np.linalg.norm(gap[:, MIDDLE], axis=-1).mean(axis=-1) / np.maximum(eyes, 1e-6)
    if valid.sum() >= OPEN_FRAMES:
        return np.asarray(height / max(float(np.quantile(height[valid], OPEN_QUANTILE)), 1e-3))
    openness = height / USUAL_OPEN
    # Few frames: eyes that are narrow, not shut, count as open.
    narrow = np.clip((openness - SURELY_SHUT) / (SURELY_OPEN - SURELY_SHUT), 0.0, 1.0)
    return np.asarray(openness + (np.maximum(openness, 1.0) - openness) * narrow, np.float32)
