"""Subcommands that look and tell: inspect, doctor, export and ui."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotalk_cli.cli import terminal
from emotalk_cli.cli.options import EXIT_PROBLEM, Overwrite


def inspect(
    path: Annotated[Path, typer.Argument(help="A file or folder that this program wrote.")],
    plot: Annotated[Path | None, typer.Option(help="Draw it into this PNG file.")] = None,
) -> None:
    """Say what is in one of the project's files."""
    from emotalk_cli.stages.inspect import inspect

    terminal.show(inspect(path, plot=plot))


def doctor() -> None:
    """Say what is installed, what works, and what missing parts would add."""
    from emotalk_cli.stages.doctor import doctor as look

    found = look()
    terminal.show(found)
    terminal.say("All that is needed works." if found.healthy else "Something needed is broken.")
    if not found.healthy:
        raise typer.Exit(EXIT_PROBLEM)


def export(
    track: Annotated[Path, typer.Argument(help="A FaceTrack, such as --motion-out of generate.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="NAME.csv (Live Link Face) or NAME.glb (glTF).")
    ],
    timecode: Annotated[
        str, typer.Option(help="Time code of the first frame, HH:MM:SS:FF, for the CSV.")
    ] = "00:00:00:00",
    overwrite: Overwrite = False,
) -> None:
    """A track -> a file for animators: ARKit units as Live Link Face CSV, or animated glTF."""
    from emotalk_cli.stages.export_motion import export_motion

    done = export_motion(track, output, timecode=timecode, overwrite=overwrite)
    terminal.say(f"Wrote {done.path}: {done.format}, {done.frames} frames at {done.fps:g}/s.")
    terminal.tell(done)


def ui(
    host: Annotated[str, typer.Option(help="Address to listen at; others than this reach you.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 7860,
    watermark: Annotated[bool, typer.Option(help="Draw a small mark into the videos.")] = True,
) -> None:
    """Show the page: photo, recording and emotions in the browser, on this machine alone."""
    from emotalk_cli.ui.page import serve

    serve(
        host=host,
        port=port,
        watermark=watermark,
        debug=terminal.is_debugging(),
        on_ready=lambda address: terminal.say(f"The page is at {address} until Ctrl-C."),
    )
