"""Reading photos: whatever people have becomes an upright 8-bit RGB array."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from emotalk_cli.errors import EmotalkError

MAX_PIXELS = 200_000_000
"""A picture that claims more pixels is refused before it is unpacked."""
MAX_SIDE_PX = 4096
"""Longer pictures are made smaller when read."""
MIN_SIDE_PX = 32
BEHIND_ALPHA = (255, 255, 255)
"""Colour seen through transparent pixels."""

NO_PICTURES = ("MPEG", "HDF5", "GRIB", "BUFR", "WMF")
"""Formats that Pillow knows by name and cannot read."""

_TRY_ANOTHER = "Give a jpg, png, webp, bmp or tiff picture with --face."


def read_photo(path: Path, *, max_side_px: int = MAX_SIDE_PX) -> NDArray[np.uint8]:
    """The photo in `path`, upright, as (H, W, 3) uint8 RGB in sRGB.

    The camera's rotation (EXIF) is applied, transparency is laid on white, 16-bit and greyscale
    pictures are brought to 8-bit colour, embedded colour profiles become sRGB, and pictures longer
    than `max_side_px` are made smaller. Of an animation the first picture is taken.
    Raises EmotalkError for a file that is missing, broken, no picture, or too large or small.
    """
    if not path.is_file():
        raise EmotalkError(f"There is no photo {path}.", "Check the path given with --face.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                _refuse_odd_size(picture, path)
                picture.draft("RGB", (max_side_px, max_side_px))
                upright = ImageOps.exif_transpose(picture)
                assert upright is not None
                rgb = _to_rgb(upright)
    except UnidentifiedImageError as error:
        raise EmotalkError(f"{path} is no picture that can be read.", _TRY_ANOTHER) from error
    except Image.DecompressionBombError as error:
        raise EmotalkError(f"{path} claims an absurd number of pixels.", _TRY_ANOTHER) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise EmotalkError(f"The picture {path} is broken: {error}.", _TRY_ANOTHER) from error
    rgb.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(rgb, dtype=np.uint8))


def is_photo(path: Path) -> bool:
    """Whether the file is a picture of a known kind, however damaged; a video is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                return picture.format not in NO_PICTURES
    except UnidentifiedImageError:
        return False
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return True


def _refuse_odd_size(picture: Image.Image, path: Path) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise EmotalkError(
            f"{path} has {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} million.",
            "Make it smaller first.",
        )
    if min(width, height) < MIN_SIDE_PX:
        raise EmotalkError(
            f"{path} has only {width} x {height} pixels.", "Give a larger photo with --face."
        )


def _to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode of picture as 8-bit sRGB."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(picture))).convert("RGB")
    profile = picture.info.get("icc_profile")
    if picture.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, (*BEHIND_ALPHA, 255))
        picture = Image.alpha_composite(ground, picture).convert("RGB")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        picture = _to_srgb(picture, profile)
    return picture.convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values of any depth as 0..255; the depth is told from the largest value."""
    grey = values.astype(np.float64)
    top = float(grey.max()) if grey.size else 0.0
    depth = next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), max(top, 1.0))
    if depth == 1.0 and values.dtype.kind != "f":
        depth = 255.0
    return np.asarray(np.clip(np.round(grey * (255.0 / depth)), 0, 255), np.uint8)


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The picture's colours in sRGB; unchanged where its colour profile is unusable."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        changed = ImageCms.profileToProfile(
            picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    return changed if changed is not None else picture
