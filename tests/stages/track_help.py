"""Tracks of the default face model for the tests of stages."""

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.schema import FaceTrack, Labels, MadeBy


def track_of(
    units: dict[str, NDArray[np.float64]], pose: NDArray[np.float32], labels: Labels
) -> FaceTrack:
    """A track whose units (name -> (T,)) move and whose other units rest; `pose` (T, 6)."""
    model = load_default_face_model()
    expression = np.zeros((len(pose), len(model.expression_names)), np.float32)
    for name, values in units.items():
        expression[:, model.expression_names.index(name)] = values
    return FaceTrack(
        made_by=MadeBy("test", "0"),
        shape=np.zeros(len(model.identity_basis), np.float32),
        expression=expression,
        head_pose=pose,
        camera=np.array([500, 128, 128, 256, 256], np.float32),
        residual_px=np.zeros(len(pose), np.float32),
        valid=np.ones(len(pose), bool),
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=model.expression_names,
        fps=25.0,
        labels=labels,
    )
