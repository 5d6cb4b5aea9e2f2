"""Synthetic voices whose phones are known to the millisecond: flite and espeak-ng."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from emotalk_cli.audio.waveform import read_waveform

Float = NDArray[np.float32]

RATE_HZ = 16000
FLITE_VOICES = ("kal16", "awb", "rms", "slt")
SENTENCES = Path(__file__).with_name("sentences.txt")
FLITE_IPA = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "b": "b",
    "ch": "tʃ", "d": "d", "dh": "ð", "eh": "ɛ", "er": "ɝ", "ey": "eɪ", "f": "f", "g": "g",
    "hh": "h", "ih": "ɪ", "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n",
    "ng": "ŋ", "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t",
    "th": "θ", "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ",
}  # fmt: skip
"""CMU's names of phones in the letters of the phonetic alphabet; flite's others are pauses."""
ESPEAK_LIBRARY = "libespeak-ng.so.1"
_SYNCHRONOUS, _PHONEMES_IN_IPA, _UTF8 = 2, 3, 1
_END_OF_LIST, _PHONEME = 0, 7


@dataclass(frozen=True)
class Phone:
    """One phone: its letters (empty: a pause), and from when to when, s."""

    ipa: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Spoken:
    """One sentence by one voice: waveform (S,) at 16 kHz in -1..1 and its phones."""

    voice: str
    text: str
    waveform: Float
    phones: tuple[Phone, ...]


def sentences(language: str | None = None) -> list[tuple[str, str]]:
    """Language and text of every sentence, or of those in one language."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    pairs = [(code, text) for code, _, text in (line.partition(" ") for line in lines)]
    return [pair for pair in pairs if language in (None, pair[0])]


def flite(voice: str, text: str) -> Spoken:
    """English text by one of FLITE_VOICES."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        done = subprocess.run(
            ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        waveform = read_waveform(path)
    phones, start = [], 0.0
    for token in done.stdout.split():
        name, _, end = token.rpartition(":")
        phones.append(Phone(FLITE_IPA.get(name, ""), start, float(end)))
        start = float(end)
    return Spoken(f"flite {voice}", text, waveform, tuple(phones))


def espeak(voice: str, text: str) -> Spoken:
    """Text in the language of a voice of espeak-ng, such as `de`, `en-us+f3`."""
    library, rate_hz = _espeak()
    parts: list[NDArray[np.int16]] = []
    marks: list[tuple[float, str]] = []

    def take(samples: ctypes._Pointer[ctypes.c_short], count: int, events: object) -> int:
        if samples and count:
            parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        marks.extend(_phoneme_events(events))
        return 0

    callback = _CALLBACK(take)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()):
        raise ValueError(f"espeak-ng has no voice {voice}")
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    sound = np.concatenate(parts).astype(np.float64) / 32768
    ratio = Fraction(RATE_HZ, rate_hz)
    waveform = resample_poly(sound, ratio.numerator, ratio.denominator).astype(np.float32)
    ends = [start for start, _ in marks[1:]] + [len(sound) / rate_hz]
    phones = tuple(Phone(ipa, s, e) for (s, ipa), e in zip(marks, ends, strict=True) if e > s)
    return Spoken(f"espeak {voice}", text, np.clip(waveform, -1, 1), phones)


class _Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position_ms", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Identity),
    )  # fmt: skip


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def _phoneme_events(events: object) -> Iterator[tuple[float, str]]:
    """Start, s, and letters of the phonemes in a list of espeak-ng's events."""
    for event in events:  # type: ignore[attr-defined]
        if event.type == _END_OF_LIST:
            return
        if event.type == _PHONEME:
            ipa = bytes(event.id.string).partition(b"\0")[0].decode("utf-8", "ignore")
            yield event.audio_position_ms / 1000, ipa.strip("ˈˌ_ː:")


@cache
def _espeak() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(ESPEAK_LIBRARY)
    return library, int(library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEMES_IN_IPA))
