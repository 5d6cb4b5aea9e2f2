"""Loads the Basel Face Model: 2009 with an expression basis (.mat), 2017 and 2019 (.h5).

2009: Paysan et al., "A 3D face model for pose and illumination invariant face recognition", AVSS
2009, with the expressions of Guo et al., "CNN-based real-time dense face reconstruction with
inverse-rendered photo-realistic face images", TPAMI 2019, as in `BFM_model_front.mat` of Deng et
al.'s Deep3DFaceReconstruction (decimetres), or as in 3DDFA's `Model_Shape.mat` with `Model_Exp.mat`
beside it (micrometres). 2017 and 2019: Gerig et al., "Morphable face models - an open framework",
FG 2018 (millimetres). All have x to the subject's left, y up, z out of the face, no eyeballs, and
signed principal components as expressions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.foreign_face import MAX_IDENTITY, ForeignFace, brought_home
from emotalk_cli.face3d.models.ibug import IBUG_TO_MEDIAPIPE
from emotalk_cli.face3d.models.linear_model import FaceModel

DECIMETRES, MICROMETRES, MILLIMETRES = 0.1, 1e-6, 1e-3
LICENCE = "Basel Face Model, University of Basel, by its licence; from the user's own file."
ADVICE = (
    "Give BFM_model_front.mat, Model_Shape.mat with Model_Exp.mat beside it, or a BFM 2017 or 2019 "
    ".h5 with expressions: --face-model bfm:FILE."
)
EXPRESSION_FILES = ("Model_Exp.mat", "Model_Expression.mat")
ORTHONORMAL_TOLERANCE = 0.05
H5_NAMES = (
    "shape/model/mean",
    "shape/model/pcaBasis",
    "shape/model/pcaVariance",
    "shape/representer/cells",
    "expression/model/mean",
    "expression/model/pcaBasis",
    "expression/model/pcaVariance",
)


@dataclass(frozen=True)
class _Raw:
    """Arrays as the file has them: mean (3V,), bases (3V, K) per sd, triangles (F, 3) from 0."""

    name: str
    unit_m: float
    mean: NDArray[Any]
    identity: NDArray[Any]
    expression: NDArray[Any]
    triangles: NDArray[Any]
    keypoints: NDArray[Any]
    note: str


def load_bfm_model(file: str) -> FaceModel:
    """The Basel Face Model in `file`.

    Raises:
        EmotalkError: the file is missing, damaged, of an unknown layout, or has no expressions.

    """
    path = Path(file)
    if not path.is_file():
        raise EmotalkError(f"There is no file {path}.", ADVICE)
    raw = _from_h5(path) if path.suffix in (".h5", ".hdf5") else _from_mat(path)
    count = len(raw.mean) // 3
    triangles = raw.triangles.astype(np.int32)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles):
        raise EmotalkError(f"{path} has triangles of shape {triangles.shape}.", ADVICE)
    if triangles.min() < 0 or triangles.max() >= count:
        raise EmotalkError(f"{path} has triangles of vertices that are not there.", ADVICE)
    vertices = (raw.mean.reshape(-1, 3) * raw.unit_m).astype(np.float32)
    face = ForeignFace(
        name=raw.name,
        licence=LICENCE,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        vertices=vertices,
        triangles=_outward(vertices, triangles),
        identity=_directions(path, raw.identity[:, :MAX_IDENTITY], count, raw.unit_m),
        units=np.zeros((0, count, 3), np.float32),
        unit_names=(),
        components=_directions(path, raw.expression, count, raw.unit_m),
        skin=np.ones(len(triangles), bool),
        anchors=_anchors(raw.keypoints, vertices),
        notes=_notes(raw),
    )
    return brought_home(face)


def _notes(raw: _Raw) -> tuple[str, ...]:
    notes = [raw.note, "The Basel Face Model has no eyeballs, so no gaze; it names no units."]
    there = raw.identity.shape[1]
    if there > MAX_IDENTITY:
        notes.append(f"The first {MAX_IDENTITY} of {there} identity directions.")
    return tuple(notes)


def _from_mat(path: Path) -> _Raw:
    """BFM 2009, in the layout of Deep3DFaceReconstruction or of 3DDFA."""
    stored = _read_mat(path)
    if {"meanshape", "idBase", "exBase", "tri"} <= set(stored):
        return _Raw(
            "bfm2009-front",
            DECIMETRES,
            stored["meanshape"].ravel(),
            stored["idBase"],
            stored["exBase"],
            stored["tri"].astype(np.int64) - 1,
            stored.get("keypoints", np.zeros(0)).ravel().astype(np.int64) - 1,
            "BFM 2009, front, with the expressions of Guo et al.: decimetres.",
        )
    if {"mu_shape", "w", "sigma", "tri"} <= set(stored):
        return _from_3ddfa(path, stored)
    if {"shapeMU", "shapePC", "shapeEV"} <= set(stored):
        raise EmotalkError(
            f"{path} is the Basel Face Model 2009 as published: it has no expressions.",
            "Make BFM_model_front.mat of it with transferBFM09 of Deep3DFaceRecon_pytorch.",
        )
    names = ", ".join(sorted(stored)[:8])
    raise EmotalkError(f"{path} is no Basel Face Model that is known; it has {names}.", ADVICE)


def _from_3ddfa(path: Path, shape: Mapping[str, NDArray[Any]]) -> _Raw:
    beside = next((path.parent / n for n in EXPRESSION_FILES if (path.parent / n).is_file()), None)
    if beside is None:
        raise EmotalkError(
            f"{path} has identities alone, and there is no {EXPRESSION_FILES[0]} beside it.", ADVICE
        )
    expression = _read_mat(beside)
    if not {"w_exp", "mu_exp", "sigma_exp"} <= set(expression):
        raise EmotalkError(f"{beside} has no w_exp, mu_exp and sigma_exp.", ADVICE)
    triangles = shape["tri"]
    triangles = triangles.T if triangles.shape[0] == 3 else triangles
    return _Raw(
        "bfm2009-3ddfa",
        MICROMETRES,
        shape["mu_shape"].ravel() + expression["mu_exp"].ravel(),
        shape["w"] * shape["sigma"].reshape(1, -1),
        expression["w_exp"] * expression["sigma_exp"].reshape(1, -1),
        triangles.astype(np.int64) - 1,
        shape.get("keypoints", np.zeros(0)).ravel().astype(np.int64) - 1,
        "BFM 2009 with the expressions of 3DDFA: micrometres.",
    )


def _read_mat(path: Path) -> dict[str, NDArray[Any]]:
    """Numerical arrays of a MATLAB file, format 5."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        stored = loadmat(path)
    except NotImplementedError as error:
        raise EmotalkError(
            f"{path} is a MATLAB file of version 7.3.", "Save it again with `save -v7`."
        ) from error
    except (OSError, ValueError, TypeError, MatReadError) as error:
        raise EmotalkError(f"{path} is no MATLAB file: {error}.", ADVICE) from error
    return {
        name: value
        for name, value in stored.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    }


