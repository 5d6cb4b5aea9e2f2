"""A face small enough to compute by hand: one little triangle around each landmark."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.metrics.surface import LIP_LANDMARKS, LOWER_LIP, FaceSurface
from emotalk_cli.schema import FaceTrack, MadeBy

UNITS = ("jawOpen", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight")
UPPER_LIDS, LOWER_LIDS = (386, 159), (374, 145)
LID_GAP_M = 0.01
CORNER_M = 1e-4
CORNERS = np.array([[0, 1, 0], [-1, -1, 0], [1, -1, 0]], np.float32) * CORNER_M


def landmarks_m() -> NDArray[np.float32]:
    """478 points on a disc, lips below its middle, eyes with open lids above."""
    rng = np.random.default_rng(4)
    points = np.zeros((478, 3), np.float32)
    points[:, 0] = rng.uniform(-0.05, 0.05, 478)
    points[:, 1] = rng.uniform(0.0, 0.08, 478)
    points[list(LIP_LANDMARKS), 1] = rng.uniform(-0.04, -0.03, len(LIP_LANDMARKS))
    points[[230, 450], 1] = 0.02
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        points[lower, 1] = 0.03
        points[upper] = points[lower] + [0, LID_GAP_M, 0]
    return points


@dataclass(frozen=True)
class TinyFace:
    """Vertices 3i, 3i + 1 and 3i + 2 surround landmark i and move with it.

    At 1, jawOpen moves the lower lip 10 mm down, browInnerUp everything above the lids 5 mm up,
    eyeBlink the upper lid onto the lower one.
    """

    name = "tiny"
    sha256 = "0" * 64
    expression_names = UNITS
    triangles = np.arange(478 * 3, dtype=np.int32).reshape(478, 3)
    triangle_parts = np.zeros(478, np.int32)
    part_names = ("skin",)
    landmark_triangles = np.arange(478, dtype=np.int32)
    landmark_barycentric = np.full((478, 3), 1 / 3, np.float32)

    def basis(self) -> NDArray[np.float32]:
        points = landmarks_m()
        basis = np.zeros((len(UNITS), 478, 3), np.float32)
        basis[0, list(LOWER_LIP), 1] = -0.01
        basis[1, points[:, 1] > 0.05, 1] = 0.005
        for unit, upper in zip((2, 3), UPPER_LIDS, strict=True):
            basis[unit, upper, 1] = -LID_GAP_M
        return basis

    def landmarks(
        self, shape: NDArray[np.float32], expression: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        size = 1 + shape[0]
        return size * (landmarks_m() + np.tensordot(expression, self.basis(), 1))

    def vertices(
        self, shape: NDArray[np.float32], expression: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        points = self.landmarks(shape, expression)
        corners = points[..., None, :] + CORNERS
        return corners.reshape(*points.shape[:-2], -1, 3)


@pytest.fixture(scope="session")
def surface() -> FaceSurface:
    return FaceSurface(TinyFace(), 1)


@pytest.fixture
def still() -> FaceTrack:
    """Fifty frames of a neutral face half a metre away."""
    frames = 50
    pose = np.zeros((frames, 6), np.float32)
    pose[:, 5] = -0.5
    return FaceTrack(
        made_by=MadeBy("test", "0"),
        shape=np.zeros(1, np.float32),
        expression=np.zeros((frames, len(UNITS)), np.float32),
        head_pose=pose,
        camera=np.array([500, 128, 128, 256, 256], np.float32),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        face_model="tiny",
        face_model_sha256="0" * 64,
        expression_names=UNITS,
        fps=25.0,
    )


@pytest.fixture
def talking(still: FaceTrack) -> FaceTrack:
    """The jaw opens and closes irregularly, the brows move a little."""
    time = np.arange(50)
    expression = still.expression.copy()
    expression[:, 0] = 0.4 + 0.2 * np.sin(time * 0.7) + 0.15 * np.sin(time * 0.31 + 1)
    expression[:, 1] = 0.3 + 0.2 * np.sin(time * 0.2)
    return replace(still, expression=expression)
