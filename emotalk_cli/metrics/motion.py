"""How one head moves: smoothness, range and speed of the head, blinks, variety over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import NEITHER, Described, MotionMetric, mean_of
from emotalk_cli.metrics.surface import FACE_LANDMARKS, MM_PER_M, FaceSurface
from emotalk_cli.schema import FaceTrack

# Upper lid, lower lid, outer corner, inner corner of the right and the left eye.
EYES = ((159, 145, 33, 133), (386, 374, 263, 362))
OPEN_PERCENTILE = 75.0
BLINK_CLOSES_BELOW = 0.7  # of the open eye's aperture
BLINK_OPENS_BY = 0.5  # of the way from its lowest aperture back to open
MAX_BLINK_S = 0.8  # longer is a closed eye


class Jitter(MotionMetric):
    """Mean size of the third difference over time of the face's landmarks, head motion included,
    times the frame rate cubed: the mean jerk, as Yi et al., TransPose, 2021, of the body's joints.
    """

    name = "jitter"
    unit = "m/s³"

    def __call__(self, track: FaceTrack) -> float:
        from scipy.spatial.transform import Rotation

        if len(track.expression) < 4:
            return float("nan")
        turn = Rotation.from_rotvec(track.head_pose[:, :3]).as_matrix()
        points = self.surface.landmarks_mm(track)[:, :FACE_LANDMARKS] / MM_PER_M
        points = points @ turn.transpose(0, 2, 1) + track.head_pose[:, None, 3:]
        jerk = np.linalg.norm(np.diff(points, 3, axis=0), axis=-1) * track.fps**3
        whole = np.lib.stride_tricks.sliding_window_view(track.valid, 4).all(-1)
        return mean_of(jerk, whole)


class HeadRange(MotionMetric):
    """Range of the head's rotation: the 95th percentile over frames of its angle from the clip's
    mean rotation.
    """

    name = "head range"
    unit = "deg"

    def __call__(self, track: FaceTrack) -> float:
        from scipy.spatial.transform import Rotation

        if not track.valid.any():
            return float("nan")
        turns = Rotation.from_rotvec(track.head_pose[track.valid, :3])
        angles = np.degrees((turns.mean().inv() * turns).magnitude())
        return float(np.percentile(angles, 95))


class HeadSpeed(MotionMetric):
    """Mean angular speed of the head."""

    name = "head speed"
    unit = "deg/s"

    def __call__(self, track: FaceTrack) -> float:
        return mean_of(head_speed_deg_s(track), track.valid[1:] & track.valid[:-1])


class BlinkRate(MotionMetric):
    """Blinks a minute: the eyes' aperture (lid distance over eye width, mean of both, after
    Soukupova and Cech, 2016) falls below 0.7 of its 75th percentile and comes back half of the
    way within 0.8 s.
    """

    name = "blink rate"
    unit = "1/min"

    def __call__(self, track: FaceTrack) -> float:
        aperture = eye_aperture(self.surface.landmarks_mm(track))
        if not track.valid.any():
            return float("nan")
        level = aperture / np.percentile(aperture[track.valid], OPEN_PERCENTILE)
        minutes = track.valid.sum() / track.fps / 60
        return float(count_blinks(level, track.fps) / minutes)


@dataclass(frozen=True)
class Diversity(Described):
    """Mean distance between the face's landmarks of every two samples of one clip that were made
    with different seeds (files CLIP.seed1.h5, CLIP.seed2.h5, ...), in the head's own space.
    """

    surface: FaceSurface
    family: ClassVar[str] = "Motion"
    name: ClassVar[str] = "diversity"
    unit: ClassVar[str] = "mm"
    better: ClassVar[str] = NEITHER

    def __call__(self, samples: Sequence[FaceTrack]) -> float:
        """Value for the samples of one clip, of one length; nan for fewer than two."""
        faces = [self.surface.landmarks_mm(track)[:, :FACE_LANDMARKS] for track in samples]
        apart = [np.linalg.norm(a - b, axis=-1).mean() for a, b in combinations(faces, 2)]
        return float(np.mean(apart)) if apart else float("nan")


MOTION_METRICS: tuple[type[MotionMetric], ...] = (Jitter, HeadRange, HeadSpeed, BlinkRate)


def head_speed_deg_s(track: FaceTrack) -> NDArray[np.float64]:
    """Angular speed (T - 1,) of the head in degrees a second."""
    from scipy.spatial.transform import Rotation

    turns = Rotation.from_rotvec(track.head_pose[:, :3])
    return np.asarray(np.degrees((turns[:-1].inv() * turns[1:]).magnitude()) * track.fps)


def eye_aperture(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Lid distance over eye width (T,), mean of both eyes, of landmarks (T, 478, 2 or 3).

    Soukupova and Cech, Real-time eye blink detection, 2016, with one pair of lid points.
    """
    ratios = []
    for upper, lower, outer, inner in EYES:
        height = np.linalg.norm(landmarks[:, upper] - landmarks[:, lower], axis=-1)
        width = np.linalg.norm(landmarks[:, outer] - landmarks[:, inner], axis=-1)
        ratios.append(height / width)
    return np.asarray(np.mean(ratios, axis=0), np.float32)


def count_blinks(level: NDArray[np.floating[Any]], fps: float) -> int:
    """Closings and openings in the eyes' aperture (T,), where 1 is open."""
    blinks, closed_at, lowest = 0, None, 1.0
    for frame, height in enumerate(level):
        lowest = min(lowest, float(height))
        if closed_at is None:
            if height < BLINK_CLOSES_BELOW:
                closed_at, lowest = frame, float(height)
        elif height > lowest + BLINK_OPENS_BY * (1 - lowest):
            blinks += (frame - closed_at) / fps <= MAX_BLINK_S
            closed_at = None
    return blinks
