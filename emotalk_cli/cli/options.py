"""Options and ways of speaking that several subcommands share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from emotalk_cli.cli import terminal
from emotalk_cli.cli.signatures import Option, sign

if TYPE_CHECKING:
    from emotalk_cli.batch import Failure

EXIT_PROBLEM, EXIT_USAGE = 1, 2

Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make again what was made with other options.")
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
Workers = Annotated[int, typer.Option("--workers", "-j", min=1, help="Local processes.")]
Cluster = Annotated[str | None, typer.Option(help="A Dask cluster, tcp://HOST:PORT.")]
Shard = Annotated[str | None, typer.Option(help="Only part i of n, such as 3/8 (job arrays).")]
FaceModel = Annotated[str, typer.Option(help="default, ict:FOLDER, flame:FILE or bfm:FILE.")]


class Runs(NamedTuple):
    """Where and how many clips are done."""

    workers: int
    cluster: str | None
    shard: str | None
    overwrite: bool


RUNS: dict[str, Option] = {
    "workers": (Workers, 1),
    "cluster": (Cluster, None),
    "shard": (Shard, None),
    "overwrite": (Overwrite, False),
}
"""The options that make `Runs`."""


def in_batches(function: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand's function, in place of its parameter `runs`, the options of `Runs`."""

    @functools.wraps(function)
    def run(**options: Any) -> None:
        runs = Runs(**{name: options.pop(name) for name in RUNS})
        function(**options, runs=runs)

    sign(run, function, RUNS, removed=("runs",))
    return run


def listed(text: str) -> tuple[str, ...]:
    """Comma-separated words."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def levels_of(text: str) -> tuple[int, ...]:
    """Comma-separated levels such as 1,3."""
    try:
        return tuple(int(word) for word in listed(text))
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' are no levels; write 1,3") from error


def fail_if_any(failures: Sequence[Failure], folder: Path) -> None:
    """List what could not be done; then the exit code says so."""
    if failures:
        terminal.list_failures({f.clip: f.reason for f in failures}, folder)
        raise typer.Exit(EXIT_PROBLEM)
