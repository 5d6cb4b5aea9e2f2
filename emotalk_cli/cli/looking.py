"""Subcommands that look and tell: inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    path: Annotated[Path, typer.Argument(help="A file that this program wrote.")],
    plot: Annotated[Path | None, typer.Option(help="Draw it into this PNG file.")] = None,
) -> None:
    """Say what is in one of the project's files."""
    from emotalk_cli.stages.inspect import inspect

    print(inspect(path, plot=plot))
