"""One person + motion -> the video file and, where wanted, a sheet of its frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import parts
from emotalk_cli.progress import Progress
from emotalk_cli.schema import FaceTrack, MadeBy
from emotalk_cli.stages.video_options import VideoOptions

if TYPE_CHECKING:
    from emotalk_cli.render.framing import Framed

Picture = NDArray[np.uint8]

SHEET_FRAMES = 12
SHEET_COLUMNS = 6
SHEET_WIDTH_PX = 320


def draw_video(
    track: FaceTrack,
    person: Framed,
    options: VideoOptions,
    audio: Path | None,
    out: Path,
    sheet: Path | None,
    progress: Progress,
) -> tuple[int, int]:
    """Draw and encode every frame as it is made; returns width and height in px."""
    from emotalk_cli.face3d.models.default_model import load_default_face_model
    from emotalk_cli.render.body import breathing
    from emotalk_cli.render.sheet import contact_sheet, write_png
    from emotalk_cli.render.video import VideoWriter
    from emotalk_cli.render.watermark import Watermark

    drawn: parts.Renderer = parts.make(
        parts.RENDERERS,
        options.renderer,
        person.photo,
        person.landmarks,
        person.still,
        load_default_face_model(),
    )
    mark = Watermark(drawn.width_px, drawn.height_px) if options.watermark else None
    total = len(track.expression)
    breath = breathing(total, track.fps, options.seed) * min(1.0, options.head_motion)
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
            frame = drawn.frame(track.expression[k], track.head_pose[k], float(breath[k]))
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
