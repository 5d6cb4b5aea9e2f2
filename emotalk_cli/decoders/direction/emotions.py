"""The language of emotion: labels, synonyms, mixes and timelines as weights over time.

happy                                  one emotion at full strength
happy:0.6   happy:60%   happy:level_2  weaker; MEAD's level n of 3 is n / 3
happy:0.6,surprised:0.3                a mix; what is missing to 1 stays neutral
happy:auto   sad:0.8:auto              as strong as the voice is lively, at most so strong
auto                                   pleasantly aroused, as far as the voice is
va:0.6,0.4                             valence and arousal from -1 to 1 (see `valence`)
0 neutral, 2.5 happy:0.8, 6 sad:0.5    a timeline: from each time (s) on, that emotion
keys.yaml                              the same in a file: `2.5: happy:0.8`, one key per line
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotalk_cli.decoders.direction.valence import valence_arousal_shares
from emotalk_cli.emotion_names import (
    EMOTIONS,
    LEVELS,
    SYNONYMS,
    emotion_index,
    level_intensity,
    parse_strength,
)
from emotalk_cli.errors import EmotalkError
from emotalk_cli.text_files import read_yaml

__all__ = [
    "EMOTIONS",
    "LEVELS",
    "NEUTRAL",
    "SYNONYMS",
    "EmotionCurve",
    "ease",
    "emotion_curve",
    "emotion_index",
    "level_intensity",
    "parse_emotion",
]  # fmt: skip

Float = NDArray[np.float32]
_Key = tuple[Float, Float]
"""Weights (8,) of one key, and the part of them that follows the voice (8,)."""

NEUTRAL = EMOTIONS.index("neutral")
TRANSITION_S = 0.8
"""How long one emotion takes to become the next; spontaneous smiles rise in 0.5 to 0.7 s
(Schmidt, Ambadar, Cohn & Reed 2006)."""

MAX_TIME_S = 86_400.0

AUTO = "auto"
AUTO_VALENCE_AROUSAL = (0.5, 0.5)
"""What `auto` alone means at full strength: pitch and loudness tell how aroused a voice is, hardly
whether it is pleased (Scherer 2003), so that is assumed."""

_VALENCE_AROUSAL = re.compile(r"\bva\s*:\s*([-+.\d]+)\s*[,/]\s*([-+.\d]+)", re.IGNORECASE)
_TIME = re.compile(r"\+?(\d+(?:\.\d*)?|\.\d+)\s*s?(?:\s+|$)")


@dataclass(frozen=True)
class EmotionCurve:
    """Emotion over time: key n holds from `times_s[n]` on; the change is centred on the key.

    `times_s` (K,) s, rising; `keys` (K, 8) in 0..1, each row sums to 1: what the emotions leave
    over is neutral, so that `happy` at intensity .6 is happy .6 and neutral .4. `follows` (K, 8):
    the part of each weight that is only there as far as the voice is lively; none by default.
    """

    times_s: Float
    keys: Float
    transition_s: float = TRANSITION_S
    follows: Float | None = None

    @property
    def follows_voice(self) -> bool:
        """Whether any strength depends on the voice."""
        return self.follows is not None and bool(self.follows.any())

    def weights(self, times_s: ArrayLike, voice: ArrayLike = 1.0) -> Float:
        """Times (T,) in s -> weights (T, 8) float32 in 0..1; every row sums to 1.

        `voice` (T,) in 0..1: how lively the voice is, for emotions that follow it.
        """
        times = np.asarray(times_s, np.float64)
        result = self._over_time(self.keys, times)
        if self.follows is not None:
            quiet = np.broadcast_to(1 - np.asarray(voice, np.float64), times.shape)
            away = self._over_time(self.follows, times) * quiet[:, None]
            result -= away
            result[:, NEUTRAL] += away.sum(axis=1)
        return np.clip(result, 0, 1).astype(np.float32)

    def _over_time(self, keys: Float, times: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.repeat(keys[:1].astype(np.float64), len(times), axis=0)
        for n in range(1, len(keys)):
            half = 0.5 * self._change_s(n)
            phase = np.clip((times - self.times_s[n] + half) / max(2 * half, 1e-6), 0, 1)
            result += ease(phase)[:, None] * (keys[n] - keys[n - 1])
        return result

    def _change_s(self, n: int) -> float:
        """Duration of the change at key n: never so long that it meets its neighbours' changes."""
        gaps = np.diff(self.times_s)
        near = [float(gaps[n - 1])] + ([float(gaps[n])] if n < len(gaps) else [])
        return min(self.transition_s, *near)

    def scaled(self, intensity: float) -> EmotionCurve:
        """The same emotions, `intensity` (0..1) times as strong."""
        follows = None if self.follows is None else self.follows * np.float32(intensity)
        keys = _scaled(self.keys, intensity)
        return EmotionCurve(self.times_s, keys, self.transition_s, follows)


