"""Fits the linear face model to landmarks: a photo, a clip, or all clips of one person.

Regularised robust least squares on the 478 landmarks (Gauss-Newton, iteratively reweighted) under
a perspective camera. MediaPipe's depth is used for the first guess of the pose only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.fitting.basis import FitBasis, basis_of
from emotalk_cli.face3d.fitting.expression import improve, start
from emotalk_cli.face3d.fitting.identity import Identity, solve_identity
from emotalk_cli.face3d.fitting.points import inter_ocular
from emotalk_cli.face3d.fitting.pose import smooth_pose
from emotalk_cli.face3d.fitting.prior import expression_prior
from emotalk_cli.face3d.fitting.problem import Frames, Weights, residuals
from emotalk_cli.schema import FaceTrack, Labels, MadeBy

if TYPE_CHECKING:
    from emotalk_cli.face3d.models.linear_model import FaceModel

__all__ = ["REVISION", "Identity", "fit_identity", "fit_photo", "fit_sequence"]

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

REVISION = 5
"""Counts the changes of the fit that change its results."""
LONG_SIDE_FOCAL = 1.2
"""Usual focal length as a share of the picture's longer side (a phone's or a web camera's)."""
LONG_SIDE_FOCAL_SD = 0.35
USUAL_DISTANCE_M = 0.8
USUAL_DISTANCE_SD = 0.5
"""Usual distance of a face from the camera and standard deviation of its logarithm."""
MEAN_INTER_OCULAR_M = 0.063
IDENTITY_FRAMES = 96
PHOTO_CERTAINTY = 0.3
"""One photo cannot tell the landmarker's error from the face's form: its points count less."""
PHOTO_SPARSE_FACTOR = 0.35
PHOTO_STATIC_FACTOR = 7.0
PHOTO_CLEAR = 1.0
"""The prior of one photo: weak where motion shows, strong where form looks like motion."""
POSE_STEPS = 3
LAST_STEPS = 1
WINDOW_FRAMES = 600
WINDOW_MARGIN = 20
"""Long clips are solved in windows of so many frames that overlap by this margin on each side."""


def fit_photo(
    landmarks: Float,
    width_px: int,
    height_px: int,
    model: FaceModel,
    *,
    made_by: MadeBy,
    labels: Labels | None = None,
) -> FaceTrack:
    """Fit one picture's landmarks (478, 3) px; the track has one frame.

    Shape and expression of one picture are ambiguous: what could be the form of the face counts
    as such unless it is clearly an expression. Units count as the model has them: to amplify what
    the landmarker hardly shows needs a face seen at rest, too.
    """
    basis = basis_of(model, as_shown=False)
    frames, shape = photo_frames(landmarks, width_px, height_px, basis)
    return _track(frames, shape, basis, model, 25.0, made_by, labels or Labels())


def photo_frames(
    landmarks: Float, width_px: int, height_px: int, basis: FitBasis
) -> tuple[Frames, Float]:
    """One picture's landmarks (478, 3) px -> its pose and expression, and the shape (S,)."""
    camera = _camera(landmarks[None], width_px, height_px)
    frames = start(landmarks[None], np.ones(1, bool), camera, basis.neutral, basis)
    prior = expression_prior(
        basis.names,
        sparse_factor=PHOTO_SPARSE_FACTOR,
        static_factor=PHOTO_STATIC_FACTOR,
        clear=PHOTO_CLEAR,
    )
    shape, _ = solve_identity(frames, basis, Weights(basis, PHOTO_CERTAINTY), prior)
    return frames, shape


def fit_identity(
    landmarks: Sequence[Float],
    sizes_px: Sequence[tuple[int, int]],
    model: FaceModel,
    *,
    valid: Sequence[Bool] | None = None,
) -> Identity:
    """Shape and focal length of one person seen in one or more clips.

    landmarks: one (T, 478, 3) px per clip; sizes_px: width and height of each clip's pictures;
    valid: one (T,) per clip. Raises EmotalkError when no frame shows a face.
    """
    basis = basis_of(model)
    chosen, long_side = _spread(landmarks, sizes_px, valid)
    camera = _camera(chosen, long_side, long_side)
    camera[1:3] = 0.0
    frames = start(chosen, np.ones(len(chosen), bool), camera, basis.neutral, basis)
    shape, offset = solve_identity(frames, basis, Weights(basis), expression_prior(basis.names))
    return Identity(shape, float(frames.camera[0]), float(long_side), offset)


