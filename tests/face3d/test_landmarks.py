"""Faces in photos are found at any size, and what cannot be worked with is refused clearly."""

from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.landmarks import LANDMARK_COUNT, detect_faces, head_angles, require_face

HERE = Path("photo.jpg")
USABLE = "001 005 006 009 011 014 016 022 027 028 033 035 042 046 051"


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return pytest.importorskip("skimage.data").astronaut()


def scaled(image: np.ndarray, factor: float) -> np.ndarray:
    from PIL import Image

    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def tilted(image: np.ndarray, angle_deg: float) -> np.ndarray:
    """Turned against the clock about the middle."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).rotate(angle_deg, Image.Resampling.BICUBIC))


def test_one_clear_face(astronaut: np.ndarray) -> None:
    face = require_face(astronaut, HERE)
    assert face.landmarks.shape == (LANDMARK_COUNT, 3)
    assert face.landmarks.dtype == np.float32
    assert 190 < face.landmarks[4, 0] < 240  # the nose of the picture
    assert 95 < face.landmarks[4, 1] < 150
    assert abs(face.yaw_deg) < 10
    assert face.disagreement < 0.02
    assert face.others == 0
    assert face.note == ""


def test_a_mouth_cut_off_by_the_edge_is_refused(astronaut: np.ndarray) -> None:
    lips = require_face(astronaut, HERE).landmarks[[13, 17, 152], 1]
    require_face(np.ascontiguousarray(astronaut[: int(lips[1:].mean())]), HERE)  # the chin may be
    with pytest.raises(EmotalkError, match="cut off"):
        require_face(np.ascontiguousarray(astronaut[: int(lips[0])]), HERE)


@pytest.mark.parametrize("factor", [0.8, 4.0, 8.0])
def test_landmarks_do_not_depend_on_the_size(astronaut: np.ndarray, factor: float) -> None:
    here = require_face(astronaut, HERE).landmarks
    there = require_face(scaled(astronaut, factor), HERE).landmarks / factor
    assert np.linalg.norm(here - there, axis=1)[:, None].mean() < 2.0


def test_a_small_face_in_a_large_picture(astronaut: np.ndarray) -> None:
    wide = np.full((2000, 3000, 3), 90, np.uint8)
    wide[1400:1912, 2400:2912] = astronaut
    face = require_face(wide, HERE)
    expected = require_face(astronaut, HERE).landmarks[:, :2] + (2400, 1400)
    assert np.linalg.norm(face.landmarks[:, :2] - expected, axis=1).mean() < 3


def test_the_largest_of_two_is_taken_and_said(astronaut: np.ndarray) -> None:
    both = np.zeros((600, 1200, 3), np.uint8)
    both[:512, :512] = astronaut
    small = scaled(astronaut, 0.7)
    both[: small.shape[0], 700 : 700 + small.shape[1]] = small
    face = require_face(both, HERE)
    assert face.landmarks[:, 0].max() < 512
    assert face.others == 1
    assert "2 faces" in face.note


def test_refusals(astronaut: np.ndarray) -> None:
    with pytest.raises(EmotalkError, match=r"No face was found in photo\.jpg"):
        require_face(np.zeros((300, 400, 3), np.uint8), HERE)
    with pytest.raises(EmotalkError, match=r"too small: .* px; 64 px are needed"):
        require_face(scaled(astronaut, 0.4), HERE)
    with pytest.raises(EmotalkError, match="on its side"):
        require_face(np.rot90(scaled(astronaut, 2.0)).copy(), HERE)


@pytest.mark.parametrize("tilt_deg", [-140, -90, 90, 140, 180])
def test_faces_that_are_not_upright(astronaut: np.ndarray, tilt_deg: int) -> None:
    way = "is upside down" if abs(tilt_deg) > 120 else "lies on its side"
    with pytest.raises(EmotalkError, match=rf"photo\.jpg {way} \(turned by") as refusal:
        require_face(tilted(astronaut, tilt_deg), HERE)
    turned = int(refusal.value.problem.split("turned by ")[1].split()[0])
    assert abs(turned - abs(tilt_deg)) < 8


@pytest.mark.parametrize("tilt_deg", [-40, 40])
def test_leaning_faces_are_taken(astronaut: np.ndarray, tilt_deg: int) -> None:
    face = require_face(tilted(astronaut, tilt_deg), HERE)
    assert face.roll_deg == pytest.approx(-tilt_deg, abs=8)


@pytest.mark.parametrize("corner", [(430, 850), (60, 1500)])
@pytest.mark.parametrize("brightness", [0, 128, 255])
def test_a_false_alarm_does_not_end_the_search(
    astronaut: np.ndarray, brightness: int, corner: tuple[int, int]
) -> None:
    plain = np.full((1080, 1920, 3), brightness, np.uint8)
    head = scaled(astronaut[:256, 96:352], 220 / 256)
    y, x = corner
    plain[y : y + 220, x : x + 220] = head
    face = require_face(plain, HERE)
    assert x < face.landmarks[4, 0] < x + 220
    assert y < face.landmarks[4, 1] < y + 220


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_pictures_without_a_face(name: str) -> None:
    image = getattr(pytest.importorskip("skimage.data"), name)()
    with pytest.raises(EmotalkError, match=r"No face was found in photo\.jpg"):
        require_face(image, HERE)


def test_any_shape_of_picture_is_taken() -> None:
    for shape in ((1, 1, 3), (2, 900, 3), (900, 2, 3)):
        assert detect_faces(np.zeros(shape, np.uint8)) == []


def test_head_angles_of_a_turned_mesh(astronaut: np.ndarray) -> None:
    mesh = require_face(astronaut, HERE).landmarks
    yaw, pitch, roll = head_angles(mesh)
    turn = np.radians(20)
    about_y = np.array(
        [[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]
    )
    tilt = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    assert head_angles((mesh @ about_y.T).astype(np.float32))[0] == pytest.approx(yaw + 20, abs=3)
    assert head_angles((mesh @ tilt.T).astype(np.float32))[2] == pytest.approx(roll + 20, abs=3)
    assert abs(pitch) < 15


def test_portraits(shared_data: Path) -> None:
    from PIL import Image

    refused = {}
    for path in sorted((shared_data / "portraits").glob("*.jpg")):
        try:
            require_face(np.asarray(Image.open(path).convert("RGB")), path)
        except EmotalkError as error:
            refused[path.stem] = error.problem
    assert not set(refused) & set(USABLE.split())
    assert "turned 5" in refused["018"]
    assert "hidden" in refused["003"]
    assert "profile" in refused["012"]
    assert "hidden" in refused["024"]


@pytest.mark.parametrize("name", ["001", "035"])
def test_portraits_that_are_not_upright(shared_data: Path, name: str) -> None:
    from PIL import Image

    photo = np.asarray(Image.open(shared_data / "portraits" / f"{name}.jpg").convert("RGB"))
    for quarter, way in ((1, "on its side"), (2, "upside down"), (3, "on its side")):
        with pytest.raises(EmotalkError, match=way):
            require_face(np.rot90(photo, quarter).copy(), HERE)
