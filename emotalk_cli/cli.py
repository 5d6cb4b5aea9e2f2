"""The command line: one thin function per subcommand; the only file that exits."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from emotalk_cli import __version__, terminal
from emotalk_cli.errors import EmotalkError

if TYPE_CHECKING:
    from emotalk_cli.batch import Failure

EXIT_PROBLEM = 1
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="emotalk",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One portrait, one speech recording and an emotion become a talking video.\n\n"
    "Start with [bold]emotalk generate[/bold]. The other commands prepare corpora, train the "
    "decoders and score results; they exchange HDF5 files, which [bold]emotalk inspect[/bold] "
    "explains.",
)


Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make again what was made with other options.")
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
Workers = Annotated[int, typer.Option("--workers", "-j", min=1, help="Local processes.")]
Cluster = Annotated[str | None, typer.Option(help="A Dask cluster, tcp://HOST:PORT.")]
Shard = Annotated[str | None, typer.Option(help="Only part i of n, such as 3/8 (job arrays).")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors. Works anywhere.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors. Works anywhere.")
    ] = False,
) -> None:
    """Take the options that belong to every command."""
    if version:
        print(f"emotalk {__version__}")
        raise typer.Exit


@app.command("preprocess")
def _preprocess(
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
    workers: Workers = 1,
    cluster: Cluster = None,
    shard: Shard = None,
    overwrite: Overwrite = False,
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
            speakers=_listed(speakers),
            emotions=_listed(emotions),
            views=_listed(views),
            levels=_levels(levels),
            limit=limit,
            splits=splits,
            min_valid=min_valid,
            workers=workers,
            cluster=cluster,
            shard=shard,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.say(
        f"{done.made} clips made, {done.skipped} there already, {len(done.failures)} failed: "
        f"{done.frames} frames, {done.seconds / 60:.1f} min. List: {done.manifest}"
    )
    _fail_if_any(done.failures, done.manifest.parent)


@app.command("fit-3dmm")
def _fit_3dmm(
    source: Annotated[Path, typer.Argument(help="Folder of clips, one clip, a photo or a video.")],
    output: Output = Path("tracks"),
    face_model: Annotated[str, typer.Option(help="default, or the user's own model.")] = "default",
    identity: Annotated[
        Literal["speaker", "clip"], typer.Option(help="One shape per speaker or per clip.")
    ] = "speaker",
    workers: Workers = 1,
    cluster: Cluster = None,
    shard: Shard = None,
    overwrite: Overwrite = False,
) -> None:
    """Clips, a video or a photo -> face tracks: shape, expression, head pose and camera."""
    from emotalk_cli.stages.fit_3dmm import fit_3dmm

    with terminal.bars() as progress:
        done = fit_3dmm(
            source,
            output,
            face_model=face_model,
            identity=identity,
            workers=workers,
            cluster=cluster,
            shard=shard,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.say(
        f"{done.made} tracks made, {done.skipped} there already, {len(done.failures)} failed."
    )
    _fail_if_any(done.failures, output)


@app.command("extract-audio")
def _extract_audio(
    source: Annotated[Path, typer.Argument(help="Folder of clips or recordings, or one of them.")],
    output: Output = Path("audio"),
    encoder: Annotated[
        str, typer.Option(help="hama-hidden, hama, mel or hf:FOLDER.")
    ] = "hama-hidden",
    augment: Annotated[int, typer.Option(min=0, help="Changed copies of each recording.")] = 0,
    seed: Seed = 0,
    workers: Workers = 1,
    cluster: Cluster = None,
    shard: Shard = None,
    overwrite: Overwrite = False,
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
            workers=workers,
            cluster=cluster,
            shard=shard,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.say(f"{len(done.files)} files in {output}, {done.made} of them made now.")
    _fail_if_any(done.failures, output)


@app.command("act")
def _act(
    audio: Annotated[Path, typer.Argument(help="Folder of audio features.")],
    output: Output = Path("acted"),
    tracks: Annotated[
        Path | None, typer.Option(help="Neutral tracks of the same clips, to take motion from.")
    ] = None,
    emotions: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    levels: Annotated[str, typer.Option(help="Only these of the levels 1, 2 and 3.")] = "1,2,3",
    takes: Annotated[int, typer.Option(min=1, help="Performances of each.")] = 6,
    limit: Annotated[int | None, typer.Option(help="At most so many performances.")] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Real voices -> an emotional corpus by a documented prior, to train the emotion decoder."""
    from emotalk_cli.decoders.emotions import EMOTIONS
    from emotalk_cli.stages.act import act

    with terminal.bars() as progress:
        done = act(
            audio,
            output,
            tracks=tracks,
            emotions=_listed(emotions) or EMOTIONS,
            levels=_levels(levels),
            takes=takes,
            limit=limit,
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.say(f"Performances: train-emo {done}/tracks {done}/audio learns from them.")


def _training(name: str, about: str) -> None:
    """Add one of the three training commands; they differ in what they predict alone."""
    folder = Path(name.removeprefix("train-"))

    def train(
        tracks: Annotated[Path, typer.Argument(help="Folder of face tracks.")],
        audio: Annotated[Path, typer.Argument(help="Folder of audio features.")],
        output: Output = folder,
        config: Annotated[
            Path | None, typer.Option(help="YAML of training options; the README lists them.")
        ] = None,
        steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
        overfit: Annotated[
            bool, typer.Option("--overfit", help="Learn one batch by heart: a check.")
        ] = False,
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on from the last state in the output.")
        ] = False,
        seed: Seed = 0,
        overwrite: Overwrite = False,
    ) -> None:
        module = importlib.import_module("emotalk_cli.stages." + name.replace("-", "_"))
        stage = getattr(module, name.replace("-", "_"))
        with terminal.bars() as progress:
            folder = stage(
                tracks,
                audio,
                output,
                config=config,
                steps=steps,
                overfit=overfit or None,
                seed=seed,
                resume=resume,
                overwrite=overwrite,
                progress=progress,
            )
        terminal.say(f"Checkpoint: {folder}")

    app.command(name, help=about)(train)


