"""One run of a stage at a time in one folder: a locked hidden file that ends with its process.

The kernel frees the lock of a process that dies in whatever way: nothing waits for a run that is
gone. Where the file system has no locks, two runs do the same work twice and no harm.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from emotalk_cli.batch import shard_name
from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import held_back, tidied

MAX_OWNER_BYTES = 200
TRIALS = 100


@contextlib.contextmanager
def one_run(folder: Path, stage: str, shard: str | None = None) -> Iterator[None]:
    """Hold `folder` for this run of a stage, or of one shard of it, while the block runs.

    Raises EmotalkError where another run holds it. Does nothing where `folder` cannot be written
    to: what writes there will tell.
    """
    path = folder / shard_name(f".{stage}.lock", shard)
    with contextlib.ExitStack() as stack:
        with held_back():
            if (file := _locked(path, stage)) is not None:
                stack.enter_context(tidied(lambda: _release(file, path)))
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
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                who = file.read(MAX_OWNER_BYTES).decode(errors="replace")
            raise EmotalkError(
                f"Another `emotalk {stage}` writes into {path.parent} just now ({who}).",
                "Wait for its end, or choose another folder with -o. Parts of one job may run side "
                "by side: --shard 1/2 and --shard 2/2.",
            ) from None
        except OSError:  # some network file systems
            _release(file, path)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                with contextlib.suppress(OSError):  # a full disk
                    file.truncate(0)
                    file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
                return file
        file.close()  # another run ended just now and removed it: take the one that is there
    return None


def _release(file: BinaryIO, path: Path) -> None:
    """Remove the file while it is locked still, so that nobody locks one that is gone."""
    if not file.closed:
        with file, contextlib.suppress(OSError):
            path.unlink()
