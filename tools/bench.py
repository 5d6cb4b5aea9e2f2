"""How fast the stages run on two of this machine's cores, on the demo's photo and speech:
`make bench`.

Every figure is measured in one run; the first pass of each part is thrown away, because it
compiles. The last lines are the whole command as people call it, from its start to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from emotalk_cli import parts, store
from emotalk_cli.audio.features import extract_features
from emotalk_cli.audio.waveform import load_waveform
from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.direction.emotions import parse_emotion
from emotalk_cli.decoders.sampling import sample_motion
from emotalk_cli.face3d.fitting.fit import fit_photo, fit_sequence
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.render.body import breathing
from emotalk_cli.render.pasted import animate_portrait
from emotalk_cli.render.photo import read_photo
from emotalk_cli.render.video import VideoWriter
from emotalk_cli.schema import FaceTrack, MadeBy
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH, generate
from emotalk_cli.stages.motion_making import WEIGHTS

SECONDS = 30.0
FPS = 25.0
SIZES_PX = (512, 1024)
CORES = 2
COMMAND_S, COMMAND_SIZE_PX = (1.0, 60.0), 512
MADE_BY = MadeBy("bench", "1")

Row = tuple[str, float, str]


def timed(work: Callable[[], object]) -> float:
    """Wall time of the second of two runs, in s."""
    work()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print one table."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rows = [*sound_and_motion(), *pictures(), *(whole_command(s) for s in COMMAND_S)]
    table = Table(title=f"{len(os.sched_getaffinity(0))} CPU cores, {SECONDS:g} s of speech")
    for column in ("part", "speed", "unit"):
        table.add_column(column)
    for what, value, unit in rows:
        table.add_row(what, f"{value:.1f}", unit)
    Console().print(table)


def sound_and_motion() -> Iterator[Row]:
    """Features, fitting and sampling, as multiples of real time."""
    frames = int(SECONDS * FPS)
    waveform = np.resize(load_waveform(DEMO_SPEECH), int(SECONDS * 16000))
    lip, emo = load_decoder(WEIGHTS / "lip"), load_decoder(WEIGHTS / "emo")
    encoder = parts.make(parts.SPEECH_ENCODERS, lip.spec.encoder)
    features = extract_features(waveform, encoder, made_by=MADE_BY)
    weights = parse_emotion("happy").weights(np.arange(frames) / FPS)
    photo, landmarks = demo_face()
    height, width = photo.shape[:2]
    many, valid = np.repeat(landmarks[None], frames, axis=0), np.ones(frames, bool)
    model = load_default_face_model()
    work: dict[str, Callable[[], object]] = {
        "speech features": lambda: extract_features(waveform, encoder, made_by=MADE_BY),
        "fitting after landmarks": lambda: fit_sequence(
            many, valid, width, height, FPS, model, made_by=MADE_BY
        ),
        "sampling both decoders": lambda: sample_motion(
            lip, emo, features, weights, frames=frames, fps=FPS
        ),
    }
    for what, run in work.items():
        yield what, SECONDS / timed(run), "x real time"


def pictures() -> Iterator[Row]:
    """Drawing with encoding, and the whole of `generate`."""
    model = load_default_face_model()
    photo, landmarks = demo_face()
    height, width = photo.shape[:2]
    still = fit_photo(landmarks, width, height, model, made_by=MADE_BY)
    with tempfile.TemporaryDirectory() as folder:
        track = Path(folder) / "motion.h5"
        video = Path(folder) / "a.mp4"
        generate(DEMO_SPEECH, DEMO_FACE, video, motion_out=track, overwrite=True)
        motion = store.read(track, FaceTrack)
        for size in SIZES_PX:
            scale = size / max(height, width)
            large = np.asarray(Image.fromarray(photo).resize((size, size * height // width)))
            moved = replace(still, camera=still.camera * np.float32(scale))
            drawn = animate_portrait(large, landmarks * np.float32(scale), moved, model)
            breath = breathing(len(motion.expression), FPS, seed=0)

            def draw(drawn: parts.Renderer = drawn, breath: NDArray[np.float32] = breath) -> None:
                moves = zip(motion.expression, motion.head_pose, breath, strict=True)
                with VideoWriter(video, drawn.width_px, drawn.height_px, FPS) as writer:
                    for expression, pose, depth in moves:
                        writer.write(drawn.frame(expression, pose, float(depth)))

            rate = len(motion.expression) / timed(draw)
            yield f"drawing and encoding, {size} px", rate, "frames/s"
        seconds = timed(lambda: generate(DEMO_SPEECH, DEMO_FACE, video, overwrite=True))
        length_s = len(motion.expression) / FPS
        yield f"generate, the demo's {length_s:.1f} s, warm", length_s / seconds, "x real time"


def whole_command(length_s: float) -> Row:
    """`emotalk generate` on so much speech, as a process of its own, in s."""
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        loop = ["-stream_loop", "-1", "-i", str(DEMO_SPEECH), "-t", f"{length_s:g}"]
        subprocess.run([ffmpeg_binary(), "-loglevel", "error", *loop, str(speech)], check=True)
        command = [sys.executable, "-m", "emotalk_cli", "generate", "--audio", str(speech)]
        command += ["--face", str(DEMO_FACE), "--size", str(COMMAND_SIZE_PX), "--overwrite"]
        command += ["-o", str(Path(folder) / "out.mp4")]
        seconds = timed(lambda: subprocess.run(command, check=True, capture_output=True))
    return f"generate, {length_s:g} s at {COMMAND_SIZE_PX} px, the whole command", seconds, "s"


def demo_face() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The demo's photo and its landmarks (478, 3) px."""
    photo = read_photo(DEMO_FACE)
    return photo, require_face(photo, DEMO_FACE).landmarks


if __name__ == "__main__":
    main()
