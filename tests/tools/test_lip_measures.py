"""The tools that measure lips: phones lie where the sound is, lags have the right sign."""

import ctypes
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from emotalk_cli.schema import AudioFeatures, MadeBy
from tools.aligned import align
from tools.changed_voices import CHANGES, child
from tools.evaluate_lips import MAX_LAG, Followed, correlations, leads_s, summary
from tools.spoken import ESPEAK_LIBRARY, RATE_HZ, Spoken, espeak, flite, sentences

TEXT = "Bob put a map on my bed before the bell rang."


def has_espeak() -> bool:
    try:
        ctypes.CDLL(ESPEAK_LIBRARY)
    except OSError:
        return False
    return True


needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
needs_espeak = pytest.mark.skipif(not has_espeak(), reason="espeak-ng is not installed")


def level(spoken: Spoken, phones: str) -> float:
    """Mean square of the sound during the phones that begin with one of some letters."""
    parts = [
        spoken.waveform[int(p.start_s * RATE_HZ) : int(p.end_s * RATE_HZ)]
        for p in spoken.phones
        if p.ipa.startswith(tuple(phones))
    ]
    return float(np.mean(np.concatenate(parts) ** 2))


@needs_flite
def test_flite_tells_when_it_said_what() -> None:
    spoken = flite("slt", TEXT)
    assert [p.ipa for p in spoken.phones if p.ipa][:4] == ["b", "ɑ", "b", "p"]
    assert level(spoken, "ɑæɛ") > 3 * level(spoken, "pb")
    assert spoken.phones[-1].end_s == pytest.approx(len(spoken.waveform) / RATE_HZ, abs=0.1)


@needs_espeak
@pytest.mark.parametrize("voice", ["en-us", "de+f2"])
def test_espeak_tells_when_it_said_what(voice: str) -> None:
    spoken = espeak(voice, TEXT if voice == "en-us" else sentences("de")[0][1])
    assert level(spoken, "aɑɐɔæɛ") > 2 * level(spoken, "pb")
    with pytest.raises(ValueError, match="no voice"):
        espeak("xx-nobody", TEXT)


@needs_flite
def test_alignment_finds_the_phones() -> None:
    spoken = flite("rms", TEXT)
    phones = [phone for phone in spoken.phones if phone.ipa]
    found = align(spoken.waveform, [phone.ipa for phone in phones])
    middles = [(p.start_s + p.end_s) / 2 for p in phones]
    errors = np.abs([(p.start_s + p.end_s) / 2 - m for p, m in zip(found, middles, strict=True)])
    assert np.median(errors) < 0.04 and np.quantile(errors, 0.9) < 0.1


def test_late_lips_have_a_positive_lag() -> None:
    seen = np.random.default_rng(0).standard_normal(100)
    late = np.roll(seen, 2)
    assert correlations(late, seen).argmax() - MAX_LAG == 2
    told = summary([Followed(correlations(late, seen), 1.1, 3.0, late)])
    assert told["lag"] == 2 and told["r_there"] > 0.99 and told["ratio"] == 1.1


def test_lips_filmed_before_their_sound_are_told() -> None:
    rows, frames = np.arange(100), np.arange(60)
    heard = 0.9 * np.exp(-(((rows - 50) / 1.5) ** 2))  # an f at 1.0 s
    landmarks = np.zeros((60, 478, 3), np.float32)
    landmarks[:, [14, 87, 317], 1] = 10 - 8 * np.exp(-(((frames / 30 - 0.94) / 0.05) ** 2))[:, None]
    features = AudioFeatures(
        made_by=MadeBy("test", "0"),
        speech=np.stack([heard, 1 - heard], axis=1).astype(np.float32),
        log_mel=np.zeros((100, 16), np.float32),
        f0_hz=np.zeros(100, np.float32),
        voicing=np.zeros(100, np.float32),
        energy_db=np.full(100, -20, np.float32),
        speaking_rate_hz=4.0,
        rate_hz=50.0,
        duration_s=2.0,
        encoder="hama",
        speech_names=("f", "a"),
    )
    clip = SimpleNamespace(landmarks=landmarks, fps=30.0)
    assert leads_s(features, clip) == [pytest.approx(0.06, abs=0.01)]


@pytest.mark.parametrize("name", CHANGES)
def test_changed_voices_keep_their_time(name: str) -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    hum = (np.sin(2 * np.pi * 150 * time_s) * (time_s > 0.5) * 0.2).astype(np.float32)
    made = CHANGES[name](hum)
    power = np.convolve(made**2, np.ones(800), "same")
    onset = np.argmax(power > 0.3 * power.max()) / len(made)
    assert np.isfinite(made).all() and onset == pytest.approx(0.5, abs=0.06)
    assert len(made) == len(hum) or "as fast" in name


def test_a_childs_voice_is_higher() -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, 20)).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(child(hum)))
    assert abs(int(spectrum[50:400].argmax()) + 50 - 192) <= 4
