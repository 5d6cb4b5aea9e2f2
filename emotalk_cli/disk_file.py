"""A file for HDF5 to write to that a full disk does not make crash the process."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any


class DiskFile:
    """What h5py asks of a Python file, for writing; the first fault of the disk is kept.

    HDF5 ends the process where a write fails while it closes a file. So a failed write is taken
    silently, nothing more is written, and leaving the `with` block raises the OSError.
    """

    def __init__(self, path: Path) -> None:
        """Create the file, or empty it."""
        self._file = path.open("w+b", buffering=0)
        self._fault: OSError | None = None

    def __enter__(self) -> DiskFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as fault:
            self._fault = self._fault or fault
        if self._fault is not None:
            raise self._fault

    def write(self, data: Any) -> int:
        """All of `data`, or nothing once the disk has failed."""
        rest = memoryview(data).cast("B")
        total = len(rest)
        try:
            while len(rest) and self._fault is None:
                rest = rest[self._file.write(rest) :]
        except OSError as fault:
            self._fault = fault
        if len(rest):  # keep the place where the data would have ended
            self._file.seek(len(rest), 1)
        return total

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        try:
            return self._file.truncate(size)
        except OSError as fault:
            self._fault = self._fault or fault
            return size or 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from here."""
        return self._file.read(size) or b""

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; what the disk did not take reads as zeroes."""
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view) or 0
        if self._fault is not None:
            view[count:] = bytes(len(view) - count)
            return len(view)
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing is kept back."""
