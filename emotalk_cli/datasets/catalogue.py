"""The corpora that are known, which one a folder holds, and the choice of clips from it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from emotalk_cli.datasets import folder, grid
from emotalk_cli.datasets.clip_source import ClipSource
from emotalk_cli.errors import EmotalkError

FINDERS: dict[str, Callable[[Path], list[ClipSource]]] = {
    grid.NAME: grid.find_clips,
    folder.NAME: folder.find_clips,
}


def detect_dataset(root: Path) -> str:
    """Name of the corpus whose layout the folder or file `root` has; "folder" if of none."""
    if not root.exists():
        raise EmotalkError(f"There is no folder {root}.", "Check the path.")
    if root.is_dir() and grid.is_root(root):
        return grid.NAME
    return folder.NAME


def find_clips(
    root: Path,
    dataset: str = "auto",
    *,
    speakers: Collection[str] = (),
    emotions: Collection[str] = (),
    views: Collection[str] = (),
    levels: Collection[int] = (),
    limit: int | None = None,
) -> list[ClipSource]:
    """The clips of the corpus in `root` that meet every filter that is not empty.

    `levels` are MEAD's 1 to 3, of 3. Raises EmotalkError for an unknown corpus, a folder without
    clips, or filters that leave nothing, naming what there is.
    """
    name = detect_dataset(root) if dataset == "auto" else dataset
    if name not in FINDERS:
        raise EmotalkError(
            f"There is no dataset called '{name}'.", f"Known: auto, {', '.join(FINDERS)}."
        )
    clips = FINDERS[name](root)
    if not clips:
        raise EmotalkError(
            f"No clips of the kind '{name}' were found in {root}.", "Check the path."
        )
    clips = _filtered(clips, "speakers", speakers, lambda c: c.labels.speaker)
    clips = _filtered(clips, "emotions", emotions, lambda c: c.labels.emotion)
    clips = _filtered(clips, "views", views, lambda c: c.labels.view)
    wanted = [str(level) for level in levels]
    clips = _filtered(clips, "levels", wanted, lambda c: str(round(3 * c.labels.intensity)))
    return clips[:limit]


def _filtered(
    clips: list[ClipSource], option: str, wanted: Collection[str], key: Callable[[ClipSource], str]
) -> list[ClipSource]:
    if not wanted:
        return clips
    known = {key(clip).casefold(): key(clip) for clip in clips}
    chosen = {word.casefold() for word in wanted}
    missing = sorted(chosen - known.keys())
    if missing:
        raise EmotalkError(
            f"--{option}: nothing is called '{missing[0]}' here.",
            f"There are: {', '.join(sorted(filter(None, known.values()))) or 'no such labels'}.",
        )
    return [clip for clip in clips if key(clip).casefold() in chosen]
