"""Folds of smiles: beards are none, and hair beside the face does not darken the cheeks."""

import cv2
import numpy as np
import pytest

from emotalk_cli.render.folds import SmileFolds
from emotalk_cli.render.registration import FACE_OVAL
from emotalk_cli.render.texture import make_texture
from tests.render.render_person import Person


def faded(person: Person, photo: np.ndarray) -> np.ndarray:
    """A photo with its smile's folds taken out."""
    points = np.ascontiguousarray(person.landmarks[:, :2])
    texture = make_texture(photo, photo, None, (0, 0, 8, 8))
    folds = SmileFolds(person.model, texture, points, person.still.expression[0])
    assert folds.update(np.zeros_like(person.still.expression[0]))
    height, width = photo.shape[:2]
    return texture.window((0, 0, width, height))[..., :3]


def cheek(person: Person) -> tuple[slice, slice]:
    x, y = person.landmarks[[50, 205], :2].mean(axis=0).astype(int)
    return np.s_[y - 8 : y + 9, x - 8 : x + 9]


def test_dark_hair_around_the_face_leaves_the_cheeks_light(person: Person) -> None:
    photo = person.photo.copy()
    oval = np.zeros(photo.shape[:2], np.uint8)
    outline = person.landmarks[list(FACE_OVAL), :2]
    cv2.fillPoly(oval, [np.round(outline).astype(np.int32)], 1)
    photo[oval == 0] = 8
    box = cheek(person)
    assert faded(person, photo)[box].mean() == pytest.approx(photo[box].mean(), rel=0.06)


def test_a_beard_stays(person: Person) -> None:
    rng = np.random.default_rng(0)
    photo = person.photo.copy()
    x, y = person.landmarks[[205, 207], :2].mean(axis=0).astype(int)
    box = np.s_[y - 24 : y + 25, x - 24 : x + 25]
    hair = rng.random((49, 49)) < 0.4
    photo[box][hair] = 40
    inner = np.s_[y - 10 : y + 11, x - 10 : x + 11]
    before, after = photo[inner].astype(float), faded(person, photo)[inner]
    assert after.std() > 0.8 * before.std()


def test_shade_around_a_smile_goes_and_moles_stay(person: Person) -> None:
    photo = person.photo.copy()
    x, y = (person.landmarks[[205, 207], :2].mean(axis=0)).astype(int)
    shaded = photo.astype(np.float32)
    rows, columns = np.mgrid[: len(photo), : photo.shape[1]]
    eyes_px = float(np.linalg.norm(person.landmarks[473, :2] - person.landmarks[468, :2]))
    lip_x, lip_y = (person.landmarks[[0, 2], :2].mean(axis=0)).astype(int)
    away = np.hypot(columns - lip_x, rows - lip_y) / (0.3 * eyes_px)
    shaded *= (1.0 - 0.3 * np.exp(-away * away))[..., None]
    photo = shaded.astype(np.uint8)
    cv2.circle(photo, (int(x), int(y)), round(0.03 * eyes_px), (60, 40, 30), -1, cv2.LINE_AA)
    new = faded(person, photo)
    lip, mole = (
        np.s_[lip_y - 1 : lip_y + 2, lip_x - 3 : lip_x + 4],
        np.s_[y - 1 : y + 2, x - 1 : x + 2],
    )
    assert new[lip].mean() > 1.1 * photo[lip].mean()
    assert new[mole].mean() < 1.3 * photo[mole].mean()


def test_a_thin_crease_goes_with_its_bright_edge(person: Person) -> None:
    photo = person.photo.copy()
    lines = []
    for side, light in ((0, 0.75), (1, 1.25)):
        points = person.landmarks[[203, 206, 216], :2] + [side, 0]
        line = np.zeros(photo.shape[:2], np.uint8)
        cv2.polylines(line, [np.round(points).astype(np.int32)], False, 1, 1)
        photo[line > 0] = np.clip(photo[line > 0] * light, 0, 255).astype(np.uint8)
        lines.append(line > 0)
    new = faded(person, photo)
    dark, bright = lines[0] & ~lines[1], lines[1]

    def contrast(picture: np.ndarray) -> float:
        return float(np.log(picture[bright].mean() / picture[dark].mean()))

    assert contrast(photo.astype(np.float32)) > 0.35
    assert abs(contrast(new)) < 0.15
