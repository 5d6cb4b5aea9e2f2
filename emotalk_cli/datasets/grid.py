"""GRID: 34 speakers saying command sentences, a .align file of word times beside each clip.

M. Cooke, J. Barker, S. Cunningham, X. Shao, "An audio-visual corpus for speech perception and
automatic speech recognition", JASA 2006.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, Words, files_below, safe_id, unique_ids
from emotalk_cli.schema import Labels

NAME = "grid"
ALIGN_UNITS_HZ = 25000.0
SILENCE = ("sil", "sp")
# Command, colour, preposition, letter, digit, adverb: "bin blue at f two now" is bbaf2n.
_CLIP_NAME = re.compile(r"[blps][bgrw][abiw][a-z][0-9z][anps]", re.IGNORECASE)
_SPEAKER = re.compile(r"(?:^|[^a-z0-9])s(\d{1,2})(?:[^0-9]|$)", re.IGNORECASE)


def fits(path: Path) -> bool:
    """Whether a video is named as GRID names them."""
    return _CLIP_NAME.fullmatch(path.stem) is not None


def find_clips(root: Path, videos: Sequence[Path]) -> list[ClipSource]:
    """Every clip; the speaker is the nearest folder named like s1, unknown where there is none."""
    paths = [p for p in videos if fits(p)]
    speakers = [_speaker(p) for p in paths]
    ids = unique_ids(
        [safe_id(*filter(None, (s, p.stem.lower()))) for p, s in zip(paths, speakers, strict=True)]
    )
    aligns = {(_speaker(p), p.stem.lower()): p for p in files_below(root.absolute(), (".align",))}
    clips = []
    for path, speaker, clip_id in zip(paths, speakers, ids, strict=True):
        beside = path.with_suffix(".align")
        align = beside if beside.is_file() else aligns.get((speaker, path.stem.lower()))
        labels = Labels(
            clip_id=clip_id, dataset=NAME, speaker=speaker, emotion="neutral", view="front"
        )
        clips.append(ClipSource(path, labels, words=read_align(align) if align else ()))
    return clips


def read_align(path: Path) -> Words:
    """Words of a .align file with their start and end in seconds; silence is left out."""
    words = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[2] not in SILENCE and parts[0].isdecimal():
            start, end = int(parts[0]) / ALIGN_UNITS_HZ, float(parts[1]) / ALIGN_UNITS_HZ
            words.append((start, end, parts[2]))
    return tuple(words)


def _speaker(path: Path) -> str:
    for folder in path.absolute().parents:
        found = _SPEAKER.search(folder.name)
        if found:
            return f"s{int(found[1])}"
    return ""
