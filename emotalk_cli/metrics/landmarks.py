"""Landmark distances in the aligned crops of the EAT protocol, from MediaPipe points.

EAT (Gan et al., 2023) measures dlib's 68 points on crops of 128 x 128 pixels. Here the 68 are
picked from MediaPipe's 478, and the crop is fixed by its own template, so the figures of one
run compare with each other and with other runs of this program, and only roughly with papers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import LOWER, Described, mean_of
from emotalk_cli.metrics.opening import MouthOpening
from emotalk_cli.metrics.surface import LOWER_LIP, UPPER_LIP

Float = NDArray[np.float32]

CROP_PX = 128
# The MediaPipe point for each of the 68: jaw, brows, nose, eyes, outer lips, inner lips.
MEDIAPIPE_OF_68 = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
MOUTH = slice(48, 68)
ALIGNED_POINTS = tuple(MEDIAPIPE_OF_68[27:45])  # nose and eyes: they hardly move with speech
# Where those 18 points of an average face (mean of 15 portraits) lie in a crop of size 1; the outer
# corners of the eyes are .36 apart, the face reaches from .22 to .78 and from .26 to .80.
TEMPLATE = (
    *((0.5, 0.339), (0.5, 0.403), (0.5, 0.46), (0.5, 0.495)),
    *((0.445, 0.526), (0.467, 0.54), (0.5, 0.542), (0.533, 0.54), (0.555, 0.526)),
    *((0.32, 0.35), (0.345, 0.336), (0.387, 0.334), (0.431, 0.36), (0.394, 0.364), (0.353, 0.364)),
    *((0.569, 0.36), (0.613, 0.334), (0.655, 0.336)),
)


@dataclass(frozen=True)
class AlignedLandmarks:
    """Landmarks (T, 478, 2) in pixels of the 128 x 128 crop, where they were seen (T,), rate."""

    points_px: Float
    valid: NDArray[np.bool_]
    fps: float

    @property
    def points_68(self) -> Float:
        """The 68 points (T, 68, 2) in px."""
        return self.points_px[:, MEDIAPIPE_OF_68]

    @property
    def mouth_opening(self) -> MouthOpening:
        """Height between the inner edges of the lips, as `FaceSurface.mouth_opening_mm`."""
        height = self.points_px[..., 1]
        values = (height[:, LOWER_LIP] - height[:, UPPER_LIP]).mean(-1)
        return MouthOpening(np.asarray(values, np.float32), self.valid, "px", self.fps)


class LandmarkMetric(Described):
    """Compares two aligned sequences of one length; only frames valid in both count."""

    unit: ClassVar[str] = "px"
    better: ClassVar[str] = LOWER
    family: ClassVar[str] = "Landmarks"
    region: ClassVar[slice] = slice(0, 68)

    def __call__(self, predicted: AlignedLandmarks, reference: AlignedLandmarks) -> float:
        """Value for one pair; nan where it cannot be measured."""
        raise NotImplementedError

    def _centred(self, landmarks: AlignedLandmarks) -> Float:
        points = landmarks.points_68[:, self.region]
        return np.asarray(points - points.mean(1, keepdims=True), np.float32)


class FaceLandmarkDistance(LandmarkMetric):
    """Mean distance of the 68 points after each set's centroid is taken away, on aligned crops
    of 128 px (EAT protocol; points picked from MediaPipe's).
    """

    name = "F-LMD"

    def __call__(self, predicted: AlignedLandmarks, reference: AlignedLandmarks) -> float:
        apart = np.linalg.norm(self._centred(predicted) - self._centred(reference), axis=-1)
        return mean_of(apart, predicted.valid & reference.valid)


class MouthLandmarkDistance(FaceLandmarkDistance):
    """F-LMD over the 20 points of the mouth (48 to 67)."""

    name = "M-LMD"
    region = MOUTH


class FaceLandmarkVelocityDifference(LandmarkMetric):
    """Mean distance between the frame-to-frame motions of the 68 centred points (the landmark
    velocity difference of Ji et al., EVP, 2021), on aligned crops of 128 px as in the EAT protocol.
    """

    name = "F-LVD"
    unit = "px/frame"

    def __call__(self, predicted: AlignedLandmarks, reference: AlignedLandmarks) -> float:
        apart = np.diff(self._centred(predicted) - self._centred(reference), axis=0)
        valid = predicted.valid & reference.valid
        return mean_of(np.linalg.norm(apart, axis=-1), valid[1:] & valid[:-1])


class MouthLandmarkVelocityDifference(FaceLandmarkVelocityDifference):
    """F-LVD over the 20 points of the mouth."""

    name = "M-LVD"
    region = MOUTH


LANDMARK_METRICS: tuple[type[LandmarkMetric], ...] = (
    MouthLandmarkDistance,
    FaceLandmarkDistance,
    MouthLandmarkVelocityDifference,
    FaceLandmarkVelocityDifference,
)


def crop_transforms(points_px: NDArray[np.floating[Any]], size_px: int = CROP_PX) -> Float:
    """Least-squares similarities (T, 2, 3) from picture to crop for landmarks (T, 478, 2) in px.

    Points are complex numbers x + iy, so a similarity is one product and one sum.
    """
    template = np.array(TEMPLATE) @ [size_px, 1j * size_px]
    source = points_px[:, ALIGNED_POINTS].astype(np.float64) @ [1, 1j]
    centre = source.mean(1, keepdims=True)
    off = source - centre
    turn = (off.conj() * (template - template.mean())).sum(1) / (np.abs(off) ** 2).sum(1)
    move = template.mean() - turn * centre[:, 0]
    rows = [[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]]
    return np.moveaxis(np.array(rows), -1, 0).astype(np.float32)


def align(
    points_px: NDArray[np.floating[Any]], valid: NDArray[np.bool_], fps: float
) -> AlignedLandmarks:
    """Move landmarks (T, 478, 2 or 3) in px of the picture, seen where `valid` (T,), into the
    128 x 128 crop.
    """
    flat = np.asarray(points_px[..., :2], np.float32)
    transforms = crop_transforms(flat)
    aligned = flat @ transforms[:, :, :2].transpose(0, 2, 1) + transforms[:, None, :, 2]
    return AlignedLandmarks(aligned, valid, fps)


def project(
    landmarks_mm: NDArray[np.floating[Any]],
    head_pose: NDArray[np.floating[Any]],
    camera: NDArray[np.floating[Any]],
) -> Float:
    """Landmarks (T, 478, 3) in mm of the head's space -> (T, 478, 2) px of the camera's picture.

    `head_pose` (T, 6) is a rotation vector in rad and a translation in m, `camera` begins with
    focal length and centre x and y in px, as in a FaceTrack.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(head_pose[:, :3]).as_matrix().astype(np.float32)
    points = landmarks_mm / 1000 @ turn.transpose(0, 2, 1) + head_pose[:, None, 3:]
    focal, centre_x, centre_y = camera[:3]
    depth = -points[..., 2]
    across = centre_x + focal * points[..., 0] / depth
    down = centre_y - focal * points[..., 1] / depth
    return np.asarray(np.stack([across, down], -1), np.float32)
