"""What the three training stages share: their options, and the run on the default face model."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TypedDict

from emotalk_cli.folder_lock import one_run
from emotalk_cli.progress import Progress, Quiet


class TrainOptions(TypedDict, total=False):
    """Options of a training stage, all of them optional.

    config: a YAML file of `decoders.training.config.TrainConfig`, over which `steps` and `overfit`
    (learn one batch by heart, as a check) take precedence. seed: the same gives the same decoder.
    resume: go on from the last state in the output. overwrite: begin again there.
    """

    config: Path | None
    steps: int | None
    overfit: bool | None
    seed: int
    resume: bool
    overwrite: bool
    progress: Progress


def training_options(config: Path | None, *, steps: int | None, overfit: bool | None) -> str:
    """All options that a training with these would use: YAML that its `config` may be."""
    from emotalk_cli.decoders.training.config import read_config
    from emotalk_cli.decoders.training.config_text import config_text

    return config_text(read_config(config, steps=steps, overfit=overfit))


def train_decoder(
    group: str,
    tracks: Path,
    audio: Path,
    out: Path,
    *,
    config: Path | None = None,
    steps: int | None = None,
    overfit: bool | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> Path:
    """Train the decoder of a group (lip, emo or single) on FaceTracks and AudioFeatures.

    tracks, audio: folders of records of the same clips. The options are those of `TrainOptions`.
    Returns `out`, the checkpoint folder; raises EmotalkError where something does not fit, or
    another run trains into `out`.
    """
    from emotalk_cli.decoders.training.config import read_config
    from emotalk_cli.decoders.training.run import train
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    chosen = read_config(config, steps=steps, overfit=overfit)
    is_first = not int(os.environ.get("RANK", "0"))  # of the processes of one run
    with one_run(out, f"train-{group}") if is_first else nullcontext():
        return train(
            group,
            tracks,
            audio,
            out,
            model=load_default_face_model(),
            config=chosen,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
