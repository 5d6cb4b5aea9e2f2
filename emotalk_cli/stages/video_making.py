"""One person + motion -> the video file and, where wanted, a sheet of its frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import parts
from emotalk_cli.progress import Progress
from emotalk_cli.schema import FaceTrack, MadeBy
from emotalk_cli.stages.person_making import Person
from emotalk_cli.stages.video_options import VideoOptions

Picture = NDArray[np.uint8]

DEFAULT_SIZE_PX = 1024
"""Longest side of the video where nothing else is said; a smaller photo keeps its own size."""
SHEET_FRAMES = 12
SHEET_COLUMNS = 6
SHEET_WIDTH_PX = 320


def draw_video(
    track: FaceTrack,
    person: Person,
    options: VideoOptions,
    audio: Path,
    out: Path,
    sheet: Path | None,
    progress: Progress,
) -> tuple[int, int]:
    """Draw and encode every frame as it is made; returns width and height in px."""
    from emotalk_cli.face3d.default_model import load_default_face_model
    from emotalk_cli.render.sheet import contact_sheet, write_png
    from emotalk_cli.render.video import VideoWriter
    from emotalk_cli.render.watermark import Watermark

    longest = max(person.photo.shape[:2])
    size = min(options.size_px or DEFAULT_SIZE_PX, longest)
    if options.size_px is not None and options.size_px > longest:
        progress.note(f"The photo has {longest} pixels; the video gets no larger.")
    drawn: parts.Renderer = parts.make(
        parts.RENDERERS,
        options.renderer,
        person.photo,
        person.landmarks,
        person.still,
        load_default_face_model(),
        size_px=size,
    )
    mark = Watermark(drawn.width_px, drawn.height_px) if options.watermark else None
    total = len(track.expression)
    shown = set(np.linspace(0, total - 1, SHEET_FRAMES).round().astype(int)) if sheet else set()
    kept = []
    progress.task("Drawing", total)
    with VideoWriter(
        out,
        drawn.width_px,
        drawn.height_px,
        track.fps,
        sound=audio,
        frames=total,
        made_by=track.made_by,
        finish=_signing(options, track.made_by),
    ) as writer:
        for k in range(total):
            frame = drawn.frame(track.expression[k], track.head_pose[k])
            frame = mark.marked(frame) if mark else frame
            writer.write(frame)
            if k in shown:
                kept.append(_thumbnail(frame))
            progress.advance()
    if sheet is not None:
        write_png(contact_sheet(kept, SHEET_COLUMNS), sheet)
    return drawn.width_px, drawn.height_px


def _thumbnail(frame: Picture) -> Picture:
    from PIL import Image

    height = max(1, round(SHEET_WIDTH_PX * frame.shape[0] / frame.shape[1]))
    small = Image.fromarray(frame).resize((SHEET_WIDTH_PX, height), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _signing(options: VideoOptions, made_by: MadeBy) -> Callable[[Path], None] | None:
    """What signs the finished file, where that is wanted."""
    if options.c2pa is None:
        return None
    from emotalk_cli.render.content_credentials import ContentCredentials

    credentials = ContentCredentials(*options.c2pa)
    return lambda video: credentials.sign(video, made_by)
