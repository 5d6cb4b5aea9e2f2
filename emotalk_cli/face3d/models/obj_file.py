"""Reads Wavefront OBJ files: vertices, polygons as triangles, materials."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

MAX_BYTES = 512 << 20
ADVICE = "Get the file again from where it came from."


@dataclass(frozen=True)
class ObjMesh:
    """One mesh: vertices (V, 3) float64 in the file's unit, triangles (F, 3) int32, and for each
    triangle the index (F,) of its material in `materials`.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    triangle_materials: NDArray[np.int32]
    materials: tuple[str, ...]


def read_obj(path: Path) -> ObjMesh:
    """The mesh in an OBJ file, each polygon split into a fan of triangles.

    Raises:
        EmotalkError: the file is missing, no OBJ, or its polygons name vertices that are not there.

    """
    lines = _lines(path)
    vertices = _vertices(path, lines)
    corners: list[tuple[int, int, int]] = []
    labels: list[int] = []
    materials: dict[str, int] = {}
    label = materials.setdefault("", 0)
    for line in lines:
        if line.startswith("usemtl "):
            label = materials.setdefault(line[7:].strip(), len(materials))
        elif line.startswith("f "):
            polygon = _polygon(path, line, len(vertices))
            for b, c in itertools.pairwise(polygon[1:]):
                corners.append((polygon[0], b, c))
                labels.append(label)
    if not corners:
        raise EmotalkError(f"{path} holds no polygons.", ADVICE)
    triangles = np.asarray(corners, np.int32)
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise EmotalkError(f"{path} has polygons of vertices that are not there.", ADVICE)
    return ObjMesh(vertices, triangles, np.asarray(labels, np.int32), tuple(materials))


def read_obj_vertices(path: Path, count: int) -> NDArray[np.float64]:
    """The vertices (count, 3) of an OBJ file alone.

    Raises:
        EmotalkError: the file is missing, no OBJ, or has another number of vertices.

    """
    vertices = _vertices(path, _lines(path))
    if len(vertices) != count:
        raise EmotalkError(
            f"{path} has {len(vertices)} vertices, not {count} like the neutral mesh.", ADVICE
        )
    return vertices


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EmotalkError(f"{path} has more than {MAX_BYTES >> 20} MiB.", ADVICE)
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise EmotalkError(f"{path} cannot be read: {error.strerror}.", "Check it.") from error


def _vertices(path: Path, lines: list[str]) -> NDArray[np.float64]:
    rows = [line[2:] for line in lines if line.startswith("v ")]
    columns = len(rows[0].split()) if rows else 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what is no number ends in a mere warning
            numbers = np.fromstring("\n".join(rows), np.float64, sep=" ")
        # Some programs write a fourth number or colours behind the place.
        vertices = numbers.reshape(len(rows), columns)[:, :3]
    except (ValueError, DeprecationWarning) as error:
        raise EmotalkError(f"{path} is no OBJ mesh: {error}.", ADVICE) from error
    if vertices.shape[1:] != (3,) or not len(rows) or not np.isfinite(vertices).all():
        raise EmotalkError(f"{path} is no OBJ mesh: it has no sound vertices.", ADVICE)
    return np.ascontiguousarray(vertices)


def _polygon(path: Path, line: str, count: int) -> list[int]:
    """Vertices of one polygon, from 0; OBJ counts from 1, and from the end by negative numbers."""
    try:
        indices = [int(corner.partition("/")[0]) for corner in line.split()[1:]]
    except ValueError as error:
        raise EmotalkError(f"{path} has a damaged polygon: {line[:40]}.", ADVICE) from error
    return [i - 1 if i > 0 else count + i for i in indices]
