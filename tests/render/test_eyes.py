"""Eyes: lids unfold below their crease, whites go on where lids and iris hid them."""

import cv2
import numpy as np
import pytest

from emotalk_cli.render.eye_motion import within_lids
from emotalk_cli.render.eye_opening import EYES, EyeOpening, eye_box
from emotalk_cli.render.eyeball import Eyeball, EyeLight
from emotalk_cli.render.eyes import hair_before_eye
from emotalk_cli.render.portrait import PortraitRenderer
from tests.render.render_person import Person


@pytest.fixture(scope="module")
def renderer(person: Person) -> PortraitRenderer:
    return PortraitRenderer(person.photo, person.landmarks, person.still, person.model, size_px=384)


def test_an_uncovered_white_is_white() -> None:
    """An eye that looks into one corner: what it uncovers is no skin and no iris."""
    photo = np.full((40, 60, 4), 255.0, np.float32)
    photo[..., :3] = (200, 140, 120)
    y, x = np.mgrid[:40, :60] + 0.5
    opening = ((np.abs(y - 20) < 8) & (np.abs(x - 30) < 26)).astype(np.float32)
    photo[opening > 0, :3] = (220, 215, 212)
    photo[(opening > 0) & (x < 10), :3] = (190, 110, 100)
    photo[np.hypot(x - 16, y - 20) < 9, :3] = (60, 40, 30)
    across = ((x - 30) / 26).astype(np.float32)
    centre, up = np.float32([16, 20]), np.float32([0, -1])
    ball = Eyeball(photo, opening, centre, 8.0, up, across, EyeLight(np.ones_like(opening), 0.4))
    still = ball.draw(np.zeros(2, np.float32), np.zeros_like(opening), np.zeros_like(opening))
    assert np.abs(still - photo)[opening > 0.99].max() < 1.0
    aside = ball.draw(np.float32([24, 0]), np.zeros_like(opening), np.zeros_like(opening))
    left = aside[18:23, 13:18, :3]
    assert left.min() > 140
    assert np.ptp(left, axis=2).max() < 40
    assert aside[18:23, 38:43, :3].max() < 90


def test_what_is_painted_for_an_eye_ends_above_the_cheek(person: Person) -> None:
    points = np.ascontiguousarray(person.landmarks[:, :2])
    for eye in EYES:
        first, last = points[eye.upper[0]], points[eye.upper[-1]]
        x0, y0, x1, y1 = eye_box(first, last)
        assert x0 < first[0] < last[0] < x1
        assert y0 < points[list(eye.brow), 1].mean()
        assert y1 < points[205, 1]


def test_eyes_open_wide_move_no_skin_below(person: Person, renderer: PortraitRenderer) -> None:
    pose = person.still.head_pose[0]
    before = renderer.frame(person.expression(), pose).astype(int).copy()
    wide = renderer.frame(person.expression(eyeWide=1.0), pose).astype(int)
    scale = renderer.width_px / person.photo.shape[1]
    x, y = (person.landmarks[145, :2] * scale).astype(int)
    under = np.s_[y + 4 : y + 12, x - 4 : x + 5]
    assert np.abs(wide - before)[under].mean() < 3.0
    x, y = (person.landmarks[159, :2] * scale).astype(int)
    assert np.abs(wide - before)[y - 4 : y + 3, x - 4 : x + 5].mean() > 8.0


def test_a_lid_that_shines_does_not_shine_all_over_in_a_blink(person: Person) -> None:
    photo = (0.45 * person.photo).astype(np.uint8)
    upper = person.landmarks[list(EYES[0].upper), :2]
    width = float(np.linalg.norm(upper[-1] - upper[0]))
    (x, y), eye = upper[4] - [0.0, 0.13 * width], person.landmarks[EYES[0].iris, :2]
    axes = (round(0.22 * width), round(0.06 * width))
    cv2.ellipse(photo, (round(x), round(y)), axes, 0, 0, 360, (215, 205, 205), -1)
    drawn = PortraitRenderer(photo, person.landmarks, person.still, person.model, size_px=384)
    blink = drawn.frame(person.expression(eyeBlink=1.0), person.still.head_pose[0])
    scale = drawn.width_px / photo.shape[1]
    column, row = (np.array([x, 0.5 * (y + eye[1])]) * scale).astype(int)
    lid = blink[row - 2 : row + 3, column - 3 : column + 4]
    assert lid.mean() < 160


def test_a_closed_lid_has_a_crease_above_it_and_lashes_below(person: Person) -> None:
    drawn = PortraitRenderer(person.photo, person.landmarks, person.still, person.model)
    frame = drawn.frame(person.expression(eyeBlink=1.0), person.still.head_pose[0])
    eye = EYES[1]
    scale = drawn.width_px / person.photo.shape[1]
    lids = person.landmarks[[*eye.upper, *eye.lower], :2] * scale
    width = float(np.ptp(lids[:, 0]))
    x, margin = lids[:, 0].mean(), lids[len(eye.upper) + 4, 1]
    light = cv2.GaussianBlur(frame.astype(np.float32).mean(axis=2), (0, 0), 0.015 * width)
    profile = light[:, round(x - 0.15 * width) : round(x + 0.15 * width)].mean(axis=1)
    start, end = (round(margin - share * width) for share in (0.58, 0.25))
    lid = profile[start:end]
    below, above = np.maximum.accumulate(lid), np.maximum.accumulate(lid[::-1])[::-1]
    assert (1.0 - lid / np.minimum(below, above)).max() > 0.03
    assert profile[end : round(margin)].min() < 0.75 * lid[-1]


