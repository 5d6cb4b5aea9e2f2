"""Subcommands that look and tell: inspect and doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotalk_cli.cli import terminal
from emotalk_cli.cli.options import EXIT_PROBLEM


def inspect(
    path: Annotated[Path, typer.Argument(help="A file that this program wrote.")],
    plot: Annotated[Path | None, typer.Option(help="Draw it into this PNG file.")] = None,
) -> None:
    """Say what is in one of the project's files."""
    from emotalk_cli.stages.inspect import inspect

    print(inspect(path, plot=plot))


def doctor() -> None:
    """Say what is installed, what works, and what missing parts would add."""
    from emotalk_cli.stages.doctor import doctor as look

    found = look()
    for finding in found.findings:
        print(f"{finding.state:<7} {finding.topic:<9} {finding.name}: {finding.text}")
        if finding.remedy:
            print(f"{'':<17} -> {finding.remedy}")
    terminal.say("All that is needed works." if found.healthy else "Something needed is broken.")
    if not found.healthy:
        raise typer.Exit(EXIT_PROBLEM)
