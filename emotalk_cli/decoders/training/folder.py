"""What lies in the output folder of a training run, and so what is to be done there."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from emotalk_cli import store
from emotalk_cli.decoders.checkpoint import CARD, CONFIG, read_spec
from emotalk_cli.decoders.training.journal import is_journal
from emotalk_cli.decoders.training.loop import LAST, METRICS, STATE, steps_done
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.progress import Progress
from emotalk_cli.schema import MadeBy


class Task(Enum):
    """What is left to do in an output folder."""

    BEGIN = "begin"
    GO_ON = "go on"
    NOTHING = "nothing"


def require_own(out: Path, inputs: Sequence[Path]) -> None:
    """Raise EmotalkError unless `out` is new, empty or holds a training run, and is no input."""
    if not out.exists():
        return
    if not out.is_dir():
        raise EmotalkError(f"{out} is a file, not a folder.", "Name a new folder with -o.")
    if any(folder.exists() and out.samefile(folder) for folder in inputs):
        raise EmotalkError(
            f"The output folder {out} is one of the input folders.", "Name a new folder with -o."
        )
    found = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    if found and not (_is_ours(out) or _is_ours(out / LAST) or is_journal(out / METRICS)):
        raise EmotalkError(
            f"{out} is not empty and holds no training run (found: {', '.join(found[:3])}"
            + (f" and {len(found) - 3} more)." if len(found) > 3 else ")."),
            "Name a new or an empty folder with -o.",
        )


def task_in(
    out: Path, made_by: MadeBy, *, resume: bool, overwrite: bool, progress: Progress
) -> Task:
    """What the run `made_by` has left to do in `out`.

    `resume` requires that there is a state to go on from, and lets `steps` grow. Raises
    StaleOutputError where another run stands in the place, unless `overwrite` is set.
    """
    if resume and overwrite:
        raise EmotalkError("--resume and --overwrite exclude one another.", "Give one of them.")
    if overwrite:
        return Task.BEGIN
    before = made_by_of(out)
    has_state = (out / LAST / STATE).is_file()
    if resume and not has_state:
        raise EmotalkError(
            f"There is nothing to resume in {out} ({LAST}/{STATE} is missing).",
            "Run without --resume to begin, or check the path given with -o.",
        )
    if before is None:
        return Task.BEGIN
    if has_state and _is_longer(before, made_by):
        _lengthen(out, before, made_by, resume, progress)
        return Task.GO_ON
    store.refuse_other(out, before, made_by)
    if (out / CARD).is_file():  # written last
        return Task.NOTHING
    return Task.GO_ON if has_state else Task.BEGIN


def made_by_of(out: Path) -> dict[str, Any] | None:
    """What the last run in `out` was made by; the best checkpoint may be older than it."""
    for folder in (out / LAST, out):
        if (folder / CONFIG).is_file():
            return read_spec(folder)[1]
    return None


def _is_ours(folder: Path) -> bool:
    """Whether the folder holds a checkpoint that can be read."""
    try:
        read_spec(folder)
    except EmotalkError:
        return False
    return True


def _is_longer(before: dict[str, Any], made_by: MadeBy) -> bool:
    """Whether `made_by` differs from `before` in nothing but more steps."""
    old = before.get("options", {}).get("steps")
    if not isinstance(old, int) or old >= made_by.options["steps"]:
        return False
    same = copy.deepcopy(before)
    same["options"]["steps"] = made_by.options["steps"]
    try:
        store.refuse_other(Path(), same, made_by)
    except StaleOutputError:
        return False
    return True


def _lengthen(
    out: Path, before: dict[str, Any], made_by: MadeBy, resume: bool, progress: Progress
) -> None:
    """Tell that training goes on for longer; raises StaleOutputError unless it was asked to."""
    old, new = before["options"]["steps"], made_by.options["steps"]
    if not resume:
        raise StaleOutputError(
            f"{out} was made otherwise: options.steps was {old}, is now {new}.",
            f"Add --resume to go on after step {steps_done(out)}, or --overwrite to begin again.",
        )
    progress.note(
        f"Training now ends at step {new} instead of {old}; from here on the learning rate "
        f"follows the schedule of {new} steps."
    )
