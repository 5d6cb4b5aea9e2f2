"""Photos as people have them become upright 8-bit RGB."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotalk_cli.errors import EmotalkError
from emotalk_cli.render.photo import read_photo


def half_red(width: int = 80, height: int = 40) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels)


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn the picture clockwise
    half_red().save(path, exif=exif, quality=95, subsampling=0)
    photo = read_photo(path)
    assert photo.shape == (80, 40, 3)
    assert photo[5, 20, 0] > 200
    assert photo[75, 20, 2] > 200


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    picture = half_red().convert("RGBA")
    picture.putalpha(Image.fromarray(np.tile(np.uint8([255] * 40 + [0] * 40), (40, 1))))
    picture.save(path)
    photo = read_photo(path)
    assert tuple(photo[10, 10]) == (255, 0, 0)
    assert tuple(photo[10, 70]) == (255, 255, 255)


@pytest.mark.parametrize("name", ["a.webp", "a.bmp", "a.tiff", "a.gif"])
def test_formats(tmp_path: Path, name: str) -> None:
    half_red().save(tmp_path / name)
    photo = read_photo(tmp_path / name)
    assert photo.dtype == np.uint8
    assert photo.shape == (40, 80, 3)
    assert photo[20, 10, 0] > 180


def test_grey_and_16_bit(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    deep = read_photo(tmp_path / "deep.png")
    Image.fromarray((ramp >> 8).astype(np.uint8)).save(tmp_path / "grey.png")
    grey = read_photo(tmp_path / "grey.png")
    assert deep.shape == grey.shape == (48, 64, 3)
    assert np.abs(deep.astype(int) - grey).max() <= 1


def test_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    half_red(600, 300).save(tmp_path / "large.png")
    assert read_photo(tmp_path / "large.png", max_side_px=100).shape == (50, 100, 3)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    cut = tmp_path / "cut.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    tiny = tmp_path / "tiny.png"
    half_red(8, 8).save(tiny)
    for path in (text, cut, tiny, tmp_path / "none.jpg"):
        with pytest.raises(EmotalkError) as caught:
            read_photo(path)
        assert path.name in caught.value.problem


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotalk_cli.render.photo.MAX_PIXELS", 1000)
    half_red().save(tmp_path / "bomb.png")
    with pytest.raises(EmotalkError, match="80 x 40"):
        read_photo(tmp_path / "bomb.png")
