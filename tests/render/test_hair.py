"""Hair in the face stays when the skin below it moves, and falls softly at the neck."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.render.hair import (
    GREY,
    NO_SKIN,
    _maybe_skin,
    calm_under_hair,
    free_of_hair,
    hair_over_face,
)
from emotalk_cli.render.head_layer import make_head_layer
from emotalk_cli.render.matte import person_matte
from emotalk_cli.render.portrait import PortraitRenderer
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import FACE_OVAL, Registered, register
from tests.render.render_person import Person

SIZE_PX = 384
FRINGE, TEMPLE, BROW, FOREHEAD, CHEEK = 10, 70, 334, 9, 205


def with_strand(person: Person) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo with a grainy dark strand from the hair down over one brow, and where it is."""
    photo, points = person.photo.copy(), person.landmarks[:, :2]
    eyes_px = np.linalg.norm(points[473] - points[468])
    line = np.round([points[54] - [0, 0.3 * eyes_px], points[70], points[227], points[58]])
    where = np.zeros(photo.shape[:2], np.uint8)
    cv2.polylines(where, [line.astype(np.int32)], False, 1, round(0.3 * eyes_px))
    top = points[10] - [0, 0.5 * eyes_px]
    x, y = np.round(top).astype(int)
    patch = photo[y - 8 : y + 8, x - 8 : x + 8]
    tiled = np.tile(patch, (photo.shape[0] // 16 + 1, photo.shape[1] // 16 + 1, 1))
    photo[where > 0] = tiled[: photo.shape[0], : photo.shape[1]][where > 0]
    return photo, where


def at(picture: NDArray[np.float32], person: Person, landmark: int) -> float:
    x, y = person.landmarks[landmark, :2].astype(int)
    return float(picture[y, x])


@pytest.fixture(scope="module")
def registered(person: Person) -> Registered:
    return register(person.model, person.still, person.landmarks[:, :2], 1.0)


def test_a_strand_over_the_brow_is_found_and_bare_skin_is_none(person: Person) -> None:
    face = np.zeros(person.photo.shape[:2], np.uint8)
    oval = np.round(person.landmarks[list(FACE_OVAL), :2]).astype(np.int32)
    matte = person_matte(person.photo, cv2.fillPoly(face, [oval], 1) > 0)
    assert matte is not None
    plain = hair_over_face(person.photo, matte, person.landmarks)
    photo, _ = with_strand(person)
    covered = hair_over_face(photo, matte, person.landmarks)
    assert at(plain, person, FRINGE) > 0.8
    assert at(covered, person, TEMPLE) > 0.8
    assert at(covered, person, TEMPLE) > at(plain, person, TEMPLE) + 0.2
    for hair in (plain, covered):
        assert hair.min() >= 0.0
        assert hair.max() <= 1.0
        assert at(hair, person, FOREHEAD) < 0.2
        assert at(hair, person, CHEEK) < 0.2


def test_nobody_but_skin_has_no_hair(person: Person) -> None:
    skin = np.empty_like(person.photo)
    skin[:] = person.photo[tuple(person.landmarks[CHEEK, 1::-1].astype(int))]
    matte = np.ones(skin.shape[:2], np.float32)
    assert hair_over_face(skin, matte, person.landmarks).max() == 0.0


def test_grey_photos_have_no_hue_to_tell_skin_by() -> None:
    away = np.zeros((4, 4, 4), np.float32)
    away[:2, :, 0] = 2 * NO_SKIN
    usual, spread = f32([150, GREY, GREY, 0]), f32([6, 2, 2, 3])
    with np.errstate(all="raise"):
        skin = _maybe_skin(away, usual, spread)
    assert skin[2:].all()
    assert not skin[:2].any()


def test_hair_stays_while_the_brow_rises(person: Person) -> None:
    photo, where = with_strand(person)
    drawn = PortraitRenderer(photo, person.landmarks, person.still, person.model, size_px=SIZE_PX)
    pose = person.still.head_pose[0]
    rest = drawn.frame(person.still.expression[0], pose).astype(int)
    raised = drawn.frame(person.expression(browInnerUp=1.0, browOuterUp=1.0), pose).astype(int)
    change = np.abs(raised - rest).mean(axis=2)
    small = cv2.resize(where, change.shape[::-1], interpolation=cv2.INTER_AREA)
    strand = cv2.erode(small, np.ones((7, 7), np.uint8)) > 0
    x, y = (person.landmarks[BROW, :2] * SIZE_PX / max(photo.shape[:2])).astype(int)
    assert change[strand].mean() < 1.0
    assert change[y - 6 : y + 6, x - 6 : x + 6].mean() > 6.0


def test_beards_move(registered: Registered) -> None:
    everywhere = np.ones((4000, 4000), np.float32)
    free = free_of_hair(everywhere, registered, 0.0, -0.02)
    assert free[registered.vertices[:, 1] < -0.02].min() == 1.0
    assert free[registered.vertices[:, 1] > 0.0].max() == 0.0


def test_depth_is_smooth_under_hair_and_the_photo_stays(registered: Registered) -> None:
    everywhere = np.ones((4000, 4000), np.float32)
    calm = calm_under_hair(registered, everywhere)
    placed = calm.vertices @ calm.rotation.T + calm.translation
    assert np.abs(calm.camera.project(placed) - registered.photo_xy).max() < 0.05
    assert np.abs(calm.depth - registered.depth).max() > 0.002
    none = calm_under_hair(registered, np.zeros((4000, 4000), np.float32))
    assert np.abs(none.vertices - registered.vertices).max() < 1e-6


def test_long_hair_lets_go_later_than_the_neck(person: Person, registered: Registered) -> None:
    height, width = person.photo.shape[:2]
    seen = np.flatnonzero(registered.vertices[:, 2] > 0.05)
    chin = person.landmarks[152, :2]
    eyes_px = np.linalg.norm(person.landmarks[473, :2] - person.landmarks[468, :2])

    def follow_beside_the_neck(person_px: slice) -> float:
        matte = np.zeros((height, width), np.float32)
        matte[:, person_px] = 1.0
        layer = make_head_layer(
            registered,
            seen,
            registered.units,
            size_px=(width, height),
            margin_px=16,
            chin_y_m=float(registered.vertices[seen, 1].min()),
            matte=matte,
            hair=np.zeros((height, width), np.float32),
            hands=None,
        )
        spot = chin + np.array([1.5, 0.5]) * eyes_px
        return float(layer.follow[np.linalg.norm(layer.uv - spot, axis=1).argmin()])

    middle = slice(int(chin[0] - eyes_px), int(chin[0] + eyes_px))
    assert follow_beside_the_neck(slice(0, width)) > follow_beside_the_neck(middle) + 0.3
