"""Crops and small faces: what is shown, and that what is pasted leaves no trace."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import project
from emotalk_cli.render.framing import CROPS, Framed, frame_photo, head_box
from emotalk_cli.render.pasted import MOVING_M, PastedPortrait, animate_portrait
from tests.render.render_person import Person

SCALE, LEFT, TOP = 0.3, 500, 110
WIDTH, HEIGHT = 961, 541


@pytest.fixture(scope="module")
def landscape(person: Person) -> Framed:
    """The person, small, in a wide picture of odd sides."""
    small = cv2.resize(person.photo, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    photo = rng.integers(90, 130, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    photo[TOP : TOP + small.shape[0], LEFT : LEFT + small.shape[1]] = small
    landmarks = person.landmarks * np.float32(SCALE)
    landmarks[:, :2] += np.float32([LEFT, TOP])
    focal, x, y = (float(value) for value in person.still.camera[:3] * SCALE)
    camera = np.float32([focal, x + LEFT, y + TOP, WIDTH, HEIGHT])
    return Framed(photo, landmarks, replace(person.still, camera=camera))


def reprojection_px(framed: Framed, person: Person) -> float:
    """Mean distance between the landmarks and where the fit's camera sees them."""
    still = framed.still
    points = person.model.landmarks(still.shape, still.expression[0])
    seen = project(points, still.head_pose[0], still.camera)
    return float(np.linalg.norm(seen - framed.landmarks[:, :2], axis=1).mean())


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("size_px", [None, 150])
def test_every_crop_keeps_landmarks_and_camera_together(
    landscape: Framed, person: Person, crop: str, size_px: int | None
) -> None:
    framed = frame_photo(
        landscape.photo, landscape.landmarks, landscape.still, crop=crop, size_px=size_px
    )
    height, width = framed.photo.shape[:2]
    assert height % 2 == 0
    assert width % 2 == 0
    assert max(height, width) <= (size_px or WIDTH)
    assert tuple(framed.still.camera[3:]) == pytest.approx((width, height), abs=0.01)
    scale = framed.still.camera[0] / landscape.still.camera[0]
    before = reprojection_px(landscape, person)
    assert reprojection_px(framed, person) == pytest.approx(before * scale, abs=0.5 * scale + 0.1)


def test_crops_are_ever_closer(landscape: Framed) -> None:
    sides = [frame_photo(*vars(landscape).values(), crop=crop).photo.shape[1] for crop in CROPS]
    assert sides == sorted(sides, reverse=True)
    assert len(set(sides)) == len(CROPS)


def test_a_portrait_is_shown_whole(person: Person) -> None:
    framed = frame_photo(person.photo, person.landmarks, person.still, crop="full")
    assert np.array_equal(framed.photo, person.photo)


def test_unknown_crop_is_told(person: Person) -> None:
    with pytest.raises(EmotalkError, match="shoulders"):
        frame_photo(person.photo, person.landmarks, person.still, crop="shoulders")


def test_a_small_face_is_pasted_without_a_border(landscape: Framed, person: Person) -> None:
    framed = frame_photo(landscape.photo, landscape.landmarks, landscape.still)
    drawn = animate_portrait(framed.photo, framed.landmarks, framed.still, person.model)
    assert isinstance(drawn, PastedPortrait)
    photo = framed.photo.astype(int)
    pose = person.still.head_pose[0].copy()
    pose[1] += 0.25
    pose[4] += 0.01
    frame = drawn.frame(person.expression(jawOpen=0.7), pose, 1.0).copy()
    changed: NDArray[np.int_] = np.abs(frame.astype(int) - photo).max(axis=2)
    x0, y0, x1, y1 = head_box(framed.still, MOVING_M)
    inside = np.zeros(changed.shape, bool)
    inside[y0:y1, x0:x1] = True
    assert changed[~inside].max() == 0
    ring = inside.copy()
    ring[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = False
    assert changed[ring].max() <= 4
    assert changed[inside].mean() > 1.0
    rest = drawn.frame(person.still.expression[0], person.still.head_pose[0])
    assert np.abs(rest.astype(int) - photo).mean() < 0.5
