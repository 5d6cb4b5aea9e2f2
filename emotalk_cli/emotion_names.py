"""Names of emotions and of their strengths: MEAD's eight labels, synonyms, levels."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from emotalk_cli.errors import EmotalkError

EMOTIONS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
"""MEAD's eight labels in the order of every weight vector."""

LEVELS = 3
"""MEAD acts every emotion but neutral at three levels."""

SYNONYMS: Mapping[str, str] = {
    word: emotion
    for emotion, words in {
        "angry": "anger mad furious rage annoyed irritated ang",
        "contempt": "contemptuous scorn scornful disdain smug con",
        "disgusted": "disgust revulsion revolted dis",
        "fear": "afraid fearful scared frightened terrified anxious fea",
        "happy": "happiness joy joyful glad cheerful smile smiling delighted hap",
        "neutral": "none calm normal neu",
        "sad": "sadness sorrow sorrowful unhappy grief depressed",
        "surprised": "surprise astonished amazed shocked sur",
    }.items()
    for word in words.split()
}
"""Everyday words and the short forms of corpora; calm is RAVDESS's second neutral."""

ALIKE = 0.7
"""Names at least so similar (difflib's ratio) to an unknown word are suggested."""


def emotion_of(word: str) -> str:
    """MEAD's name of an emotion; empty where the word is no emotion."""
    name = word.strip().casefold()
    name = SYNONYMS.get(name, name)
    return name if name in EMOTIONS else ""


def emotion_index(name: str, *, beside: tuple[str, ...] = ()) -> int:
    """Place of an emotion or of one of its synonyms in `EMOTIONS`; unknown: EmotalkError.

    `beside`: other words that could have stood there.
    """
    word = emotion_of(name)
    if word:
        return EMOTIONS.index(word)
    known = f"Known: {', '.join((*EMOTIONS, *beside))}."
    guess = _misspelt(name.strip().casefold(), (*EMOTIONS, *SYNONYMS, *beside))
    raise EmotalkError(f"There is no emotion called '{name.strip()}'.", guess + known)


def _misspelt(text: str, names: tuple[str, ...]) -> str:
    """What somebody may have meant who wrote this instead of an emotion's name; may be empty."""
    words = re.findall(r"[^\W\d_]+", text)
    meant = [word for word in words if emotion_of(word)]
    if len(meant) > 1:
        return f"Part emotions by commas, as in {meant[0]}:0.6,{meant[1]}:0.3. "
    if meant and re.search(r"\d", text):
        return f"A strength follows a colon, as in {meant[0]}:0.6; times are in seconds. "
    if re.fullmatch(r"[\d.]+\s*s?", text):
        return f"A space follows a time, as in {text} happy:0.6. "
    near = difflib.get_close_matches(text, names, n=1, cutoff=ALIKE)
    return f"Did you mean {near[0]}? " if near else ""


def level_intensity(level: int) -> float:
    """MEAD's level 1, 2 or 3 -> intensity 1/3, 2/3 or 1."""
    if not 1 <= level <= LEVELS:
        raise EmotalkError(f"There is no level {level} of an emotion.", "Levels are 1, 2 and 3.")
    return level / LEVELS


def parse_strength(text: str) -> float:
    """`0.6`, `60%`, `level_2` or `level2` -> 0..1; EmotalkError for anything else."""
    level = re.fullmatch(r"l(?:evel|vl)?[-_ ]?(\d+)", text.strip().lower())
    if level:
        return level_intensity(int(level[1]))
    try:
        percent = text.strip().endswith("%")
        value = float(text.strip().rstrip("%")) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise EmotalkError(
            f"'{text}' is no strength from 0 to 1.",
            "Write 0.6, 60% or level_2, after an emotion's name as in happy:0.6.",
        )
    return value
