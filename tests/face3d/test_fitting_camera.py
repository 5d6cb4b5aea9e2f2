"""Rotations, head poses and projection."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from emotalk_cli.face3d.camera import (
    compose,
    inverse,
    project,
    rotation_matrix,
    rotation_vector,
    yaw_pitch_roll,
)
from emotalk_cli.face3d.fitting.pose import smooth_pose


@pytest.mark.parametrize("angle_rad", [0.0, 1e-7, 1e-3, 0.3, 2.0, 3.1, np.pi])
def test_rotation_vectors_survive_the_round_trip(angle_rad: float) -> None:
    axes = np.random.default_rng(0).normal(size=(50, 3))
    vectors = angle_rad * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    matrices = rotation_matrix(vectors)
    np.testing.assert_allclose(matrices, Rotation.from_rotvec(vectors).as_matrix(), atol=1e-6)
    np.testing.assert_allclose(rotation_matrix(rotation_vector(matrices)), matrices, atol=2e-6)


def test_a_pose_and_its_inverse_compose_to_none() -> None:
    poses = np.random.default_rng(1).normal(size=(20, 6))
    np.testing.assert_allclose(compose(poses, inverse(poses)), 0.0, atol=1e-5)


def test_project_puts_left_right_and_up_up() -> None:
    camera = np.array([500, 320, 240, 640, 480], np.float32)
    pose = np.array([0, 0, 0, 0, 0, -1], np.float32)
    points = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0, 0.5]], np.float32)
    expected = [[320, 240], [370, 240], [320, 190], [420, 240]]
    np.testing.assert_allclose(project(points, pose, camera), expected, atol=1e-3)


def test_angles_have_the_signs_they_claim() -> None:
    nose = np.array([[0, 0, 0.1]], np.float32)
    camera = np.array([500, 320, 240, 640, 480], np.float32)
    turned = np.array([0, 0.3, 0, 0, 0, -1], np.float32)
    nodding = np.array([0.3, 0, 0, 0, 0, -1], np.float32)
    np.testing.assert_allclose(yaw_pitch_roll(turned), [0.3, 0, 0], atol=1e-6)
    np.testing.assert_allclose(yaw_pitch_roll(nodding), [0, 0.3, 0], atol=1e-6)
    assert project(nose, turned, camera)[0, 0] > 320
    assert project(nose, nodding, camera)[0, 1] > 240


def test_smoothing_keeps_straight_motion_and_bridges_gaps() -> None:
    poses = np.linspace(0, 1, 60)[:, None] * np.array([0.3, -0.5, 0.1, 0.1, 0.0, 0.2])
    poses += (3.0, 0, 0, 0, 0, -1)  # near half a turn, where rotation vectors jump
    valid = np.ones(60, bool)
    valid[20:40] = False
    broken = poses.copy()
    broken[~valid] = 9.0
    smooth = smooth_pose(broken.astype(np.float32), valid, 25.0)
    np.testing.assert_allclose(
        rotation_matrix(smooth[:, :3])[valid], rotation_matrix(poses[:, :3])[valid], atol=5e-3
    )
    np.testing.assert_allclose(smooth[:, 3:], poses[:, 3:], atol=5e-3)
