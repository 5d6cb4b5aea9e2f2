"""Landmarks on aligned crops: the similarity is undone, distances are right by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.metrics import landmarks as lm
from emotalk_cli.metrics.landmarks import AlignedLandmarks
from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.schema import FaceTrack


def plausible(frames: int = 6) -> NDArray[np.float32]:
    """Landmarks (T, 478, 2) whose nose and eyes lie as in the template, times 100 px."""
    rng = np.random.default_rng(3)
    points = rng.uniform(0.2, 0.8, (1, 478, 2)).repeat(frames, 0)
    points[:, lm.ALIGNED_POINTS] = lm.TEMPLATE
    return np.asarray(points * 100, np.float32)


def aligned(points: NDArray[np.float32]) -> AlignedLandmarks:
    return AlignedLandmarks(points, np.ones(len(points), bool), 25.0)


def test_the_map_to_68_points_is_whole() -> None:
    assert len(lm.MEDIAPIPE_OF_68) == 68 and len(set(lm.MEDIAPIPE_OF_68)) == 68
    assert len(lm.ALIGNED_POINTS) == len(lm.TEMPLATE) == 18


def test_alignment_undoes_size_place_and_roll() -> None:
    points = plausible()
    turn = np.radians(25)
    rolled = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    there = lm.align(points, np.ones(6, bool), 25.0)
    back = lm.align(rolled * 3.5 + [400, -20], np.ones(6, bool), 25.0)
    np.testing.assert_allclose(back.points_px, there.points_px, atol=1e-2)
    expected = np.array(lm.TEMPLATE) * lm.CROP_PX
    np.testing.assert_allclose(there.points_px[0, lm.ALIGNED_POINTS], expected, atol=1e-2)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_alignment_agrees_with_skimage() -> None:
    transform = pytest.importorskip("skimage.transform")
    points = plausible() + np.random.default_rng(5).normal(0, 4, (6, 478, 2)).astype(np.float32)
    ours = lm.crop_transforms(points)[2]
    source = points[2, lm.ALIGNED_POINTS]
    theirs = transform.SimilarityTransform()
    theirs.estimate(source, np.array(lm.TEMPLATE) * lm.CROP_PX)
    np.testing.assert_allclose(ours, theirs.params[:2], rtol=1e-3, atol=1e-3)


def test_distances_by_hand() -> None:
    points = plausible()
    moved = points.copy()
    lower = [lm.MEDIAPIPE_OF_68[i] for i in range(48, 58)]
    moved[:, lower, 1] += 8  # half of the mouth: its centroid moves 4, so every point is 4 off
    assert lm.MouthLandmarkDistance()(aligned(moved), aligned(points)) == pytest.approx(4, rel=1e-4)
    share = 10 / 68
    by_hand = 8 * (share * (1 - share) + (1 - share) * share)
    assert lm.FaceLandmarkDistance()(aligned(moved), aligned(points)) == pytest.approx(
        by_hand, rel=1e-3
    )


def test_velocities_by_hand() -> None:
    points = plausible()
    jumping = points.copy()
    lower = [lm.MEDIAPIPE_OF_68[i] for i in range(48, 58)]
    jumping[1::2, lower, 0] += 6  # 3 px after centring, there and back
    made, real = aligned(jumping), aligned(points)
    assert lm.MouthLandmarkVelocityDifference()(made, real) == pytest.approx(3, rel=1e-4)
    steady = aligned(points + 7)
    assert lm.FaceLandmarkVelocityDifference()(steady, real) == pytest.approx(0, abs=1e-4)


def test_a_shift_of_the_whole_mouth_is_no_error() -> None:
    points = plausible()
    shifted = points.copy()
    shifted[:, lm.MEDIAPIPE_OF_68[lm.MOUTH]] += 5
    distance = lm.MouthLandmarkDistance()(aligned(shifted), aligned(points))
    assert distance == pytest.approx(0, abs=1e-4)


def test_projection_follows_the_camera(surface: FaceSurface, still: FaceTrack) -> None:
    points = np.zeros((50, 478, 3), np.float32)
    points[:, 0] = [100, 50, 0]  # mm: 500 px · 0.1 m / 0.5 m to the right, half of it up
    seen = lm.project(points, still.head_pose, still.camera)
    np.testing.assert_allclose(seen[0, 0], [128 + 100, 128 - 50], atol=1e-3)
    np.testing.assert_allclose(seen[0, 1], [128, 128], atol=1e-3)
