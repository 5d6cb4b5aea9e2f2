"""Where real faces carry MediaPipe's landmarks, beside where the model's pictures carry them.

The default model's landmarks were tied by running the landmarker on rendered heads. On photos the
same points lie up to a few millimetres elsewhere (brows, hairline, chin); the mean difference
over many people is measured by `tools/measure_landmark_offsets.py`, for one tie of the landmarks.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from emotalk_cli.face3d.linear_model import FaceModel

OFFSETS_PATH = Path(__file__).resolve().parents[1] / "assets" / "landmark_offsets.npz"


def landmark_offsets(model: FaceModel) -> NDArray[np.float32]:
    """What to add to a model's landmarks, (478, 3) m in model space; 0 where nothing was measured.

    Add them to `model.landmarks(...)` to find where a photo of that face shows the points.
    """
    tie, offsets = _measured()
    if tie == tie_digest(model):
        return offsets
    return np.zeros((len(model.landmark_triangles), 3), np.float32)


def tie_digest(model: FaceModel) -> str:
    """Hexadecimal sha256 of where on its mean face a model carries the landmarks."""
    neutral, _ = model.landmark_bases(np.zeros(len(model.identity_basis), np.float32))
    return hashlib.sha256(np.round(neutral * 1e5).astype("<i4").tobytes()).hexdigest()


@functools.cache
def _measured() -> tuple[str, NDArray[np.float32]]:
    """Digest of the tie for which the asset was measured, and its offsets."""
    if not OFFSETS_PATH.is_file():
        return "", np.zeros((0, 3), np.float32)
    with np.load(OFFSETS_PATH, allow_pickle=False) as stored:
        return str(stored["tie"]), stored["offset_m"].astype(np.float32)
