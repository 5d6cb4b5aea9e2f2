"""Which part of a photo the video shows, and at what size: crops around the fitted head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.render.projection import Camera, f32
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Box = tuple[int, int, int, int]

DEFAULT_CROP = "full"
HEAD_BOXES_M: dict[str, tuple[float, float, float]] = {
    "head": (0.30, 0.24, 0.36),
    "face": (0.15, 0.165, 0.135),
}
"""Half width, and reach above and below the head's centre: head and shoulders, or the face."""
CROPS = (DEFAULT_CROP, *HEAD_BOXES_M)
MIN_CROP_PX = 32


@dataclass(frozen=True)
class Framed:
    """What the video shows at rest, photo (H, W, 3) uint8 RGB of even sides, with the landmarks
    (478, 3) px in it and the fit whose camera sees it.
    """

    photo: UInt8
    landmarks: Float
    still: FaceTrack


def frame_photo(
    photo: UInt8,
    landmarks: Float,
    still: FaceTrack,
    *,
    crop: str = DEFAULT_CROP,
    size_px: int | None = None,
) -> Framed:
    """Cut the photo (H, W, 3) uint8 RGB to one of CROPS and make its longer side `size_px`.

    It is never made larger. landmarks: (478, 3) px in the photo. still: the fit of the photo; only
    its camera changes. Raises EmotalkError for a crop of another name.
    """
    height, width = photo.shape[:2]
    box = (0, 0, width // 2 * 2, height // 2 * 2)
    if crop != DEFAULT_CROP:
        if crop not in HEAD_BOXES_M:
            raise EmotalkError(f"There is no --crop '{crop}'.", f"Known: {', '.join(CROPS)}.")
        box = head_box(still, HEAD_BOXES_M[crop])
    return resized(cut(Framed(photo, landmarks, still), box), size_px)


def head_box(still: FaceTrack, reach_m: tuple[float, float, float]) -> Box:
    """The box (x0, y0, x1, y1) px around the fitted head that lies in the picture.

    reach_m: half width, and reach above and below the head's centre, in m at the head's depth.
    """
    width, height = int(still.camera[3]), int(still.camera[4])
    centre = still.head_pose[0, 3:]
    camera = Camera.of(still.camera, 1.0)
    x, y = (float(c) for c in camera.project(centre))
    scale = camera.focal_px / float(-centre[2])
    side, up, down = (scale * reach for reach in reach_m)
    x0, x1 = _span(x - side, x + side, width)
    y0, y1 = _span(y - up, y + down, height)
    return x0, y0, x1, y1


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """An even number of pixels from low to high, moved into 0..limit, if need be fewer."""
    length = min(limit // 2 * 2, max(MIN_CROP_PX, 2 * round((high - low) / 2)))
    start = min(max(0, round(low)), limit - length)
    return start, start + length


def cut(framed: Framed, box: Box) -> Framed:
    """The part of a picture in a box (x0, y0, x1, y1) px."""
    x0, y0, x1, y1 = box
    camera = framed.still.camera - f32([0, x0, y0, 0, 0])
    camera[3:] = x1 - x0, y1 - y0
    landmarks = framed.landmarks.astype(np.float32)
    landmarks[:, :2] -= f32([x0, y0])
    photo = np.ascontiguousarray(framed.photo[y0:y1, x0:x1])
    return Framed(photo, landmarks, replace(framed.still, camera=camera))


def resized(framed: Framed, size_px: int | None) -> Framed:
    """The same with a longer side of at most `size_px` and both sides even."""
    height, width = framed.photo.shape[:2]
    factor = min(1.0, (size_px or max(width, height)) / max(width, height))
    size = max(2, 2 * round(width * factor / 2)), max(2, 2 * round(height * factor / 2))
    if size == (width, height):
        return replace(framed, photo=np.ascontiguousarray(framed.photo))
    photo = cv2.resize(framed.photo, size, interpolation=cv2.INTER_AREA)
    x, y = size[0] / width, size[1] / height
    landmarks = framed.landmarks * f32([x, y, x])[: framed.landmarks.shape[1]]
    camera = framed.still.camera * f32([x, x, y, x, y])
    still = replace(framed.still, camera=np.asarray(camera, np.float32))
    return Framed(np.asarray(photo, np.uint8), landmarks, still)