def test_hair_in_the_corner_of_an_eye_stays_and_the_unseen_white_lies_in_the_shade() -> None:
    """An iris that leaves the middle: what it uncovers is as dark as the skin beside it."""
    photo = np.full((40, 80, 4), 255.0, np.float32)
    photo[..., :3] = (200, 140, 120)
    y, x = np.mgrid[:40, :80] + 0.5
    opening = ((np.abs(y - 20) < 8) & (np.abs(x - 40) < 36)).astype(np.float32)
    photo[opening > 0, :3] = (220, 215, 212)
    hair = (opening > 0) & (x < 10)
    photo[hair, :3] = (190, 110, 40)
    photo[np.hypot(x - 44, y - 20) < 9, :3] = (60, 40, 30)
    across = ((x - 40) / 36).astype(np.float32)
    up = np.asarray([0, -1], np.float32)
    whites = []
    for light in (1.0, 0.6):
        lit = np.where(np.abs(x - 44) < 9, light, 1.0).astype(np.float32)
        centre = np.asarray([44, 20], np.float32)
        ball = Eyeball(photo, opening, centre, 9.0, up, across, EyeLight(lit, 0.4))
        aside = ball.draw(
            np.asarray([-26, 0], np.float32), np.zeros_like(opening), np.zeros_like(opening)
        )
        assert np.abs(aside - photo)[hair & (x < 8)].max() < 2.0
        whites.append(float(aside[18:23, 42:47, :3].mean()))
    assert whites[0] > 150
    assert whites[1] < 0.8 * whites[0]


def test_hair_that_comes_down_past_an_eye_stays_before_it_and_lashes_do_not(
    person: Person,
) -> None:
    height, width = person.photo.shape[:2]
    points = EYES[0]
    eye = EyeOpening(points, np.ascontiguousarray(person.landmarks[:, :2]), (width, height))
    corner = person.landmarks[points.upper[0], 0]
    hair = np.zeros((height, width), np.float32)
    hair[:, : round(corner + 0.3 * eye.width)] = 1.0
    hangs = hair_before_eye(hair, eye)
    assert hangs is not None
    assert hangs[(eye.s < 0.15 * eye.width) & (eye.shape > 0.1)].min() > 0.9
    assert hangs[eye.s > 0.45 * eye.width].max() < 0.1
    x0, y0, x1, y1 = eye.box
    lashes = np.zeros_like(hair)
    lashes[y0:y1, x0:x1] = (np.abs(eye.n - eye.upper) < 0.15 * eye.width) * hair[y0:y1, x0:x1]
    assert hair_before_eye(lashes, eye) is None


def test_an_iris_hidden_above_and_below_is_round_when_it_looks_up() -> None:
    """Only its middle is seen: what comes to light has the colours of its rings."""
    photo = np.full((48, 80, 4), 255.0, np.float32)
    photo[..., :3] = (200, 140, 120)
    y, x = np.mgrid[:48, :80] + 0.5
    away = np.hypot(x - 40, y - 24)
    opening = ((np.abs(y - 24) < 7) & (np.abs(x - 40) < 36)).astype(np.float32)
    photo[opening > 0, :3] = (220, 215, 212)
    photo[(opening > 0) & (away < 12), :3] = (90, 110, 150)
    photo[(opening > 0) & (away < 4), :3] = (10, 10, 10)
    across = ((x - 40) / 36).astype(np.float32)
    centre, up = np.asarray([40, 24], np.float32), np.asarray([0, -1], np.float32)
    ball = Eyeball(photo, opening, centre, 12.0, up, across, EyeLight(np.ones_like(opening), 0.4))
    none = np.zeros_like(opening)
    still = ball.draw(np.zeros(2, np.float32), none, none)
    assert np.abs(still - photo)[opening > 0.99].max() < 1.0
    raised = ball.draw(np.asarray([0, -10], np.float32), none, none)
    iris = raised[22:25, 38:43, :3]
    assert iris.mean(axis=(0, 1)) == pytest.approx([90, 110, 150], abs=15)
    assert raised[29:31, 38:43, :3].min() > 120


def test_eyes_that_look_far_up_or_down_keep_some_iris_between_the_lids() -> None:
    up = np.asarray([0.6, -0.8], np.float32)
    for rise in (-3.0, -1.5, 1.5, 3.0):
        eased = within_lids(np.float32(rise * 10.0) * up, up, 10.0)
        assert 7.0 < abs(float(eased @ up)) < 10.0
        assert float(eased @ up) * rise > 0.0
    aside = np.asarray([8.0, 6.0], np.float32)
    assert within_lids(aside, up, 10.0) == pytest.approx(aside)
    assert within_lids(1.0 * up, up, 10.0) == pytest.approx(1.0 * up, abs=0.01)
