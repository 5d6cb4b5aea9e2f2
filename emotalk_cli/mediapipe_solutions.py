"""MediaPipe's ready-made solutions: imported without noise, with help where OpenCV is missing."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emotalk_cli.errors import EmotalkError


def solution(name: str) -> Any:
    """The module `name` of mediapipe.solutions, imported with its logging off.

    Raises EmotalkError where OpenCV wants a libGL that the machine lacks.
    """
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with silenced():
            return importlib.import_module(f"mediapipe.python.solutions.{name}")
    except ImportError as error:
        if "libGL" not in str(error) and "cv2" not in str(error):
            raise
        raise EmotalkError(
            f"OpenCV cannot be loaded: {error}.",
            "This machine has no libGL. Put the headless build in its place:\n"
            "  pip uninstall -y opencv-contrib-python opencv-python\n"
            "  pip install --force-reinstall --no-deps 'opencv-contrib-python-headless<4.12'",
        ) from error


@contextmanager
def silenced() -> Iterator[None]:
    """Send what C++ code writes to stderr nowhere; MediaPipe offers no switch for it."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
