"""A photo or a video as the face: which frame is taken, and what is said of unusable files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.face_quality import portrait_scores
from emotalk_cli.face3d.landmarks import require_face, sharpness
from emotalk_cli.render.photo import is_photo, read_photo
from emotalk_cli.render.video import VideoWriter
from emotalk_cli.stages.portrait_choice import choose_frame, load_portrait

DEMO_FACE = Path(__file__).resolve().parents[2] / "emotalk_cli" / "assets" / "demo_face.jpg"


@pytest.fixture(scope="module")
def small_face() -> np.ndarray:
    return cv2.resize(read_photo(DEMO_FACE), (320, 320), interpolation=cv2.INTER_AREA)


def test_a_photo_is_taken_as_it_is() -> None:
    portrait = load_portrait(DEMO_FACE)
    assert np.array_equal(portrait.photo, read_photo(DEMO_FACE))
    assert portrait.landmarks.shape == (478, 3)
    assert portrait.note == ""


def test_the_sharp_frame_of_a_video_is_chosen(tmp_path: Path, small_face: np.ndarray) -> None:
    video = tmp_path / "talk.mp4"
    blurred = cv2.GaussianBlur(small_face, (0, 0), 3)
    with VideoWriter(video, 320, 320, 5.0) as writer:
        for k in range(8):
            writer.write(small_face if k == 5 else blurred)
    portrait = choose_frame(video)
    assert "1.0 s" in portrait.note
    assert np.abs(portrait.photo.astype(int) - small_face).mean() < 6.0
    assert portrait.landmarks.shape == (478, 3)


def test_a_video_without_a_face_is_refused(tmp_path: Path) -> None:
    video = tmp_path / "wall.mp4"
    with VideoWriter(video, 320, 240, 5.0) as writer:
        for _ in range(5):
            writer.write(np.full((240, 320, 3), 128, np.uint8))
    with pytest.raises(EmotalkError, match="No face"):
        load_portrait(video)


@pytest.mark.parametrize("name", ["face.jpg", "face.mp4"])
def test_a_file_that_is_neither_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"neither a picture nor a video" * 10)
    assert not is_photo(path)
    with pytest.raises(EmotalkError, match="no picture"):
        load_portrait(path)


def test_a_damaged_photo_is_still_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(DEMO_FACE.read_bytes()[:4000])
    assert is_photo(path)


def test_neutral_frames_score_best(small_face: np.ndarray) -> None:
    landmarks = require_face(small_face, DEMO_FACE).landmarks
    width = np.linalg.norm(landmarks[263] - landmarks[33])
    rest = landmarks.copy()
    rest[[14, 87, 317]] = rest[[13, 82, 312]]  # lips closed
    spoken, blink, surprised = rest.copy(), rest.copy(), rest.copy()
    spoken[[14, 87, 317], 1] += 0.1 * width
    blink[[145, 153, 374, 380]] = blink[[159, 158, 386, 385]]
    surprised[[105, 334], 1] -= 0.15 * width
    scores = portrait_scores(
        np.stack([rest, spoken, rest, blink, surprised, rest]), np.ones(6, np.float32)
    )
    assert scores[[1, 3, 4]].max() < 0.5 * scores[[0, 2, 5]].min()
    assert scores.min() > 0.0
    turned = rest.copy()
    turned[:, 2] += 0.8 * (turned[:, 0] - turned[:, 0].mean())
    assert portrait_scores(np.stack([rest, turned]), np.ones(2, np.float32)).argmax() == 0


def test_blur_lowers_sharpness(small_face: np.ndarray) -> None:
    landmarks = require_face(small_face, DEMO_FACE).landmarks
    blurred = cv2.GaussianBlur(small_face, (0, 0), 2)
    assert sharpness(blurred, landmarks) < 0.6 * sharpness(small_face, landmarks)
