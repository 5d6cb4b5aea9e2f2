"""The stage train-single: tracks and audio features -> one decoder for everything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotalk_cli.stages.decoder_training import TrainOptions, train_decoder

if TYPE_CHECKING:
    from typing_extensions import Unpack


def train_single(tracks: Path, audio: Path, out: Path, **options: Unpack[TrainOptions]) -> Path:
    """Train the baseline, speech and emotion -> face and head, on records of the same clips.

    Returns `out`, the checkpoint folder; see `decoder_training.train_decoder` for the options.
    """
    return train_decoder("single", tracks, audio, out, **options)
