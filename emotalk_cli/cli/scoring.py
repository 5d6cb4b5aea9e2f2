"""Subcommands that judge: score and experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotalk_cli.cli import terminal
from emotalk_cli.cli.options import Output, Overwrite, Workers, fail_if_any, listed


def score(
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
    inception: Annotated[
        Path | None,
        typer.Option(help="Your pt_inception-2015-12-05-6726825d.pth, for FID of videos."),
    ] = None,
    lpips: Annotated[
        Path | None, typer.Option(help="Your alexnet-owt-7be5be79.pth, for LPIPS of videos.")
    ] = None,
    emotion_reader: Annotated[
        Path | None, typer.Option(help="JSON of another reader of emotions from coefficients.")
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
            metrics=listed(metrics) or None,
            face_model=face_model,
            syncnet=syncnet,
            inception=inception,
            lpips=lpips,
            emotion_reader=emotion_reader,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    clips = "1 clip" if done.clips == 1 else f"{done.clips} clips"
    terminal.say(f"{clips} scored. Report: {done.report}")
    terminal.tell(done)
    fail_if_any(done.failures, output)


def experiment(
    plan: Annotated[Path, typer.Argument(help="YAML, as in data_manifests/experiments.")],
    data: Annotated[
        Path, typer.Option(help="A corpus, or a folder with ready records in tracks/ and audio/.")
    ],
    unseen: Annotated[
        Path | None, typer.Option(help="Another corpus, or records, that is only tested on.")
    ] = None,
    output: Output = Path("experiment"),
    workers: Workers = 2,
) -> None:
    """Train, perform and score what a plan compares -> one report with the answer."""
    from emotalk_cli.stages.experiment import experiment as run

    with terminal.bars() as progress:
        done = run(plan, data, output, unseen=unseen, workers=workers, progress=progress)
    terminal.say(done.answer)
    terminal.say(f"Report: {done.report}")
    terminal.tell(done)