def fit_sequence(
    landmarks: Float,
    valid: Bool,
    width_px: int,
    height_px: int,
    fps: float,
    model: FaceModel,
    *,
    identity: Identity | None = None,
    made_by: MadeBy,
    labels: Labels | None = None,
) -> FaceTrack:
    """Fit a clip's landmarks (T, 478, 3) px; frames that are not valid (T,) are bridged.

    `identity` is the person from `fit_identity`; without it this clip alone tells who it is.
    Raises EmotalkError when no frame shows a face.
    """
    if identity is None:
        identity = fit_identity([landmarks], [(width_px, height_px)], model, valid=[valid])
    basis = basis_of(model)
    neutral = basis.shaped(identity.shape) + identity.offset_m
    focal = identity.focal_for(width_px, height_px)
    camera = np.array([focal, width_px / 2, height_px / 2, width_px, height_px], np.float32)
    weights = Weights(basis)
    whole = start(landmarks, valid, camera, neutral, basis)
    for first in range(0, len(landmarks), WINDOW_FRAMES):
        last = first + WINDOW_FRAMES
        low = max(first - WINDOW_MARGIN, 0)
        part = whole.part(slice(low, last + WINDOW_MARGIN))
        _solve_window(part, neutral, weights, basis, fps)
        keep = slice(first - low, last - low)
        whole.head_pose[first:last] = part.head_pose[keep]
        whole.expression[first:last] = part.expression[keep]
    whole.hold_still(basis.offsets)
    return _track(whole, identity.shape, basis, model, fps, made_by, labels or Labels())


def _solve_window(
    frames: Frames, neutral: Float, weights: Weights, basis: FitBasis, fps: float
) -> None:
    if not frames.valid.any():
        return
    prior = expression_prior(basis.names, fps=fps)
    for _ in range(POSE_STEPS):
        improve(frames, neutral, basis, weights, prior)
    frames.head_pose = smooth_pose(frames.head_pose, frames.valid, fps)
    frames.hold_still(basis.offsets)
    for _ in range(LAST_STEPS):
        improve(frames, neutral, basis, weights, prior, free_pose=False)


def _track(
    frames: Frames,
    shape: Float,
    basis: FitBasis,
    model: FaceModel,
    fps: float,
    made_by: MadeBy,
    labels: Labels,
) -> FaceTrack:
    expression = _bridged(frames.expression, frames.valid)
    frames.expression = expression
    error = residuals(frames, basis.shaped(shape), basis.deltas)
    return FaceTrack(
        made_by=made_by,
        shape=shape,
        expression=expression,
        head_pose=frames.head_pose.astype(np.float32),
        camera=frames.camera,
        residual_px=np.linalg.norm(error, axis=-1).mean(axis=-1).astype(np.float32),
        valid=frames.valid,
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=basis.names,
        fps=float(fps),
        labels=labels,
    )


def _bridged(values: Float, valid: Bool) -> Float:
    """Values (T, E) with those of frames that are not valid drawn from their neighbours."""
    if valid.all() or not valid.any():
        return values
    t = np.arange(len(values))
    columns = [np.interp(t, t[valid], column[valid]) for column in values.T]
    return np.asarray(np.stack(columns, axis=1), np.float32)


def _camera(landmarks: Float, width_px: float, height_px: float) -> Float:
    """A first camera (5,) for landmarks (T, 478, 3) px, from the picture's and the face's size."""
    long_side = max(width_px, height_px)
    eyes = max(float(np.median(inter_ocular(landmarks[..., :2]))), 1.0)
    precisions = np.array([LONG_SIDE_FOCAL_SD**-2, USUAL_DISTANCE_SD**-2])
    usual = (LONG_SIDE_FOCAL * long_side, USUAL_DISTANCE_M * eyes / MEAN_INTER_OCULAR_M)
    focal = np.exp(precisions @ np.log(usual) / precisions.sum())
    return np.array([focal, width_px / 2, height_px / 2, width_px, height_px], np.float32)


def _spread(
    landmarks: Sequence[Float],
    sizes_px: Sequence[tuple[int, int]],
    valid: Sequence[Bool] | None,
) -> tuple[Float, float]:
    """Frames (K, 478, 3) spread evenly over all clips, about the picture's centre, at one scale."""
    if valid is None:
        valid = [np.ones(len(clip), bool) for clip in landmarks]
    places = [(c, t) for c, seen in enumerate(valid) for t in np.flatnonzero(seen)]
    if not places:
        raise EmotalkError("No frame of these clips shows a face.", "Check the videos.")
    picks = np.linspace(0, len(places) - 1, min(IDENTITY_FRAMES, len(places))).round().astype(int)
    long_side = float(max(sizes_px[0]))
    chosen = []
    for c, t in (places[i] for i in picks):
        width, height = sizes_px[c]
        centred = landmarks[c][t] - np.array([width / 2, height / 2, 0.0], np.float32)
        chosen.append(centred * (long_side / max(width, height)))
    return np.asarray(chosen, np.float32), long_side
