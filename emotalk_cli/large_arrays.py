"""Arrays that grow with a recording: large ones live in a file, so that memory stays constant."""

from __future__ import annotations

import contextlib
import ctypes
import math
import tempfile

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import BLOCK_BYTES

_ZEROS = bytes(1 << 20)


def roomy(*shape: int) -> NDArray[np.float32]:
    """A new array of zeros: in memory, or a numpy.memmap where that would take over BLOCK_BYTES.

    The file has no name and vanishes with the array. Its parts stay in memory once they were read
    or written, until `schema.release` lets go of them. Raises EmotalkError where the disk is full.
    """
    size = 4 * math.prod(shape)
    if size <= BLOCK_BYTES:
        return np.zeros(shape, np.float32)
    try:
        with tempfile.TemporaryFile() as file:
            # All of it is written now: a disk that is full later ends the process without a word.
            for start in range(0, size, len(_ZEROS)):
                file.write(_ZEROS[: size - start])
            file.flush()
            return np.memmap(file, np.float32, "r+", shape=shape)
    except OSError as error:
        raise EmotalkError(
            f"Cannot write temporary files in {tempfile.gettempdir()}: {error.strerror}.",
            "Free some space there, or set TMPDIR to another folder.",
        ) from error


def give_back() -> None:
    """Return freed memory to the system, where the C library (glibc) would keep it for later.

    Worth its milliseconds between two parts of the work that need much at different times.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