def parse_emotion(text: str, intensity: float = 1.0) -> EmotionCurve:
    """An emotion, a mix, a timeline or the path of a YAML file of keys -> EmotionCurve.

    `intensity` in 0..1 scales all of it. Raises EmotalkError where the text is not understood.
    """
    if not 0.0 <= intensity <= 1.0:
        raise EmotalkError(
            f"The intensity {intensity:g} is outside 0 to 1.",
            "0 is neutral, 1 is full; MEAD's levels 1, 2, 3 are 0.33, 0.67 and 1.",
        )
    if text.strip().lower().endswith((".yaml", ".yml")):
        return _read_yaml(Path(text.strip())).scaled(intensity)
    keys: list[tuple[float, list[str]]] = []
    for part in _words(text):
        time = _TIME.match(part)
        if time or not keys:
            keys.append((float(time[1]) if time else 0.0, []))
        words = part[time.end() :] if time else part
        keys[-1][1].extend(word.strip() for word in words.split("+") if word.strip())
    if not keys:
        raise EmotalkError("The emotion is empty.", f"Known: {', '.join(EMOTIONS)}.")
    return _curve((time, _mix(words, time)) for time, words in keys).scaled(intensity)


def emotion_curve(emotion: str, intensity: float) -> EmotionCurve:
    """The constant curve of a corpus label; an empty label is neutral."""
    return parse_emotion(emotion or "neutral", intensity)


