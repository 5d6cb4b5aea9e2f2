"""What every corpus gives: where a clip's picture and sound lie, and what is known about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli.schema import Labels

EMOTIONS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv",
    ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})
# fmt: on

Words = tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class ClipSource:
    """One clip of a corpus on disk; `labels.clip_id` is unique in it and safe as a file name.

    `sound` is a file of its own where the video's own track is not the one to use. `words` are
    (start s, end s, word). `problem` is not empty where the clip is known to be unusable.
    """

    path: Path
    labels: Labels
    sound: Path | None = None
    words: Words = ()
    problem: str = ""


def safe_id(*parts: str) -> str:
    """Join parts to a clip id of letters, digits, dot, dash and underscore."""
    text = "_".join(re.sub(r"[^\w.-]+", "-", part, flags=re.ASCII).strip("-.") for part in parts)
    return text[:120] or "clip"


def unique_ids(ids: list[str]) -> list[str]:
    """The same ids, with -2, -3, ... added where one occurs again (upper and lower case alike)."""
    taken: set[str] = set()
    result = []
    for clip_id in ids:
        name, number = clip_id, 1
        while name.casefold() in taken:
            number += 1
            name = f"{clip_id}-{number}"
        taken.add(name.casefold())
        result.append(name)
    return result


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video, hidden files aside."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
