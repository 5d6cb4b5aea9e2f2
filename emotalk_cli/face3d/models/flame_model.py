"""Loads FLAME 2020 and 2023 from the user's pickle or npz file.

Li, Bolkart, Black, Li and Romero, "Learning a model of facial shape and expression from 4D scans",
SIGGRAPH Asia 2017. Metres, x to the subject's left, y up, z out of the face. FLAME turns jaw and
eyes by joints (linear blend skinning with pose correctives); a linear model holds such a turn as
the displacement at its end, at the mean shape. Its expressions are principal components, signed.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import rotation_matrix
from emotalk_cli.face3d.models.foreign_face import ForeignFace, brought_home
from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.face3d.models.restricted_pickle import read_pickled_arrays

Arrays = Mapping[str, NDArray[Any]]

IDENTITIES = 300
"""The first so many of `shapedirs` are identity, the others expression."""
JOINTS = {"jaw": 2, "left": 3, "right": 4}
JAW_OPEN_RAD, JAW_SIDE_RAD, LOOK_RAD = 0.4, 0.12, 0.5
TURNS = {
    "jawOpen": ("jaw", (JAW_OPEN_RAD, 0.0, 0.0)),
    "jawLeft": ("jaw", (0.0, JAW_SIDE_RAD, 0.0)),
    "jawRight": ("jaw", (0.0, -JAW_SIDE_RAD, 0.0)),
    "eyeLookDownLeft": ("left", (LOOK_RAD, 0.0, 0.0)),
    "eyeLookDownRight": ("right", (LOOK_RAD, 0.0, 0.0)),
    "eyeLookInLeft": ("left", (0.0, -LOOK_RAD, 0.0)),
    "eyeLookInRight": ("right", (0.0, LOOK_RAD, 0.0)),
    "eyeLookOutLeft": ("left", (0.0, LOOK_RAD, 0.0)),
    "eyeLookOutRight": ("right", (0.0, -LOOK_RAD, 0.0)),
    "eyeLookUpLeft": ("left", (-LOOK_RAD, 0.0, 0.0)),
    "eyeLookUpRight": ("right", (-LOOK_RAD, 0.0, 0.0)),
}
"""Units that are a joint's turn, as rotation vectors in rad: jaw and gaze."""
PARTS = ("skin", "eye_left", "eye_right")
IRIS_RADIUS_M = 0.006
EMBEDDING = "mediapipe_landmark_embedding.npz"
LICENCE = (
    "FLAME, Max Planck Institute for Intelligent Systems, by its licence; the user's own file."
)
ADVICE = "Give FLAME's generic_model.pkl or flame2023.pkl: --face-model flame:FILE."


def load_flame_model(file: str) -> FaceModel:
    """The FLAME model in `file`, a pickle of arrays or an npz with the same names.

    MediaPipe's embedding is taken from mediapipe_landmark_embedding.npz where it lies beside.

    Raises:
        EmotalkError: the file is missing or damaged, no FLAME, or a pickle of more than arrays.

    """
    path = Path(file)
    arrays = _read(path)
    vertices, triangles = arrays["v_template"].astype(np.float32), arrays["f"].astype(np.int32)
    _require_flame(path, arrays, len(vertices))
    directions = np.moveaxis(arrays["shapedirs"], 2, 0).astype(np.float32)
    identities = IDENTITIES if len(directions) > IDENTITIES else len(directions) * 3 // 4
    parts = _parts(arrays["weights"], triangles)
    anchors = _anchors(path.parent / EMBEDDING, vertices, triangles)
    face = ForeignFace(
        name="flame",
        licence=LICENCE,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        vertices=vertices,
        triangles=triangles,
        identity=directions[:identities],
        units=np.stack([_turned(arrays, *turn) for turn in TURNS.values()]),
        unit_names=tuple(TURNS),
        components=directions[identities:],
        skin=parts == 0,
        triangle_parts=parts,
        part_names=PARTS,
        anchors=anchors,
        iris_radius_m=IRIS_RADIUS_M,
        notes=_notes(bool(anchors)),
    )
    return brought_home(face)