def ease(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..1 -> 0..1 with zero speed and acceleration at both ends (Perlin's smootherstep)."""
    return phase**3 * (phase * (6 * phase - 15) + 10)


def _scaled(keys: Float, intensity: float) -> Float:
    scaled = keys * np.float32(intensity)
    scaled[:, NEUTRAL] = 0
    scaled[:, NEUTRAL] = 1 - scaled.sum(axis=1)
    return np.clip(scaled, 0, 1)


def _words(text: str) -> list[str]:
    """A text cut at its commas, semicolons, lines and plus signs; the pair after va: stays one."""
    whole = _VALENCE_AROUSAL.sub(lambda pair: "va:" + f"{pair[1]}/{pair[2]}".replace("+", ""), text)
    parts = [part.strip() for part in re.split(r"[,;\n]", whole)]
    return [part for part in parts if part]


def _mix(words: list[str], time_s: float) -> _Key:
    """Words such as `happy:0.6` -> one key whose weights sum to 1."""
    if not words:
        raise EmotalkError(
            f"No emotion stands after the time {time_s:g} s.",
            'Write a timeline like "0 neutral, 2.5 happy:0.8, 6 sad:0.5"; decimals take a point.',
        )
    weights, follows = np.zeros((2, len(EMOTIONS)), np.float32)
    for word in words:
        shares, automatic = _word(word, 1.0 / len(words))
        weights += shares
        follows += shares * automatic
    total = max(1.0, float(weights.sum()))
    weights, follows = weights / total, follows / total
    follows[NEUTRAL] = 0
    weights[NEUTRAL] += 1 - weights.sum()
    return weights, follows


def _word(word: str, shared: float) -> tuple[Float, bool]:
    """One word -> shares (8,) and whether they follow the voice.

    A name without a figure has the strength `shared`: of `happy,surprised` half of each.
    """
    name, *figures = (part.strip() for part in word.split(":"))
    automatic = AUTO in (name.lower(), *(figure.lower() for figure in figures[-1:]))
    if figures and figures[-1].lower() == AUTO:
        del figures[-1]
    if name.lower() == "va":
        pair = figures.pop(0) if figures else ""
        shares = _pair(pair, word)
    elif name.lower() == AUTO:
        shares = _shares(valence_arousal_shares(*AUTO_VALENCE_AROUSAL))
    else:
        shares = _shares({EMOTIONS[emotion_index(name, beside=(AUTO,))]: 1.0})
    if figures:
        strength = parse_strength(":".join(figures))
    else:
        strength = 1.0 if automatic or name.lower() == "va" else shared
    return shares * np.float32(strength), automatic


def _shares(named: Mapping[str, float]) -> Float:
    return np.array([named.get(emotion, 0.0) for emotion in EMOTIONS], np.float32)


def _pair(text: str, word: str) -> Float:
    """`0.6/0.4` -> the shares (8,) of the emotions at that valence and arousal."""
    try:
        valence, arousal = (float(part) for part in text.split("/"))
    except ValueError as error:
        raise EmotalkError(
            f"'{word}' gives no valence and arousal.",
            "Write va:0.6,0.4: pleasure, then excitement, each from -1 to 1.",
        ) from error
    return _shares(valence_arousal_shares(valence, arousal))


def _curve(keys: Iterable[tuple[float, _Key]]) -> EmotionCurve:
    rows = sorted(keys, key=lambda key: key[0])
    times = [time for time, _ in rows]
    if len(set(times)) < len(times) or times[0] < 0 or times[-1] > MAX_TIME_S:
        listed = ", ".join(f"{time:g}" for time in times)
        raise EmotalkError(
            f"The times of the timeline ({listed} s) repeat or are out of range.",
            f"Give every key its own time, 0 to {MAX_TIME_S:g} s.",
        )
    if times[0] > 0:  # nothing said about the beginning: neutral
        rows.insert(0, (0.0, _mix(["neutral"], 0.0)))
    return EmotionCurve(
        np.array([time for time, _ in rows], np.float32),
        np.stack([weights for _, (weights, _) in rows]),
        follows=np.stack([follows for _, (_, follows) in rows]),
    )


def _read_yaml(path: Path) -> EmotionCurve:
    """A YAML mapping time -> emotion, or a list of {time, emotion} -> EmotionCurve.

    The emotion is a text (`happy:0.6,surprised:0.3`) or a mapping {happy: 0.6, surprised: 0.3}.
    """
    loaded = read_yaml(path, _YAML_HELP)
    if isinstance(loaded, dict):
        pairs = list(loaded.items())
    elif isinstance(loaded, list) and all(isinstance(item, dict) for item in loaded):
        pairs = [(item.get("time"), item.get("emotion")) for item in loaded]
    else:
        pairs = []
    if not pairs:
        raise EmotalkError(f"{path} holds no keys.", _YAML_HELP)
    return _curve(_yaml_key(path, time, emotion) for time, emotion in pairs)


def _yaml_key(path: Path, time: Any, emotion: Any) -> tuple[float, _Key]:
    if isinstance(time, bool) or not isinstance(time, (int, float)) or not np.isfinite(time):
        raise EmotalkError(f"{path}: {time!r} is no time in seconds.", _YAML_HELP)
    if isinstance(emotion, dict):
        words = [f"{name}:{_yaml_figure(strength)}" for name, strength in emotion.items()]
    elif isinstance(emotion, str):
        words = [word for part in _words(emotion) for word in part.split("+") if word.strip()]
    else:
        raise EmotalkError(f"{path}: {emotion!r} is no emotion.", _YAML_HELP)
    return float(time), _mix(words, float(time))


def _yaml_figure(figure: Any) -> str:
    """A strength, or the list after `va`, as it stands in a text."""
    return "/".join(map(str, figure)) if isinstance(figure, list) else str(figure)


_YAML_HELP = "Write one key per line, such as `2.5: happy:0.8` or `6: {sad: 0.5, fear: 0.2}`."
