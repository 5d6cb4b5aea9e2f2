"""The portrait renderer on the demo's photo: rest is the photo, and only what should move moves."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.render.folds import SmileFolds
from emotalk_cli.render.mesh import MeshRenderer
from emotalk_cli.render.portrait import PortraitRenderer
from emotalk_cli.render.registration import register
from emotalk_cli.render.texture import make_texture
from tests.render.render_person import Person

SIZE_PX = 384
MOUTH_AND_CHIN = (61, 291, 0, 200)


@pytest.fixture(scope="module")
def renderer(person: Person) -> PortraitRenderer:
    return PortraitRenderer(
        person.photo, person.landmarks, person.still, person.model, size_px=SIZE_PX
    )


@pytest.fixture(scope="module")
def small_photo(person: Person, renderer: PortraitRenderer) -> NDArray[np.uint8]:
    size = (renderer.width_px, renderer.height_px)
    return cv2.resize(person.photo, size, interpolation=cv2.INTER_AREA)


def spot(person: Person, renderer: PortraitRenderer, landmark: int) -> tuple[int, int]:
    x, y = person.landmarks[landmark, :2] * renderer.width_px / person.photo.shape[1]
    return int(x), int(y)


def box(person: Person, renderer: PortraitRenderer, ids: tuple[int, ...]) -> tuple[slice, slice]:
    xy = person.landmarks[list(ids), :2] * renderer.width_px / person.photo.shape[1]
    x0, y0 = np.floor(xy.min(axis=0)).astype(int)
    x1, y1 = np.ceil(xy.max(axis=0)).astype(int)
    return slice(y0, y1 + 1), slice(x0, x1 + 1)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = (a.astype(np.float64) - b) ** 2
    return float(10.0 * np.log10(255.0**2 / max(error.mean(), 1e-9)))


def test_rest_is_the_photo(
    person: Person, renderer: PortraitRenderer, small_photo: NDArray[np.uint8]
) -> None:
    frame = renderer.frame(person.still.expression[0], person.still.head_pose[0])
    assert frame.dtype == np.uint8
    assert frame.shape == small_photo.shape
    assert psnr(frame, small_photo) > 40.0


def test_size_is_even_and_at_most_the_photos(person: Person) -> None:
    tall = np.ascontiguousarray(person.photo[:, : person.photo.shape[1] - 3])
    drawn = PortraitRenderer(tall, person.landmarks, person.still, person.model, size_px=9999)
    assert drawn.width_px % 2 == 0
    assert drawn.height_px % 2 == 0
    assert abs(drawn.height_px - tall.shape[0]) <= 1


def test_same_coefficients_give_the_same_picture(
    person: Person, renderer: PortraitRenderer
) -> None:
    pose = person.still.head_pose[0]
    first = renderer.frame(person.expression(jawOpen=0.4), pose).copy()
    renderer.frame(person.expression(eyeBlink=1.0, mouthPucker=0.5), pose)
    again = renderer.frame(person.expression(jawOpen=0.4), pose)
    assert np.array_equal(first, again)


def test_background_stands_still(
    person: Person, renderer: PortraitRenderer, small_photo: NDArray[np.uint8]
) -> None:
    pose = person.still.head_pose[0].copy()
    pose[1] += 0.15
    frame = renderer.frame(person.expression(jawOpen=0.3), pose)
    for corner in (np.s_[:40, :24], np.s_[:40, -24:]):
        assert np.abs(frame[corner].astype(int) - small_photo[corner]).mean() <= 1.0


def test_jaw_moves_the_chin_and_not_the_nose(person: Person, renderer: PortraitRenderer) -> None:
    pose = person.still.head_pose[0]
    closed = renderer.frame(np.zeros_like(person.still.expression[0]), pose).copy()
    opened = np.zeros_like(person.still.expression[0])
    opened[person.model.unit_index("jawOpen")] = 0.6
    frame = renderer.frame(opened, pose)
    changed = np.abs(frame.astype(int) - closed).sum(axis=2)
    chin_x, chin_y = spot(person, renderer, 18)
    nose_x, nose_y = spot(person, renderer, 195)
    assert changed[chin_y - 2 : chin_y + 3, chin_x - 8 : chin_x + 9].mean() > 12.0
    assert changed[nose_y - 6 : nose_y, nose_x - 5 : nose_x + 6].mean() < 6.0


def test_open_mouth_is_dark_inside(person: Person, renderer: PortraitRenderer) -> None:
    pose = person.still.head_pose[0]
    wide = np.zeros_like(person.still.expression[0])
    wide[person.model.unit_index("jawOpen")] = 0.9
    y, x = box(person, renderer, MOUTH_AND_CHIN)

    cheek_x, cheek_y = spot(person, renderer, 50)

    def dark(expression: NDArray[np.float32]) -> int:
        """Pixels much darker than the cheek."""
        frame = renderer.frame(expression, pose)
        skin = int(frame[cheek_y, cheek_x].max())
        return int((frame[y, x].max(axis=2) < 0.4 * skin).sum())

    assert dark(wide) > dark(np.zeros_like(wide)) + 100


def test_closed_lips_show_no_teeth(person: Person, renderer: PortraitRenderer) -> None:
    """The photo smiles with its teeth; a mouth at rest must be lips alone."""
    pose = person.still.head_pose[0]
    y, x = box(person, renderer, (61, 291, 13, 14))

    def white(expression: NDArray[np.float32]) -> int:
        """Bright pixels without colour."""
        mouth = renderer.frame(expression, pose)[y, x].astype(int)
        return int(((mouth.min(axis=2) > 170) & (np.ptp(mouth, axis=2) < 40)).sum())

    teeth = white(person.still.expression[0])
    assert teeth > 100
    # Wet lips shine in a few pixels.
    assert white(np.zeros_like(person.still.expression[0])) < 0.1 * teeth


def test_a_smile_taken_back_leaves_a_mouth_of_usual_width(person: Person) -> None:
    still, model = person.still, person.model
    registered = register(model, still, person.landmarks[:, :2], 1.0)
    rest = registered.vertices - np.tensordot(still.expression[0], registered.units, 1)
    corners = model.at_landmarks(rest)[[61, 291, 468, 473]]
    width, eyes = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[2])
    assert 0.7 < width / eyes < 0.82


@pytest.mark.parametrize("iris", [468, 473])
def test_blink_covers_the_iris(person: Person, renderer: PortraitRenderer, iris: int) -> None:
    pose = person.still.head_pose[0]
    x, y = spot(person, renderer, iris)

    def darkest(**units: float) -> int:
        eye = renderer.frame(person.expression(**units), pose)[y - 3 : y + 4, x - 3 : x + 4]
        return int(np.median(eye.astype(int).sum(axis=2)))

    assert darkest(eyeBlink=1.0) > darkest(eyeBlink=0.0) + 60  # skin is brighter than the iris


def test_gaze_moves_the_iris(person: Person, renderer: PortraitRenderer) -> None:
    pose = person.still.head_pose[0]
    y, x = box(person, renderer, (33, 133, 159, 145))

    def dark_x(**units: float) -> float:
        eye = renderer.frame(person.expression(**units), pose)[y, x].astype(float).sum(axis=2)
        weight = np.maximum(250.0 - eye, 0.0)
        return float((weight * np.arange(weight.shape[1])).sum() / weight.sum())

    to_left = dark_x(eyeLookOutLeft=0.7, eyeLookInRight=0.7)
    to_right = dark_x(eyeLookOutRight=0.7, eyeLookInLeft=0.7)
    assert to_left > to_right + 1.5


def test_works_without_a_matte(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotalk_cli.render.portrait.person_matte", lambda *_: None)
    drawn = PortraitRenderer(
        person.photo, person.landmarks, person.still, person.model, size_px=256
    )
    pose = person.still.head_pose[0].copy()
    pose[1] += 0.1
    frame = drawn.frame(person.expression(jawOpen=0.3), pose)
    photo = cv2.resize(person.photo, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(frame[:16, :16].astype(int) - photo[:16, :16]).mean() <= 1.0


def test_mesh_renderer_draws_a_head(person: Person) -> None:
    drawn = MeshRenderer(person.photo, person.landmarks, person.still, person.model, size_px=128)
    shut = drawn.frame(np.zeros_like(person.still.expression[0]), person.still.head_pose[0])
    wide = drawn.frame(person.expression(jawOpen=0.9), person.still.head_pose[0])
    assert shut.shape == (drawn.height_px, drawn.width_px, 3)
    assert np.abs(shut.astype(int) - shut[0, 0]).sum() > 10_000
    assert not np.array_equal(shut, wide)


def test_folds_of_a_smile_fade_with_it(person: Person, renderer: PortraitRenderer) -> None:
    """The photo's fold beside the mouth is darker than what is around it; at rest much less."""
    landmarks = np.ascontiguousarray(person.landmarks[:, :2])
    texture = make_texture(person.photo, person.photo, None, (0, 0, 8, 8))
    folds = SmileFolds(person.model, texture, landmarks, person.still.expression[0])
    height, width = person.photo.shape[:2]
    window = texture.window((0, 0, width, height))
    x0, y0 = landmarks[[129, 57, 186]].min(axis=0).astype(int)
    x1, y1 = landmarks[[129, 57, 186]].max(axis=0).astype(int)

    def roughness() -> float:
        grey = window[y0:y1, x0:x1, :3].mean(axis=2)
        fine, coarse = cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.GaussianBlur(grey, (0, 0), 12)
        return float((fine - coarse).std())

    before = roughness()
    assert folds.update(np.zeros_like(person.still.expression[0]))
    assert roughness() < 0.75 * before
    assert folds.update(person.still.expression[0])
    assert np.abs(window[..., :3] - person.photo).max() < 1e-2
