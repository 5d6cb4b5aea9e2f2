"""Recordings: what is refused, what is noted, and one loudness for all."""

import wave
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.audio.waveform import (
    SPEECH_DBFS,
    band_pass,
    check_waveform,
    load_waveform,
    normalise_level,
    speech_level_db,
)
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import SAMPLE_RATE_HZ


def write_wav(path: Path, samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def tone(seconds: float, hz: float = 300.0, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def test_other_rates_become_16_khz(tmp_path: Path) -> None:
    heard = load_waveform(write_wav(tmp_path / "a.wav", tone(1.0, rate_hz=44100), 44100))
    assert heard.dtype == np.float32
    assert abs(len(heard) - SAMPLE_RATE_HZ) <= 16
    assert np.argmax(np.abs(np.fft.rfft(heard[:SAMPLE_RATE_HZ]))) == pytest.approx(300, abs=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"Dear reader, this is a letter and no sound.\n" * 9, "no media"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a.wav"),
    ],
)
def test_files_without_sound_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(EmotalkError, match=message) as caught:
        load_waveform(path)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(16000), "silent"),
        (tone(1.0) * 1e-4, "silent"),
        (tone(0.1), "0.10 s"),
        (np.full(16000, np.nan), "no numbers"),
    ],
)
def test_no_speech_is_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(EmotalkError, match=message):
        check_waveform(samples.astype(np.float32), "x")


def test_quiet_and_overloaded_recordings_are_noted(speech: np.ndarray) -> None:
    assert check_waveform(speech, "x") == []
    assert "quiet" in check_waveform(speech * np.float32(0.01), "x")[0]
    assert "overloaded" in check_waveform(np.clip(speech * 30, -1, 1), "x")[0]


def test_level_is_that_of_speech_and_not_of_pauses(speech: np.ndarray) -> None:
    paused = np.concatenate([np.zeros(5 * SAMPLE_RATE_HZ, np.float32), speech])
    assert speech_level_db(paused) == pytest.approx(speech_level_db(speech), abs=1.0)
    assert speech_level_db(normalise_level(paused)) == pytest.approx(SPEECH_DBFS, abs=0.1)
    loud, quiet = normalise_level(speech), normalise_level(speech * np.float32(0.02) + 0.001)
    assert np.abs(loud - quiet).max() < 1e-3


def test_filter_keeps_the_voice_in_place_and_drops_rumble() -> None:
    voice, rumble = tone(3.0, 200.0).astype(np.float32), tone(3.0, 25.0).astype(np.float32)
    heard = band_pass(voice + rumble + 0.1, 60.0)
    inner = slice(2000, -2000)
    assert np.abs(heard - voice)[inner].max() < 0.01
