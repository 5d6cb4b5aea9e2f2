"""How far the surface, the coefficients and the head pose of two tracks lie apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import LOWER, NEITHER, Described, TrackMetric, mean_of
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]

EXPRESSION_ERROR = "expression error"


class LipVertexError(TrackMetric):
    """Mean over frames of the largest squared distance of a lip vertex from where it should be.
    Richard et al., MeshTalk, 2021; squared as in CodeTalker's code and torchmetrics.
    """

    name = "LVE"
    unit = "mm²"

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        return self._largest_squared(predicted, reference, self.surface.lips)

    def _largest_squared(
        self, predicted: FaceTrack, reference: FaceTrack, region: NDArray[np.intp]
    ) -> float:
        surface = self.surface
        apart = (
            surface.vertices_mm(predicted)[:, region] - surface.vertices_mm(reference)[:, region]
        )
        worst = np.square(apart).sum(-1).max(-1)
        return mean_of(worst, predicted.valid & reference.valid)


class EyeVertexError(LipVertexError):
    """LVE over eyes and forehead. Peng et al., EmoTalk, 2023."""

    name = "EVE"

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        return self._largest_squared(predicted, reference, self.surface.upper)


class MeanVertexError(TrackMetric):
    """Mean over frames and vertices of the face of the distance from where they should be.
    Stan et al., FaceDiffuser, 2023 (not squared; skin within reach of the landmarks, no scalp).
    """

    name = "MVE"
    unit = "mm"

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        surface, face = self.surface, self.surface.face
        apart = surface.vertices_mm(predicted)[:, face] - surface.vertices_mm(reference)[:, face]
        return mean_of(np.linalg.norm(apart, axis=-1), predicted.valid & reference.valid)


class FaceDynamicsDeviation(TrackMetric):
    """Mean over upper-face vertices of how much the standard deviation over time of the squared
    motion from neutral differs, reference minus prediction: above zero, the prediction moves too
    little. Xing et al., CodeTalker, 2023.
    """

    name = "FDD"
    unit = "mm²"
    better = NEITHER

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        valid = predicted.valid & reference.valid
        if not valid.any():
            return float("nan")
        return float((self._dynamics(reference, valid) - self._dynamics(predicted, valid)).mean())

    def _dynamics(self, track: FaceTrack, valid: NDArray[np.bool_]) -> Float:
        upper = self.surface.upper
        motion = self.surface.vertices_mm(track)[valid][:, upper]
        motion = motion - self.surface.neutral_mm(track)[upper]
        return np.asarray(np.square(motion).sum(-1).std(0), np.float32)


class AbsoluteFaceDynamicsDeviation(FaceDynamicsDeviation):
    """Absolute value of a clip's FDD, so that clips that move too much and too little do not
    cancel out in the mean.
    """

    name = "|FDD|"
    better = LOWER

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        return abs(super().__call__(predicted, reference))


class HeadPoseError(TrackMetric):
    """Mean angle of the rotation from one head to the other. Huynh, Metrics for 3D rotations, 2009
    (the geodesic distance on the unit sphere).
    """

    name = "head rotation error"
    unit = "deg"
    family = "Motion"

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        from scipy.spatial.transform import Rotation

        one = Rotation.from_rotvec(predicted.head_pose[:, :3])
        other = Rotation.from_rotvec(reference.head_pose[:, :3])
        angles = np.degrees((one.inv() * other).magnitude())
        return mean_of(angles, predicted.valid & reference.valid)


@dataclass(frozen=True)
class ExpressionError(Described):
    """Mean absolute difference of the activity of a group of units, grouped by the first word of
    their names (jaw, mouth, tongue, brow, eye, cheek, nose); activity is 0 to 1.
    """

    group: str
    unit: ClassVar[str] = "activity"
    family: ClassVar[str] = "Coefficients"

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the metric of this group."""
        return f"{EXPRESSION_ERROR}, {self.group}"

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        units = [group_of(name) == self.group for name in reference.expression_names]
        apart = np.abs(predicted.expression[:, units] - reference.expression[:, units])
        return mean_of(apart, predicted.valid & reference.valid)


def group_of(unit_name: str) -> str:
    """First word of a unit's name: jawOpen -> jaw, EyeBlink_L -> eye."""
    found = re.match(r"[A-Z]?[a-z]+", unit_name)
    return found.group().lower() if found else unit_name


TRACK_METRICS: tuple[type[TrackMetric], ...] = (
    LipVertexError,
    EyeVertexError,
    MeanVertexError,
    FaceDynamicsDeviation,
    AbsoluteFaceDynamicsDeviation,
    HeadPoseError,
)
