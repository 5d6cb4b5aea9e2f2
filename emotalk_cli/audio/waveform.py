"""Recordings: reading, refusing what holds no speech, and one loudness for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.large_arrays import roomy
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import SAMPLE_RATE_HZ, blocks, release

Float = NDArray[np.float32]

SHORTEST_S = 0.2
SILENCE_DBFS = -60.0  # a recording whose peak stays below holds no speech
QUIET_DBFS = -50.0  # speech below is noted: its noise will be heard as speech
CLIP_LEVEL = 0.999
CLIPPED_SHARE = 0.002
SPEECH_DBFS = -23.0  # RMS of the loud parts after normalising, as in EBU R 128
LOUD_RANGE_DB = 20.0  # frames within this of the loudest twentieth count as speech
LOUDEST_PERCENTILE = 95.0
LEVEL_FRAME = 320  # samples: 20 ms
TINY = 1e-10

RUMBLE_HZ = 60.0  # below is no voice: wind, hum, footsteps
FILTER_TAPS = 801  # 50 ms, symmetric: no delay
FILTER_BLOCK = 1 << 15


def load_waveform(path: Path, progress: Progress = Quiet()) -> Float:
    """Read the speech of any file that ffmpeg reads -> (S,) float32, mono, 16 kHz, in -1..1.

    Raises EmotalkError where there is no file, no sound, or nothing that could be speech.
    """
    waveform = read_waveform(path)
    for note in check_waveform(waveform, str(path)):
        progress.note(note)
    return waveform


def read_waveform(path: Path) -> Float:
    """The sound of a file as it is (S,), mono, 16 kHz, in -1..1."""
    from emotalk_cli.media import read_sound

    return read_sound(path, SAMPLE_RATE_HZ)


def check_waveform(waveform: Float, name: str) -> list[str]:
    """Refuse a waveform (S,) that holds no speech; return what people should know about it."""
    another = "Choose another recording: a few seconds of one person speaking."
    if not all(np.isfinite(block).all() for _, block in blocks(waveform)):
        raise EmotalkError(f"{name} holds samples that are no numbers.", another)
    duration_s = len(waveform) / SAMPLE_RATE_HZ
    if duration_s < SHORTEST_S:
        raise EmotalkError(
            f"{name} holds {duration_s:.2f} s of sound; at least {SHORTEST_S} s are needed.",
            another,
        )
    peak = max(float(np.abs(block).max()) for _, block in blocks(waveform))
    if _db(peak) < SILENCE_DBFS:
        raise EmotalkError(
            f"{name} is silent: nothing in it is louder than {max(_db(peak), -120):.0f} dB.",
            another,
        )
    notes = []
    if (level := speech_level_db(waveform)) < QUIET_DBFS:
        notes.append(f"{name} is very quiet ({level:.0f} dB); its noise may be taken for speech.")
    loudest = sum(int(np.sum(np.abs(block) >= CLIP_LEVEL)) for _, block in blocks(waveform))
    clipped = loudest / len(waveform)
    if clipped > CLIPPED_SHARE:
        notes.append(f"{name} is overloaded: {clipped:.1%} of its samples are clipped.")
    return notes


def speech_level_db(waveform: Float) -> float:
    """RMS of the loud parts of a recording (S,) in dB re full scale, pauses left out."""
    frames = max(1, len(waveform) // LEVEL_FRAME)
    whole = waveform[: frames * LEVEL_FRAME].reshape(frames, -1)
    power = np.concatenate([np.einsum("ij,ij->i", part, part) for _, part in blocks(whole)])
    power /= whole.shape[1]
    loudest = float(np.percentile(power, LOUDEST_PERCENTILE))
    loud = power[power >= loudest * 10 ** (-LOUD_RANGE_DB / 10)]
    return _db(float(np.sqrt(loud.mean())))


def normalise_level(waveform: Float) -> Float:
    """The recording (S,) without rumble, its speech at -23 dB; peaks may pass 1.

    Makes features of quiet and loud recordings alike.
    """
    level = band_pass(waveform, RUMBLE_HZ)
    gain_db = SPEECH_DBFS - speech_level_db(level)
    for _, block in blocks(level):
        block *= np.float32(10 ** (gain_db / 20))
    return level


def band_pass(waveform: Float, low_hz: float, high_hz: float | None = None) -> Float:
    """Keep what lies between two frequencies of a waveform (S,), without delay.

    A windowed-sinc filter (Hann), run block by block in the frequency domain.
    """
    response = np.fft.rfft(_taps(low_hz, high_hz or SAMPLE_RATE_HZ / 2), FILTER_BLOCK)
    out = roomy(len(waveform))
    step = FILTER_BLOCK - FILTER_TAPS + 1
    half = FILTER_TAPS // 2
    for start in range(0, len(waveform), step):
        stop = start + step + half
        part = waveform[max(0, start - half) : stop]
        # What lies outside is taken to stand still, so that an offset makes no click.
        part = np.pad(part, (max(0, half - start), max(0, stop - len(waveform))), mode="edge")
        whole = np.fft.irfft(np.fft.rfft(part, FILTER_BLOCK) * response, FILTER_BLOCK)
        rest = min(step, len(waveform) - start)
        out[start : start + rest] = whole[FILTER_TAPS - 1 : FILTER_TAPS - 1 + rest]
        release(waveform)
        release(out)
    return out


def _taps(low_hz: float, high_hz: float) -> NDArray[np.float64]:
    time_s = (np.arange(FILTER_TAPS) - FILTER_TAPS // 2) / SAMPLE_RATE_HZ
    high, low = (2 * f * np.sinc(2 * f * time_s) / SAMPLE_RATE_HZ for f in (high_hz, low_hz))
    return np.asarray((high - low) * np.hanning(FILTER_TAPS + 2)[1:-1])


def _db(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, TINY)))
