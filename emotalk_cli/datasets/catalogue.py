"""The corpora that are known, which one a folder holds, and the choice of clips from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli.datasets import arkit, crema_d, folder, grid, manifest, mead, ravdess
from emotalk_cli.datasets.clip_source import ClipSource, files_below, share_named
from emotalk_cli.datasets.splits import assign_splits
from emotalk_cli.errors import EmotalkError

CORPORA = {module.NAME: module for module in (mead, crema_d, ravdess, grid)}
NAMES = ("auto", *CORPORA, arkit.NAME, folder.NAME, manifest.NAME)
ENOUGH = 0.5  # share of the videos that must be named as a corpus names them


@dataclass(frozen=True)
class Choice:
    """Which clips of a corpus are wanted; empty means all. `levels` are MEAD's 1 to 3."""

    speakers: Collection[str] = ()
    emotions: Collection[str] = ()
    views: Collection[str] = ()
    levels: Collection[int] = ()
    limit: int | None = None


def detect_dataset(root: Path) -> str:
    """Name of the corpus whose layout `root` has; "folder" if of none, "manifest" for a list."""
    return _detect(root, _videos(root))


def find_clips(
    root: Path, dataset: str = "auto", choice: Choice = Choice(), splits: Path | None = None
) -> list[ClipSource]:
    """The clips of the corpus in `root` that `choice` takes.

    `splits` is a CSV of rules (see `datasets.splits`), applied before the choice. Raises
    EmotalkError for an unknown corpus, a folder without clips, or a choice that leaves nothing,
    naming what there is.
    """
    videos = _videos(root)
    name = _detect(root, videos) if dataset == "auto" else dataset
    if name not in NAMES:
        raise EmotalkError(f"There is no dataset called '{name}'.", f"Known: {', '.join(NAMES)}.")
    if name == manifest.NAME:
        clips = manifest.find_clips(root)
    elif name == arkit.NAME:
        clips = arkit.find_clips(root)
    elif name == folder.NAME:
        clips = folder.find_clips(root, videos)
    else:
        clips = CORPORA[name].find_clips(root, videos)
    if not clips:
        raise EmotalkError(
            f"No clips were found in {root} (looked for: {name}).",
            f"Check the path, or name what it is with --dataset: {', '.join(NAMES)}.",
        )
    if splits is not None:
        clips = assign_splits(clips, splits)
    return _chosen(clips, choice)


def _videos(root: Path) -> list[Path]:
    if not root.exists():
        raise EmotalkError(f"There is no file or folder {root}.", "Check the path.")
    return [] if root.suffix == manifest.SUFFIX and root.is_file() else files_below(root)


def _detect(root: Path, videos: Sequence[Path]) -> str:
    if root.is_file() and root.suffix == manifest.SUFFIX and not arkit.fits(root):
        return manifest.NAME
    if len(arkit.find_captures(root)) > ENOUGH * len(videos):
        return arkit.NAME
    shares = {name: share_named(videos, module.fits) for name, module in CORPORA.items()}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] > ENOUGH else folder.NAME


def _chosen(clips: list[ClipSource], choice: Choice) -> list[ClipSource]:
    levels = [str(level) for level in choice.levels]
    clips = _filtered(clips, "speakers", choice.speakers, lambda c: c.labels.speaker)
    clips = _filtered(clips, "emotions", choice.emotions, lambda c: c.labels.emotion)
    clips = _filtered(clips, "views", choice.views, lambda c: c.labels.view)
    clips = _filtered(clips, "levels", levels, lambda c: str(round(3 * c.labels.intensity)))
    if choice.limit is not None and choice.limit < 1:
        raise EmotalkError(f"--limit {choice.limit} leaves nothing.", "Give 1 or more.")
    return clips[: choice.limit]


def _filtered(
    clips: list[ClipSource], option: str, wanted: Collection[str], key: Callable[[ClipSource], str]
) -> list[ClipSource]:
    if not wanted:
        return clips
    known = {key(clip).casefold(): key(clip) for clip in clips}
    chosen = {word.casefold(): word for word in wanted}
    missing = sorted(chosen.keys() - known.keys())
    if missing:
        raise EmotalkError(
            f"--{option}: nothing is called '{chosen[missing[0]]}' here.",
            f"There are: {', '.join(sorted(filter(None, known.values()))) or 'no such labels'}.",
        )
    return [
        clip
        for clip in clips
        if key(clip).casefold() in chosen or (clip.problem and not key(clip))  # it may be meant
    ]
