"""One person is followed through a video, gaps are filled and marked."""

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.face_tracking import FaceFollower, fill_gaps, track_faces

COUNT = 16


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    """A face that moves 3 px to the right each frame."""
    head = pytest.importorskip("skimage.data").astronaut()[:300, 80:380]
    canvas = np.full((320, 480, 3), 60, np.uint8)
    result = []
    for k in range(COUNT):
        frame = canvas.copy()
        frame[10:310, 20 + 3 * k : 320 + 3 * k] = head
        result.append(frame)
    return result


def test_the_face_is_followed(frames: list[np.ndarray]) -> None:
    landmarks, valid = track_faces(frames)
    assert landmarks.shape == (COUNT, 478, 3)
    assert valid.all()
    steps = np.diff(landmarks[:, :468, 0].mean(axis=1))
    assert np.abs(steps - 3).max() < 1


def test_the_same_frames_give_the_same_landmarks(frames: list[np.ndarray]) -> None:
    assert np.array_equal(track_faces(frames[:6])[0], track_faces(frames[:6])[0])


def test_lost_frames_are_filled_and_marked(frames: list[np.ndarray]) -> None:
    broken = [np.zeros_like(f) if 5 <= k < 9 else f for k, f in enumerate(frames)]
    landmarks, valid = track_faces(broken)
    assert list(np.flatnonzero(~valid)) == [5, 6, 7, 8]
    steps = np.diff(landmarks[:, :468, 0].mean(axis=1))
    assert np.abs(steps - 3).max() < 1.5


@pytest.mark.parametrize(("face", "left"), [("largest", True), ("0", True), ("1", False)])
def test_whom_to_follow(frames: list[np.ndarray], face: str, left: bool) -> None:
    import cv2

    both = [
        np.concatenate([f, cv2.resize(f, None, fx=0.75, fy=1)[:, ::-1]], axis=1) for f in frames[:5]
    ]
    landmarks, _ = track_faces(both, face)
    assert (landmarks[..., 0].mean() < 480) == left


def test_wrong_choices_are_refused(frames: list[np.ndarray]) -> None:
    with pytest.raises(EmotalkError, match="no face called 'smallest'"):
        FaceFollower("smallest")
    with pytest.raises(EmotalkError, match="no face number 3"):
        track_faces(frames[:1], "3")
    with pytest.raises(EmotalkError, match="No frame shows a face"):
        track_faces([np.zeros((64, 64, 3), np.uint8)])


def test_gaps_at_both_ends_repeat_the_nearest() -> None:
    landmarks = np.zeros((5, 478, 3), np.float32)
    landmarks[1], landmarks[3] = 1, 3
    fill_gaps(landmarks, np.array([False, True, False, True, False]))
    assert landmarks[:, 0, 0].tolist() == [1, 1, 2, 3, 3]
