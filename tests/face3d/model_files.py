"""Tiny files in the layouts of other face models, made of the default head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotalk_cli.face3d.models.default_model import load_default_face_model

UNITS = ("jawOpen", "mouthSmileLeft", "browInnerUp", "mouthPucker", "eyeBlinkRight", "jawLeft")


@dataclass(frozen=True)
class Head:
    """Part of the default head: vertices (V, 3) m, triangles (F, 3), identity (4, V, 3), units
    (6, V, 3), and the place of each vertex in the default mesh (V,).
    """

    vertices: np.ndarray
    triangles: np.ndarray
    identity: np.ndarray
    units: np.ndarray
    source: np.ndarray


def head(*parts: str) -> Head:
    """The named parts of the default head."""
    model = load_default_face_model()
    triangles = model.part_triangles(*parts)
    source = np.unique(triangles)
    return Head(
        model.mean_vertices[source],
        np.searchsorted(source, triangles).astype(np.int32),
        model.identity_basis[:4, source],
        model.expression_basis[[model.unit_index(name) for name in UNITS]][:, source],
        source,
    )


def write_obj(path: Path, vertices: np.ndarray, polygons: dict[str, np.ndarray]) -> None:
    """An OBJ file with one material for each set of polygons (from 0)."""
    lines = ["# a comment", *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices)]
    for material, corners in polygons.items():
        lines.append(f"usemtl {material}")
        lines += ["f " + " ".join(f"{i + 1}/{i + 1}" for i in polygon) for polygon in corners]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def put_ict(folder: Path) -> Path:
    """A folder like FaceXModel's, in centimetres, with two identities and three units."""
    folder.mkdir()
    mesh = head("skin", "lips", "eye_left", "eye_right")
    model = load_default_face_model()
    right = np.searchsorted(mesh.source, np.unique(model.part_triangles("eye_right")))
    left = np.searchsorted(mesh.source, np.unique(model.part_triangles("eye_left")))
    of_right = np.isin(mesh.triangles, right).all(axis=1)
    of_left = np.isin(mesh.triangles, left).all(axis=1)
    groups = {
        "M_Face": mesh.triangles[~(of_left | of_right)],
        "M_ScleraLeft": mesh.triangles[of_left],
        "M_ScleraRight": mesh.triangles[of_right],
        "M_EyeLashes": mesh.triangles[:5],
    }
    moved = {"identity000": mesh.identity[0], "identity001": mesh.identity[1]}
    moved |= dict(zip(("jawOpen", "mouthSmile_L", "browInnerUp_L"), mesh.units, strict=False))
    write_obj(folder / "generic_neutral_mesh.obj", mesh.vertices * 100, groups)
    for name, offsets in moved.items():
        write_obj(folder / f"{name}.obj", (mesh.vertices + offsets) * 100, {"M_Face": []})
    return folder


def flame_arrays() -> dict[str, np.ndarray]:
    """FLAME's arrays: 12 identity and 4 expression directions, five joints."""
    mesh = head("skin", "lips", "eye_left", "eye_right")
    model = load_default_face_model()
    count = len(mesh.vertices)
    weights = np.zeros((count, 5))
    jaw = -mesh.units[0][:, 1]
    weights[:, 2] = np.clip(jaw / jaw.max(), 0, 1)
    centres = [np.zeros(3), np.zeros(3), np.array([0.0, 0.0, 0.02])]
    for joint, side in ((3, "left"), (4, "right")):
        ball = np.searchsorted(mesh.source, np.unique(model.part_triangles(f"eye_{side}")))
        weights[ball] = 0
        weights[ball, joint] = 1
        centres.append(model.eye_centres_m[joint - 3])
    weights[:, 0] = 1 - weights.sum(axis=1)
    identity = np.concatenate([mesh.identity, mesh.identity, mesh.identity])
    directions = np.concatenate([identity, mesh.units[1:5] / 3])
    # Each joint's place as a weighted sum of vertices, as FLAME's regressor has it.
    inverse = np.linalg.pinv(mesh.vertices.astype(np.float64))
    return {
        "v_template": mesh.vertices.astype(np.float64),
        "f": mesh.triangles.astype(np.uint32),
        "shapedirs": np.moveaxis(directions, 0, 2).astype(np.float64),
        "posedirs": np.zeros((count, 3, 36)),
        "weights": weights,
        "J_regressor": np.array(centres) @ inverse,
        "kintree_table": np.array([[0, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
    }


def bfm_arrays(unit_m: float) -> dict[str, np.ndarray]:
    """Mean (3V,), bases (3V, K) per sd and triangles from 0, in a file's unit."""
    mesh = head("skin", "lips")
    return {
        "mean": mesh.vertices.ravel() / unit_m,
        "identity": mesh.identity.reshape(4, -1).T / unit_m,
        "expression": mesh.units.reshape(len(UNITS), -1).T / unit_m / 3,
        "triangles": mesh.triangles,
    }
