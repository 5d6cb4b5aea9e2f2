"""The lip decoder that comes with the package: it fits its face model and follows real speech."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import emotalk_cli
from emotalk_cli import parts
from emotalk_cli.audio.features import extract_features
from emotalk_cli.audio.waveform import load_waveform
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.conditions import hear
from emotalk_cli.decoders.lips.articulators import CLOSED
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.schema import AudioFeatures, MadeBy

PACKAGE = Path(emotalk_cli.__file__).parent
LIPS = PACKAGE / "weights" / "lip"
NEUTRAL = np.eye(8, dtype=np.float32)[5]


@pytest.fixture(scope="module")
def lips() -> Decoder:
    return load_decoder(LIPS)


@pytest.fixture(scope="module")
def speech(lips: Decoder) -> AudioFeatures:
    waveform = load_waveform(PACKAGE / "assets" / "demo_speech.flac")
    encoder = parts.make(parts.SPEECH_ENCODERS, lips.spec.encoder)
    return extract_features(waveform, encoder, made_by=MadeBy("test", "0"))


def gap_mm(lips: Decoder, speech: AudioFeatures, seed: int) -> NDArray[np.float32]:
    frames = int(speech.duration_s * lips.spec.fps)
    weights = np.repeat(NEUTRAL[None], frames, axis=0)
    motion = sample_motion(
        lips, None, speech, weights, frames=frames, fps=lips.spec.fps, draw=Draw(seed=seed)
    )
    columns = [lips.spec.expression_names.index(name) for name in lips.spec.lip_units]
    return 1000 * (lips.spec.mouth.gap(motion.expression[:, columns]) - lips.spec.rest_m)


def test_fits_the_default_face_model(lips: Decoder) -> None:
    model = load_default_face_model()
    assert lips.spec.face_model_sha256 == model.sha256
    assert lips.spec.lip_units == tuple(model.lip_units)


def test_card_names_data_and_licence() -> None:
    card = (LIPS / "README.md").read_text()
    assert "CC BY 4.0" in card and "Made with" in card and "Limits" in card
    assert json.loads((LIPS / "config.json").read_text())["made_by"]["stage"] == "train-lip"


def test_lips_open_with_speech_and_rest_in_silence(lips: Decoder, speech: AudioFeatures) -> None:
    gap = gap_mm(lips, speech, 0)
    talking = np.interp(
        np.arange(len(gap)) / lips.spec.fps,
        np.arange(len(speech.energy_db)) / speech.rate_hz,
        hear(speech).speaking,
    )
    assert 4 < np.quantile(gap, 0.95) < 20
    assert gap[talking > 0.9].mean() > 2 * max(gap[talking < 0.4].mean(), 0.5)


def test_lips_meet_on_what_closes_them(lips: Decoder, speech: AudioFeatures) -> None:
    gap, heard = gap_mm(lips, speech, 0), hear(speech)
    rows = np.nonzero(heard.lips[:, CLOSED] > 0.6)[0]
    assert len(rows) > 0
    at = np.clip(np.round(rows / heard.rate_hz * lips.spec.fps), 2, len(gap) - 3).astype(int)
    nearest = np.min([gap[at + shift] for shift in range(-2, 3)], axis=0)
    assert np.mean(nearest < 0.1 * np.quantile(gap, 0.95)) >= 0.9


def test_seeds_agree_in_the_lips(lips: Decoder, speech: AudioFeatures) -> None:
    assert np.corrcoef(gap_mm(lips, speech, 0), gap_mm(lips, speech, 1))[0, 1] > 0.95
