"""Where MediaPipe puts its landmarks on real faces, beside where the model carries them.

The default model's landmarks were tied by running the landmarker on rendered heads. Two things
remain, both measured by `tools/measure_landmark_offsets.py` for one tie of the landmarks: on photos
the points lie up to a few millimetres elsewhere (brows, hairline, chin), and as the head turns they
slide over the skin.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import yaw_pitch_roll

if TYPE_CHECKING:
    from emotalk_cli.face3d.linear_model import FaceModel

Float = NDArray[np.float32]

OFFSETS_PATH = Path(__file__).resolve().parents[1] / "assets" / "landmark_offsets.npz"
MAX_TURN_RAD = 0.6
"""Slides were measured up to about this yaw and pitch; beyond it they stay as they are there."""


@dataclass(frozen=True)
class LandmarkOffsets:
    """Both corrections: zero for a model for which they were not measured.

    offset_m (478, 3) is to be added to the model's landmarks in model space. slide_m (2, 478, 2):
    how far a point moves in the picture's plane, to the right and up of an upright head, per
    radian of yaw and of pitch.
    """

    offset_m: Float
    slide_m: Float

    def slide_px(self, head_pose: Float, camera: Float) -> Float:
        """How far (T, 478, 2) px the points have slid in the picture at these poses (T, 6)."""
        yaw, pitch, roll = yaw_pitch_roll(head_pose).T
        turn = np.clip(np.stack([yaw, pitch], axis=-1), -MAX_TURN_RAD, MAX_TURN_RAD)
        right, up = np.moveaxis(np.tensordot(turn, self.slide_m, 1), -1, 0)
        cosine, sine = np.cos(roll)[:, None], np.sin(roll)[:, None]
        scale = camera[0] / -head_pose[:, 5:]
        u = scale * (cosine * right - sine * up)
        v = -scale * (sine * right + cosine * up)
        return np.asarray(np.stack([u, v], axis=-1), np.float32)


def landmark_offsets(model: FaceModel) -> LandmarkOffsets:
    """What was measured for this model's tie of the landmarks."""
    tie, measured = _measured()
    if tie == tie_digest(model):
        return measured
    count = len(model.landmark_triangles)
    return LandmarkOffsets(np.zeros((count, 3), np.float32), np.zeros((2, count, 2), np.float32))


def tie_digest(model: FaceModel) -> str:
    """Hexadecimal sha256 of where on its mean face a model carries the landmarks."""
    neutral, _ = model.landmark_bases(np.zeros(len(model.identity_basis), np.float32))
    return hashlib.sha256(np.round(neutral * 1e5).astype("<i4").tobytes()).hexdigest()


@functools.cache
def _measured() -> tuple[str, LandmarkOffsets]:
    """Digest of the tie for which the asset was measured, and the measurements."""
    with np.load(OFFSETS_PATH, allow_pickle=False) as stored:
        return str(stored["tie"]), LandmarkOffsets(
            stored["offset_m"].astype(np.float32), stored["slide_m"].astype(np.float32)
        )
