"""Subcommands that train: train-lip, train-emo and train-single."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from emotalk_cli.cli import terminal
from emotalk_cli.cli.configured import ShowConfig
from emotalk_cli.cli.options import Output, Overwrite, Seed


def training(name: str) -> Callable[..., None]:
    """One of the three training commands; they differ in what they predict alone."""
    stage_name = name.replace("-", "_")
    folder = Path(name.removeprefix("train-"))

    def train(
        tracks: Annotated[Path, typer.Argument(help="Folder of face tracks.")],
        audio: Annotated[Path, typer.Argument(help="Folder of audio features.")],
        output: Output = folder,
        config: Annotated[
            Path | None,
            typer.Option(help="YAML of options of training; see --show-config."),
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
        show_config: ShowConfig = False,
    ) -> None:
        """Learn from tracks and audio features; write a checkpoint."""
        if show_config:
            from emotalk_cli.stages.decoder_training import training_options

            print(training_options(config, steps=steps, overfit=overfit or None), end="")
            return
        stage = getattr(importlib.import_module(f"emotalk_cli.stages.{stage_name}"), stage_name)
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
        terminal.tell({"checkpoint": folder})

    return train
