"""MediaPipe's ready-made solutions: imported without noise, with help where OpenCV is missing."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from emotalk_cli.errors import EmotalkError

_UNUSED = (
    "mediapipe.python.solutions.drawing_styles",
    "mediapipe.python.solutions.drawing_utils",
    "mediapipe.tasks.python.audio",
)
"""MediaPipe imports them with itself, and they matplotlib and a search for microphones: 0.8 s."""
_importing = threading.Lock()


def solution(name: str) -> Any:
    """The module `name` of mediapipe.solutions, imported with its logging off.

    Raises EmotalkError where OpenCV wants a libGL that the machine lacks.
    """
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with silenced(), _importing:
            unused = [module for path in _UNUSED if (module := _put_off(path))]
            found = importlib.import_module(f"mediapipe.python.solutions.{name}")
            for module in unused:
                package, _, leaf = module.__name__.rpartition(".")
                setattr(sys.modules[package], leaf, module)
            return found
    except ImportError as error:
        if "libGL" not in str(error) and "cv2" not in str(error):
            raise
        raise EmotalkError(
            f"OpenCV cannot be loaded: {error}.",
            "This machine has no libGL. Put the headless build in its place:\n"
            "  pip uninstall -y opencv-contrib-python opencv-python\n"
            "  pip install --force-reinstall --no-deps 'opencv-contrib-python-headless<4.12'",
        ) from error


def _put_off(name: str) -> ModuleType | None:
    """A module of MediaPipe's that runs its code once somebody asks for what it defines.

    None where it is imported already.
    """
    top = importlib.util.find_spec("mediapipe")
    if name in sys.modules or top is None:
        return None
    folder = Path(*(top.submodule_search_locations or ())[:1], *name.split(".")[1:-1])
    spec = importlib.machinery.PathFinder.find_spec(name, [str(folder)])
    if spec is None or spec.loader is None:
        return None
    loader, module = spec.loader, importlib.util.module_from_spec(spec)

    def define(attribute: str) -> Any:
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, attribute)

    vars(module)["__getattr__"] = define
    sys.modules[name] = module
    return module


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
