"""The mouth's inside: rows of teeth, the tongue, the photo's own teeth, and their light."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.render.mouth import Mouth, mouth_light
from emotalk_cli.render.mouth_colours import mouth_colours
from emotalk_cli.render.portrait import PortraitRenderer
from emotalk_cli.render.rasteriser import draw_textured
from emotalk_cli.render.registration import UPPER_INNER_LIP, Registered, register
from emotalk_cli.render.seen_mouth import SeenMouth, _Rows
from emotalk_cli.render.teeth import (
    COLUMNS,
    Arch,
    make_arch,
    moved_arch,
    spanning_arch,
    texel_points,
)
from emotalk_cli.render.tongue import make_tongue
from tests.render.render_person import Person

TOOTH, GUM = np.float32([230, 222, 205]), np.float32([190, 100, 95])
MIDDLE = np.float32([0.001, -0.03, 0.105])


@pytest.fixture(scope="module")
def upper() -> Arch:
    return make_arch(MIDDLE, 1.0, 4000.0, TOOTH, GUM, upper=True)


@pytest.fixture(scope="module")
def registered(person: Person) -> Registered:
    return register(person.model, person.still, person.landmarks[:, :2], 1.0)


def column_of(arch: Arch, along_m: float) -> NDArray[np.float32]:
    return arch.texture[:, int(np.argmin(np.abs(arch.along_m - along_m)))]


def test_a_textured_square_is_drawn_once_and_lit() -> None:
    xy = np.float32([[2, 2], [10, 2], [10, 10], [2, 10]])
    uv = np.float32([[0, 0], [8, 0], [8, 8], [0, 8]])
    texture = np.full((8, 8, 4), 255.0, np.float32)
    texture[:, :4] *= 0.5  # half covering black, premultiplied
    texture[:, :4, :3] = 0.0
    out = np.full((12, 12, 3), 100.0, np.float32)
    draw_textured(xy, np.int32([[0, 1, 2], [0, 2, 3]]), uv, texture, 0.8, out)
    assert out[5, 8] == pytest.approx([204] * 3, abs=1)
    assert out[7, 3] == pytest.approx([50] * 3, abs=1)
    assert (out[:2] == 100).all()
    assert (out[:, 10:] == 100).all()


def test_teeth_end_in_edges_and_begin_in_gums(upper: Arch) -> None:
    middle_of_a_tooth = column_of(upper, 0.0043)
    alpha = middle_of_a_tooth[:, 3]
    assert alpha[0] == 255
    assert alpha[-1] == 0
    end = int((alpha > 127).sum())
    assert upper.below_m[end] == pytest.approx(0.0, abs=4e-4)
    tooth, gum = middle_of_a_tooth[end - 12], middle_of_a_tooth[2]
    assert tooth[1] > 0.85 * TOOTH[1]
    assert gum[0] > 1.5 * gum[1]


def test_gaps_between_teeth_are_darker_and_the_sides_in_shade(upper: Arch) -> None:
    row = int(np.argmin(np.abs(upper.below_m - 0.004)))
    light = upper.texture[row, :, 1]
    at = upper.along_m
    tooth, gap = light[np.argmin(np.abs(at - 0.0043))], light[np.argmin(np.abs(at))]
    assert gap < 0.95 * tooth
    assert light[np.argmin(np.abs(at - 0.040))] < 0.5 * tooth


def test_arches_are_even_on_both_sides_and_stand_where_they_are_put(upper: Arch) -> None:
    roots = upper.points[:COLUMNS] - MIDDLE
    assert np.allclose(roots[:, 0], -roots[::-1, 0], atol=1e-6)
    assert (roots[:, 1] > 0.01).all()
    lower = make_arch(MIDDLE, 1.0, 4000.0, TOOTH, GUM, upper=False)
    assert (lower.points[:COLUMNS, 1] < MIDDLE[1] - 0.01).all()
    moved = moved_arch(upper, np.float32([0.0, 0.002, 0.0]))
    assert np.allclose(moved.points[:, 1] - upper.points[:, 1], 0.002, atol=1e-6)


def test_texels_stand_between_the_strip_s_rows(upper: Arch) -> None:
    height, width = upper.texture.shape[:2]
    points = texel_points(upper, np.array([width // 2, 0]), np.array([0, height - 1]))
    assert np.abs(points[0] - upper.points[COLUMNS // 2]).max() < 1e-3
    assert np.abs(points[1] - upper.points[COLUMNS]).max() < 1e-3


def test_on_the_far_side_of_a_turned_head_the_row_reaches_as_far_as_it_is_seen(
    upper: Arch,
) -> None:
    turn = np.radians(25.0)

    def project(points: NDArray[np.float32]) -> NDArray[np.float32]:
        x, z = points[:, 0] - MIDDLE[0], points[:, 2] - MIDDLE[2]
        return np.stack([4000.0 * (np.cos(turn) * x - np.sin(turn) * z), points[:, 1]], 1)

    far = project(upper.points)[:, 0].min()
    wide = spanning_arch(upper, project, far - 8.0, 0.0)
    assert far - 16.0 < project(wide.points)[:, 0].min() <= far - 8.0
    front = np.abs(upper.points[:, 0] - MIDDLE[0]) < 0.008
    assert np.abs(wide.points - upper.points)[front].max() < 0.0004
    assert np.allclose(spanning_arch(upper, project, far, 0.0).points, upper.points)


def test_the_tongue_is_bright_in_front_and_dark_behind() -> None:
    tongue = make_tongue(MIDDLE, 1.0, np.float32([190, 110, 105]), TOOTH)
    rows = tongue.texture[..., 0].mean(axis=1)
    assert rows[25:50].mean() > 2.5 * rows[-15:].mean()
    assert tongue.points[:, 2].max() < MIDDLE[2]


def test_lips_throw_a_shadow_from_above() -> None:
    mask = np.zeros((60, 100), np.uint8)
    mask[10:50, 10:90] = 255
    light = mouth_light(mask, 0.02, 1500.0, 1.0)
    assert light[11, 50] < 0.8 < light[40, 50] <= 1.0
    assert mouth_light(mask, 0.001, 1500.0, 1.0)[40, 50] < light[40, 50]
    assert (mouth_light(mask, 0.02, 1500.0, 0.3) >= light).all()
    assert light[30, 12] < 0.85 * light[30, 50] > 0.85 * light[30, 87]


def seen_in(person: Person, registered: Registered) -> SeenMouth:
    contours = person.model.contours
    upper, lower = (registered.photo_xy[contours[f"lips_inner_{k}"]] for k in ("upper", "lower"))
    return SeenMouth(person.photo, upper, lower)


def test_the_photo_s_own_teeth_are_carried_by_the_arch(
    person: Person, registered: Registered
) -> None:
    """The demo's photo smiles: drawn on their own, its teeth stand where the photo has them."""
    landmarks = np.ascontiguousarray(person.landmarks[:, :2])
    colours = mouth_colours(person.photo, landmarks)
    seen = seen_in(person, registered)
    colours["tooth"] = seen.tooth_like(colours["tooth"])
    assert seen.shows_teeth
    still = person.still.expression[0]
    mouth = Mouth(person.model, registered, still, colours, seen)
    placed = mouth.points @ registered.rotation.T + registered.translation
    xy = registered.camera.project(placed)
    part = mouth._layers[2]
    out = np.zeros(person.photo.shape, np.float32)
    at = np.ascontiguousarray(xy[-len(part.points) :], np.float32)
    draw_textured(at, part.triangles, part.uv, part.texture, 1.0, out)
    x, y = (landmarks[list(UPPER_INNER_LIP[3:-3])].mean(axis=0)).astype(int)
    box = np.s_[y + 2 : y + 8, x - 14 : x + 15]
    error = np.abs(out[box] - person.photo[box]).mean()
    assert error < 25
    assert out[box].mean() > 150


