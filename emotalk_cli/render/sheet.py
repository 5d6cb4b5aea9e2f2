"""Contact sheets: many frames in one picture, for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from emotalk_cli.safe_files import atomic_path

GAP_PX = 4
GROUND = 255
LABEL_HEIGHT_PX = 16


def contact_sheet(
    frames: Sequence[NDArray[np.uint8]], columns: int, *, labels: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Frames (H, W, 3) uint8 RGB of one size, row by row on white -> one picture (H', W', 3).

    `labels` stand above the frames, where given. Raises ValueError without frames.
    """
    if not frames or columns < 1:
        raise ValueError("a contact sheet needs frames and columns")
    height, width = frames[0].shape[:2]
    top = LABEL_HEIGHT_PX if labels else 0
    rows = -(-len(frames) // columns)
    sheet = np.full(
        (rows * (height + top + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3),
        GROUND,
        np.uint8,
    )
    corners = [
        (k // columns * (height + top + GAP_PX), k % columns * (width + GAP_PX))
        for k in range(len(frames))
    ]
    for (y, x), frame in zip(corners, frames, strict=True):
        sheet[y + top : y + top + height, x : x + width] = frame
    if not labels:
        return sheet
    picture = Image.fromarray(sheet)
    pen = ImageDraw.Draw(picture)
    for (y, x), label in zip(corners, labels, strict=False):
        pen.text((x + 2, y + 2), label, fill=(0, 0, 0))
    return np.array(picture)


def write_png(picture: NDArray[np.uint8], path: Path) -> Path:
    """Write (H, W, 3) uint8 RGB as a PNG file, whole or not at all."""
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", optimize=True)
    return path
