"""Conditions: what the decoders are told of the speech and the emotion, on any clock.

All of it is relative to the recording itself, so that a voice, a microphone or a distance never
heard in training looks like those that were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.direction.emotions import EMOTIONS, NEUTRAL
from emotalk_cli.decoders.lips.articulators import (
    ARTICULATIONS,
    HIDDEN_PREFIX,
    SPEECH,
    articulations,
    log_posteriors,
)
from emotalk_cli.decoders.lips.silence import speaking
from emotalk_cli.decoders.motion import resample
from emotalk_cli.large_arrays import roomy
from emotalk_cli.schema import AudioFeatures, blocks, release

Float = NDArray[np.float32]

POSTERIOR_ENCODERS = ("hama", "hama-hidden")
"""Encoders whose columns are probabilities, but for those of the hidden layer."""
MEL_BANDS = 8
LOUD_QUANTILE = 0.95
SPEECH_BELOW_LOUD_DB = 30.0
"""What is not so far below the recording's loud frames counts as speech."""
SEMITONE_SCALE = 6.0
LOUDNESS_SCALE_DB = 20.0
MEL_STD_FLOOR_LN = 0.5

PROSODY_NAMES = ("pitch", "voicing", "loudness", "activity", "rate")
EMOTION_NAMES = tuple(name for name in EMOTIONS if name != "neutral")
"""Neutral is the absence of the others, so that emotions never seen in training change nothing."""


@dataclass(frozen=True)
class Heard:
    """One recording as the decoders hear it: rows at `rate_hz`.

    `speech` (N, C): the encoder's features, then mel bands and loudness; `prosody` (N, 5);
    `lips` (N, 4): what the sound asks of them, `articulators.ARTICULATIONS`, nothing where the
    encoder cannot say; `speaking` (N,): share of its motion that the mouth has, little in silence.
    """

    speech: Float
    prosody: Float
    lips: Float
    speaking: Float
    rate_hz: float
    encoder: str

    @property
    def duration_s(self) -> float:
        """Time of the last row, s."""
        return (len(self.speech) - 1) / self.rate_hz


def speech_names(features: AudioFeatures) -> tuple[str, ...]:
    """Names of the columns of `Heard.speech`."""
    encoder = features.speech_names or tuple(str(i) for i in range(features.speech.shape[1]))
    return (*encoder, *(f"mel_{band}" for band in range(MEL_BANDS)), "loudness")


def kinds_of(names: Sequence[str]) -> NDArray[np.int64]:
    """Names of speech columns (C) -> kinds (C,): 0 the encoder's, 1 its hidden layer, 2 mel."""
    wide = [name.startswith("mel_") or name == "loudness" for name in names]
    hidden = [name.startswith(HIDDEN_PREFIX) for name in names]
    return np.where(wide, 2, np.where(hidden, 1, 0))


def hear(features: AudioFeatures) -> Heard:
    """Audio features -> what the decoders hear, normalised by the recording's own levels."""
    rows, columns = features.speech.shape
    has_posteriors = features.encoder.partition(":")[0] in POSTERIOR_ENCODERS
    loud_db = float(np.quantile(features.energy_db, LOUD_QUANTILE))
    loudness = np.clip((features.energy_db - loud_db) / LOUDNESS_SCALE_DB, -3.0, 0.5)
    active = features.energy_db > loud_db - SPEECH_BELOW_LOUD_DB
    bands = _mel_bands(features.log_mel, active)
    speech = roomy(rows, columns + MEL_BANDS + 1)
    for part, block in blocks(features.speech):
        told = log_posteriors(block, features.speech_names) if has_posteriors else block
        speech[part] = np.concatenate([told, bands[part], loudness[part, None]], axis=1)
        release(speech)
    lips = np.zeros((rows, len(ARTICULATIONS)), np.float32)
    lips[:, SPEECH] = 1
    if has_posteriors:
        lips = articulations(speech[:, :columns], features.speech_names)
    return Heard(
        speech=speech,
        prosody=_prosody(features, loudness, active),
        lips=lips,
        speaking=speaking(features.energy_db, loud_db, features.rate_hz, lips[:, SPEECH]),
        rate_hz=features.rate_hz,
        encoder=features.encoder,
    )


def stacked(rows: Float, rate_hz: float, times_s: NDArray[np.float64], substeps: int) -> Float:
    """Rows (N, C) at `rate_hz` around each time (T,) -> (T, substeps * C).

    The substeps divide the time between two neighbours of `times_s` evenly.
    """
    step = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 0.0
    offsets = (np.arange(substeps) - (substeps - 1) / 2) / substeps * step
    moments = (times_s[:, None] + offsets).reshape(-1) * rate_hz
    return resample(rows, moments).reshape(len(times_s), -1)


def emotion_input(weights: Float) -> Float:
    """Emotion weights (..., 8) -> (..., 7) without neutral."""
    return np.asarray(np.delete(weights, NEUTRAL, axis=-1), np.float32)


def all_weights(told: Float) -> Float:
    """The inverse of `emotion_input`: (..., 7) -> weights (..., 8), neutral what is left over."""
    rest = np.clip(1 - told.sum(axis=-1), 0, 1)
    return np.asarray(np.insert(told, NEUTRAL, rest, axis=-1), np.float32)


def _mel_bands(log_mel: Float, active: NDArray[np.bool_]) -> Float:
    """Log-mel (N, M) -> MEL_BANDS wide bands (N, MEL_BANDS), standardised over the speech."""
    groups = np.array_split(np.arange(log_mel.shape[1]), MEL_BANDS)
    bands = np.concatenate(
        [
            np.stack([block[:, group].mean(axis=1) for group in groups], axis=1)
            for _, block in blocks(log_mel)
        ]
    )
    spoken = bands[active] if active.any() else bands
    scale = np.maximum(spoken.std(axis=0), MEL_STD_FLOOR_LN)
    return np.asarray(np.clip((bands - spoken.mean(axis=0)) / scale, -4.0, 4.0), np.float32)


def _prosody(features: AudioFeatures, loudness: Float, active: NDArray[np.bool_]) -> Float:
    """PROSODY_NAMES (N, 5): semitones about the own median, voicing, level, speech, rate."""
    voiced = features.f0_hz > 0
    median = float(np.median(features.f0_hz[voiced])) if voiced.any() else 100.0
    f0 = np.where(voiced, features.f0_hz, median)
    pitch = np.clip(12 * np.log2(f0 / median) / SEMITONE_SCALE, -3.0, 3.0)
    rate = np.full(len(pitch), (features.speaking_rate_hz - 4.0) / 2.0)
    columns = (pitch, features.voicing, loudness, active, np.clip(rate, -2.0, 2.0))
    return np.asarray(np.stack(columns, axis=1), np.float32)
