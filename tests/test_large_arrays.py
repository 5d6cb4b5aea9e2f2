"""Long recordings: arrays on disk hold what those in memory would, and memory stays constant."""

import functools
import platform
import resource
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import large_arrays, schema
from emotalk_cli.audio.features import extract_features
from emotalk_cli.audio.mel_encoder import MelEncoder
from emotalk_cli.audio.waveform import check_waveform, load_waveform
from emotalk_cli.decoders.conditions import Heard, hear
from emotalk_cli.errors import EmotalkError
from emotalk_cli.large_arrays import give_back, roomy
from emotalk_cli.parts import SPEECH_ENCODERS, make
from emotalk_cli.schema import AudioFeatures, MadeBy
from emotalk_cli.stages.generate import DEMO_SPEECH

SMALL_BYTES = 40_000


def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of over SMALL_BYTES go to the disk, and through memory in so large parts."""
    monkeypatch.setattr(large_arrays, "BLOCK_BYTES", SMALL_BYTES)
    monkeypatch.setattr(schema, "BLOCK_BYTES", SMALL_BYTES)


def heard(encoder: str) -> tuple[AudioFeatures, Heard]:
    made_by = MadeBy("test", "0")
    waveform = load_waveform(DEMO_SPEECH)
    features = extract_features(waveform, make(SPEECH_ENCODERS, encoder), made_by=made_by)
    return features, hear(features)


@pytest.mark.parametrize("encoder", ["hama-hidden", "mel"])
def test_arrays_on_disk_change_nothing(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = heard(encoder)
    on_disk(monkeypatch)
    from_disk = heard(encoder)
    assert isinstance(from_disk[0].speech, np.memmap) and isinstance(from_disk[1].speech, np.memmap)
    from_disk[0].check()
    for one, other in zip(in_memory, from_disk, strict=True):
        for name, value in vars(one).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(getattr(other, name), value, rtol=0, atol=1e-5)
            elif isinstance(value, float):
                assert getattr(other, name) == value


def test_memory_does_not_grow_with_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk(monkeypatch)
    peaks = []
    speech = load_waveform(DEMO_SPEECH)
    for seconds in (10, 50):
        waveform = roomy(seconds * 16000)
        waveform[:] = np.resize(speech, len(waveform))
        tracemalloc.start()
        check_waveform(waveform, "a")
        hear(extract_features(waveform, MelEncoder(), made_by=MadeBy("test", "0")))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Of the 40 s more, the samples alone would take 2.6 MB; some numbers a row may stay.
    assert peaks[1] - peaks[0] < 1_000_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing")
def test_freed_memory_is_given_back() -> None:
    """Small arrays between kept ones cannot be returned by themselves."""
    kept = [(np.ones(1000, np.float32), np.ones(25_000, np.float32)) for _ in range(600)]
    held = [small for small, _ in kept]
    del kept
    before_bytes = resident_bytes()
    give_back()
    assert before_bytes - resident_bytes() > 30_000_000
    assert len(held) == 600


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk(monkeypatch)
    monkeypatch.setattr(tempfile, "TemporaryFile", functools.partial(open, "/dev/full", "r+b"))
    with pytest.raises(EmotalkError, match="No space left"):
        roomy(SMALL_BYTES)
