"""GRID: 34 speakers saying command sentences, a .align file of word times beside each clip.

M. Cooke, J. Barker, S. Cunningham, X. Shao, "An audio-visual corpus for speech perception and
automatic speech recognition", JASA 2006.
"""

from __future__ import annotations

import re
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, Words, is_video, safe_id, unique_ids
from emotalk_cli.schema import Labels

NAME = "grid"
ALIGN_UNITS_HZ = 25000.0
SILENCE = ("sil", "sp")
# Command, colour, preposition, letter, digit, adverb: "bin blue at f two now" is bbaf2n.
_CLIP_NAME = re.compile(r"[blps][bgrw][abiw][a-z][0-9z][anps]", re.IGNORECASE)
_SPEAKER = re.compile(r"(?:^|[^a-z])s(\d{1,2})(?:[^0-9]|$)", re.IGNORECASE)


def is_root(root: Path) -> bool:
    """Whether most videos below `root` are named as GRID names them."""
    names = [p.stem for p in root.rglob("*") if is_video(p)]
    hits = sum(_CLIP_NAME.fullmatch(name) is not None for name in names)
    return hits > len(names) / 2


def find_clips(root: Path) -> list[ClipSource]:
    """Every clip below `root`; the speaker is the nearest folder named like s1, else unknown."""
    paths = sorted(p for p in root.rglob("*") if is_video(p) and _CLIP_NAME.fullmatch(p.stem))
    speakers = [_speaker(p, root) for p in paths]
    ids = unique_ids(
        [safe_id(*filter(None, (s, p.stem.lower()))) for p, s in zip(paths, speakers, strict=True)]
    )
    aligns = {p.stem.lower(): p for p in sorted(root.rglob("*.align"))}
    clips = []
    for path, speaker, clip_id in zip(paths, speakers, ids, strict=True):
        beside = path.with_suffix(".align")
        align = beside if beside.is_file() else _align_of(path, speaker, aligns)
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
        if len(parts) == 3 and parts[2] not in SILENCE:
            start, end = (float(part) / ALIGN_UNITS_HZ for part in parts[:2])
            words.append((start, end, parts[2]))
    return tuple(words)


def _speaker(path: Path, root: Path) -> str:
    for folder in (*path.relative_to(root).parents, Path(root.name)):
        found = _SPEAKER.search(folder.name)
        if found:
            return f"s{int(found[1])}"
    return ""


def _align_of(path: Path, speaker: str, aligns: dict[str, Path]) -> Path | None:
    """The .align file in another folder, if it belongs to the same speaker (names repeat)."""
    align = aligns.get(path.stem.lower())
    if align is None:
        return None
    folders = [_SPEAKER.search(folder.name) for folder in align.parents]
    numbers = [int(found[1]) for found in folders if found]
    return align if not numbers or not speaker or f"s{numbers[0]}" == speaker else None
