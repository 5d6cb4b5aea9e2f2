"""A face model from a user's file, brought home: our axes, origin, landmarks and units in 0..1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.landmark_tie import Surface, Tie, tied
from emotalk_cli.face3d.models.linear_model import FaceModel, split_arkit_units

Float = NDArray[np.float32]

SIGNED_RANGE_SD = 3.0
"""A signed component c (sd) becomes two units: c / 3 where c > 0 (Plus), -c / 3 where c < 0."""
SIGNS = ("Plus", "Minus")
MAX_IDENTITY = 80
"""Identity directions taken at most, the largest first."""
MAX_COMPONENTS = 40
"""Signed expression components taken at most, the largest first; each is two units."""
LOWER_FACE_SHARE = 0.5
"""A component belongs to the lips if so much of its motion of the landmarks is below the nose."""
EYE_PARTS = ("eye_left", "eye_right")
UNDER_NOSE = 2
"""MediaPipe's point between nose and upper lip."""
WIDTH_M = (0.09, 0.5)
"""Widths of the skin's mesh, with or without shoulders, that human heads have."""
INTER_OCULAR_M = (0.045, 0.085)
"""Distances between the eyes' middles that human adults have."""
MAX_TIE_ERROR_M = 0.004
"""Mean distance of the default head's skin from a mesh that it was laid over, at most."""


@dataclass(frozen=True)
class ForeignFace:
    """What a loader found, in metres and axes near ours: x to the subject's left, y up, z out.

    name, licence, sha256, triangle_parts, part_names, units as in FaceModel; vertices (V, 3);
    identity (S, V, 3) per sd; units (E, V, 3) at 1 with their names; components (K, V, 3) per sd,
    signed, beside or instead of them; skin (F,) marks the triangles of the outer skin; eyeballs are
    the parts eye_left and eye_right, where there are any; anchors: indices of MediaPipe's
    points -> their places (3,) m, as the file gives them; notes: what to say about it.
    """

    name: str
    licence: str
    sha256: str
    vertices: Float
    triangles: NDArray[np.int32]
    identity: Float
    units: Float
    unit_names: tuple[str, ...]
    components: Float
    skin: NDArray[np.bool_]
    triangle_parts: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    part_names: tuple[str, ...] = ()
    anchors: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    iris_radius_m: float = 0.0
    notes: tuple[str, ...] = ()


def brought_home(face: ForeignFace) -> FaceModel:
    """The face as this project's linear model, tied to the 478 landmarks.

    Its origin is where the default head's centre of rotation lies in it, its axes are turned to
    look straight ahead; its size stays what the file says.

    Raises:
        EmotalkError: what the file holds is no face of human size, or damaged.

    """
    every = np.concatenate([face.units, face.components[:MAX_COMPONENTS]])
    _require_human_width(face)
    surface = Surface.of(face.vertices, face.triangles, face.skin, _eye_triangles(face), every)
    tie = tied(surface, face.anchors)
    _require_face(face, tie)
    turn = tie.rotation.astype(np.float32)
    vertices = (face.vertices - tie.translation.astype(np.float32)) @ turn
    signed, signed_names = signed_units(face.components[:MAX_COMPONENTS] @ turn)
    basis = np.concatenate([face.units @ turn, signed]).astype(np.float32)
    names = (*face.unit_names, *signed_names)
    centres, radius = _eyes(face, vertices)
    model = FaceModel(
        name=face.name,
        sha256=face.sha256,
        licence=face.licence,
        mean_vertices=np.ascontiguousarray(vertices, np.float32),
        triangles=face.triangles,
        identity_basis=np.ascontiguousarray(face.identity[:MAX_IDENTITY] @ turn, np.float32),
        expression_basis=basis,
        expression_names=names,
        unit_groups=split_arkit_units(face.unit_names),
        landmark_triangles=tie.triangles,
        landmark_barycentric=tie.barycentric,
        landmark_is_contour=tie.is_contour,
        triangle_parts=face.triangle_parts,
        part_names=face.part_names,
        eye_centres_m=centres,
        eye_radius_m=radius,
        iris_radius_m=face.iris_radius_m if radius else 0.0,
        notes=(*face.notes, *_size_notes(face, tie)),
    )
    model = _with_groups(model, signed_names)
    model.check()
    return model