_training("train-lip", "Tracks + audio features -> the lip decoder: speech to articulation.")
_training("train-emo", "Tracks + audio features -> the emotion decoder: face, gaze and head.")
_training("train-single", "Tracks + audio features -> one decoder for all of it: the baseline.")


@app.command("generate")
def _generate(
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
    from emotalk_cli.stages.generate import generate

    if output is None:
        words = "".join(c if c.isalnum() else "_" for c in emotion)[:40].strip("_")
        output = Path(f"{audio.stem}_{face.stem}_{words}.mp4")
    with terminal.bars() as progress:
        made = generate(
            audio,
            face,
            output,
            emotion=emotion,
            intensity=intensity,
            seed=seed,
            size_px=size,
            fps=fps,
            motion_out=motion_out,
            sheet=sheet,
            lip_decoder=lip_decoder,
            emo_decoder=emo_decoder,
            renderer=renderer,
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


@app.command("score")
def _score(
    paths: Annotated[
        list[Path], typer.Argument(help="PREDICTED [PREDICTED ...] REFERENCE: folders or files.")
    ],
    output: Output = Path("report"),
    audio: Annotated[
        Path | None, typer.Option(help="Audio features, for the metrics against speech.")
    ] = None,
    metrics: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    face_model: Annotated[str, typer.Option(help="default, or the user's own model.")] = "default",
    syncnet: Annotated[
        Path | None, typer.Option(help="Your syncnet_v2.model, for LSE-C and LSE-D of videos.")
    ] = None,
    workers: Workers = 1,
    overwrite: Overwrite = False,
) -> None:
    """Predictions against references -> scores.json, scores.csv, scores.h5 and report.html."""
    from emotalk_cli.stages.score import score

    if len(paths) < 2:
        raise typer.BadParameter("give what was predicted and, last, the reference")
    with terminal.bars() as progress:
        done = score(
            paths[:-1],
            paths[-1],
            output,
            audio=audio,
            metrics=_listed(metrics) or None,
            face_model=face_model,
            syncnet=syncnet,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    terminal.say(f"{done.clips} clips scored. Report: {done.report}")
    _fail_if_any(done.failures, output)


@app.command("inspect")
def _inspect(
    path: Annotated[Path, typer.Argument(help="A file that this program wrote.")],
    plot: Annotated[Path | None, typer.Option(help="Draw it into this PNG file.")] = None,
) -> None:
    """Say what is in one of the project's files."""
    from emotalk_cli.stages.inspect import inspect

    print(inspect(path, plot=plot))


def main() -> None:
    """Run the command line; every problem of the user's becomes a message and exit code 1."""
    arguments = sys.argv[1:]
    terminal.setup(quiet=bool({"--quiet", "-q"} & set(arguments)), debug="--debug" in arguments)
    arguments = [a for a in arguments if a not in ("--quiet", "-q", "--debug")]
    try:
        app(args=arguments)
    except EmotalkError as error:
        _exit_with(error)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            terminal.say("Stopped. The same command goes on where it was.")
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_PROBLEM)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no bare traceback
        _exit_with(
            EmotalkError(
                f"Something unexpected happened: {type(error).__name__}: {error}",
                "This is a bug in emotalk. Run again with --debug and report what it prints.",
            )
        )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _levels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in _listed(text))
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' are no levels; write 1,3") from error


def _fail_if_any(failures: Sequence[Failure], folder: Path) -> None:
    """List what could not be done; then the exit code says so."""
    if failures:
        terminal.list_failures({f.clip: f.reason for f in failures}, folder)
        raise typer.Exit(EXIT_PROBLEM)


def _exit_with(error: EmotalkError) -> NoReturn:
    terminal.say_error(error)
    sys.exit(EXIT_PROBLEM)
