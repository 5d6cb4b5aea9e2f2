"""Loads ICT-FaceKit's "Face Model Light" from its folder of OBJ files.

Li et al., "Learning formation of physically-based face attributes", CVPR 2020. The meshes are in
centimetres, x to the subject's left, y up, z out of the face. `generic_neutral_mesh.obj` is the
mean face, `identityNNN.obj` the mean plus one standard deviation of a direction, `NAME.obj` the
mean with one unit at 1; units are ARKit's with `_L` and `_R` at their end, except that browInnerUp
and cheekPuff have two sides and there is no tongueOut.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.foreign_face import ForeignFace, brought_home
from emotalk_cli.face3d.models.ibug import IBUG_TO_MEDIAPIPE
from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.face3d.models.obj_file import ObjMesh, read_obj, read_obj_vertices

METRES = 0.01
NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"
IDENTITIES = 100
IRIS_RADIUS_M = 0.006
"""Of people; the meshes do not mark the iris's edge."""
LICENCE = (
    "ICT Face Model Light, MIT, Copyright (c) 2020 USC Institute for Creative Technologies; "
    "from the user's own files."
)
PARTS = {
    "M_Face": "skin",
    "M_BackHead": "scalp",
    "M_GumsTongue": "gums",
    "M_Teeth": "teeth_upper",
    "M_ScleraLeft": "eye_left",
    "M_IrisLeft": "eye_left",
    "M_ScleraRight": "eye_right",
    "M_IrisRight": "eye_right",
}
"""Materials and the parts they are; the other materials are transparent shells before the eyes and
lashes, which are left out."""
SIDED_UNITS = (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown",
    "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown",
    "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
WHOLE_UNITS = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper",
)  # fmt: skip
UNITS = tuple(sorted((*WHOLE_UNITS, *(f"{n}_{side}" for n in SIDED_UNITS for side in "LR"))))


def load_ict_model(folder: str) -> FaceModel:
    """The ICT face model in `folder`; identities and units that are not there are noted.

    Raises:
        EmotalkError: the folder holds no neutral mesh or no unit, or a file is damaged.

    """
    place = Path(folder)
    neutral_file = place / NEUTRAL
    if not neutral_file.is_file():
        raise EmotalkError(
            f"{place} holds no {NEUTRAL}.",
            "Give the folder FaceXModel of ICT-FaceKit: --face-model ict:DIR.",
        )
    mesh = read_obj(neutral_file)
    units = [name for name in UNITS if (place / f"{name}.obj").is_file()]
    identities = sorted(place.glob("identity[0-9][0-9][0-9].obj"))
    if not units:
        raise EmotalkError(
            f"{place} holds no unit of the face, such as jawOpen.obj.",
            "Copy all OBJ files of FaceXModel into one folder.",
        )
    mesh, parts, part_names = _parts(mesh)
    files = [*identities, *(place / f"{name}.obj" for name in units)]
    offsets = _offsets(mesh, files)
    face = ForeignFace(
        name="ict",
        licence=LICENCE,
        sha256=_digest([neutral_file, *files]),
        vertices=(mesh.vertices * METRES).astype(np.float32),
        triangles=mesh.triangles,
        identity=offsets[: len(identities)],
        units=offsets[len(identities) :],
        unit_names=tuple(_arkit_name(name) for name in units),
        components=np.zeros((0, len(mesh.vertices), 3), np.float32),
        skin=parts == part_names.index("skin"),
        triangle_parts=parts,
        part_names=part_names,
        anchors=_anchors(place / INDICES, mesh.vertices * METRES),
        iris_radius_m=IRIS_RADIUS_M,
        notes=_notes(units, len(identities)),
    )
    return brought_home(face)


def _parts(mesh: ObjMesh) -> tuple[ObjMesh, NDArray[np.int32], tuple[str, ...]]:
    """The mesh without its transparent shells, and the part of each triangle."""
    names = [PARTS.get(material, "") for material in mesh.materials]
    if "skin" not in names:
        raise EmotalkError(
            f"The neutral mesh has no material M_Face; it has {', '.join(mesh.materials)}.",
            "Use the OBJ files as ICT-FaceKit gives them.",
        )
    part_names = tuple(sorted(set(filter(None, names))))
    of_material = np.array([part_names.index(n) if n else -1 for n in names], np.int32)
    parts = of_material[mesh.triangle_materials]
    kept = parts >= 0
    solid = ObjMesh(
        mesh.vertices, mesh.triangles[kept], mesh.triangle_materials[kept], mesh.materials
    )
    return solid, parts[kept], part_names


def _offsets(mesh: ObjMesh, files: Sequence[Path]) -> NDArray[np.float32]:
    count = len(mesh.vertices)
    offsets = np.zeros((len(files), count, 3), np.float32)
    for k, path in enumerate(files):
        offsets[k] = (read_obj_vertices(path, count) - mesh.vertices) * METRES
    return offsets


def _anchors(path: Path, vertices: NDArray[np.float64]) -> dict[int, NDArray[np.float64]]:
    """Places of the 68 iBUG points that the folder names, as MediaPipe's points."""
    try:
        indices: Any = json.loads(path.read_text(encoding="utf-8"))["idx_to_landmark_verts"]
        places = vertices[np.asarray(indices, np.int64)]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}
    return {mark: places[k] for k, mark in IBUG_TO_MEDIAPIPE.items() if k < len(places)}


def _arkit_name(name: str) -> str:
    return name.replace("_L", "Left").replace("_R", "Right")


def _digest(files: Sequence[Path]) -> str:
    """One sha256 for the names and contents of all files."""
    whole = hashlib.sha256()
    for path in files:
        whole.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _notes(units: Sequence[str], identities: int) -> tuple[str, ...]:
    notes = ["ICT-FaceKit: centimetres, ARKit's units in 0..1, split by their names."]
    missing = [name for name in UNITS if name not in units]
    if missing:
        shown = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
        notes.append(f"The folder lacks {len(missing)} of {len(UNITS)} units: {shown}.")
    if identities < IDENTITIES:
        notes.append(f"The folder has {identities} of {IDENTITIES} identity directions.")
    return tuple(notes)
