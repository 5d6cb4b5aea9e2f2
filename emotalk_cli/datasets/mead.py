"""MEAD: 48 actors, eight emotions, three levels, seven views, sound in files of its own.

K. Wang et al., "MEAD: A Large-scale Audio-visual Dataset for Emotional Talking-face Generation",
ECCV 2020. On disk: <M###|W###>/video/<view>/<emotion>/level_<n>/<NNN>.mp4 and
<M###|W###>/audio/<emotion>/level_<n>/<NNN>.m4a; in practice with more or other folders between, so
each part of a path is known by its form and not by its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli.datasets.clip_source import (
    ClipSource,
    files_below,
    safe_id,
    unique_ids,
)
from emotalk_cli.emotion_names import emotion_of
from emotalk_cli.schema import Labels

NAME = "mead"
LEVELS = 3
VIEWS = ("front", "down", "top", "left_30", "left_60", "right_30", "right_60")
SOUND_SUFFIXES = (".m4a", ".wav", ".mp3", ".aac", ".flac")
_SPEAKER = re.compile(r"[MW]\d{3}", re.IGNORECASE)
_LEVEL = re.compile(r"level[_ -]?([1-3])", re.IGNORECASE)
_NUMBER = re.compile(r"\d{3}")


@dataclass(frozen=True)
class _Place:
    """What a path says; `extra` are folders that MEAD's plan does not name, such as 1 and 2."""

    speaker: str
    view: str
    emotion: str
    level: int
    number: str
    extra: tuple[str, ...]


def fits(path: Path) -> bool:
    """Whether a video lies where MEAD keeps its videos."""
    place = _place(path)
    return place is not None and place.view != ""


def find_clips(root: Path, videos: Sequence[Path]) -> list[ClipSource]:
    """Every video with its sound file, if there is one; others have their `missing_sound` named."""
    places = [(path, place) for path in videos if (place := _place(path)) and place.view]
    ids = unique_ids([_clip_id(place) for _, place in places])
    sounds = _sounds(root)
    clips = []
    for (path, place), clip_id in zip(places, ids, strict=True):
        labels = Labels(
            clip_id=clip_id,
            dataset=NAME,
            speaker=place.speaker,
            emotion=place.emotion,
            intensity=place.level / LEVELS,
            view=place.view,
        )
        key = (place.speaker, place.emotion, place.level, place.number)
        sound = sounds.get((*key, place.extra)) or sounds.get((*key, ()))
        missing = f"{place.speaker}/audio/{place.emotion}/level_{place.level}/{place.number}.m4a"
        clips.append(ClipSource(path, labels, sound, missing_sound="" if sound else missing))
    return clips


def _sounds(root: Path) -> dict[tuple[str, str, int, str, tuple[str, ...]], Path]:
    """Sound files by what their paths say; () in place of extra folders means whichever."""
    top = next((p for p in root.absolute().parents if _SPEAKER.fullmatch(p.name)), root)
    if _SPEAKER.fullmatch(root.absolute().name):
        top = root
    sounds = {}
    for path in files_below(top, SOUND_SUFFIXES):
        place = _place(path)
        if place is not None:
            key = (place.speaker, place.emotion, place.level, place.number)
            sounds[(*key, place.extra)] = path
            sounds.setdefault((*key, ()), path)
    return sounds


def _place(path: Path) -> _Place | None:
    if not _NUMBER.fullmatch(path.stem):
        return None
    speaker = view = emotion = ""
    level = 0
    extra: list[str] = []
    for part in reversed(path.absolute().parts[:-1]):
        lower, found = part.casefold(), _LEVEL.fullmatch(part)
        if _SPEAKER.fullmatch(part):
            speaker = part.upper()
            break
        if found:
            level = level or int(found[1])
        elif emotion_of(lower):
            emotion = emotion or emotion_of(lower)
        elif lower in VIEWS:
            view = view or lower
        elif lower not in ("video", "audio"):
            extra.append(part)
    if not speaker or not emotion:
        return None
    return _Place(speaker, view, emotion, level or 1, path.stem, tuple(reversed(extra)))


def _clip_id(place: _Place) -> str:
    level = f"level_{place.level}"
    return safe_id(place.speaker, *place.extra, place.view, place.emotion, level, place.number)
