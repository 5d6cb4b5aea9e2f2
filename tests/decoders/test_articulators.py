"""What phones ask of the lips, and that it is read from sound."""

from pathlib import Path

import numpy as np
import pytest

import emotalk_cli
from emotalk_cli import parts
from emotalk_cli.audio.features import extract_features
from emotalk_cli.audio.waveform import load_waveform
from emotalk_cli.decoders.conditions import hear
from emotalk_cli.decoders.lips import articulators
from emotalk_cli.decoders.lips.articulators import (
    CLOSED,
    ROUNDED,
    SPEECH,
    TEETH,
    articulations,
    lips_of_phone,
    log_posteriors,
)
from emotalk_cli.schema import MadeBy

ASSETS = Path(emotalk_cli.__file__).parent / "assets"


@pytest.mark.parametrize(
    ("ipa", "lips"),
    [("pʰ", (1, 0, 0)), ("m", (1, 0, 0)), ("f", (0, 1, 0)), ("w", (0, 0, 1)), ("uː", (0, 0, 1)),
     ("tʃ", (0, 0, 0.6)), ("t", (0, 0, 0)), ("a", (0, 0, 0)), ("", (0, 0, 0))],
)  # fmt: skip
def test_phones(ipa: str, lips: tuple[float, float, float]) -> None:
    assert lips_of_phone(ipa) == lips


def test_an_encoder_without_hidden_layer_gives_its_phones() -> None:
    names = ("m", "f", "u", "a")
    made = articulations(log_posteriors(np.eye(4, dtype=np.float32), names), names)
    assert made[0, CLOSED] == made[1, TEETH] == made[2, ROUNDED] == 1
    assert made[3, :SPEECH].max() < 0.01 and np.all(made[:, SPEECH] == 1)


def heard(waveform: np.ndarray) -> np.ndarray:
    encoder = parts.make(parts.SPEECH_ENCODERS, "hama-hidden")
    return hear(extract_features(waveform, encoder, made_by=MadeBy("test", "0"))).lips


def test_speech_is_told_from_music() -> None:
    speech = load_waveform(ASSETS / "demo_speech.flac")
    time_s = np.arange(48000) / 16000
    notes = 220 * 2 ** (np.floor(time_s * 3) / 12)
    melody = sum(np.sin(2 * np.pi * k * notes * time_s) / k for k in range(1, 6))
    assert np.mean(heard(speech)[:, SPEECH] > 0.5) > 0.6
    assert np.mean(heard((0.1 * melody).astype(np.float32))[:, SPEECH] > 0.5) < 0.1


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    names = (*parts.make(parts.SPEECH_ENCODERS, "hama-hidden").feature_names,)
    rows = rng.standard_normal((100, len(names))).astype(np.float32)
    whole = articulations(rows, names)
    monkeypatch.setattr(articulators, "BLOCK_ROWS", 7)
    np.testing.assert_allclose(articulations(rows, names), whole, atol=1e-6)
