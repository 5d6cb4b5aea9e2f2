"""Standard input and output in place of files: `-` as the recording or as the video."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import temporary_folder

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
    if output == DASH and sys.stdout.isatty():
        raise EmotalkError(
            "A video cannot be shown in a terminal.", "Redirect it: -o - > out.mp4, or -o out.mp4."
        )
    with temporary_folder() as folder:
        heard, made = folder / "standard-input", folder / "standard-output.mp4"
        if audio == DASH:
            _save_input(heard)
        yield heard if audio == DASH else audio, made if output == DASH else output
        if output == DASH:
            with made.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer, _BLOCK_BYTES)
            sys.stdout.buffer.flush()


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
