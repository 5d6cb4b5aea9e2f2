"""The README picture: the demo in eight emotions; run `python -m tools.readme_picture`."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from emotalk_cli.decoders.direction.emotions import EMOTIONS
from emotalk_cli.media import read_frames
from emotalk_cli.render.sheet import contact_sheet
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH, generate
from emotalk_cli.stages.video_options import VideoOptions

OUT = Path("docs/frames.jpg")
MOMENTS = (45, 58)  # frames; one with open lips, one later
SIZE_PX = 512
FACE = (slice(40, 440), slice(80, 430))
HEIGHT_PX, WIDTH_PX = 240, 210
COLUMNS = 8


def main() -> None:
    """Generate each emotion once and put the same two moments of each side by side."""
    rows: list[list[np.ndarray]] = [[] for _ in MOMENTS]
    with tempfile.TemporaryDirectory() as folder:
        for emotion in EMOTIONS:
            video = Path(folder) / f"{emotion}.mp4"
            generate(DEMO_SPEECH, DEMO_FACE, video, VideoOptions(emotion=emotion, size_px=SIZE_PX))
            frames = list(islice(read_frames(video, 25.0), max(MOMENTS) + 1))
            for row, moment in zip(rows, MOMENTS, strict=True):
                face = Image.fromarray(frames[moment][FACE])
                row.append(np.asarray(face.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS)))
    labels = [*EMOTIONS, *[""] * COLUMNS * (len(MOMENTS) - 1)]
    sheet = contact_sheet([frame for row in rows for frame in row], COLUMNS, labels=labels)
    Image.fromarray(sheet).save(OUT, quality=88)


if __name__ == "__main__":
    main()
