"""Ties MediaPipe's 478 landmarks to the mesh of another face model, once per model.

They are carried over from the default head, whose own tie was measured with the landmarker; where
the model's file knows some of them itself, it is believed. The result is kept in the user's cache
folder, named by everything that it depends on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.fitting.basis import vertex_normals
from emotalk_cli.face3d.fitting.landmark_offsets import landmark_offsets
from emotalk_cli.face3d.fitting.points import IRIS_LEFT, IRIS_RIGHT, POINTS, inter_ocular
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.face3d.models.registration import Registered, Target, Template, register
from emotalk_cli.safe_files import atomic_path

Double = NDArray[np.float64]

REVISION = 1
"""Counts the changes of the tie that change its results."""
NEAR_M = 0.012
"""Skin this near to a landmark is laid over the other mesh."""
JAW_UNIT = "jawOpen"
STORED = ("triangles", "barycentric", "rotation", "translation", "error_m")


@dataclass(frozen=True)
class Surface:
    """The mesh to tie to, m: vertices (V, 3), the triangles (F, 3) of its skin and of its
    eyeballs, each with its number in the whole mesh, and what expressions add (K, V, 3).
    """

    vertices: Double
    skin: NDArray[np.int32]
    skin_numbers: NDArray[np.int32]
    eyes: NDArray[np.int32]
    eye_numbers: NDArray[np.int32]
    motions: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        vertices: NDArray[np.float32],
        triangles: NDArray[np.int32],
        skin: NDArray[np.bool_],
        eyes: NDArray[np.bool_],
        motions: NDArray[np.float32],
    ) -> Surface:
        """From a whole mesh and masks (F,) of its skin and its eyeballs."""
        outer, balls = (np.flatnonzero(mask).astype(np.int32) for mask in (skin, eyes))
        return cls(
            vertices.astype(np.float64), triangles[outer], outer, triangles[balls], balls, motions
        )


@dataclass(frozen=True)
class Tie:
    """Where the landmarks lie: triangles (478,) and barycentric (478, 3); is_contour (478,).

    rotation (3, 3) and translation (3,) m take the default head's axes and origin into the mesh;
    inter_ocular_m is measured on the mesh, error_m is what the default head's skin leaves.
    """

    triangles: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    is_contour: NDArray[np.bool_]
    rotation: Double
    translation: Double
    inter_ocular_m: float
    error_m: float


def tied(surface: Surface, anchors: Mapping[int, Double]) -> Tie:
    """The tie of the landmarks to this surface, from the cache where it was made before.

    anchors: indices of landmarks -> their places (3,) m on the mesh, as the model's file says.
    """
    default = load_default_face_model()
    path = _cache_file(surface, anchors, default)
    stored = _read(path)
    if stored is None:
        stored = _made(surface, anchors, default)
        with contextlib.suppress(EmotalkError):  # a full or closed disk: made again next time
            _write(stored, path)
    triangles, barycentric = stored["triangles"], stored["barycentric"]
    mesh = np.concatenate([surface.skin, surface.eyes])
    numbers = np.concatenate([surface.skin_numbers, surface.eye_numbers])
    places = (surface.vertices[mesh[triangles]] * barycentric[..., None]).sum(axis=1)
    return Tie(
        triangles=numbers[triangles],
        barycentric=barycentric,
        is_contour=default.landmark_is_contour,
        rotation=stored["rotation"],
        translation=stored["translation"],
        inter_ocular_m=float(inter_ocular(places.astype(np.float32))),
        error_m=float(stored["error_m"]),
    )


def _made(
    surface: Surface, anchors: Mapping[int, Double], default: FaceModel
) -> dict[str, NDArray[Any]]:
    """Triangle of the skin, then of the eyes, and barycentric weights of each landmark."""
    template = _template(default)
    target = Target(surface.vertices, surface.skin)
    laid = register(template, target, anchors, surface.motions.astype(np.float64))
    points, normals = _landmarks(laid, template, anchors)
    jaw = template.jaw[:POINTS] if target.jaw.any() else None
    triangles, weights, _ = target.closest(points, normals, jaw)
    if anchors:  # the file says where: whichever way the surface looks
        told = np.array(sorted(anchors))
        triangles[told], weights[told], _ = target.closest(points[told], np.zeros((len(told), 3)))
    if len(surface.eyes):
        irises = [*IRIS_RIGHT, *IRIS_LEFT]
        balls = Target(surface.vertices, surface.eyes)
        found, share, _ = balls.closest(points[irises], normals[irises])
        triangles[irises], weights[irises] = found + len(surface.skin), share
    barycentric = weights.astype(np.float32)
    return {
        "triangles": triangles,
        "barycentric": barycentric / barycentric.sum(axis=1, keepdims=True),
        "rotation": laid.rotation,
        "translation": laid.translation,
        "error_m": np.array(laid.error_m),
    }


def _landmarks(
    laid: Registered, template: Template, anchors: Mapping[int, Double]
) -> tuple[Double, Double]:
    """Places and normals (478, 3) of the landmarks on the mesh, the file's own where it has any."""
    points = laid.points[:POINTS].copy()
    for index, place in anchors.items():
        points[index] = place
    return points, template.normals[:POINTS] @ laid.rotation.T


def _template(default: FaceModel) -> Template:
    """The default head's landmarks, where the landmarker sees them on people, and its skin."""
    vertices = default.mean_vertices
    normals = vertex_normals(vertices, default.triangles)
    skin = np.unique(default.part_triangles("skin", "lips"))
    marks = default.at_landmarks(vertices)
    gaps = np.linalg.norm(vertices[skin][:, None] - marks[None], axis=-1).min(axis=1)
    near = skin[gaps < NEAR_M]
    jaw = default.expression_basis[default.unit_index(JAW_UNIT)]

    def at(values: NDArray[np.float32]) -> Double:
        both = [default.at_landmarks(values), values[..., near, :]]
        return np.concatenate(both, axis=-2).astype(np.float64)

    points = at(vertices)
    points[:POINTS] += landmark_offsets(default).offset_m
    looks = at(normals)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    drop = -at(jaw)[:, 1]
    return Template(points, looks, drop / drop.max(), at(default.identity_basis))


def cache_folder() -> Path:
    """Where results that can be made again are kept: $XDG_CACHE_HOME or ~/.cache, emotalk."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "emotalk"


def _cache_file(surface: Surface, anchors: Mapping[int, Double], default: FaceModel) -> Path:
    digest = hashlib.sha256(f"{REVISION} {default.sha256}".encode())
    digest.update(landmark_offsets(default).offset_m.tobytes())
    for array in (surface.vertices, surface.skin, surface.eyes, surface.motions):
        digest.update(np.ascontiguousarray(array).tobytes())
    for index in sorted(anchors):
        digest.update(f"{index}".encode() + np.asarray(anchors[index], np.float64).tobytes())
    return cache_folder() / "landmark_ties" / f"{digest.hexdigest()}.npz"


def _write(stored: Mapping[str, NDArray[Any]], path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **stored)


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """What was kept, or None where nothing sound is there."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in STORED}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
