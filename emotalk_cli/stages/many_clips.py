"""One stage over many clips: done once, what failed and what is remarkable listed and said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol, TypeVar

from emotalk_cli import batch, safe_files
from emotalk_cli.folder_lock import one_run
from emotalk_cli.progress import Progress
from emotalk_cli.remarks import Remark, gathered, write_remarks


class Done(Protocol):
    """What became of one clip."""

    @property
    def made(self) -> int:
        """How much of it was made now; 0 where all was there already."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it."""
        ...


J = TypeVar("J", bound=batch.Job)
D = TypeVar("D", bound=Done)


def run_clips(
    function: Callable[[J], D],
    jobs: Sequence[J],
    out: Path,
    *,
    stage: str,
    lists: bool,
    workers: int,
    cluster: str | None,
    shard: str | None,
    progress: Progress,
) -> tuple[list[D], list[batch.Failure]]:
    """Call `function` for every job, which are one shard's already: what was done, what failed.

    With `lists`, `out` is a folder of clips, held for this run alone, where failures.csv and
    notes.csv are written. Each kind of note is said once.
    """
    done: list[D] = []
    remarks: list[Remark] = []
    anew: list[str] = []

    def collect(job: J, value: D) -> None:
        done.append(value)
        remarks.extend((job.clip_id, note) for note in value.notes)
        if value.made:
            anew.append(job.clip_id)

    safe_files.remove_leftovers(out)
    with one_run(out, stage, shard) if lists else nullcontext():
        failures = batch.run_jobs(
            function,
            jobs,
            stage=stage,
            workers=workers,
            cluster=cluster,
            on_done=collect,
            progress=progress,
        )
        if lists:
            batch.write_failures(failures, out, shard)
            write_remarks(remarks, out, anew, shard)
    for line in gathered(remarks):
        progress.note(line)
    return done, failures
