"""How fast the stages run on this machine, on the demo's photo and speech: `make bench`.

Every figure is a ratio to the length of the recording or a rate, measured in one run; the first
pass of each part is thrown away, because it compiles.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from emotalk_cli import parts
from emotalk_cli.audio.features import extract_features
from emotalk_cli.audio.waveform import load_waveform
from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.emotions import parse_emotion
from emotalk_cli.decoders.sampling import sample_motion
from emotalk_cli.face3d.default_model import load_default_face_model
from emotalk_cli.face3d.fitting import fit_photo, fit_sequence
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.render.photo import read_photo
from emotalk_cli.render.portrait import PortraitRenderer
from emotalk_cli.render.video import VideoWriter
from emotalk_cli.schema import MadeBy
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH, WEIGHTS, generate

SECONDS = 30.0
FPS = 25.0
SIZES_PX = (512, 1024)
MADE_BY = MadeBy("bench", "1")


def timed(work: Callable[[], object]) -> float:
    """Wall time of the second of two runs, in s."""
    work()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print one table."""
    model = load_default_face_model()
    speech = load_waveform(DEMO_SPEECH)
    waveform = np.resize(speech, int(SECONDS * 16000))
    frames = int(SECONDS * FPS)
    lip, emo = load_decoder(WEIGHTS / "lip"), load_decoder(WEIGHTS / "emo")
    encoder = parts.make(parts.SPEECH_ENCODERS, lip.spec.encoder)
    features = extract_features(waveform, encoder, made_by=MADE_BY)
    photo = read_photo(DEMO_FACE)
    height, width = photo.shape[:2]
    landmarks = require_face(photo, DEMO_FACE).landmarks
    still = fit_photo(landmarks, width, height, model, made_by=MADE_BY)
    many, valid = np.repeat(landmarks[None], frames, axis=0), np.ones(frames, bool)
    weights = parse_emotion("happy").weights(np.arange(frames) / FPS)

    rows: list[tuple[str, float, str]] = []

    def rate(what: str, work: Callable[[], object]) -> None:
        rows.append((what, SECONDS / timed(work), "x real time"))

    rate("speech features", lambda: extract_features(waveform, encoder, made_by=MADE_BY))
    rate(
        "fitting after landmarks",
        lambda: fit_sequence(many, valid, width, height, FPS, model, made_by=MADE_BY),
    )
    rate(
        "sampling both decoders",
        lambda: sample_motion(lip, emo, features, weights, frames=frames, fps=FPS),
    )
    motion = sample_motion(lip, emo, features, weights, frames=frames, fps=FPS)
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES_PX:
            drawn = PortraitRenderer(photo, landmarks, still, model, size_px=size)

            def draw(drawn: PortraitRenderer = drawn) -> None:
                out = Path(folder) / "a.mp4"
                with VideoWriter(out, drawn.width_px, drawn.height_px, FPS) as writer:
                    for expression in motion.expression:
                        writer.write(drawn.frame(expression, still.head_pose[0]))

            rows.append((f"drawing and encoding, {size} px", frames / timed(draw), "frames/s"))
        out = Path(folder) / "b.mp4"
        seconds = timed(lambda: generate(DEMO_SPEECH, DEMO_FACE, out, overwrite=True))
        rows.append(
            ("generate, the demo's 5.3 s, warm", len(speech) / 16000 / seconds, "x real time")
        )

    table = Table(title=f"{os.cpu_count()} CPU cores, {SECONDS:g} s of speech")
    for column in ("part", "speed", "unit"):
        table.add_column(column)
    for what, value, unit in rows:
        table.add_row(what, f"{value:.1f}", unit)
    Console().print(table)


if __name__ == "__main__":
    main()
