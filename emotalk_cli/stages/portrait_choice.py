"""The portrait that a file shows: a photo as it is, or the best frame of a video."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import probe, read_frames, require_picture

LOOKED_AT_FPS = 5.0
MAX_LOOKED_AT = 300
"""The first minute of a video is looked at, five frames a second."""
CANDIDATES = 5
"""So many of the best frames are tried before a video is refused."""


@dataclass(frozen=True)
class Portrait:
    """A photo (H, W, 3) uint8 RGB, its landmarks (478, 3) px, and what is to be said of it."""

    photo: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    note: str = ""


def load_portrait(face: Path) -> Portrait:
    """The portrait in a photo, or the sharpest neutral frame of a video.

    Raises EmotalkError where the file is neither, or shows no face that can be worked with.
    """
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import is_photo, read_photo

    if face.is_file() and not is_photo(face) and _is_media(face):
        return choose_frame(face)
    photo = read_photo(face)
    found = require_face(photo, face)
    return Portrait(photo, found.landmarks, found.note)


def _is_media(path: Path) -> bool:
    try:
        probe(path)
    except EmotalkError:
        return False
    return True


def choose_frame(video: Path) -> Portrait:
    """The frame of a video that serves best as a photo of its largest face.

    Frames of the first minute are scored by `face3d.face_quality`. Raises EmotalkError where no
    frame shows a face that can be worked with.
    """
    from emotalk_cli.face3d.face_quality import portrait_scores
    from emotalk_cli.face3d.face_tracking import FaceFollower
    from emotalk_cli.face3d.landmarks import sharpness

    require_picture(video, probe(video))
    follower = FaceFollower()
    seen: list[NDArray[np.float32]] = []
    numbers: list[int] = []
    sharp: list[float] = []
    with contextlib.closing(read_frames(video, LOOKED_AT_FPS)) as frames:
        for number, frame in enumerate(islice(frames, MAX_LOOKED_AT)):
            landmarks = follower.locate(frame)
            if landmarks is not None:
                seen.append(landmarks)
                numbers.append(number)
                sharp.append(sharpness(frame, landmarks))
    if not seen:
        raise EmotalkError(
            f"No face was found in the first {MAX_LOOKED_AT / LOOKED_AT_FPS:.0f} s of {video}.",
            "Use a photo, or a video of one person from the front.",
        )
    scores = portrait_scores(np.stack(seen), np.array(sharp, np.float32))
    return _first_usable(video, [numbers[k] for k in np.argsort(-scores)[:CANDIDATES]])


def _first_usable(video: Path, numbers: list[int]) -> Portrait:
    """The first of the frames with these numbers that passes as a photo; EmotalkError if none."""
    from emotalk_cli.face3d.landmarks import require_face

    with contextlib.closing(read_frames(video, LOOKED_AT_FPS)) as frames:
        wanted = islice(frames, max(numbers) + 1)
        pictures = {k: frame for k, frame in enumerate(wanted) if k in numbers}
    refused: EmotalkError | None = None
    for number in numbers:
        try:
            found = require_face(pictures[number], video)
        except EmotalkError as error:
            refused = refused or error
            continue
        note = f"The frame at {number / LOOKED_AT_FPS:.1f} s of {video.name} serves as the photo."
        return Portrait(pictures[number], found.landmarks, f"{note} {found.note}".strip())
    assert refused is not None
    raise refused
