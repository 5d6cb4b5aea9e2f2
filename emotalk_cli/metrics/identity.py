"""Is it still the same person? Distance between face embeddings, from an installed package.

King, Dlib-ml, 2009; the network and its weights (public domain, in face-recognition-models) tell
people apart at a distance of 0.6.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.extras import install_line
from emotalk_cli.metrics.landmarks import TEMPLATE

WEIGHTS = "models/dlib_face_recognition_resnet_model_v1.dat"
CHIP_PX, PADDING = 150, 0.25  # as the network learned faces
RIGHT_OUTER, RIGHT_INNER, LEFT_INNER, NOSE = 9, 12, 15, 6  # in TEMPLATE's points 27 to 44


class IdentityReader:
    """Aligned crops -> embeddings whose distance is small for one person."""

    def __init__(self) -> None:
        """Raises EmotalkError where the packages are missing."""
        found = importlib.util.find_spec("face_recognition_models")
        path = Path(str(found.origin)).parent / WEIGHTS if found else Path()
        try:
            import dlib
        except ImportError as error:
            raise _missing() from error
        if not path.is_file():
            raise _missing()
        self._network = dlib.face_recognition_model_v1(str(path))

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Aligned crops (N, S, S, 3) uint8 RGB -> embeddings (N, 128)."""
        import dlib

        where = _corners(crops.shape[1])
        found = []
        for crop in crops:
            chip = dlib.get_face_chip(np.ascontiguousarray(crop), where, CHIP_PX, PADDING)
            found.append(np.array(self._network.compute_face_descriptor(chip)))
        return np.array(found)


def _corners(size_px: int) -> Any:
    """Eye corners and nose, where every aligned crop has them, as dlib wants to be told."""
    import dlib

    points = np.array(TEMPLATE)
    left_outer = [1 - points[RIGHT_OUTER, 0], points[RIGHT_OUTER, 1]]
    five = [left_outer, *points[[LEFT_INNER, RIGHT_OUTER, RIGHT_INNER, NOSE]]]
    at = [dlib.point(round(x * size_px), round(y * size_px)) for x, y in five]
    return dlib.full_object_detection(dlib.rectangle(0, 0, size_px, size_px), at)


def _missing() -> EmotalkError:
    return EmotalkError("dlib or its weights are not installed.", f"{install_line('identity')}.")