def _from_h5(path: Path) -> _Raw:
    """BFM 2017 or 2019, in statismo's layout."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = {name: file[name][()] for name in H5_NAMES if name in file}
    except (OSError, TypeError, AttributeError) as error:
        raise EmotalkError(f"{path} is no HDF5 file of arrays: {error}.", ADVICE) from error
    missing = [name for name in H5_NAMES if name not in arrays]
    if missing:
        what = "has no expressions" if missing[0].startswith("expression") else "is no face model"
        raise EmotalkError(f"{path} {what}: there is no {missing[0]} in it.", ADVICE)
    mean, basis, variance, cells, extra, units, spread = (arrays[name] for name in H5_NAMES)
    return _Raw(
        name="bfm2017",
        unit_m=MILLIMETRES,
        mean=mean.ravel() + extra.ravel(),
        identity=_per_sd(basis, variance),
        expression=_per_sd(units, spread),
        triangles=cells.T if cells.shape[0] == 3 else cells,
        keypoints=np.zeros(0, np.int64),
        note="BFM 2017 or 2019: millimetres.",
    )


def _per_sd(basis: NDArray[Any], variance: NDArray[Any]) -> NDArray[Any]:
    """A basis (3V, K) per standard deviation; statismo's older versions scale it already."""
    length = np.linalg.norm(basis, axis=0)
    if np.abs(length - 1.0).max() < ORTHONORMAL_TOLERANCE:
        return np.asarray(basis * np.sqrt(np.maximum(variance.ravel(), 0.0)))
    return basis


def _directions(path: Path, basis: NDArray[Any], count: int, unit_m: float) -> NDArray[np.float32]:
    """A basis (3V, K) in the file's unit -> directions (K, V, 3) m."""
    if basis.ndim != 2 or len(basis) != 3 * count or not basis.shape[1]:
        raise EmotalkError(
            f"{path} has a basis of shape {basis.shape} for {count} vertices.", ADVICE
        )
    scaled = np.ascontiguousarray(basis.T, np.float32).reshape(-1, count, 3) * np.float32(unit_m)
    return np.asarray(scaled, np.float32)


def _outward(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Triangles counter-clockwise seen from outside: most of a face's skin looks forward."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    forward = float(np.cross(b - a, c - a)[:, 2].sum())
    return triangles if forward > 0 else np.ascontiguousarray(triangles[:, ::-1])


def _anchors(
    keypoints: NDArray[Any], vertices: NDArray[np.float32]
) -> dict[int, NDArray[np.float64]]:
    """Places of the file's 68 iBUG points, as MediaPipe's points; none where it has others."""
    if len(keypoints) != 68 or keypoints.min() < 0 or keypoints.max() >= len(vertices):
        return {}
    places = vertices[keypoints].astype(np.float64)
    return {mark: places[k] for k, mark in IBUG_TO_MEDIAPIPE.items()}
