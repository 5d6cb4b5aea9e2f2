"""Whether a fit is to be trusted, and if not, why: profile, small, blurred or hidden face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import yaw_pitch_roll
from emotalk_cli.face3d.fitting.points import inter_ocular
from emotalk_cli.face3d.models.default_model import load_default_face_model

if TYPE_CHECKING:
    from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]

FILM_RESIDUAL, PHOTO_RESIDUAL = 0.018, 0.03
"""Mean landmark errors, as shares of the inter-ocular distance, worth a warning. 100 clear films of
one man reach .015, 17 clear photos .023; blurred or half hidden faces go from .015 to .026."""
OTHER_RESIDUAL = 0.04
"""The same for other face models than the default, whose landmarks were not measured."""
UNSTEADY = 0.025
"""Mean third difference of the landmarks in time over the inter-ocular distance: up to .017 on
clear films, .028 to .064 with half of the face hidden."""
LOST_SHARE = 0.3
TURNED_DEG = 35.0
SMALL_EYES_PX = 24.0
BLURRED = 0.09
"""Sharpness (`landmarks.sharpness`) below this is blur: .18 to .35 in clear films, .07 to .085
with a blur of a tenth of the eyes' distance."""


@dataclass(frozen=True)
class FitQuality:
    """How well one track explains its landmarks.

    residual: median over the frames of the mean landmark error, over the inter-ocular distance;
    unsteady: mean third difference of the landmarks in time, over the same (0 for a photo); lost:
    share of the frames without a face; yaw_deg: median turn to the side, 0..180; eyes_px: median
    inter-ocular distance; photo: whether there is one frame only; usual_model: whether the face
    model is the default.
    """

    residual: float
    unsteady: float
    lost: float
    yaw_deg: float
    eyes_px: float
    photo: bool
    usual_model: bool = True


def fit_quality(landmarks: Float, track: FaceTrack) -> FitQuality:
    """Quality of the track that was fitted to landmarks (T, 478, 3) px; some frame is valid."""
    seen = landmarks[track.valid][..., :2]
    eyes = np.maximum(inter_ocular(seen), 1.0)
    yaw = yaw_pitch_roll(track.head_pose[track.valid])[:, 0]
    # Differences across lost frames would be jumps.
    steady = np.convolve(track.valid, np.ones(4), mode="valid") == 4 if len(landmarks) > 3 else []
    jumps = (
        np.abs(np.diff(landmarks[..., :2], 3, axis=0))[steady] if np.any(steady) else np.zeros(1)
    )
    return FitQuality(
        residual=float(np.median(track.residual_px[track.valid] / eyes)),
        unsteady=float(jumps.mean() / np.median(eyes)),
        lost=1.0 - float(track.valid.mean()),
        yaw_deg=float(np.degrees(np.median(np.abs(yaw)))),
        eyes_px=float(np.median(eyes)),
        photo=len(landmarks) == 1,
        usual_model=track.face_model == load_default_face_model().name,
    )


def fit_warnings(quality: FitQuality, sharpness: float | None = None) -> tuple[str, ...]:
    """Why a fit is not to be trusted, a sentence each; nothing where it is.

    sharpness: of the face by `landmarks.sharpness`, where the pictures are at hand.
    """
    notes = []
    if quality.lost > LOST_SHARE:
        notes.append(f"the face was lost in {quality.lost:.0%} of the frames.")
    limit = PHOTO_RESIDUAL if quality.photo else FILM_RESIDUAL
    if not quality.usual_model:
        limit = OTHER_RESIDUAL
    if quality.residual > limit or quality.unsteady > UNSTEADY:
        notes.append(f"{_finding(quality, limit)}: {_reason(quality, sharpness)}.")
    return tuple(notes)


def _finding(quality: FitQuality, limit: float) -> str:
    if quality.residual > limit:
        return f"the fit is {quality.residual:.1%} of the distance between the eyes off"
    return f"the landmarks jump by {quality.unsteady:.1%} of the distance between the eyes"


def _reason(quality: FitQuality, sharpness: float | None) -> str:
    if quality.yaw_deg > TURNED_DEG:
        return f"the head is turned by {quality.yaw_deg:.0f} degrees"
    if quality.eyes_px < SMALL_EYES_PX:
        return f"the face is small, {quality.eyes_px:.0f} px between the eyes"
    if sharpness is not None and sharpness < BLURRED:
        return "the picture is blurred"
    if quality.unsteady > UNSTEADY:
        return "something hides a part of the face"
    if sharpness is not None:
        return "something may hide the face"
    return "something may hide the face, or the picture is blurred"
