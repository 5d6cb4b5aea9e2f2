"""One run of a stage at a time in one folder: a locked hidden file that ends with its process.

The kernel frees the lock of a process that dies in whatever way: nothing waits for a run that is
gone. Where the file system has no locks, two runs do the same work twice and no harm.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from emotalk_cli.batch import shard_name
from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import held_back, tidied

MAX_OWNER_BYTES = 200
TRIALS = 100
SHARDED = ("preprocess", "fit-3dmm", "extract-audio", "generate")
"""The stages that may run in parts."""
PARTS = " Parts of one job may run side by side: --shard 1/2 and --shard 2/2."


@contextlib.contextmanager
def one_run(folder: Path, stage: str, shard: str | None = None) -> Iterator[None]:
    """Hold `folder` for this run of a stage, or of one shard of it, while the block runs.

    Raises EmotalkError where another run holds it. Does nothing where `folder` cannot be written
    to: what writes there will tell. What was made of folders goes again where it stayed
    empty.
    """
    path = folder / shard_name(f".{stage}.lock", shard)
    made = _missing(folder)
    with contextlib.ExitStack() as stack:
        with held_back():
            if (file := _locked(path, stage)) is not None:
                stack.enter_context(tidied(lambda: _release(file, path, made)))
        yield


def _locked(path: Path, stage: str) -> BinaryIO | None:
    """The locked file, or None where there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    for _ in range(TRIALS):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            file = os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
        except FileNotFoundError:  # another run ended just now and removed the folder it had made
            continue
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                who = file.read(MAX_OWNER_BYTES).decode(errors="replace")
            raise EmotalkError(
                f"Another `emotalk {stage}` writes into {path.parent} just now ({who}).",
                "Wait for its end, or choose another folder with -o."
                + (PARTS if stage in SHARDED else ""),
            ) from None
        except OSError:  # some network file systems
            _release(file, path, ())
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                with contextlib.suppress(OSError):  # a full disk
                    file.truncate(0)
                    file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
                return file
        file.close()  # another run ended just now and removed it: take the one that is there
    return None


def _missing(folder: Path) -> list[Path]:
    """The folders, innermost first, that have to be made for `folder` to be there."""
    try:
        return [place for place in (folder, *folder.parents) if not place.exists()]
    except OSError:
        return []


def _release(file: BinaryIO, path: Path, made: Sequence[Path]) -> None:
    """Remove the file while it is locked still, so that nobody locks one that is gone.

    And those folders of `made`, innermost first, that hold nothing.
    """
    if not file.closed:
        with file, contextlib.suppress(OSError):
            path.unlink()
            for place in made:
                place.rmdir()