def test_a_mouth_as_in_the_photo_is_the_photo_s(person: Person, registered: Registered) -> None:
    seen = seen_in(person, registered)
    height, width = seen.mask.shape
    corners = np.float32([[0, 0], [width, 0], [0, height]])
    contours = person.model.contours
    upper, lower = (registered.photo_xy[contours[f"lips_inner_{k}"]] for k in ("upper", "lower"))
    outline = np.concatenate([upper, lower[::-1]]) - seen.frame_px[0]
    picture = np.zeros((height, width, 3), np.float32)
    assert seen.lay_over(picture, corners, outline, 1500.0) == pytest.approx(1.0, abs=1e-4)
    inside = seen.mask > 250
    assert np.abs(picture - seen.colours)[inside].max() < 2
    moved = outline + np.float32([0, 6])
    assert seen.lay_over(np.zeros_like(picture), corners, moved, 1500.0) == 0.0


def test_lower_teeth_go_down_with_the_jaw(person: Person, registered: Registered) -> None:
    colours = mouth_colours(person.photo, np.ascontiguousarray(person.landmarks[:, :2]))
    mouth = Mouth(person.model, registered, person.still.expression[0], colours, None)
    tongue, lower, upper = (len(part.points) for part in mouth._layers)
    jaw = mouth.units[person.model.unit_index("jawOpen"), :, 1]
    front = tongue + COLUMNS // 2
    assert jaw[front] < -0.02
    assert np.abs(jaw[tongue + lower :]).max() < 1e-6
    assert mouth.points.shape == (tongue + lower + upper, 3)


