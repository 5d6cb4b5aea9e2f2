"""Two sides of one clip brought to one length, rate and face."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.landmarks import AlignedLandmarks
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]

RATE_TOLERANCE_HZ = 0.01


def on_same_face(predicted: FaceTrack, reference: FaceTrack) -> tuple[FaceTrack, FaceTrack]:
    """Both tracks with the reference's shape and rate, cut to the shorter.

    With one shape, distances between the surfaces are motion alone, as in the literature, where
    both move the same template.
    """
    predicted = track_at_rate(predicted, reference.fps)
    frames = min(len(predicted.expression), len(reference.expression))
    same = dataclasses.replace(cut_track(predicted, frames), shape=reference.shape)
    return same, cut_track(reference, frames)


def landmarks_on_same_clock(
    predicted: AlignedLandmarks, reference: AlignedLandmarks
) -> tuple[AlignedLandmarks, AlignedLandmarks]:
    """Both sequences at the reference's rate, cut to the shorter."""
    predicted = landmarks_at_rate(predicted, reference.fps)
    frames = min(len(predicted.valid), len(reference.valid))
    return cut_landmarks(predicted, frames), cut_landmarks(reference, frames)


def cut_track(track: FaceTrack, frames: int) -> FaceTrack:
    """The first frames of a track."""
    if len(track.expression) == frames:
        return track
    per_frame = ("expression", "head_pose", "residual_px", "valid")
    return dataclasses.replace(track, **{name: getattr(track, name)[:frames] for name in per_frame})


def track_at_rate(track: FaceTrack, fps: float) -> FaceTrack:
    """The track with its motion read off between frames at another rate (linear)."""
    if abs(track.fps - fps) < RATE_TOLERANCE_HZ:
        return track
    at = _moments(len(track.expression), track.fps, fps)
    nearest = np.rint(at).astype(int)
    return dataclasses.replace(
        track,
        expression=_between(track.expression, at),
        head_pose=_between(track.head_pose, at),
        residual_px=track.residual_px[nearest],
        valid=track.valid[nearest],
        fps=fps,
    )


def landmarks_at_rate(landmarks: AlignedLandmarks, fps: float) -> AlignedLandmarks:
    """Landmarks read off between frames at another rate (linear)."""
    if abs(landmarks.fps - fps) < RATE_TOLERANCE_HZ:
        return landmarks
    at = _moments(len(landmarks.valid), landmarks.fps, fps)
    valid = landmarks.valid[np.rint(at).astype(int)]
    return AlignedLandmarks(_between(landmarks.points_px, at), valid, fps)


def cut_landmarks(landmarks: AlignedLandmarks, frames: int) -> AlignedLandmarks:
    """The first frames of a sequence."""
    return AlignedLandmarks(landmarks.points_px[:frames], landmarks.valid[:frames], landmarks.fps)


def _moments(frames: int, fps: float, new_fps: float) -> NDArray[np.float64]:
    """Where the new frames lie, counted in old ones."""
    count = int((frames - 1) / fps * new_fps + 1e-6) + 1
    return np.arange(count) * (fps / new_fps)


def _between(values: NDArray[np.floating[Any]], at: NDArray[np.float64]) -> Float:
    before = np.minimum(at.astype(int), len(values) - 1)
    after = np.minimum(before + 1, len(values) - 1)
    share = (at - before).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[before] * (1 - share) + values[after] * share, np.float32)
