"""The stage train-lip: tracks and audio features -> the lip decoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotalk_cli.stages.decoder_training import TrainOptions, train_decoder

if TYPE_CHECKING:
    from typing_extensions import Unpack


def train_lip(tracks: Path, audio: Path, out: Path, **options: Unpack[TrainOptions]) -> Path:
    """Train speech -> articulation on FaceTracks and AudioFeatures of the same clips.

    Returns `out`, the checkpoint folder; see `decoder_training.train_decoder` for the options.
    """
    return train_decoder("lip", tracks, audio, out, **options)
