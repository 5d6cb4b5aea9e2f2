"""One person + motion -> frames, the video file and, where wanted, a sheet of its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class VideoForm:
    """What one must know to read a video's pixels: size, rate, number of frames, and format."""

    width_px: int
    height_px: int
    fps: float
    frames: int
    pixel_format: str = "rgb24"

    @property
    def duration_s(self) -> float:
        """Length of the video."""
        return self.frames / self.fps


@dataclass(frozen=True)
class Drawing:
    """A video that is drawn as its `frames` are taken, (H, W, 3) uint8 RGB.

    The next may reuse the array of the last: copy what is to be kept.
    """

    form: VideoForm
    frames: Iterator[Picture]


def make_renderer(person: Framed, options: VideoOptions) -> parts.Renderer:
    """What draws that person."""
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    renderer: parts.Renderer = parts.make(
        parts.RENDERERS,
        options.renderer,
        person.photo,
        person.landmarks,
        person.still,
        load_default_face_model(),
    )
    return renderer


def draw_frames(
    track: FaceTrack, renderer: parts.Renderer, options: VideoOptions, progress: Progress
) -> Drawing:
    """Every frame of the video, drawn when it is asked for."""
    from emotalk_cli.render.body import breathing
    from emotalk_cli.render.watermark import Watermark

    width, height = renderer.width_px, renderer.height_px
    mark = Watermark(width, height) if options.watermark else None
    total = len(track.expression)
    breath = breathing(total, track.fps, options.seed) * min(1.0, options.head_motion)
    progress.task("Drawing", total)

    def frames() -> Iterator[Picture]:
        for k in range(total):
            frame = renderer.frame(track.expression[k], track.head_pose[k], float(breath[k]))
            yield mark.marked(frame) if mark else frame
            progress.advance()

    return Drawing(VideoForm(width, height, track.fps, total), frames())


def encode_video(
    drawing: Drawing,
    made_by: MadeBy,
    options: VideoOptions,
    audio: Path | None,
    out: Path,
    sheet: Path | None,
) -> None:
    """Encode every frame as it is drawn."""
    from emotalk_cli.render.sheet import contact_sheet, write_png
    from emotalk_cli.render.video import VideoWriter

    form = drawing.form
    picked = np.linspace(0, form.frames - 1, SHEET_FRAMES).round().astype(int)
    shown = set(picked) if sheet else set()
    kept = []
    with VideoWriter(
        out,
        form.width_px,
        form.height_px,
        form.fps,
        sound=audio,
        frames=form.frames,
        made_by=made_by,
        finish=_signing(options, made_by),
    ) as writer:
        for k, frame in enumerate(drawing.frames):
            writer.write(frame)
            if k in shown:
                kept.append(_thumbnail(frame))
    if sheet is not None:
        write_png(contact_sheet(kept, SHEET_COLUMNS), sheet)


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
