"""The background behind the person, and edges where the head hides a part of itself."""

import numpy as np

from emotalk_cli.render.backdrop import background
from emotalk_cli.render.inpaint import complete
from emotalk_cli.render.rasteriser import FOLD, NOWHERE, soften_folds
from emotalk_cli.render.texture import make_texture


def stripes(height: int = 240, width: int = 480) -> np.ndarray:
    x = np.arange(width)
    row = (120 + 60 * np.sin(x / 2.0)).astype(np.uint8)
    return np.repeat(np.repeat(row[None, :, None], height, axis=0), 3, axis=2)


def test_the_hole_is_filled_with_the_texture_around_it() -> None:
    wall = stripes()
    photo, matte = wall.copy(), np.zeros(wall.shape[:2], np.float32)
    photo[60:, 200:300], matte[60:, 200:300] = (250, 20, 20), 1.0
    filled = background(photo, matte)
    assert np.array_equal(filled[:, :180], wall[:, :180])
    rim = filled[80:220, 202:214].astype(int)
    assert rim[..., 0].max() < 200  # nothing of the person is left
    assert rim.std(axis=1).mean() > 15  # and it is no smooth grey


def test_all_person_and_no_person() -> None:
    photo = stripes()
    nobody = background(photo, np.zeros(photo.shape[:2], np.float32))
    assert np.abs(nobody.astype(int) - photo).max() <= 1
    assert background(photo, np.ones(photo.shape[:2], np.float32)).shape == photo.shape


def test_beyond_the_border_there_is_no_second_head() -> None:
    photo = np.full((50, 50, 3), 200, np.uint8)
    matte = np.zeros((50, 50), np.float32)
    matte[2:, 10:40] = 1.0  # a head that ends two rows below the picture's edge
    photo[2:, 10:40] = 30
    texture = make_texture(photo, np.full_like(photo, 200), matte, (20, 20, 30, 30))
    margin = texture.margin_px
    assert texture.pixels[:margin, :, 3].max() == 0.0
    below = texture.pixels[margin + 50 : margin + 52, margin + 15 : margin + 35, 3]
    assert below.min() == 255.0  # but the body goes on


def test_an_ear_beside_the_border_has_no_mirror_image() -> None:
    photo = np.full((400, 400, 3), 60, np.uint8)
    photo[180:220, 380:394] = 220  # 6 px from the border
    texture = make_texture(photo, photo, None, (20, 20, 30, 30))
    margin = texture.margin_px
    assert (
        np.abs(texture.pixels[margin : margin + 400, margin : margin + 400, :3] - photo).max() < 1
    )
    beyond = texture.pixels[margin + 180 : margin + 220, margin + 400 : 2 * margin + 400, :3]
    assert abs(beyond[10:30].mean() - 60) < 5
    assert np.median(beyond[10:30, 8:18]) < 80
    assert texture.pixels[margin : margin + 400, margin + 400 : 2 * margin + 400, 3].min() > 254


def test_only_folds_are_softened() -> None:
    position = np.zeros((8, 8, 2), np.float32)
    position[..., 0] = np.arange(8)
    position[..., 1] = np.arange(8)[:, None]
    position[:, 4:, 0] += 3 * FOLD
    position[0] = NOWHERE
    near = np.zeros((8, 8, 4), np.float32)
    out = np.zeros((8, 8, 3), np.uint8)
    out[:, 4:] = 240
    before = out.copy()
    soften_folds(position, near, out, 0, 8)
    assert 20 < out[3, 3, 0] < 120
    assert 120 < out[3, 4, 0] < 220
    assert np.array_equal(out[:, [0, 1, 2, 5, 6, 7]], before[:, [0, 1, 2, 5, 6, 7]])
    near[..., 3] = 1.0  # inside the face layer two textures may meet
    again = before.copy()
    soften_folds(position, near, again, 0, 8)
    assert np.array_equal(again, before)


def test_frames_go_on_straight_behind_the_person() -> None:
    """A dark beam that the person covers in part is longer behind them, and no mirror image."""
    wall = np.full((240, 320, 3), 200, np.uint8)
    wall[110:130, :170] = 40  # ends at random inside the person
    wall[::16] = 150
    photo, matte = wall.copy(), np.zeros(wall.shape[:2], np.float32)
    photo[60:, 140:220], matte[60:, 140:220] = (250, 20, 20), 1.0
    filled = background(photo, matte)
    beam = filled[114:126, 144:152].mean()
    beside = filled[[68, 72, 75, 85, 88, 91]][:, 144:152].mean()
    assert beam < 90
    assert beside > 150


def test_a_completed_hole_holds_only_what_is_around_it() -> None:
    random = np.random.default_rng(0)
    image = random.choice([20.0, 120.0, 220.0], (60, 80, 1)).astype(np.float32).repeat(3, axis=2)
    hole = np.zeros((60, 80), np.uint8)
    hole[20:40, 30:50] = 1
    filled = np.where(hole[..., None] > 0, 120.0, image).astype(np.float32)
    done = complete(image, hole, filled, 100.0, 2)
    far = hole == 0
    far[16:44, 26:54] = False
    assert np.array_equal(done[far], image[far])
    assert done.min() >= 20.0
    assert done.max() <= 220.0
    assert done[22:38, 32:48].std() > 30.0
    assert np.array_equal(complete(image, hole, filled, 100.0, 2), done)
    everything = np.ones_like(hole)
    assert np.array_equal(complete(image, everything, filled, 100.0, 2), filled)