def test_open_mouths_show_tongue_and_shadowed_teeth(
    person: Person,
) -> None:
    drawn = PortraitRenderer(
        person.photo, person.landmarks, person.still, person.model, size_px=384
    )
    expression = np.zeros_like(person.still.expression[0])
    expression[person.model.unit_index("jawOpen")] = 0.6
    frame = drawn.frame(expression, person.still.head_pose[0])
    edge = drawn._xy[drawn._upper_edge], drawn._xy[drawn._lower_edge]
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(np.concatenate([edge[0], edge[1][::-1]])).astype(np.int32)], 1)
    inside = frame[cv2.erode(mask, np.ones((3, 3))) > 0].astype(float)
    light = inside.mean(axis=1)
    assert np.quantile(light, 0.05) < 60
    assert np.quantile(light, 0.97) > 90
    red = inside[:, 0] - inside[:, 1]
    assert (red > 20).mean() > 0.25


def test_the_mouth_s_colours_follow_the_photo_s_light(person: Person) -> None:
    landmarks = np.ascontiguousarray(person.landmarks[:, :2])
    usual = mouth_colours(person.photo, landmarks)
    for light in ((0.3, 0.3, 0.3), (0.08, 0.08, 0.08), (0.5, 0.7, 1.0), (1.0, 0.75, 0.45)):
        lit = np.round(person.photo * np.asarray(light, np.float32)).astype(np.uint8)
        for name, rgb in mouth_colours(lit, landmarks).items():
            assert rgb == pytest.approx(
                usual[name] * np.asarray(light, np.float32), rel=0.22, abs=2.0
            )


def test_in_a_toned_photo_the_mouth_has_the_photo_s_tone(person: Person) -> None:
    grey = person.photo @ np.float32([0.299, 0.587, 0.114])
    for tone in ((1.0, 1.0, 1.0), (1.0, 0.8, 0.6)):
        toned = np.round(grey[..., None] * np.asarray(tone, np.float32)).astype(np.uint8)
        colours = mouth_colours(toned, np.ascontiguousarray(person.landmarks[:, :2]))
        for rgb in colours.values():
            assert rgb / rgb[0] == pytest.approx(np.asarray(tone, np.float32), abs=0.03)


def test_teeth_behind_where_the_row_turns_away_are_not_read(upper: Arch) -> None:
    rows, columns = upper.texture.shape[:2]
    k = np.arange(columns, dtype=np.float32)
    # Seen from the left to the last fifth of the columns, which come back and then go on.
    x = np.minimum(k, 1.6 * columns - k) + 3.0 * np.maximum(k - 0.9 * columns, 0.0)
    xy = np.stack(np.meshgrid(x, np.arange(rows, dtype=np.float32)), axis=-1).astype(np.float32)
    everywhere = np.ones((rows, columns), np.float32)
    read = _Rows(upper, xy, everywhere, everywhere).weight.sum(axis=0)
    assert (read[columns // 4 : columns // 2] > 0).all()
    assert (read[int(0.81 * columns) :] == 0).all()
