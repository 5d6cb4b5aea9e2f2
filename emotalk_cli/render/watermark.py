"""A small visible mark that says that the video is synthetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TEXT = "AI-generated"
HEIGHT_SHARE = 0.035
"""Height of the letters as a share of the frame's shorter side."""
MIN_HEIGHT_PX = 8
OPACITY = 0.75


class Watermark:
    """Draws the mark into the lower right corner of frames of one size."""

    def __init__(self, width_px: int, height_px: int, text: str = TEXT) -> None:
        """Prepare the mark once: white letters with a dark edge, seen on any ground."""
        from PIL import Image, ImageDraw, ImageFont

        size = max(MIN_HEIGHT_PX, round(HEIGHT_SHARE * min(width_px, height_px)))
        font = ImageFont.load_default(size)
        edge = max(1, size // 10)
        left, top, right, bottom = font.getbbox(text, stroke_width=edge)
        width, height = int(right - left) + 1, int(bottom - top) + 1
        mark = Image.new("LA", (width, height), (0, 0))
        ImageDraw.Draw(mark).text(
            (-left, -top), text, (255, 255), font, stroke_width=edge, stroke_fill=(0, 255)
        )
        drawn = np.asarray(mark, np.float32)
        margin = size // 2
        self._rows = slice(max(0, height_px - height - margin), max(0, height_px - margin))
        self._columns = slice(max(0, width_px - width - margin), max(0, width_px - margin))
        rows = self._rows.stop - self._rows.start
        columns = self._columns.stop - self._columns.start
        drawn = drawn[-rows:, -columns:]
        self._keep = 1.0 - OPACITY * drawn[..., 1:] / 255.0
        self._add = OPACITY * drawn[..., :1] * drawn[..., 1:] / 255.0

    def marked(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of the frame (H, W, 3) uint8 RGB with the mark in it."""
        result = frame.copy()
        corner = result[self._rows, self._columns]
        result[self._rows, self._columns] = (corner * self._keep + self._add).round()
        return result