def _read(path: Path) -> Arrays:
    """The file's arrays by name."""
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise EmotalkError(f"{path} is no npz of arrays: {error}.", ADVICE) from error
    return read_pickled_arrays(path)


def _require_flame(path: Path, arrays: Arrays, count: int) -> None:
    """Refuse arrays that do not fit together as FLAME's do."""
    joints = len(JOINTS) + 2
    wanted: dict[str, tuple[int | None, ...]] = {
        "v_template": (count, 3),
        "f": (None, 3),
        "shapedirs": (count, 3, None),
        "posedirs": (count, 3, 9 * (joints - 1)),
        "weights": (count, joints),
        "J_regressor": (joints, count),
    }
    for name, shape in wanted.items():
        found = arrays[name].shape if name in arrays else None
        fits = found is not None and len(found) == len(shape)
        if not fits or any(w not in (None, n) for w, n in zip(shape, found or (), strict=False)):
            raise EmotalkError(
                f"{path} is no FLAME model: {name} is {found or 'not there'}, not "
                f"{tuple(n if n is not None else 'n' for n in shape)}.",
                ADVICE,
            )
    faces = arrays["f"]
    if faces.min() < 0 or faces.max() >= count:
        raise EmotalkError(f"{path} has triangles of vertices that are not there.", ADVICE)


def _turned(arrays: Arrays, joint_name: str, rotation: tuple[float, ...]) -> NDArray[np.float32]:
    """What a joint's turn adds (V, 3) m: skinning of the template, with FLAME's correctives."""
    joint = JOINTS[joint_name]
    turn = rotation_matrix(np.array(rotation))
    template = arrays["v_template"].astype(np.float64)
    # FLAME's features: R - I of every joint but the root, row by row.
    feature = (turn - np.eye(3)).ravel()
    corrective = arrays["posedirs"][..., 9 * (joint - 1) : 9 * joint] @ feature
    centre = arrays["J_regressor"][joint] @ template
    posed = template + corrective
    moved = (posed - centre) @ turn.T + centre
    share = arrays["weights"][:, joint, None]
    return np.asarray(share * (moved - posed) + corrective, np.float32)


def _parts(weights: NDArray[Any], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Part (F,) of each triangle: what a joint of the eyes moves fully is that eyeball."""
    parts = np.zeros(len(triangles), np.int32)
    for k, side in enumerate(("left", "right"), start=1):
        ball = weights[:, JOINTS[side]] > 0.5
        parts[ball[triangles].all(axis=1)] = k
    return parts


def _anchors(
    path: Path, vertices: NDArray[np.float32], triangles: NDArray[np.int32]
) -> dict[int, NDArray[np.float64]]:
    """Places of the landmarks that FLAME's embedding for MediaPipe names; none without it.

    Raises EmotalkError if the embedding is there but damaged.
    """
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            faces = stored["lmk_face_idx"].astype(np.int64)
            weights = stored["lmk_b_coords"].astype(np.float64)
            marks = stored["landmark_indices"].astype(np.int64)
        places = (vertices[triangles[faces]] * weights[..., None]).sum(axis=1)
        if marks.min() < 0 or marks.max() >= 468:
            raise ValueError("its landmark_indices are none of MediaPipe's")
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise EmotalkError(
            f"{path} is no landmark embedding: {error}.", "Remove it, or get it again from FLAME."
        ) from error
    return dict(zip(marks.tolist(), places, strict=True))


def _notes(has_embedding: bool) -> tuple[str, ...]:
    notes = [
        "FLAME: metres. Jaw and gaze are joints: jawOpen at 1 turns the jaw by "
        f"{JAW_OPEN_RAD:g} rad, jawLeft and jawRight by {JAW_SIDE_RAD:g}, eyeLook* the eyes by "
        f"{LOOK_RAD:g}; the neck belongs to the head. FLAME has no blink and no tongue."
    ]
    if not has_embedding:
        notes.append(f"There is no {EMBEDDING} beside the file.")
    return tuple(notes)
