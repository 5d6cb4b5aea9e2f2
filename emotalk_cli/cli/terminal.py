"""What people see on stderr (bars, notes, errors), and programs on stdout with --json."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from emotalk_cli.errors import EmotalkError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.progress import TaskID

MAX_LISTED = 20


@dataclass
class _Settings:
    """How much is said."""

    quiet: bool = False
    debug: bool = False
    json: bool = False
    output_taken: bool = False


_settings = _Settings()


def setup(*, quiet: bool, debug: bool, json: bool) -> None:
    """Say nothing but errors; show tracebacks of errors; tell programs results on stdout."""
    _settings.quiet, _settings.debug, _settings.json = quiet, debug, json


def is_debugging() -> bool:
    """Whether tracebacks of errors are shown."""
    return _settings.debug


def leave_output() -> None:
    """From now on JSON goes to stderr: stdout carries what was made."""
    _settings.output_taken = True


def tell(result: Any) -> None:
    """What a stage did (a dataclass or a dict), as one JSON object on stdout, for programs."""
    if _settings.json:
        import json

        facts = result if isinstance(result, dict) else dataclasses.asdict(result)
        _print(json.dumps(facts, default=str, ensure_ascii=False))


def say(text: str) -> None:
    """One line for people."""
    if not _settings.quiet:
        _console().print(_printable(text), markup=False)


def farewell() -> str:
    """What a stop by Ctrl-C says; it also gives back the cursor that a progress bar hid."""
    show_cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""
    text = "Stopped. Nothing is left half-written; run the same command to go on.\n"
    return show_cursor if _settings.quiet else show_cursor + text


def show(result: Any) -> None:
    """What was asked for: its text on stdout, or the same as one JSON object with --json."""
    if _settings.json:
        tell(result)
    else:
        _print(str(result))


def _print(text: str) -> None:
    """A line on stdout, or on stderr where stdout carries what was made."""
    file = sys.stderr if _settings.output_taken else sys.stdout
    with taken_by(file):
        print(text, file=file, flush=True)


@contextlib.contextmanager
def taken_by(file: IO[Any]) -> Iterator[None]:
    """EmotalkError where `file` takes no more; BrokenPipeError where nobody reads it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is buffered would be tried once more at the end, with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
        raise EmotalkError(
            f"Standard output takes no more: {error.strerror}.", "Free some space where it goes."
        ) from error


def tell_error(error: EmotalkError) -> None:
    """What is wrong and what to do next, as one JSON object on stdout, where programs want it."""
    tell({"error": error.problem, "next_step": error.next_step})


def say_error(error: EmotalkError) -> None:
    """What is wrong, and what to do next."""
    with contextlib.suppress(EmotalkError):  # people are told all the same
        tell_error(error)
    if _settings.debug:
        traceback.print_exc()
    console = _console()
    console.print("Error:", style="bold red", end=" ")
    console.print(_printable(error.problem), markup=False)
    if error.next_step:
        console.print(_printable(error.next_step), markup=False)


def list_failures(failed: Mapping[str, str], folder: Path) -> None:
    """Clips that could not be done, each kind of reason once."""
    from emotalk_cli.remarks import gathered

    console = _console()
    lines = gathered(failed.items())
    for line in lines[:MAX_LISTED]:
        console.print(_printable(f"Failed: {line}"), markup=False)
    if len(lines) > MAX_LISTED:
        console.print(f"... and for {len(lines) - MAX_LISTED} more reasons.")
    told = f"{len(failed)} failed (failures.csv lists them). What could be done is in {folder}."
    console.print(_printable(told), markup=False)


@contextlib.contextmanager
def bars() -> Iterator[Bars]:
    """Progress bars while the block runs."""
    drawn = Bars(_console())
    with drawn.progress:
        yield drawn


class Bars:
    """A `progress.Progress` drawn with rich on a terminal; elsewhere only its notes are said."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        hidden = _settings.quiet or not console.is_terminal
        self.progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            console=console,
            disable=hidden,
        )
        self._task: TaskID | None = None

    def task(self, title: str, total: int | None = None) -> None:
        """Begin a bar of `total` steps in place of the last."""
        if self._task is not None:
            self.progress.update(self._task, visible=False)
        self._task = self.progress.add_task(title, total=total, rate="")

    def advance(self, steps: int = 1) -> None:
        """Move the bar on."""
        if self._task is not None:
            self.progress.advance(self._task, steps)
            speed = self.progress.tasks[-1].speed
            self.progress.update(self._task, rate=f"{speed:.1f}/s" if speed else "")

    def note(self, text: str) -> None:
        """Say something above the bar."""
        if not _settings.quiet:
            self.progress.console.print(_printable(f"Note: {text}"), markup=False)


def _printable(text: str) -> str:
    """The text without what would steer the terminal: names of files may hold anything."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)
