"""One portrait file -> a person who can be animated: photo, landmarks and the fitted face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.progress import Progress
from emotalk_cli.schema import FaceTrack, MadeBy


@dataclass(frozen=True)
class Person:
    """One portrait: the photo (H, W, 3), its landmarks (478, 3) px and the fitted face."""

    photo: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    still: FaceTrack


def make_person(face: Path, made_by: MadeBy, progress: Progress) -> Person:
    """Read the picture `face` and fit the face model to it; EmotalkError without a usable face."""
    from emotalk_cli.face3d.default_model import load_default_face_model
    from emotalk_cli.face3d.fitting import fit_photo
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    photo = read_photo(face)
    found = require_face(photo, face)
    if found.note:
        progress.note(found.note)
    height, width = photo.shape[:2]
    still = fit_photo(found.landmarks, width, height, load_default_face_model(), made_by=made_by)
    return Person(photo, found.landmarks, still)
