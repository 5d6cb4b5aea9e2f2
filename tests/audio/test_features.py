"""All features on one clock, whatever the recording's level and length."""

import numpy as np
import pytest

from emotalk_cli.audio.clock import row_count
from emotalk_cli.audio.features import extract_features
from emotalk_cli.audio.hama_encoder import HamaEncoder
from emotalk_cli.audio.mel_encoder import MelEncoder
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import SAMPLE_RATE_HZ, Labels, MadeBy

MADE_BY = MadeBy("test", "0")


@pytest.mark.parametrize("samples", [3200, 3519, 3520, 50001])
def test_every_array_has_a_row_per_20_ms(speech: np.ndarray, samples: int) -> None:
    heard = extract_features(
        speech[16000 : 16000 + samples], MelEncoder(), made_by=MADE_BY, labels=Labels("a")
    )
    heard.check()
    rows = {len(v) for v in (heard.speech, heard.log_mel, heard.f0_hz, heard.energy_db)}
    assert rows == {row_count(samples)}
    assert 0 <= heard.duration_s - (row_count(samples) - 1) / heard.rate_hz < 0.02
    assert heard.labels.clip_id == "a"


def test_level_of_the_recording_does_not_matter(speech: np.ndarray) -> None:
    here = extract_features(speech, HamaEncoder(), made_by=MADE_BY)
    there = extract_features(speech * np.float32(0.03), HamaEncoder(), made_by=MADE_BY)
    assert np.abs(here.speech - there.speech).mean() < 1e-4
    assert np.abs(here.log_mel - there.log_mel).max() < 0.05
    assert np.abs(here.energy_db - there.energy_db).max() < 0.1


def test_blocks_hardly_change_the_phones(
    speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emotalk_cli.audio import clock

    whole = speech[: 8 * SAMPLE_RATE_HZ]
    encoder = HamaEncoder()
    one = encoder.encode(whole)
    monkeypatch.setattr(clock.blocks, "__defaults__", (150,))
    many = encoder.encode(whole)
    assert (one.argmax(axis=1) == many.argmax(axis=1)).mean() > 0.9
    assert not np.array_equal(one, many)


class Slow:
    """An encoder of another rate."""

    name = "slow"
    feature_names = ("x",)
    rate_hz = 25.0

    def encode(self, waveform: np.ndarray) -> np.ndarray:
        return np.zeros((1, 1), np.float32)


def test_an_encoder_off_the_clock_is_refused(speech: np.ndarray) -> None:
    with pytest.raises(EmotalkError, match="25"):
        extract_features(speech, Slow(), made_by=MADE_BY)
