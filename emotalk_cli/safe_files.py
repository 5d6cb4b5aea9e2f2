"""Files that appear whole or not at all, what a killed process leaves, and what a file is.

A file is made under a temporary name in its own folder and moved into place, so that a stop at any
moment leaves the old file, the new file or none.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import held_back, tidied
from emotalk_cli.schema import SUFFIX

HASH_BLOCK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_all(paths: Iterable[Path]) -> str:
    """One sha256 over the names and the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def temporary_prefix() -> str:
    """How the names of this process's temporary files and folders begin."""
    return f".tmp-{socket.gethostname()}-{os.getpid()}-"


def remove_leftovers(folder: Path) -> None:
    """Remove what processes of this machine that were killed left unfinished in `folder`."""
    if sys.platform == "win32" or not folder.is_dir():
        return
    start = temporary_prefix().removesuffix(f"{os.getpid()}-")
    for path in folder.glob(f"{start}*"):
        pid = path.name.removeprefix(start).partition("-")[0]
        if pid.isdecimal() and not _is_alive(int(pid)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes `path` if the block ends well, else vanishes."""
    try:
        with ExitStack() as stack:
            with held_back():
                temporary = _reserved(path)
                stack.enter_context(tidied(lambda: temporary.unlink(missing_ok=True)))
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    except OSError as error:
        raise EmotalkError(
            f"Cannot write {path}: {error.strerror or error}.",
            "Free some space or choose another place with -o.",
        ) from error


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder for temporary files, private to this user; it vanishes with what is in it."""
    with ExitStack() as stack:
        with held_back():
            folder = Path(tempfile.mkdtemp(prefix=temporary_prefix()))
            stack.enter_context(tidied(lambda: shutil.rmtree(folder, ignore_errors=True)))
        yield folder


def _reserved(path: Path) -> Path:
    """An empty file beside `path`, under a name that nobody else has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = "-" + path.name[-80:]  # some writers choose the format by the suffix
    if path.suffix == SUFFIX:
        ending += ".part"  # what a kill leaves must not be taken for a record
    handle, name = tempfile.mkstemp(prefix=temporary_prefix(), suffix=ending, dir=path.parent)
    os.close(handle)
    return Path(name)


def require_writable(path: Path) -> None:
    """Raise EmotalkError now if a file at `path` could not be written later."""
    if path.is_dir():
        raise EmotalkError(f"{path} is a folder.", "Name a file with -o.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EmotalkError(
            f"Cannot write {path}: {error.strerror}.", "Choose another place with -o."
        ) from error


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    try:  # a process that was killed and not yet collected writes no more
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state != "Z"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
