"""The pictures that a track was fitted to: a clip's crops, a video's frames, a photo."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import Clip
from emotalk_cli.store import SUFFIX

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

PHOTO_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif")
)


@dataclass(frozen=True)
class Shot:
    """One picture (H, W, 3) uint8 RGB that shows part of the source, enlarged.

    origin_px (2,): its top left corner in the source; scale: its pixels per pixel of the source;
    landmarks (478, 2): what was seen there, px of the source, or None where no face was.
    """

    picture: Picture
    origin_px: Float
    scale: float
    landmarks: Float | None

    def square(self, centre_px: Float, side_px: float, size_px: int) -> Shot:
        """The square of `side_px` around a point of the source, as a picture of `size_px`."""
        import cv2

        scale = size_px / side_px
        origin = np.asarray(centre_px - side_px / 2, np.float32)
        ratio = scale / self.scale
        shift = (self.origin_px - origin) * scale
        # Pixels' centres lie at half numbers: the map is of corners.
        matrix = np.array(
            [[ratio, 0, shift[0] + ratio / 2 - 0.5], [0, ratio, shift[1] + ratio / 2 - 0.5]]
        )
        way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        picture = cv2.warpAffine(self.picture, matrix, (size_px, size_px), flags=way)
        return Shot(np.asarray(picture, np.uint8), origin, scale, self.landmarks)


def is_photo_name(source: Path) -> bool:
    """Whether the file's name is that of a photo."""
    return source.suffix.lower() in PHOTO_SUFFIXES


def shots_of(source: Path, fps: float) -> Iterator[Shot]:
    """Every picture of a Clip record, of a video at `fps` or of a photo, in order.

    Raises EmotalkError for a clip that was preprocessed without its frames.
    """
    if source.suffix == SUFFIX:
        yield from _clip_shots(source)
    elif is_photo_name(source):
        yield _photo_shot(source)
    else:
        yield from _video_shots(source, fps)


def has_pictures(source: Path) -> bool:
    """Whether the source holds pictures: a clip may have been preprocessed without."""
    return source.suffix != SUFFIX or store.read_field(source, Clip, "frames_jpeg") is not None


def _clip_shots(source: Path) -> Iterator[Shot]:
    import cv2

    clip = store.read(source, Clip)
    for index, points in enumerate(clip.landmarks):
        jpeg = np.frombuffer(clip.frame_jpeg(index), np.uint8)
        picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        if picture is None:
            raise EmotalkError(f"Frame {index} of {source} is damaged.", "Preprocess it again.")
        seen = points[:, :2] if clip.valid[index] else None
        scale = picture.shape[1] / float(clip.crop[2])
        yield Shot(np.asarray(picture[:, :, ::-1]), clip.crop[:2], scale, seen)


def _photo_shot(source: Path) -> Shot:
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    photo = read_photo(source)
    return Shot(photo, np.zeros(2, np.float32), 1.0, require_face(photo, source).landmarks[:, :2])


def _video_shots(source: Path, fps: float) -> Iterator[Shot]:
    from emotalk_cli.face3d.face_tracking import FaceFollower
    from emotalk_cli.media import read_frames

    follower = FaceFollower()
    with contextlib.closing(read_frames(source, fps)) as frames:
        for frame in frames:
            seen = follower.locate(frame)
            points = None if seen is None else seen[:, :2]
            yield Shot(frame, np.zeros(2, np.float32), 1.0, points)
