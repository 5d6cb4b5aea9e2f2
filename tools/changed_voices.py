"""The same speech by another voice, in another place, at another speed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.audio.augment import (
    change_voice,
    from_spectrogram,
    limit_band,
    spectrogram,
    stretch,
)
from emotalk_cli.audio.waveform import speech_level_db

Float = NDArray[np.float32]
Change = Callable[[Float], NDArray[np.float64]]

RATE_HZ = 16000
TREMOR_HZ = 5.0
ROOM_S = 0.5
DIRECT_DB = 6.0


def child(waveform: Float) -> NDArray[np.float64]:
    """Pitch up by 1.6, formants by 1.2."""
    return change_voice(waveform.astype(float), 1.6, 1.2)


def old(waveform: Float) -> NDArray[np.float64]:
    """Lower by 0.75, with a tremor."""
    time_s = np.arange(len(waveform)) / RATE_HZ
    tremor = 1 + 0.3 * np.sin(2 * np.pi * TREMOR_HZ * time_s)
    return np.asarray(change_voice(waveform.astype(float), 0.75, 0.88) * tremor)


def whispered(waveform: Float) -> NDArray[np.float64]:
    """The phases of noise under the spectrum of the voice."""
    size = np.abs(spectrogram(waveform.astype(float)))
    noise = np.random.default_rng(0).standard_normal(len(waveform))
    phases = np.angle(spectrogram(noise))
    smooth = np.apply_along_axis(np.convolve, 1, size, np.ones(9) / 9, "same")
    return from_spectrogram(smooth * np.exp(1j * phases), len(waveform))


def quiet(waveform: Float) -> NDArray[np.float64]:
    """Speech at -40 dB."""
    return np.asarray(waveform * 10 ** ((-40 - speech_level_db(waveform)) / 20))


def noisy(snr_db: float) -> Change:
    """White noise so far below the speech."""

    def change(waveform: Float) -> NDArray[np.float64]:
        noise = np.random.default_rng(0).standard_normal(len(waveform))
        return np.asarray(waveform + noise * 10 ** ((speech_level_db(waveform) - snr_db) / 20))

    return change


def in_a_room(waveform: Float) -> NDArray[np.float64]:
    """Reverberation of ROOM_S."""
    time_s = np.arange(int(ROOM_S * RATE_HZ)) / RATE_HZ
    tail = np.random.default_rng(1).standard_normal(len(time_s)) * 10 ** (-3 * time_s / ROOM_S)
    tail *= np.sqrt(10 ** (-DIRECT_DB / 10) / np.sum(tail**2))
    tail[0] = 1
    return np.convolve(waveform, tail)[: len(waveform)]


def faster(ratio: float) -> Change:
    """So many times as fast, at the same pitch."""

    def change(waveform: Float) -> NDArray[np.float64]:
        moved = stretch(spectrogram(waveform.astype(float)), 1 / ratio)
        return from_spectrogram(moved, round(len(waveform) / ratio))

    return change


CHANGES: dict[str, Change] = {
    "a child": child,
    "an old man": old,
    "whispered": whispered,
    "quiet, -40 dB": quiet,
    "white noise, 20 dB": noisy(20),
    "white noise, 10 dB": noisy(10),
    "a room": in_a_room,
    "telephone": lambda waveform: limit_band(waveform.astype(float), 300, 3400),
    "overloaded": lambda waveform: np.clip(8 * waveform.astype(float), -0.5, 0.5),
    "1.5 x as fast": faster(1.5),
    "0.7 x as fast": faster(0.7),
}
