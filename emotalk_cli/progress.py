"""How a stage tells people what it does; the command line draws it, libraries stay quiet."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of one stage."""

    def task(self, title: str, total: int | None = None) -> None:
        """A new piece of work of `total` steps begins (None: unknown)."""
        ...

    def advance(self, steps: int = 1) -> None:
        """So many steps of the current task are done."""
        ...

    def note(self, text: str) -> None:
        """Something people should know and no error: a warning, a choice made for them."""
        ...


class Quiet:
    """The progress nobody watches."""

    def task(self, title: str, total: int | None = None) -> None:
        """Ignore it."""

    def advance(self, steps: int = 1) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""
