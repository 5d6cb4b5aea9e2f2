"""One portrait file -> a person who can be animated: photo, landmarks and the fitted face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotalk_cli.progress import Progress
from emotalk_cli.schema import MadeBy
from emotalk_cli.stages.portrait_choice import load_portrait
from emotalk_cli.stages.video_options import VideoOptions

if TYPE_CHECKING:
    from emotalk_cli.render.framing import Framed

DEFAULT_SIZE_PX = 1024
"""Longest side of the video where nothing else is said; a smaller photo keeps its own size."""


def make_person(face: Path, options: VideoOptions, made_by: MadeBy, progress: Progress) -> Framed:
    """Read the picture or video `face`, fit the face model, cut and scale as the options say.

    Raises EmotalkError without a usable face.
    """
    from emotalk_cli.face3d.fitting.fit import fit_photo
    from emotalk_cli.face3d.models.default_model import load_default_face_model
    from emotalk_cli.render.framing import frame_photo

    seen = load_portrait(face)
    if seen.note:
        progress.note(seen.note)
    height, width = seen.photo.shape[:2]
    model = load_default_face_model()
    still = fit_photo(seen.landmarks, width, height, model, made_by=made_by)
    size_px = options.size_px or DEFAULT_SIZE_PX
    framed = frame_photo(seen.photo, seen.landmarks, still, crop=options.crop, size_px=size_px)
    longest = max(framed.photo.shape[:2])
    if options.size_px is not None and options.size_px > longest + 1:
        progress.note(f"The picture has {longest} pixels there; the video gets no larger.")
    return framed
