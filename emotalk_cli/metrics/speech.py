"""Does the mouth, and does the head, move with what is heard?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import HIGHER, NEITHER, Described
from emotalk_cli.metrics.motion import head_speed_deg_s
from emotalk_cli.metrics.opening import MouthOpening, best_lag
from emotalk_cli.schema import AudioFeatures, FaceTrack

Float = NDArray[np.float32]

SPEECH_RANGE_DB = 30.0  # quieter than this under the loudest moment is silence
LOUD_PERCENTILE = 95.0
SMOOTHING_S = 0.06
BEAT_SIGMA_S = 0.1
DOUBT = 1 / 30  # syllables come every five frames or so: a distant shift may be one too far
MIN_BEAT_GAP_S = 0.15
MIN_BEAT_RISE_DB = 3.0
# How far the lips are apart in a phone, from closed to wide open, read off vowel charts and
# places of articulation. Phones that are not named count as a little open.
OPENNESS: Mapping[float, str] = {
    0.0: "p b m",
    0.1: "f v w",
    0.2: "s z ʃ ʒ tʃ dʒ u ʊ ɹ",
    0.3: "t d n l θ ð j i",
    0.4: "k g ŋ ɪ oʊ o ɝ",
    0.5: "h ə e eɪ ɔɪ",
    0.7: "ɛ ʌ ɔ",
    0.9: "æ a aɪ aʊ ɑ",
}
NO_PHONE = ("word boundary", "blank", "<blank>", "<wb>")
UNNAMED_OPENNESS = 0.3


class SpeechMetric(Described):
    """Describes one mouth against the speech; for the prediction and for the reference."""

    better: ClassVar[str] = NEITHER
    family: ClassVar[str] = "Speech"

    def __call__(self, opening: MouthOpening, speech: AudioFeatures) -> float:
        """Value for one clip; nan where it cannot be measured."""
        raise NotImplementedError


class SpeechLag(SpeechMetric):
    """Shift within ±15 frames at which the mouth's opening correlates best with the opening that
    the speech lets expect (loudness times the openness of its phones), a correlation counting a
    thirtieth less for every frame; above zero, the mouth is late.
    """

    name = "speech lag"
    unit = "frames"

    def __call__(self, opening: MouthOpening, speech: AudioFeatures) -> float:
        return _agreement(opening, speech)[0]


class SpeechCorrelation(SpeechMetric):
    """Correlation of the mouth's opening with the opening that the speech lets expect, at the
    best shift.
    """

    name = "speech r"
    unit = ""
    better = HIGHER

    def __call__(self, opening: MouthOpening, speech: AudioFeatures) -> float:
        return _agreement(opening, speech)[1]


class BeatAlignment(Described):
    """Mean over the speech's beats (steep rises of loudness) of exp(-d²/2σ²), σ = 0.1 s, where d
    is the time to the nearest beat of the head (a minimum of its speed). After Siyao et al.,
    Bailando, 2022, and Zhang et al., SadTalker, 2023; the beats and σ are this program's.
    """

    family = "Speech"
    name = "beat alignment"
    unit = ""
    better = HIGHER

    def __call__(self, track: FaceTrack, speech: AudioFeatures) -> float:
        speed = head_speed_deg_s(track)
        heard = loudness_beats_s(speech)
        heard = heard[heard <= len(speed) / track.fps]
        # The speed between frames k and k + 1 belongs to the moment between them.
        nods = (np.flatnonzero(_minima(speed)) + 0.5) / track.fps
        if not len(heard) or not len(nods):
            return float("nan") if not len(heard) else 0.0
        apart = np.abs(heard[:, None] - nods).min(1)
        return float(np.exp(-np.square(apart) / (2 * BEAT_SIGMA_S**2)).mean())


SPEECH_METRICS: tuple[type[SpeechMetric], ...] = (SpeechLag, SpeechCorrelation)


def expected_opening(speech: AudioFeatures) -> Float:
    """How far the speech lets expect the mouth to be open: (N,) in 0..1 at the speech's rate."""
    loudness = _loudness(speech)
    if not set(OPENNESS[0.0].split()) & set(speech.speech_names):
        return loudness
    openness = np.full(len(speech.speech_names), UNNAMED_OPENNESS, np.float32)
    for value, phones in OPENNESS.items():
        openness[[name in phones.split() for name in speech.speech_names]] = value
    sounds = [name not in NO_PHONE for name in speech.speech_names]
    heard = speech.speech[:, sounds]
    mean = (heard @ openness[sounds] + 1e-2 * UNNAMED_OPENNESS) / (heard.sum(1) + 1e-2)
    return np.asarray(loudness * mean, np.float32)


def loudness_beats_s(speech: AudioFeatures) -> NDArray[np.float64]:
    """Moments (B,) in s at which the loudness rises steeply: onsets of syllables."""
    from scipy.signal import find_peaks

    level = np.maximum(speech.energy_db, _floor_db(speech))
    span = max(1, round(SMOOTHING_S * speech.rate_hz))
    rise = np.zeros_like(level)
    rise[span:] = level[span:] - level[:-span]
    gap = max(1, round(MIN_BEAT_GAP_S * speech.rate_hz))
    peaks, _ = find_peaks(rise, height=MIN_BEAT_RISE_DB, distance=gap)
    return np.asarray((peaks - span / 2) / speech.rate_hz)


def _agreement(opening: MouthOpening, speech: AudioFeatures) -> tuple[float, float]:
    frames = len(opening.values)
    curve = _smooth(expected_opening(speech), SMOOTHING_S * speech.rate_hz)
    moments = np.arange(frames) / opening.fps * speech.rate_hz
    heard = moments <= len(curve) - 1
    expected = np.interp(moments, np.arange(len(curve)), curve)
    return best_lag(opening.values, expected, opening.valid & heard, doubt=DOUBT)


def _loudness(speech: AudioFeatures) -> Float:
    """Level above silence (N,) in 0..1."""
    level = (speech.energy_db - _floor_db(speech)) / SPEECH_RANGE_DB
    return np.asarray(np.clip(level, 0, 1), np.float32)


def _floor_db(speech: AudioFeatures) -> float:
    return float(np.percentile(speech.energy_db, LOUD_PERCENTILE)) - SPEECH_RANGE_DB


def _smooth(curve: Float, rows: float) -> Float:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(curve, rows / 2), np.float32)


def _minima(speed: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    smooth = np.convolve(speed, [0.25, 0.5, 0.25], "same")
    inner = (smooth[1:-1] < smooth[:-2]) & (smooth[1:-1] <= smooth[2:])
    return np.concatenate([[False], inner, [False]])[: len(speed)]
