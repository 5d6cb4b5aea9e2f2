"""Subcommands that prepare corpora: preprocess, fit-3dmm, extract-audio and act."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emotalk_cli.cli import terminal
from emotalk_cli.cli.options import (
    Output,
    Overwrite,
    Runs,
    Seed,
    fail_if_any,
    in_batches,
    levels_of,
    listed,
)


@in_batches
def preprocess(
    source: Annotated[Path, typer.Argument(help="Folder of a corpus, a video, or a manifest CSV.")],
    output: Output = Path("clips"),
    dataset: Annotated[
        str, typer.Option(help="auto, mead, crema_d, ravdess, grid, arkit, folder or manifest.")
    ] = "auto",
    fps: Annotated[float, typer.Option(help="Frames a second of the records.")] = 25.0,
    frames: Annotated[bool, typer.Option(help="Keep the cropped pictures.")] = True,
    crop_size: Annotated[int, typer.Option(help="Side of the crop in px.")] = 256,
    face: Annotated[str, typer.Option(help="Whom to follow: largest, central or an index.")] = (
        "largest"
    ),
    speakers: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    emotions: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    views: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    levels: Annotated[str, typer.Option(help="Only these of MEAD's levels, such as 1,3.")] = "",
    limit: Annotated[int | None, typer.Option(help="At most so many clips.")] = None,
    splits: Annotated[
        Path | None, typer.Option(help="CSV of a split, such as those in data_manifests.")
    ] = None,
    min_valid: Annotated[float, typer.Option(help="Least share of frames with a face.")] = 0.5,
    *,
    runs: Runs,
) -> None:
    """Videos -> clips: landmarks, pictures, sound and labels, one HDF5 file per clip."""
    from emotalk_cli.stages.preprocess import preprocess

    with terminal.bars() as progress:
        done = preprocess(
            source,
            output,
            dataset=dataset,
            fps=fps,
            keep_frames=frames,
            crop_size_px=crop_size,
            face=face,
            speakers=listed(speakers),
            emotions=listed(emotions),
            views=listed(views),
            levels=levels_of(levels),
            limit=limit,
            splits=splits,
            min_valid=min_valid,
            **runs._asdict(),
            progress=progress,
        )
    terminal.say(
        f"{done.made} clips made, {done.skipped} there already, {len(done.failures)} failed: "
        f"{done.frames} frames, {done.seconds / 60:.1f} min. List: {done.manifest}"
    )
    terminal.tell(done)
    fail_if_any(done.failures, done.manifest.parent)


@in_batches
def fit_3dmm(
    source: Annotated[Path, typer.Argument(help="Folder of clips, one clip, a photo or a video.")],
    output: Output = Path("tracks"),
    face_model: Annotated[str, typer.Option(help="default, or the user's own model.")] = "default",
    photometric: Annotated[
        bool,
        typer.Option("--photometric", help="Refine by the pixels; clips need their pictures."),
    ] = False,
    photometric_backend: Annotated[
        str, typer.Option(help="Differentiable rasteriser: deodr or pytorch3d.")
    ] = "deodr",
    preview: Annotated[
        Path | None, typer.Option(help="Also draw the fits over the pictures: .mp4, or .png.")
    ] = None,
    identity: Annotated[
        Literal["speaker", "clip"], typer.Option(help="One shape per speaker or per clip.")
    ] = "speaker",
    *,
    runs: Runs,
) -> None:
    """Clips, a video or a photo -> face tracks: shape, expression, head pose and camera."""
    from emotalk_cli.stages.fit_3dmm import fit_3dmm

    with terminal.bars() as progress:
        done = fit_3dmm(
            source,
            output,
            face_model=face_model,
            identity=identity,
            photometric=photometric,
            photometric_backend=photometric_backend,
            preview=preview,
            **runs._asdict(),
            progress=progress,
        )
    terminal.say(
        f"{done.made} tracks made, {done.skipped} there already, {len(done.failures)} failed."
    )
    if done.preview is not None:
        terminal.say(f"Wrote {done.preview}")
    terminal.tell(done)
    fail_if_any(done.failures, output)


@in_batches
def extract_audio(
    source: Annotated[Path, typer.Argument(help="Folder of clips or recordings, or one of them.")],
    output: Output = Path("audio"),
    encoder: Annotated[
        str, typer.Option(help="hama-hidden, hama, mel or hf:FOLDER.")
    ] = "hama-hidden",
    augment: Annotated[int, typer.Option(min=0, help="Changed copies of each recording.")] = 0,
    seed: Seed = 0,
    *,
    runs: Runs,
) -> None:
    """Clips or recordings -> audio features: phones, mel, pitch, level, rate."""
    from emotalk_cli.stages.extract_audio import extract_audio

    with terminal.bars() as progress:
        done = extract_audio(
            source,
            output,
            encoder=encoder,
            augment=augment,
            seed=seed,
            **runs._asdict(),
            progress=progress,
        )
    terminal.say(f"{len(done.files)} files in {output}, {done.made} of them made now.")
    terminal.tell(done)
    fail_if_any(done.failures, output)


def act(
    audio: Annotated[Path, typer.Argument(help="Folder of audio features.")],
    output: Output = Path("acted"),
    tracks: Annotated[
        Path | None, typer.Option(help="Neutral tracks of the same clips, to take motion from.")
    ] = None,
    emotions: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    levels: Annotated[str, typer.Option(help="Only these of the levels 1, 2 and 3.")] = "1,2,3",
    takes: Annotated[int, typer.Option(min=1, help="Performances of each.")] = 6,
    limit: Annotated[int | None, typer.Option(help="At most so many performances.")] = None,
    held_out: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Leave out what a training with this validation_share holds out."
        ),
    ] = 0.0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Real voices -> an emotional corpus by a documented prior, to train the emotion decoder."""
    from emotalk_cli.decoders.direction.emotions import EMOTIONS
    from emotalk_cli.stages.act import act

    with terminal.bars() as progress:
        done = act(
            audio,
            output,
            tracks=tracks,
            emotions=listed(emotions) or EMOTIONS,
            levels=levels_of(levels),
            takes=takes,
            held_out=held_out,
            limit=limit,
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.say(f"Performances: train-emo {done}/tracks {done}/audio learns from them.")
    terminal.tell({"tracks": done / "tracks", "audio": done / "audio"})
