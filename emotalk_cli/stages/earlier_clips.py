"""What an earlier preprocess left in the output folder: refused at once if made otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from emotalk_cli import __version__, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.schema import MadeBy
from emotalk_cli.stages.clip_making import STAGE, ClipJob

LABELS = "labels"
NEXT_STEP = "Add --overwrite to make all of them again, or choose another output with -o."


def refuse_other_options(
    jobs: Sequence[ClipJob], options_of: Callable[[ClipJob], dict[str, Any]]
) -> None:
    """Raise StaleOutputError, naming the difference, where records were made with other options.

    Labels are each clip's own: they count where those of all records differ, as by another split.
    """
    relabelled: list[StaleOutputError] = []
    there = 0
    for job in jobs:
        before = None if job.overwrite or job.source.problem else _made_by_in(job)
        if before is None:
            continue
        there += 1
        options = options_of(job)
        own = {LABELS: before.options.get(LABELS)}
        _refuse(job, before, {**options, **own})
        try:
            _refuse(job, before, options)
        except StaleOutputError as error:
            relabelled.append(error)
    if there > 1 and len(relabelled) == there:
        raise relabelled[0]


def _refuse(job: ClipJob, before: MadeBy, options: dict[str, Any]) -> None:
    """Raise StaleOutputError unless `before` agrees with all but the inputs, told later."""
    now = MadeBy(STAGE, __version__, options, inputs=before.inputs)
    try:
        store.refuse_other(job.path, json.loads(store.as_json(before)), now)
    except StaleOutputError as error:
        problem = f"{job.path.parent} holds other records than these would be: {error.problem}"
        raise StaleOutputError(problem, NEXT_STEP) from error


def _made_by_in(job: ClipJob) -> MadeBy | None:
    """What the record of the job was made by; None where none is there that can be read."""
    if not job.path.is_file():
        return None
    try:
        made_by = store.read_field(job.path, store.kind_of(job.path), "made_by")
    except (EmotalkError, KeyError):  # told of this clip alone
        return None
    return made_by if isinstance(made_by, MadeBy) else None
