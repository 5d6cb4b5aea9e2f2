"""The renderer's building blocks: kernels, matte, textures, sheets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.projection import Camera, rotation_matrix, rotation_vector
from emotalk_cli.render.rasteriser import FAR, draw_attributes, place_points, vertex_normals
from emotalk_cli.render.sheet import contact_sheet, write_png
from emotalk_cli.render.texture import make_texture


def test_nearer_triangles_hide_farther_ones() -> None:
    xy = np.float32([[0, 0], [20, 0], [0, 20], [0, 0], [20, 0], [0, 20]])
    depth = np.float32([1, 1, 1, 2, 2, 2])
    triangles = np.int32([[0, 1, 2], [3, 4, 5]])
    colours = np.float32([[10], [10], [10], [90], [90], [90]])
    out = np.zeros((20, 20, 1), np.float32)
    nearest = np.full((20, 20), FAR, np.float32)
    draw_attributes(xy, depth, triangles, colours, out, nearest, 0, 20)
    assert out[2, 2, 0] == pytest.approx(10)
    assert out[19, 19, 0] == 0


def test_a_grid_leaves_no_cracks_and_interpolates() -> None:
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.linspace(-5, 45, 9), np.linspace(-5, 45, 9))
    xy = np.stack([x, y], -1).reshape(-1, 2)
    xy += rng.uniform(-1.5, 1.5, xy.shape)
    index = np.arange(81).reshape(9, 9)
    a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    c, d = index[1:, 1:].ravel(), index[1:, :-1].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    out = np.full((40, 40, 2), -99, np.float32)
    no_depth = np.zeros((0, 0), np.float32)
    at = xy.astype(np.float32)
    for rows in ((0, 17), (17, 40)):
        draw_attributes(at, at[:, 0], triangles, at, out, no_depth, *rows)
    py, px = np.mgrid[:40, :40]
    assert np.abs(out[..., 0] - (px + 0.5)).max() < 0.01
    assert np.abs(out[..., 1] - (py + 0.5)).max() < 0.01


def test_normals_point_out_of_counter_clockwise_triangles() -> None:
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    normals = np.zeros((3, 3), np.float32)
    vertex_normals(vertices, np.int32([[0, 1, 2]]), normals)
    assert np.allclose(normals, [[0, 0, 1]] * 3)


def test_points_follow_the_head_in_full_or_in_part() -> None:
    points = np.float32([[0.03, 0.02, 0.08], [0.03, 0.02, 0.08]])
    rotation = rotation_matrix(np.float32([0.1, -0.2, 0.05]))
    translation = np.float32([0.01, 0.02, -0.7])
    turn, shift = np.float32([0.1, 0.3, -0.1]), np.float32([0.02, 0.0, 0.05])
    placed, xy = np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32)
    camera = Camera(900.0, 256.0, 250.0)
    place_points(
        points,
        np.float32([1.0, 0.0]),
        turn,
        rotation,
        translation,
        shift,
        np.float32([900, 256, 250]),
        placed,
        xy,
    )
    moved = points[0] @ (rotation_matrix(turn) @ rotation).T + translation + shift
    still = points[1] @ rotation.T + translation
    assert np.allclose(placed, [moved, still], atol=1e-6)
    assert np.allclose(xy, camera.project(np.stack([moved, still])), atol=1e-2)


def test_rotation_vectors_go_there_and_back() -> None:
    for vector in ([0.0, 0.0, 0.0], [0.3, -0.2, 0.1], [1e-5, 0.0, 0.0], [0.0, 2.5, 0.0]):
        assert np.allclose(rotation_vector(rotation_matrix(np.float32(vector))), vector, atol=1e-5)


def test_filling_keeps_the_known_and_stays_between() -> None:
    values = np.zeros((33, 47, 1), np.float32)
    values[:, 30:] = 100.0
    known = np.ones((33, 47), np.float32)
    known[:, 12:30] = 0.0
    filled = fill_smoothly(values, known)
    assert np.array_equal(filled[known > 0], values[known > 0])
    assert filled.min() >= -0.01
    assert filled.max() <= 100.01
    assert filled[16, 14, 0] < filled[16, 27, 0]


def test_the_cut_out_person_over_the_background_is_the_photo() -> None:
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    ground = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    matte = rng.uniform(0, 1, (40, 60)).astype(np.float32)
    texture = make_texture(photo, ground, matte, (10, 10, 30, 25))
    cut = texture.window((0, 0, 60, 40))
    again = cut[..., :3] + (1.0 - cut[..., 3:] / 255.0) * ground
    assert np.abs(again - photo).max() < 1.0
    texture.patch(1)[:] = 7.0
    assert np.array_equal(texture.window((0, 0, 60, 40)), cut)


def test_contact_sheet(tmp_path: Path) -> None:
    frames = [np.full((10, 12, 3), 20 * k, np.uint8) for k in range(5)]
    sheet = contact_sheet(frames, 3)
    assert sheet.shape == (24, 44, 3)
    assert sheet[15, 20, 0] == 80
    path = write_png(sheet, tmp_path / "sheet.png")
    assert np.array_equal(np.asarray(Image.open(path)), sheet)
    with pytest.raises(ValueError, match="frames"):
        contact_sheet([], 3)
