"""Subcommands that make videos: generate."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from emotalk_cli.cli import streams, terminal
from emotalk_cli.cli import video_flags as flag
from emotalk_cli.cli.options import Runs, Seed, fail_if_any, in_batches

if TYPE_CHECKING:
    from emotalk_cli.stages.video_options import VideoOptions


@in_batches
def generate(
    audio: flag.Audio = None,
    face: flag.Face = None,
    manifest: flag.Manifest = None,
    output: flag.VideoOutput = None,
    emotion: flag.Emotion = "neutral",
    intensity: flag.Intensity = 1.0,
    upper_strength: flag.UpperStrength = 1.0,
    lower_strength: flag.LowerStrength = 1.0,
    head_motion: flag.HeadMotion = 1.0,
    blink_rate: flag.BlinkRate = None,
    gaze: flag.Gaze = "wander",
    pose: flag.Pose = None,
    style: flag.Style = None,
    motion: flag.Motion = None,
    seed: Seed = 0,
    size: flag.Size = None,
    crop: flag.Crop = "full",
    fps: flag.FrameRate = 25.0,
    motion_out: flag.MotionOut = None,
    keep_motion: flag.KeepMotion = False,
    sheet: flag.Sheet = None,
    lip_decoder: flag.LipDecoder = None,
    emo_decoder: flag.EmoDecoder = None,
    renderer: flag.Renderer = "portrait",
    long: flag.Long = False,
    raw: flag.Raw = False,
    watermark: flag.Watermark = False,
    c2pa: flag.ContentCredentials = None,
    *,
    runs: Runs,
) -> None:
    """A portrait, a recording and an emotion -> a talking video; a manifest -> many."""
    # Small matrices: more threads only wait for one another, and drawing has its own.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
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
    wanted = Files(audio, face, output, motion_out, sheet)
    if manifest is not None:
        _refuse_beside_manifest(wanted, raw=raw)
        _make_many(manifest, output or Path("videos"), options, keep_motion, runs)
        return
    if keep_motion or runs.shard or runs.cluster:
        raise typer.BadParameter("--keep-motion, --shard and --cluster belong to --manifest")
    if face is None or (audio is None and motion is None):
        raise typer.BadParameter("give --audio and --face, --motion and --face, or --manifest")
    if raw:
        _draw_raw(audio, face, wanted, options)
    else:
        _make_one(audio, face, wanted, options, overwrite=runs.overwrite)


class Files(NamedTuple):
    """What to read, and what to write."""

    audio: Path | None
    face: Path | None
    output: Path | None
    motion_out: Path | None
    sheet: Path | None


def _refuse_beside_manifest(given: Files, *, raw: bool) -> None:
    if given.output == streams.DASH:
        raise typer.BadParameter("many videos go into a folder: -o FOLDER, not -")
    if given.audio or given.face or given.motion_out or given.sheet or raw:
        raise typer.BadParameter(
            "--audio, --face, --motion-out, --sheet and --raw do not go with --manifest: the CSV "
            "names audio and face, -o a folder, --keep-motion keeps the motion"
        )


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
    audio: Path | None, face: Path, wanted: Files, options: VideoOptions, *, overwrite: bool
) -> None:
    from emotalk_cli.stages.generate import generate as make
    from emotalk_cli.stages.video_rows import default_name

    with terminal.bars() as progress, streams.as_files(audio, wanted.output) as (heard, out):
        made = make(
            heard,
            face,
            out or Path(f"{default_name(audio, face, options)}.mp4"),
            options,
            motion_out=wanted.motion_out,
            sheet=wanted.sheet,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.tell(made if wanted.output != streams.DASH else replace(made, video=streams.DASH))
    if made.skipped:
        terminal.say(f"{made.video} is there already, made from the same inputs and options.")
        return
    shown = made.video if out == wanted.output else None
    for path in filter(None, (shown, made.motion, made.sheet)):
        terminal.say(f"Wrote {path}")
    terminal.say(
        f"{made.duration_s:.1f} s of video, {made.width_px} x {made.height_px} at {made.fps:g} "
        f"frames/s, made in {made.elapsed_s:.1f} s"
    )


def _draw_raw(audio: Path | None, face: Path, wanted: Files, options: VideoOptions) -> None:
    from emotalk_cli.stages.generate import draw

    if wanted.output != streams.DASH:
        raise typer.BadParameter("--raw goes with -o -")
    if wanted.motion_out or wanted.sheet or options.c2pa:
        raise typer.BadParameter("--motion-out, --sheet and --c2pa go with an mp4, not with --raw")
    streams.take_output()
    with terminal.bars() as progress, streams.as_files(audio, None) as (heard, _):
        streams.write_frames(draw(heard, face, options, progress=progress))
