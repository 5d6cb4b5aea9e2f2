"""Which file is compared with which."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli.errors import EmotalkError
from emotalk_cli.store import SUFFIX

Kinds = Mapping[str, tuple[Path, ...]]
Clips = Mapping[str, Kinds]

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".flv", ".m4v", ".mpg", ".mpeg")
SAMPLE = re.compile(r"\.seed\d+$")  # clip.seed3.h5 is one of several samples of clip
SHOWN_MISSING = 10


@dataclass(frozen=True)
class Pair:
    """One clip: the samples of it that a system made, and its reference."""

    clip_id: str
    predicted: tuple[Path, ...]
    reference: Path


@dataclass(frozen=True)
class Pairing:
    """The pairs of a system, in order, and what only one side has."""

    pairs: tuple[Pair, ...]
    only_predicted: tuple[str, ...]
    only_reference: tuple[str, ...]

    def notes(self, system: str) -> list[str]:
        """What people should know of it."""
        sides = ((self.only_reference, f"in {system}"), (self.only_predicted, "in the reference"))
        return [
            f"Missing {where} ({len(names)}): {', '.join(names[:SHOWN_MISSING])}"
            + (", ..." if len(names) > SHOWN_MISSING else "")
            for names, where in sides
            if names
        ]


def find_clips(side: Path) -> Clips:
    """Clip id -> kind ("record" or "video") -> files, for a folder (searched deeply) or one file.

    The id is the path below the folder without its suffix; `.seedN` before the suffix marks one
    sample of several.
    """
    if side.is_file():
        files: Iterable[Path] = [side]
        root = side.parent
    elif side.is_dir():
        files = sorted(path for path in side.rglob("*") if path.is_file())
        root = side
    else:
        raise EmotalkError(f"There is no file or folder {side}.", "Check the path.")
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in files:
        kind = kind_of_file(path)
        if kind and not path.name.startswith("."):
            clip_id = SAMPLE.sub("", path.relative_to(root).with_suffix("").as_posix())
            found[clip_id][kind].append(path)
    if not found:
        raise EmotalkError(
            f"{side} holds neither records ({SUFFIX}) nor videos.",
            "Give a folder of FaceTrack records, of videos, or one file.",
        )
    return {
        clip_id: {kind: tuple(paths) for kind, paths in kinds.items()}
        for clip_id, kinds in found.items()
    }


def kind_of_file(path: Path) -> str:
    """What a file is by its name: "record", "video", or "" for neither."""
    if path.suffix.lower() == SUFFIX:
        return "record"
    return "video" if path.suffix.lower() in VIDEO_SUFFIXES else ""


def pair_up(predicted: Path, reference: Path) -> Pairing:
    """Pair two sides by clip id; two single files are one pair whatever their names.

    Where no id is on both sides, the bare names of the files are tried. Where a clip has both a
    record and a video, the kind that both sides have is taken, records first.
    """
    ours, theirs = find_clips(predicted), find_clips(reference)
    if predicted.is_file() and reference.is_file():
        theirs = dict(zip(ours, theirs.values(), strict=True))
    examples = next(iter(ours)), next(iter(theirs))
    if not ours.keys() & theirs.keys():
        ours, theirs = _by_name(ours), _by_name(theirs)
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        raise EmotalkError(
            f"No clip of {predicted} has the name of a clip of {reference}: "
            f"{examples[0]}, ... against {examples[1]}, ...",
            "Name the predicted files as the reference's, or give two single files.",
        )
    return Pairing(
        tuple(Pair(clip_id, *_same_kind(ours[clip_id], theirs[clip_id])) for clip_id in shared),
        tuple(sorted(ours.keys() - theirs.keys())),
        tuple(sorted(theirs.keys() - ours.keys())),
    )


def system_names(folders: Sequence[Path]) -> list[str]:
    """A short name for each system: the folder's, with as many parents as tell them apart."""
    paths = [folder.resolve() for folder in folders]
    paths = [path.with_suffix("") if path.is_file() else path for path in paths]
    if len(set(paths)) < len(paths):
        raise EmotalkError("The same folder is given twice.", "Give each system once.")
    depth = 1
    while len({path.parts[-depth:] for path in paths}) < len(paths):
        depth += 1
    return ["/".join(path.parts[-depth:]) for path in paths]


def _by_name(clips: Clips) -> Clips:
    """The clips by the last part of their ids, where that is unique."""
    names = Counter(clip_id.rpartition("/")[2] for clip_id in clips)
    return {
        name: kinds
        for clip_id, kinds in clips.items()
        if names[name := clip_id.rpartition("/")[2]] == 1
    }


def _same_kind(ours: Kinds, theirs: Kinds) -> tuple[tuple[Path, ...], Path]:
    """The files of the first kind that both have, else each side's first."""
    for kind in ("record", "video"):
        if kind in ours and kind in theirs:
            return ours[kind], theirs[kind][0]
    return next(iter(ours.values())), next(iter(theirs.values()))[0]
