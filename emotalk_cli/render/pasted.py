"""The portrait renderer for any picture: where the person is small, only their box is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.framing import Framed, cut, head_box, resized
from emotalk_cli.render.portrait import THREADS, PortraitRenderer
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

MOVING_M = (0.33, 0.27, 0.45)
"""Half width, and reach above and below the head's centre, beyond which nothing moves."""
PASTED_SHARE = 0.75
"""A box that takes less of the picture is drawn alone and pasted."""


class PastedPortrait:
    """Draws the box around one person in a large picture; the rest is the photo, untouched.

    All motion ends within the box, so its border is not seen.
    """

    def __init__(
        self, framed: Framed, box: tuple[int, int, int, int], model: FaceGeometry, threads: int
    ) -> None:
        """box: (x0, y0, x1, y1) px of even sides in the picture."""
        self.height_px, self.width_px = framed.photo.shape[:2]
        part = cut(framed, box)
        self._portrait = PortraitRenderer(
            part.photo, part.landmarks, part.still, model, threads=threads
        )
        self._out = framed.photo.copy()
        x0, y0, x1, y1 = box
        self._box = self._out[y0:y1, x0:x1]

    def frame(self, expression: Float, head_pose: Float, breath: float = 0.0) -> UInt8:
        """Expression (E,) in 0..1, head pose (6,) rad, m, breath in 0..1 -> (H, W, 3) uint8 RGB,
        reused by the next call.
        """
        self._box[:] = self._portrait.frame(expression, head_pose, breath)
        return self._out


def animate_portrait(
    photo: UInt8,
    landmarks: Float,
    still: FaceTrack,
    model: FaceGeometry,
    *,
    size_px: int | None = None,
    threads: int = THREADS,
) -> PortraitRenderer | PastedPortrait:
    """The renderer that suits a photo (H, W, 3) uint8 RGB; arguments as `PortraitRenderer`'s."""
    framed = resized(Framed(photo, landmarks, still), size_px)
    box = head_box(framed.still, MOVING_M)
    x0, y0, x1, y1 = box
    if (x1 - x0) * (y1 - y0) < PASTED_SHARE * framed.photo.shape[0] * framed.photo.shape[1]:
        return PastedPortrait(framed, box, model, threads)
    return PortraitRenderer(framed.photo, framed.landmarks, framed.still, model, threads=threads)
