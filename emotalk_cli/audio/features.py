"""All features of one recording on one clock: an AudioFeatures record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.audio.clock import RATE_HZ, row_count
from emotalk_cli.audio.mel_encoder import log_mel
from emotalk_cli.audio.prosody import prosody
from emotalk_cli.audio.waveform import normalise_level
from emotalk_cli.errors import EmotalkError
from emotalk_cli.parts import SpeechEncoder
from emotalk_cli.schema import SAMPLE_RATE_HZ, AudioFeatures, Labels, MadeBy

REVISION = 4  # goes up whenever the same sound gives other features than before


def extract_features(
    waveform: NDArray[np.float32],
    encoder: SpeechEncoder,
    *,
    made_by: MadeBy,
    labels: Labels | None = None,
) -> AudioFeatures:
    """Everything heard in a mono 16 kHz waveform (S,) in -1..1.

    Rows: N = floor(S / 320) + 1; row n is the moment n / 50 s, so the last lies at most 20 ms
    before the end. All features are of the recording at one loudness (speech at -23 dB RMS), so
    the level of the recording does not matter; `energy_db` is relative to that.
    """
    if encoder.rate_hz != RATE_HZ:
        raise EmotalkError(
            f"The encoder {encoder.name} gives {encoder.rate_hz} rows a second, not {RATE_HZ}.",
            "Choose another encoder.",
        )
    level = normalise_level(waveform)
    speech = encoder.encode(level)
    if speech.shape != (row_count(len(level)), len(encoder.feature_names)):
        raise EmotalkError(
            f"The encoder {encoder.name} gave {speech.shape} for {row_count(len(level))} rows of "
            f"{len(encoder.feature_names)} features.",
            "Choose another encoder.",
        )
    heard = prosody(level)
    return AudioFeatures(
        made_by=made_by,
        speech=np.require(speech, np.float32, "C"),
        log_mel=log_mel(level),
        f0_hz=heard.f0_hz,
        voicing=heard.voicing,
        energy_db=heard.energy_db,
        speaking_rate_hz=heard.speaking_rate_hz,
        rate_hz=RATE_HZ,
        duration_s=len(waveform) / SAMPLE_RATE_HZ,
        encoder=encoder.name,
        speech_names=tuple(encoder.feature_names),
        labels=labels or Labels(),
    )
