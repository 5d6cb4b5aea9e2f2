"""Numba's compiler for the numerical kernels; what it makes is kept on disk wherever we run."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config, njit

R = TypeVar("R")

_JIT = {"cache": True, "fastmath": True, "error_model": "numpy"}


def kernel(function: Callable[..., R]) -> Callable[..., R]:
    """Compile a function with numba, once; it lets other threads run."""
    return cast("Callable[..., R]", _compiled(function, nogil=True))


def part_of_kernel(function: Callable[..., R]) -> Callable[..., R]:
    """Compile a function into the kernels that call it."""
    return cast("Callable[..., R]", _compiled(function, nogil=True, inline="always"))


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    try:
        return njit(**_JIT, **options)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written.
        config.CACHE_DIR = str(_own_folder())
        return njit(**_JIT, **options)(function)


def _own_folder() -> Path:
    """A folder for compiled code that nobody else can write: it is run as it is found there."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"emotalk-kernels-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="emotalk-kernels-"))
    closed = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
    if closed and found.st_uid == user:
        return folder
    return Path(tempfile.mkdtemp(prefix="emotalk-kernels-"))