def signed_units(components: Float) -> tuple[Float, tuple[str, ...]]:
    """Signed components (K, V, 3) per sd -> units (2K, V, 3) at 3 sd either way, and their names.

    The coefficient of component k is 3 * (componentKPlus - componentKMinus) sd.
    """
    units = np.stack([components, -components], axis=1) * SIGNED_RANGE_SD
    names = (f"component{k:02d}{sign}" for k in range(len(components)) for sign in SIGNS)
    return units.reshape(-1, *components.shape[1:]).astype(np.float32), tuple(names)


def _with_groups(model: FaceModel, signed: tuple[str, ...]) -> FaceModel:
    """The model with its signed units sorted into lips and other by where they move the face."""
    if not signed:
        return model
    points, units = model.landmark_bases(np.zeros(len(model.identity_basis), np.float32))
    motion = (units[-len(signed) :] ** 2).sum(axis=-1)
    lower = points[:, 1] < points[UNDER_NOSE, 1]
    share = motion[:, lower].sum(axis=1) / np.maximum(motion.sum(axis=1), 1e-20)
    lips = tuple(n for n, s in zip(signed, share, strict=True) if s >= LOWER_FACE_SHARE)
    other = tuple(n for n in signed if n not in lips)
    groups = model.unit_groups
    split = {"lips": (*groups["lips"], *lips), "other": (*groups["other"], *other)}
    return replace(model, unit_groups=split)


def _require_human_width(face: ForeignFace) -> None:
    width = float(np.ptp(face.vertices[np.unique(face.triangles[face.skin])][:, 0]))
    low, high = WIDTH_M
    if not low <= width <= high:
        raise EmotalkError(
            f"{face.name}: the head in this file would be {width * 1000:.4g} mm wide, so it is not "
            "in the original's unit.",
            "Use the model's file as its authors give it.",
        )


def _require_face(face: ForeignFace, tie: Tie) -> None:
    low, high = INTER_OCULAR_M
    if not low <= tie.inter_ocular_m <= high or tie.error_m > MAX_TIE_ERROR_M:
        eyes_mm = 1000 * tie.inter_ocular_m
        raise EmotalkError(
            f"{face.name}: no face was found on this mesh. The default head, laid over it, has its "
            f"eyes {eyes_mm:.0f} mm apart and is {1000 * tie.error_m:.0f} mm off.",
            "Use the model's file as its authors give it: upright, looking along +z.",
        )


def _eye_triangles(face: ForeignFace) -> NDArray[np.bool_]:
    """Marks (F,) of the eyeballs' triangles."""
    if not face.part_names:
        return np.zeros(len(face.triangles), bool)
    balls = [i for i, name in enumerate(face.part_names) if name in EYE_PARTS]
    return np.isin(face.triangle_parts, balls)


def _eyes(face: ForeignFace, vertices: Float) -> tuple[Float, float]:
    """Centres (2, 3) of the left and the right eyeball and their radius, m; (0, 3) and 0: none."""
    if not set(EYE_PARTS) <= set(face.part_names):
        return np.zeros((0, 3), np.float32), 0.0
    balls = []
    for side in EYE_PARTS:
        which = face.triangle_parts == face.part_names.index(side)
        balls.append(vertices[np.unique(face.triangles[which])])
    # An eyeball's cornea bulges: sideways and upwards it is as wide as the sphere.
    radius = float(np.mean([np.ptp(ball[:, :2], axis=0).max() / 2 for ball in balls]))
    centres = [(ball.min(axis=0) + ball.max(axis=0)) / 2 for ball in balls]
    return np.asarray(centres, np.float32), radius


def _size_notes(face: ForeignFace, tie: Tie) -> tuple[str, ...]:
    notes = [
        f"{len(face.vertices)} vertices, the eyes {tie.inter_ocular_m * 1000:.0f} mm apart; "
        f"landmarks {'from the file and ' if face.anchors else ''}carried over from the default "
        f"head, whose skin then lies {tie.error_m * 1000:.1f} mm from this one."
    ]
    if len(face.identity) > MAX_IDENTITY:
        notes.append(f"The first {MAX_IDENTITY} of {len(face.identity)} identity directions.")
    if len(face.components):
        used = min(len(face.components), MAX_COMPONENTS)
        notes.append(
            f"The first {used} of {len(face.components)} expression components, which are signed: "
            f"each is two units in 0..1 that mean 0 to {SIGNED_RANGE_SD:g} sd up (Plus) and down "
            "(Minus). Lips and other are told apart by where a component moves more, not exactly."
        )
    return tuple(notes)
