"""glTF 2.0: a head with the face units as morph targets, and a motion as its animation.

A binary glTF (.glb) as Khronos specifies it, version 2.0: one mesh of one primitive per part, all
over the same vertices; `extras.targetNames` carries the units' names, as Blender and three.js
expect; the node turns and shifts with the head. Metres, y up, the face towards +z.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.safe_files import atomic_path

Float = NDArray[np.float32]

FLOAT, UNSIGNED_INT = 5126, 5125
ARRAY_BUFFER, ELEMENT_BUFFER = 34962, 34963
GLB_MAGIC, GLB_VERSION = 0x46546C67, 2
CHUNK_JSON, CHUNK_BINARY = 0x4E4F534A, 0x004E4942
SKIN = (0.62, 0.37, 0.28)
COLOURS: Mapping[str, tuple[float, float, float]] = {
    "teeth": (0.86, 0.83, 0.76),
    "tongue": (0.45, 0.15, 0.15),
    "lips": (0.46, 0.20, 0.18),
    "pupil": (0.01, 0.01, 0.01),
    "iris": (0.12, 0.06, 0.03),
    "socket": (0.40, 0.20, 0.17),
    "eye": (0.85, 0.83, 0.81),
    "gums": (0.40, 0.14, 0.14),
    "mouth": (0.25, 0.07, 0.07),
}
"""Linear base colour of a part by what its name contains; everything else is skin."""
ROUGHNESS: Mapping[str, float] = {"eye": 0.2, "iris": 0.2, "pupil": 0.2, "teeth": 0.3}


@dataclass
class _Buffer:
    """Bytes of the binary chunk, with the views and accessors that read them."""

    content: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, values: NDArray[Any], kind: str, target: int | None = None, *, bounds: bool = False
    ) -> int:
        """Append (N,) or (N, C) values as an accessor of a `kind` such as VEC3; its index."""
        packed = np.ascontiguousarray(
            values, np.uint32 if values.dtype.kind in "iu" else np.float32
        )
        view: dict[str, Any] = {
            "buffer": 0, "byteOffset": len(self.content), "byteLength": packed.nbytes,
        }  # fmt: skip
        if target is not None:
            view["target"] = target
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": UNSIGNED_INT if packed.dtype == np.uint32 else FLOAT,
            "count": len(packed),
            "type": kind,
        }
        if bounds:
            rows = packed.reshape(len(packed), -1)
            accessor["min"] = [float(value) for value in rows.min(axis=0)]
            accessor["max"] = [float(value) for value in rows.max(axis=0)]
        self.content += packed.tobytes()  # every component is 4 bytes long, so all stay aligned
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(
    path: Path,
    model: FaceModel,
    shape: Float,
    expression: Float,
    head_pose_delta: Float,
    fps: float,
    generator: str,
) -> None:
    """Write a person of `shape` (S,), moved by `expression` (T, E) in 0..1 of the model's units.

    `head_pose_delta` (T, 6): rotation vector (rad) and shift (m) of the head from its rest.
    """
    buffer = _Buffer()
    parts = _parts(model)
    mesh = _mesh(buffer, model, parts, shape, expression[0])
    document = {
        "asset": {"version": "2.0", "generator": generator, "copyright": model.licence},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "head", "mesh": 0}],
        "meshes": [mesh],
        "materials": [_material(name) for name in parts],
        "animations": [_animation(buffer, expression, head_pose_delta, fps)],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.content)}],
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(_packed(document, bytes(buffer.content)))


def _mesh(
    buffer: _Buffer,
    model: FaceModel,
    parts: Mapping[str, NDArray[np.int32]],
    shape: Float,
    first: Float,
) -> dict[str, Any]:
    neutral = model.neutral(shape)
    attributes = {
        "POSITION": buffer.add(neutral, "VEC3", ARRAY_BUFFER, bounds=True),
        "NORMAL": buffer.add(_normals(neutral, model.triangles), "VEC3", ARRAY_BUFFER),
    }
    targets = [
        {"POSITION": buffer.add(offsets, "VEC3", ARRAY_BUFFER, bounds=True)}
        for offsets in model.unit_offsets(shape)
    ]
    primitives = [
        {
            "attributes": attributes,
            "indices": buffer.add(triangles.reshape(-1), "SCALAR", ELEMENT_BUFFER),
            "material": material,
            "targets": targets,
        }
        for material, triangles in enumerate(parts.values())
    ]
    return {
        "name": model.name,
        "primitives": primitives,
        "weights": [float(value) for value in first],
        "extras": {"targetNames": list(model.expression_names)},
    }


def _animation(buffer: _Buffer, expression: Float, delta: Float, fps: float) -> dict[str, Any]:
    from scipy.spatial.transform import Rotation

    times = np.arange(len(expression), dtype=np.float32) / np.float32(fps)
    clock = buffer.add(times, "SCALAR", bounds=True)
    quaternions = Rotation.from_rotvec(delta[:, :3]).as_quat()
    # The shorter way from frame to frame: q and -q are the same rotation.
    flips = np.sign((quaternions[1:] * quaternions[:-1]).sum(axis=1))
    quaternions[1:] *= np.cumprod(np.where(flips < 0, -1.0, 1.0))[:, None]
    outputs = {
        "weights": buffer.add(expression.reshape(-1), "SCALAR"),
        "rotation": buffer.add(quaternions, "VEC4"),
        "translation": buffer.add(delta[:, 3:], "VEC3"),
    }
    return {
        "name": "motion",
        "samplers": [
            {"input": clock, "output": output, "interpolation": "LINEAR"}
            for output in outputs.values()
        ],
        "channels": [
            {"sampler": n, "target": {"node": 0, "path": name}} for n, name in enumerate(outputs)
        ],
    }


def _material(part: str) -> dict[str, Any]:
    word = next((word for word in COLOURS if word in part), "")
    return {
        "name": part,
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*COLOURS.get(word, SKIN), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": ROUGHNESS.get(word, 0.6),
        },
    }


def _parts(model: FaceModel) -> dict[str, NDArray[np.int32]]:
    """Name of a part -> its triangles (N, 3); eyes fall into white, iris and pupil."""
    if not len(model.triangle_parts):
        return {"skin": model.triangles}
    parts = {name: model.part_triangles(name) for name in model.part_names}
    for side, centre in zip(("left", "right"), model.eye_centres_m, strict=False):
        ball = parts.get(f"eye_{side}")
        rings = [model.contours.get(f"{ring}_{side}") for ring in ("iris", "pupil")]
        if ball is None or rings[0] is None or rings[1] is None:
            continue
        offset = model.mean_vertices - centre
        off_axis = np.where(offset[:, 2] > 0, np.hypot(offset[:, 0], offset[:, 1]), np.inf)
        inside = off_axis[ball].mean(axis=1)
        iris, pupil = (float(off_axis[ring].mean()) for ring in rings if ring is not None)
        parts[f"eye_{side}"] = ball[inside > iris]
        parts[f"iris_{side}"] = ball[(inside <= iris) & (inside > pupil)]
        parts[f"pupil_{side}"] = ball[inside <= pupil]
    return {name: triangles for name, triangles in parts.items() if len(triangles)}


def _normals(vertices: Float, triangles: NDArray[np.int32]) -> Float:
    """Unit normals (V, 3): the mean of the faces around a vertex, weighted by their areas."""
    corners = vertices[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    towards_viewer = np.array([0.0, 0.0, 1.0], np.float32)
    safe = np.where(length > 0, normals / np.maximum(length, 1e-20), towards_viewer)
    return np.asarray(safe, np.float32)


def _packed(document: Mapping[str, Any], binary: bytes) -> bytes:
    """The two chunks of a .glb, each padded to whole words."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        [
            struct.pack("<III", GLB_MAGIC, GLB_VERSION, length),
            struct.pack("<II", len(text), CHUNK_JSON),
            text,
            struct.pack("<II", len(binary), CHUNK_BINARY),
            binary,
        ]
    )
