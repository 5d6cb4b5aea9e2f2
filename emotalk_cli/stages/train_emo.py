"""The stage train-emo: tracks and audio features -> the emotion decoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotalk_cli.stages.decoder_training import TrainOptions, train_decoder

if TYPE_CHECKING:
    from typing_extensions import Unpack


def train_emo(tracks: Path, audio: Path, out: Path, **options: Unpack[TrainOptions]) -> Path:
    """Train emotion and prosody -> face, head, mouth's colour on records of the same clips.

    Returns `out`, the checkpoint folder; see `decoder_training.train_decoder` for the options.
    """
    return train_decoder("emo", tracks, audio, out, **options)
