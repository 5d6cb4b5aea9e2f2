"""Subcommands that make videos: generate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from emotalk_cli.cli import terminal
from emotalk_cli.cli.options import Overwrite, Seed


def generate(
    audio: Annotated[Path, typer.Option(help="Speech: wav, mp3, m4a, flac, a video, ...")],
    face: Annotated[Path, typer.Option(help="Portrait: jpg, png, webp, ...")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=r"The mp4 \[default: AUDIO_FACE_EMOTION.mp4]"),
    ] = None,
    emotion: Annotated[
        str,
        typer.Option(help='happy, "happy:0.6,surprised:0.3", "0 neutral, 2.5 sad:0.8" or a YAML.'),
    ] = "neutral",
    intensity: Annotated[float, typer.Option(help="0 (neutral) to 1 (full).")] = 1.0,
    seed: Seed = 0,
    size: Annotated[
        int | None,
        typer.Option(help=r"Longer side in px, at most the photo's \[default: up to 1024]"),
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 25.0,
    motion_out: Annotated[
        Path | None, typer.Option(help="Also write the motion, a FaceTrack (.h5).")
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also write a sheet of frames (.png).")] = None,
    lip_decoder: Annotated[
        Path | None, typer.Option(help="Folder of train-lip or train-single.")
    ] = None,
    emo_decoder: Annotated[Path | None, typer.Option(help="Folder of train-emo.")] = None,
    renderer: Annotated[str, typer.Option(help="portrait or mesh.")] = "portrait",
    overwrite: Overwrite = False,
) -> None:
    """A portrait, a recording and an emotion -> a talking video."""
    # Small matrices: more threads only wait for one another, and drawing has its own.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from emotalk_cli.stages.generate import generate as make
    from emotalk_cli.stages.video_options import VideoOptions

    if output is None:
        words = "".join(c if c.isalnum() else "_" for c in emotion)[:40].strip("_")
        output = Path(f"{audio.stem}_{face.stem}_{words}.mp4")
    with terminal.bars() as progress:
        made = make(
            audio,
            face,
            output,
            VideoOptions(
                emotion=emotion,
                intensity=intensity,
                seed=seed,
                fps=fps,
                size_px=size,
                renderer=renderer,
                lip_decoder=lip_decoder,
                emo_decoder=emo_decoder,
            ),
            motion_out=motion_out,
            sheet=sheet,
            overwrite=overwrite,
            progress=progress,
        )
    if made.skipped:
        terminal.say(f"{made.video} is there already, made from the same inputs and options.")
        return
    for path in filter(None, (made.video, made.motion, made.sheet)):
        terminal.say(f"Wrote {path}")
    terminal.say(
        f"{made.duration_s:.1f} s of video, {made.width_px} x {made.height_px} at {made.fps:g} "
        f"frames/s, in {made.elapsed_s:.1f} s ({made.duration_s / made.elapsed_s:.1f} x real time)"
    )
