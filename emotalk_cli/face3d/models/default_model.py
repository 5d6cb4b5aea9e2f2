"""Loads the default face model, the asset built by `tools/build_face_model`.

Its contours, left meaning the subject's left:

- `lips_outer_upper`, `lips_outer_lower`, `lips_inner_upper`, `lips_inner_lower`: from the right
  corner of the mouth to the left one, both included. The inner two touch at rest.
- `lid_upper_left`, `lid_lower_left`, `lid_upper_right`, `lid_lower_right`: the lids' margins, from
  the subject's right to the subject's left, both corners of the eye included.
- `pupil_left`, `iris_left`, `pupil_right`, `iris_right`: closed rings on the eyeballs,
  counter-clockwise seen from the front, starting at the subject's left.
- `face_oval`: 36 vertices, closed, clockwise in the picture from the forehead's middle.

`mouthClose` is made for an open jaw, as ARKit means it: keep its weight at or below jawOpen's.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.linear_model import FaceModel, split_arkit_units

DEFAULT_MODEL_PATH = Path(__file__).resolve().parents[2] / "assets" / "anny_head.npz"
FORMAT_VERSION = 1
"""Version 1: int16 offsets with one scale per direction, everything else as FaceModel names it,
contours as `contour_<name>`."""


@functools.cache
def load_default_face_model() -> FaceModel:
    """The default model, read once per process.

    Raises:
        EmotalkError: the asset is missing or damaged.

    """
    return read_face_model(DEFAULT_MODEL_PATH)


def read_face_model(path: Path) -> FaceModel:
    """Read a model from a file in this project's own format.

    Raises:
        EmotalkError: the file is missing, damaged or of another version.

    """
    advice = "Install emotalk again, or run `python -m tools.build_face_model` in its repository."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EmotalkError(f"The face model {path} cannot be read: {error}.", advice) from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        if int(arrays["format_version"]) != FORMAT_VERSION:
            found = int(arrays["format_version"])
            raise EmotalkError(
                f"The face model {path} has format {found}; this emotalk reads {FORMAT_VERSION}.",
                advice,
            )
        model = _from_arrays(arrays, hashlib.sha256(content).hexdigest())
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise EmotalkError(f"{path} holds no face model: {error}.", advice) from error
    model.check()
    return model


def _from_arrays(arrays: Mapping[str, NDArray[Any]], sha256: str) -> FaceModel:
    names = tuple(str(n) for n in arrays["expression_names"])
    return FaceModel(
        name=str(arrays["name"]),
        licence=str(arrays["licence"]),
        sha256=sha256,
        mean_vertices=arrays["mean_vertices"].astype(np.float32),
        triangles=arrays["triangles"].astype(np.int32),
        identity_basis=_dequantise(arrays["identity_basis"], arrays["identity_scale_m"]),
        expression_basis=_dequantise(arrays["expression_basis"], arrays["expression_scale_m"]),
        expression_names=names,
        unit_groups=split_arkit_units(names),
        landmark_triangles=arrays["landmark_triangles"].astype(np.int32),
        landmark_barycentric=arrays["landmark_barycentric"].astype(np.float32),
        landmark_is_contour=arrays["landmark_is_contour"].astype(np.bool_),
        triangle_parts=arrays["triangle_parts"].astype(np.int32),
        part_names=tuple(str(n) for n in arrays["part_names"]),
        contours={
            key.removeprefix("contour_"): value.astype(np.int32)
            for key, value in arrays.items()
            if key.startswith("contour_")
        },
        eye_centres_m=arrays["eye_centres_m"].astype(np.float32),
        eye_radius_m=float(arrays["eye_radius_m"]),
        iris_radius_m=float(arrays["iris_radius_m"]),
    )


def _dequantise(steps: NDArray[np.int16], scale_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, V, 3) int16 steps of (K,) metres each -> float32 metres."""
    return steps.astype(np.float32) * scale_m.astype(np.float32)[:, None, None]
