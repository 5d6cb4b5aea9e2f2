"""What MediaPipe's landmarker makes of a head whose truth is known, beside what the model says.

A landmark is not a point of the skin: the landmarker leans towards a usual face. It shows two
thirds of a pucker and half of a puffed cheek, moves other points along with them, lets points slide
over the skin as the head turns, and errs in ways of its own. All of it is measured on rendered
heads by `tools/measure_landmark_offsets.py`, for one tie of the landmarks.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import yaw_pitch_roll

if TYPE_CHECKING:
    from emotalk_cli.face3d.models.linear_model import FaceModel

Float = NDArray[np.float32]

OFFSETS_PATH = Path(__file__).resolve().parents[2] / "assets" / "landmark_offsets.npz"
MAX_TURN_RAD = 0.6
"""Slides were measured up to about this yaw and pitch; beyond it they stay as they are there."""
SLIDE_TERMS = 5
"""Slides go with yaw, pitch, yaw squared, pitch squared and yaw times pitch."""


@dataclass(frozen=True)
class LandmarkOffsets:
    """All corrections: zero for a model for which they were not measured.

    To be added to the model's landmarks in model space, m: offset_m (478, 3) always; unit_m
    (E, 478, 3) times the expression; identity_m (S, 478, 3) times the shape. slide_m (5, 478, 2):
    how far a point moves in the picture's plane, to the right and up of an upright head, per
    radian and squared radian as `turn_terms` counts them. modes_m (K, 478, 3): how the landmarker
    errs besides, independent of each other, one standard deviation each.
    """

    offset_m: Float
    unit_m: Float
    identity_m: Float
    slide_m: Float
    modes_m: Float

    def still(self) -> LandmarkOffsets:
        """Only what does not depend on shape and expression."""
        return replace(
            self,
            unit_m=np.zeros_like(self.unit_m),
            identity_m=np.zeros_like(self.identity_m),
            modes_m=self.modes_m[:0],
        )

    def slide_px(self, head_pose: Float, camera: Float) -> Float:
        """How far (T, 478, 2) px the points have slid in the picture at these poses (T, 6)."""
        roll = yaw_pitch_roll(head_pose)[:, 2]
        right, up = np.moveaxis(np.tensordot(turn_terms(head_pose), self.slide_m, 1), -1, 0)
        cosine, sine = np.cos(roll)[:, None], np.sin(roll)[:, None]
        scale = camera[0] / -head_pose[:, 5:]
        u = scale * (cosine * right - sine * up)
        v = -scale * (sine * right + cosine * up)
        return np.asarray(np.stack([u, v], axis=-1), np.float32)


def turn_terms(head_pose: Float) -> Float:
    """Head poses (T, 6) -> what slides go with, (T, 5), rad and squared rad."""
    yaw, pitch = np.clip(yaw_pitch_roll(head_pose)[:, :2].T, -MAX_TURN_RAD, MAX_TURN_RAD)
    return np.asarray(np.stack([yaw, pitch, yaw**2, pitch**2, yaw * pitch], axis=-1), np.float32)


def landmark_offsets(model: FaceModel) -> LandmarkOffsets:
    """What was measured for this model's tie of the landmarks, its units and its shapes."""
    tie, units, measured = _measured()
    count, shapes = len(model.landmark_triangles), len(model.identity_basis)
    if tie != tie_digest(model):
        nothing = np.zeros((0, count, 3), np.float32)
        slide = np.zeros((SLIDE_TERMS, count, 2), np.float32)
        offset, unit, identity, modes = nothing.sum(axis=0), {}, nothing, nothing
    else:
        offset, slide, modes = measured.offset_m, measured.slide_m, measured.modes_m
        unit, identity = dict(zip(units, measured.unit_m, strict=True)), measured.identity_m
    none = np.zeros((count, 3), np.float32)
    own = np.stack([unit.get(name, none) for name in model.expression_names])
    if len(identity) != shapes:
        identity = np.zeros((shapes, count, 3), np.float32)
    return LandmarkOffsets(offset, own, identity, slide, modes)


def tie_digest(model: FaceModel) -> str:
    """Hexadecimal sha256 of where on its mean face a model carries the landmarks."""
    neutral, _ = model.landmark_bases(np.zeros(len(model.identity_basis), np.float32))
    return hashlib.sha256(np.round(neutral * 1e5).astype("<i4").tobytes()).hexdigest()


def write_offsets(offsets: LandmarkOffsets, model: FaceModel, path: Path = OFFSETS_PATH) -> None:
    """Keep what was measured for this model, with half precision (to a micrometre)."""
    fields = ("offset_m", "unit_m", "identity_m", "slide_m", "modes_m")
    arrays = {name: getattr(offsets, name).astype(np.float16) for name in fields}
    units = np.array(model.expression_names)
    np.savez_compressed(path, tie=np.array(tie_digest(model)), units=units, **arrays)


@functools.cache
def _measured() -> tuple[str, tuple[str, ...], LandmarkOffsets]:
    """Digest of the tie for which the asset was measured, its units, and the measurements."""
    with np.load(OFFSETS_PATH, allow_pickle=False) as stored:
        names = ("offset_m", "unit_m", "identity_m", "slide_m", "modes_m")
        arrays = {name: stored[name].astype(np.float32) for name in names}
        units = tuple(str(unit) for unit in stored["units"])
        return str(stored["tie"]), units, LandmarkOffsets(**arrays)
