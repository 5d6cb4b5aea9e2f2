"""Other voices, rooms, microphones and channels for a recording, at the same moments.

For training: what is said and when stays, who says it and where changes. Everything works on
short clips in memory; a clip of 3 s takes well under 0.3 s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.audio.prosody import energy, pitch
from emotalk_cli.audio.waveform import speech_level_db
from emotalk_cli.schema import SAMPLE_RATE_HZ

Float = NDArray[np.float32]
Complex = NDArray[np.complex128]
Rng = np.random.Generator

FFT_SIZE = 1024
WINDOW = 800  # samples: 50 ms
STEP = 160  # samples: 10 ms
CEPSTRUM_ENVELOPE = 28  # quefrencies (1.75 ms) that are the vocal tract's, not the voice's pitch

PITCH_HZ = (85.0, 300.0)  # medians of men's to children's voices
PITCH_RANGE = (0.65, 1.7)  # ratio; further from the own voice the phase vocoder is heard
TRACT_RANGE = (0.84, 1.2)  # ratio of formants: the vocal tracts of children to tall men
VOICE_SHARE = 0.8  # how often each change is made
EQUALISER_SHARE, EQUALISER_DB = 0.7, 8.0
NOISE_SHARE, SNR_DB = 0.6, (8.0, 35.0)
REVERB_SHARE, DECAY_S, DIRECT_DB = 0.4, (0.1, 0.6), (3.0, 15.0)
BAND_SHARE, LOWEST_HZ, HIGHEST_HZ = 0.3, (60.0, 320.0), (3200.0, 7000.0)
CODEC_SHARE, MASK_DB = 0.3, (35.0, 50.0)
TINY = 1e-12
LEVEL_DB = (-40.0, -14.0)  # of the speech afterwards; the loudest are clipped


def augment(waveform: Float, rng: Rng) -> Float:
    """Another version of a mono 16 kHz waveform (S,) in -1..1: same length, same timing.

    Pitch, vocal tract, equaliser, room, noise, codec, band and level are drawn from `rng`.
    """
    out: NDArray[np.float64] = waveform.astype(np.float64)
    if rng.random() < VOICE_SHARE:
        out = change_voice(out, _pitch_ratio(waveform, rng), _log_uniform(rng, *TRACT_RANGE))
    if rng.random() < EQUALISER_SHARE:
        out = _equalise(out, rng)
    if rng.random() < REVERB_SHARE:
        out = _reverberate(out, rng)
    if rng.random() < NOISE_SHARE:
        out = _add_noise(out, rng)
    if rng.random() < CODEC_SHARE:
        out = _hole_spectrum(out, rng.uniform(*MASK_DB))
    if rng.random() < BAND_SHARE:
        out = limit_band(out, rng.uniform(*LOWEST_HZ), rng.uniform(*HIGHEST_HZ))
    gain_db = rng.uniform(*LEVEL_DB) - speech_level_db(out.astype(np.float32))
    return np.clip(out * 10 ** (gain_db / 20), -1, 1).astype(np.float32)


def change_voice(
    waveform: NDArray[np.float64], pitch_ratio: float, tract_ratio: float
) -> NDArray[np.float64]:
    """Multiply the pitch and, apart from it, the formants of a waveform (S,).

    A phase vocoder (Flanagan and Golden 1966) stretches time by `pitch_ratio`, resampling undoes
    that and raises everything; the spectral envelope, from the cepstrum, is put where it belongs.
    """
    samples = len(waveform)
    spectrum = spectrogram(waveform)
    moved = _warp_envelope(spectrum, tract_ratio / pitch_ratio)
    stretched = stretch(moved, pitch_ratio)
    long = from_spectrogram(stretched, round(samples * pitch_ratio))
    return _resample(long, samples)


def _pitch_ratio(waveform: Float, rng: Rng) -> float:
    """What brings the voice to a pitch drawn from those of all people."""
    f0_hz, _ = pitch(waveform, energy(waveform))
    wanted_hz = _log_uniform(rng, *PITCH_HZ)
    own_hz = float(np.median(f0_hz[f0_hz > 0])) if f0_hz.any() else wanted_hz
    return float(np.clip(wanted_hz / own_hz, *PITCH_RANGE))


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number whose logarithm is drawn evenly."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def spectrogram(waveform: NDArray[np.float64]) -> Complex:
    """Short-time spectrum (F, FFT_SIZE / 2 + 1); frame k is centred at sample k * STEP."""
    padded = np.pad(waveform, WINDOW // 2 + STEP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[STEP::STEP]
    return np.asarray(np.fft.rfft(frames * np.hanning(WINDOW), FFT_SIZE))


def from_spectrogram(spectrum: Complex, samples: int) -> NDArray[np.float64]:
    """Overlap and add the frames of a short-time spectrum -> (samples,)."""
    window = np.hanning(WINDOW)
    frames = np.fft.irfft(spectrum, FFT_SIZE)[:, :WINDOW] * window
    total = np.zeros(max((len(frames) - 1) * STEP + WINDOW, samples + WINDOW))
    weight = np.full_like(total, 1e-6)
    for k, frame in enumerate(frames):
        total[k * STEP : k * STEP + WINDOW] += frame
        weight[k * STEP : k * STEP + WINDOW] += window**2
    half = WINDOW // 2
    return np.asarray((total / weight)[half : half + samples])


def _warp_envelope(spectrum: Complex, ratio: float) -> Complex:
    """Multiply the frequencies of the spectral envelope, leaving the fine structure."""
    log_power = np.log(np.abs(spectrum) + 1e-6)
    cepstrum = np.fft.irfft(log_power, FFT_SIZE)
    cepstrum[:, CEPSTRUM_ENVELOPE : FFT_SIZE - CEPSTRUM_ENVELOPE + 1] = 0
    envelope = np.fft.rfft(cepstrum, FFT_SIZE).real
    source = np.minimum(np.arange(envelope.shape[1]) / ratio, envelope.shape[1] - 1.0)
    low = np.minimum(source.astype(int), envelope.shape[1] - 2)
    share = source - low
    warped = envelope[:, low] * (1 - share) + envelope[:, low + 1] * share
    return np.asarray(spectrum * np.exp(warped - envelope))


def stretch(spectrum: Complex, ratio: float) -> Complex:
    """Phase vocoder: frames (F, B) -> (F * ratio, B), every frequency keeping its pitch."""
    frames, bins = spectrum.shape
    moments = np.arange(int((frames - 1) * ratio) + 1) / ratio
    before = np.minimum(moments.astype(int), frames - 2)
    share = (moments - before)[:, None]
    size = np.abs(spectrum)
    magnitude = size[before] * (1 - share) + size[before + 1] * share
    expected = 2 * np.pi * STEP * np.arange(bins) / FFT_SIZE
    angle = np.angle(spectrum)
    turn = np.diff(angle, axis=0) - expected
    advance = expected + turn - 2 * np.pi * np.round(turn / (2 * np.pi))
    phase = angle[0] + np.cumsum(advance[before], axis=0) - advance[before[0]]
    return np.asarray(magnitude * np.exp(1j * phase))


def _resample(waveform: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Fourier resampling of a whole clip to another number of samples."""
    spectrum = np.fft.rfft(waveform)
    resampled = np.fft.irfft(spectrum[: samples // 2 + 1], samples)
    return np.asarray(resampled * (samples / len(waveform)))


def _filtered(waveform: NDArray[np.float64], gain_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter without delay; `gain_db` (K,) is spread evenly over 50 Hz to 8 kHz in octaves."""
    size = 1 << (len(waveform) + WINDOW - 1).bit_length()
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), 1.0))
    knots = np.linspace(np.log2(50.0), np.log2(SAMPLE_RATE_HZ / 2), len(gain_db))
    gain = 10 ** (np.interp(octaves, knots, gain_db) / 20)
    return np.asarray(np.fft.irfft(np.fft.rfft(waveform, size) * gain, size))[: len(waveform)]


def _equalise(waveform: NDArray[np.float64], rng: Rng) -> NDArray[np.float64]:
    """Another microphone: gains drawn for seven bands."""
    return _filtered(waveform, rng.uniform(-EQUALISER_DB, EQUALISER_DB, 7))


def limit_band(waveform: NDArray[np.float64], low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """What a telephone passes: 60 dB an octave less beyond the band."""
    octaves = np.linspace(np.log2(50.0), np.log2(SAMPLE_RATE_HZ / 2), 64)
    outside = np.maximum(np.log2(low_hz) - octaves, octaves - np.log2(high_hz))
    return _filtered(waveform, -60.0 * np.clip(outside, 0, 1))


def _reverberate(waveform: NDArray[np.float64], rng: Rng) -> NDArray[np.float64]:
    """A room: the direct sound at once, then noise that dies away by 60 dB in the decay time."""
    decay_s = rng.uniform(*DECAY_S)
    time_s = np.arange(int(decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.normal(size=len(time_s)) * 10 ** (-3 * time_s / decay_s)
    tail *= np.sqrt(10 ** (-rng.uniform(*DIRECT_DB) / 10) / np.sum(tail**2))
    tail[0] = 1.0
    size = 1 << (len(waveform) + len(tail)).bit_length()
    whole = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(tail, size), size)
    return np.asarray(whole)[: len(waveform)]


def _add_noise(waveform: NDArray[np.float64], rng: Rng) -> NDArray[np.float64]:
    """Noise between white, pink and shaped like the speech itself (many people talking)."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    smooth = np.convolve(power, np.ones(257) / 257, "same")[: len(power)] if len(power) > 257 else 1
    pink = 1 / np.maximum(np.arange(len(power)), len(power) * 50 / SAMPLE_RATE_HZ)
    mixture = rng.dirichlet(np.ones(3))
    kinds = (np.ones(len(power)), pink, smooth * np.ones(len(power)))
    shape = sum(m * k / (np.sum(k) + TINY) for m, k in zip(mixture, kinds, strict=True))
    noise = np.fft.irfft(np.sqrt(shape) * np.exp(2j * np.pi * rng.random(len(power))))
    noise = np.resize(noise, len(waveform))
    level_db = speech_level_db(waveform.astype(np.float32)) - rng.uniform(*SNR_DB)
    noise *= 10 ** (level_db / 20) / (np.sqrt(np.mean(noise**2)) + TINY)
    return np.asarray(waveform + noise)


def _hole_spectrum(waveform: NDArray[np.float64], mask_db: float) -> NDArray[np.float64]:
    """What a lossy codec does: drop in each frame what lies far below its loudest frequency."""
    spectrum = spectrogram(waveform)
    size = np.abs(spectrum)
    spectrum[size < size.max(axis=1, keepdims=True) * 10 ** (-mask_db / 20)] = 0
    return from_spectrogram(spectrum, len(waveform))
