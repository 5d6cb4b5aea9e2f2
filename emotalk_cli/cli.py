"""The command line: one thin function per subcommand. The only file that prints or exits."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotalk_cli import __version__
from emotalk_cli.errors import EmotalkError

if TYPE_CHECKING:
    from rich.console import Console

EXIT_PROBLEM = 1
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="emotalk",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One portrait, one speech recording and an emotion become a talking video.\n\n"
    "Start with [bold]emotalk generate[/bold]. The other commands prepare corpora, train the "
    "decoders and score results; they exchange HDF5 files, which [bold]emotalk inspect[/bold] "
    "explains.",
)


class _Terminal:
    """How much is said; set by --quiet and --debug, which every command takes anywhere."""

    quiet = False
    debug = False


Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make again what was made with other options.")
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
Workers = Annotated[int, typer.Option("--workers", "-j", min=1, help="Local processes.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors. Works anywhere.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors. Works anywhere.")
    ] = False,
) -> None:
    """Take the options that belong to every command."""
    if version:
        print(f"emotalk {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; every problem of the user's becomes a message and exit code 1."""
    arguments = sys.argv[1:]
    _Terminal.quiet = bool({"--quiet", "-q"} & set(arguments))
    _Terminal.debug = "--debug" in arguments
    arguments = [a for a in arguments if a not in ("--quiet", "-q", "--debug")]
    try:
        app(args=arguments)
    except EmotalkError as error:
        _fail(error)
    except KeyboardInterrupt:
        _say("Stopped. The same command goes on where it was.")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_PROBLEM)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no bare traceback
        _fail(
            EmotalkError(
                f"Something unexpected happened: {type(error).__name__}: {error}",
                "This is a bug in emotalk. Run again with --debug and report what it prints.",
            )
        )


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _say(text: str) -> None:
    if not _Terminal.quiet:
        _console().print(text, markup=False)


def _fail(error: EmotalkError) -> None:
    if _Terminal.debug:
        traceback.print_exc()
    console = _console()
    console.print("Error:", style="bold red", end=" ")
    console.print(error.problem, markup=False)
    if error.next_step:
        console.print(error.next_step, markup=False)
    sys.exit(EXIT_PROBLEM)


class _Bars:
    """Progress drawn with rich on a terminal; only notes are said elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        drawn = console.is_terminal and not _Terminal.quiet
        self.progress = Progress(*columns, Remaining(), console=console, disable=not drawn)
        self._task = None

    def task(self, title: str, total: int | None = None) -> None:
        if self._task is not None:
            self.progress.update(self._task, visible=False)
        self._task = self.progress.add_task(title, total=total)

    def advance(self, steps: int = 1) -> None:
        if self._task is not None:
            self.progress.advance(self._task, steps)

    def note(self, text: str) -> None:
        if not _Terminal.quiet:
            self.progress.console.print(f"Note: {text}", markup=False)


@contextmanager
def _bars() -> Iterator[_Bars]:
    bars = _Bars(_console())
    with bars.progress:
        yield bars
