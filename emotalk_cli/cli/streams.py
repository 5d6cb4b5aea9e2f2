"""Standard input and output in place of files: `-` as the recording, the video or its frames."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from emotalk_cli.cli import terminal
from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import temporary_folder

if TYPE_CHECKING:
    from emotalk_cli.stages.video_making import Drawing

DASH = Path("-")
MAX_INPUT_BYTES = 2 << 30
_BLOCK_BYTES = 1 << 20


@contextmanager
def as_files(audio: Path | None, output: Path | None) -> Iterator[tuple[Path | None, Path | None]]:
    """The recording and the video as files: those named, or temporary ones that stand for `-`.

    What was written in place of `-` goes to standard output when the block has ended well.
    """
    if DASH not in (audio, output):
        yield audio, output
        return
    stdout = take_output() if output == DASH else None
    with temporary_folder() as folder:
        heard, made = folder / "standard-input", folder / "standard-output.mp4"
        if audio == DASH:
            _save_input(heard)
        yield heard if audio == DASH else audio, made if output == DASH else output
        if stdout is not None:
            with made.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    put(stdout, block)


def take_output() -> BinaryIO:
    """Standard output for a video's bytes; what is told otherwise goes to standard error."""
    terminal.leave_output()
    if sys.stdout is None:
        raise EmotalkError("Standard output is closed.", "Redirect it: -o - > out.mp4.")
    if sys.stdout.isatty():
        raise EmotalkError(
            "A video cannot be shown in a terminal.", "Redirect it: -o - > out.mp4, or -o out.mp4."
        )
    return sys.stdout.buffer


def write_frames(drawing: Drawing) -> None:
    """The pixels of every frame to standard output, each as soon as it is drawn.

    Before, standard error says how to read them, to people and to programs.
    """
    stdout, form = take_output(), drawing.form
    terminal.tell(form)
    terminal.say(
        f"{form.frames} frames follow, {form.duration_s:.1f} s, for ffmpeg or ffplay: -f rawvideo "
        f"-pixel_format {form.pixel_format} -video_size {form.width_px}x{form.height_px} "
        f"-framerate {form.fps:g} -i -"
    )
    for frame in drawing.frames:
        put(stdout, frame.tobytes())


def put(stdout: BinaryIO, data: bytes) -> None:
    """Write at once; EmotalkError where it is not taken, BrokenPipeError where nobody reads."""
    with terminal.taken_by(stdout):
        stdout.write(data)
        stdout.flush()


def _save_input(path: Path) -> None:
    """Everything that standard input holds, in a file."""
    total = 0
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(_BLOCK_BYTES):
            total += len(block)
            if total > MAX_INPUT_BYTES:
                raise EmotalkError(
                    "Standard input holds over 2 GiB.", "Write it to a file and give its name."
                )
            file.write(block)
    if not total:
        raise EmotalkError("Standard input is empty.", "Pipe a recording into the command.")
