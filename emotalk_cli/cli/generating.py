"""Subcommands that make videos: generate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from emotalk_cli.cli import streams, terminal
from emotalk_cli.cli.options import Cluster, Overwrite, Seed, Shard, Workers, fail_if_any

if TYPE_CHECKING:
    from emotalk_cli.stages.video_options import VideoOptions

DIRECTION, PICTURE, MANY = "Direction", "Picture", "Many videos"
"""Groups of options in the help."""


def generate(
    audio: Annotated[
        Path | None, typer.Option(help="Speech: wav, mp3, m4a, flac, a video, ... or - for stdin.")
    ] = None,
    face: Annotated[
        Path | None,
        typer.Option(help="Portrait: jpg, png, webp, ...; of a video its best frame."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=MANY,
            help="CSV with a video a row: audio, face and any option as columns.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=r"The mp4, or - for stdout; of a manifest the folder "
            r"\[default: AUDIO_FACE_EMOTION.mp4, videos]",
        ),
    ] = None,
    emotion: Annotated[
        str,
        typer.Option(
            rich_help_panel=DIRECTION,
            help='happy, "happy:0.6,surprised:0.3", "0 neutral, 2.5 sad:0.8" or a YAML.',
        ),
    ] = "neutral",
    intensity: Annotated[
        float, typer.Option(rich_help_panel=DIRECTION, help="0 (neutral) to 1 (full).")
    ] = 1.0,
    upper_strength: Annotated[
        float,
        typer.Option(
            rich_help_panel=DIRECTION,
            help="How far brows, lids and cheeks move: 0 to 2, 1 as decoded.",
        ),
    ] = 1.0,
    lower_strength: Annotated[
        float,
        typer.Option(
            rich_help_panel=DIRECTION, help="How far mouth and jaw move: 0 to 2, 1 as decoded."
        ),
    ] = 1.0,
    head_motion: Annotated[
        float, typer.Option(rich_help_panel=DIRECTION, help="0 (holds still) to 1 (as decoded).")
    ] = 1.0,
    blink_rate: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=DIRECTION, help=r"Blinks a minute, 0 to 60 \[default: as decoded]"
        ),
    ] = None,
    gaze: Annotated[
        str,
        typer.Option(
            rich_help_panel=DIRECTION, help="wander, camera, or YAW,PITCH in degrees, such as 8,-3."
        ),
    ] = "wander",
    pose: Annotated[
        Path | None,
        typer.Option(rich_help_panel=DIRECTION, help="Track whose head motion to take (.h5)."),
    ] = None,
    style: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=DIRECTION, help="Track whose manner to take: amplitude, tempo."
        ),
    ] = None,
    motion: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=DIRECTION,
            help="Draw this motion instead: a track (.h5) or a Live Link Face CSV.",
        ),
    ] = None,
    seed: Seed = 0,
    size: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=PICTURE,
            help=r"Longer side in px, at most the photo's \[default: up to 1024]",
        ),
    ] = None,
    crop: Annotated[
        str, typer.Option(rich_help_panel=PICTURE, help="full, head or face.")
    ] = "full",
    fps: Annotated[float, typer.Option(rich_help_panel=PICTURE, help="Frames a second.")] = 25.0,
    motion_out: Annotated[
        Path | None,
        typer.Option(rich_help_panel=PICTURE, help="Also write the motion, a FaceTrack (.h5)."),
    ] = None,
    keep_motion: Annotated[
        bool,
        typer.Option(
            "--keep-motion",
            rich_help_panel=MANY,
            help="With --manifest: NAME.h5 beside each video.",
        ),
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(rich_help_panel=PICTURE, help="Also write a sheet of frames (.png)."),
    ] = None,
    lip_decoder: Annotated[
        Path | None,
        typer.Option(rich_help_panel=DIRECTION, help="Folder of train-lip or train-single."),
    ] = None,
    emo_decoder: Annotated[
        Path | None, typer.Option(rich_help_panel=DIRECTION, help="Folder of train-emo.")
    ] = None,
    renderer: Annotated[
        str, typer.Option(rich_help_panel=PICTURE, help="portrait, mesh or pytorch3d.")
    ] = "portrait",
    long: Annotated[
        bool, typer.Option("--long", help="Allow recordings of over 15 minutes.")
    ] = False,
    watermark: Annotated[
        bool,
        typer.Option(
            "--watermark", rich_help_panel=PICTURE, help="Draw a small mark that says AI-generated."
        ),
    ] = False,
    c2pa: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="<cert> <key>",
            rich_help_panel=PICTURE,
            help="Sign (Content Credentials): certificate and key, PEM.",
        ),
    ] = None,
    workers: Workers = 1,
    cluster: Cluster = None,
    shard: Shard = None,
    overwrite: Overwrite = False,
) -> None:
    """A portrait, a recording and an emotion -> a talking video; a manifest -> many."""
    # Small matrices: more threads only wait for one another, and drawing has its own.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from emotalk_cli.stages.video_options import VideoOptions

    options = VideoOptions(
        emotion=emotion,
        intensity=intensity,
        upper_strength=upper_strength,
        lower_strength=lower_strength,
        head_motion=head_motion,
        blink_rate=blink_rate,
        gaze=gaze,
        pose=pose,
        style=style,
        motion=motion,
        seed=seed,
        fps=fps,
        size_px=size,
        crop=crop,
        renderer=renderer,
        lip_decoder=lip_decoder,
        emo_decoder=emo_decoder,
        watermark=watermark,
        long=long,
        c2pa=c2pa,
    )
    if manifest is not None:
        if audio or face or motion_out or sheet:
            raise typer.BadParameter(
                "--audio, --face, --motion-out and --sheet do not go with --manifest: the CSV "
                "names audio and face, -o a folder, --keep-motion keeps the motion"
            )
        runs = Runs(workers, cluster, shard, overwrite)
        _make_many(manifest, output or Path("videos"), options, keep_motion, runs)
        return
    if keep_motion or shard or cluster:
        raise typer.BadParameter("--keep-motion, --shard and --cluster belong to --manifest")
    if face is None or (audio is None and motion is None):
        raise typer.BadParameter("give --audio and --face, --motion and --face, or --manifest")
    _make_one(audio, face, output, options, motion_out, sheet, overwrite=overwrite)


class Runs(NamedTuple):
    """Where and how the rows of a manifest are done."""

    workers: int
    cluster: str | None
    shard: str | None
    overwrite: bool


def _make_many(
    manifest: Path, folder: Path, options: VideoOptions, keep_motion: bool, runs: Runs
) -> None:
    from emotalk_cli.stages.generate_many import generate_many

    with terminal.bars() as progress:
        done = generate_many(
            manifest, folder, options, keep_motion=keep_motion, **runs._asdict(), progress=progress
        )
    terminal.say(
        f"{done.made} videos made, {done.video_s:.0f} s long; {done.skipped} there already, "
        f"{len(done.failures)} failed: {folder}"
    )
    terminal.tell(done)
    fail_if_any(done.failures, folder)


def _make_one(
    audio: Path | None,
    face: Path,
    output: Path | None,
    options: VideoOptions,
    motion_out: Path | None,
    sheet: Path | None,
    *,
    overwrite: bool,
) -> None:
    from emotalk_cli.stages.generate import generate as make
    from emotalk_cli.stages.video_rows import default_name

    with terminal.bars() as progress, streams.as_files(audio, output) as (heard, out):
        made = make(
            heard,
            face,
            out or Path(f"{default_name(audio, face, options)}.mp4"),
            options,
            motion_out=motion_out,
            sheet=sheet,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.tell(made)
    if made.skipped:
        terminal.say(f"{made.video} is there already, made from the same inputs and options.")
        return
    for path in filter(None, (made.video if out == output else None, made.motion, made.sheet)):
        terminal.say(f"Wrote {path}")
    terminal.say(
        f"{made.duration_s:.1f} s of video, {made.width_px} x {made.height_px} at {made.fps:g} "
        f"frames/s, made in {made.elapsed_s:.1f} s"
    )
