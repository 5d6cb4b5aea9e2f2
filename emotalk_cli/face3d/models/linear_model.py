"""The linear face model: a mean head, identity directions and face units added to it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

LANDMARK_COUNT = 478
"""Points of MediaPipe's face mesh with refined irises."""
LIP_UNIT_PREFIXES = ("jaw", "mouth", "tongue")
"""Beginnings of the ARKit names that speech articulates with; all others carry the emotion."""
BLINK_LEAST_OPENING_M = 0.002
"""Columns of the eye that open less than this say nothing about how far a blink must go."""
BLINK_STRETCH = (0.4, 2.0)
"""Least and most that a blink is stretched for a person's eyes."""
BARYCENTRIC_TOLERANCE = 1e-3


def split_arkit_units(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The units named like ARKit's, split into "lips" (jaw*, mouth*, tongueOut) and "other"."""
    lips = tuple(n for n in names if n.startswith(LIP_UNIT_PREFIXES))
    return {"lips": lips, "other": tuple(n for n in names if n not in lips)}


def _opening(
    vertices: NDArray[np.float32], upper: NDArray[np.int32], lower: NDArray[np.int32]
) -> NDArray[np.float32]:
    """(U,) height of each upper lid margin vertex over the lower margin, metres."""
    low = vertices[lower]
    # Near the corners a margin may turn back by a hair; interpolation needs rising x.
    x = np.maximum.accumulate(low[:, 0])
    height = vertices[upper, 1] - np.interp(vertices[upper, 0], x, low[:, 1])
    return np.asarray(height, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A face as mean + shape @ identity_basis + expression @ expression_basis (Blanz and Vetter,
    "A morphable model for the synthesis of 3D faces", SIGGRAPH 1999, with named face units).

    Model space: metres, x to the subject's left, y up, z out of the face, origin at the head's
    centre of rotation.

    name, licence: what to credit. sha256: of the file that it was read from.
    mean_vertices: (V, 3) float32, m, the neutral face with closed lips.
    triangles: (F, 3) int32, counter-clockwise seen from outside.
    identity_basis: (S, V, 3) float32, m; coefficients are about N(0, 1).
    expression_basis: (E, V, 3) float32, m; offsets of each unit at weight 1.
    expression_names: the E units' names.
    landmark_triangles: (478,) int32, landmark_barycentric: (478, 3) float32: MediaPipe's points on
        the surface; both empty if the model was not tied to them.
    landmark_is_contour: (478,) bool, points that MediaPipe puts on the silhouette, so that they
        slide over the skin as the head turns.
    triangle_parts: (F,) int32 index into part_names; empty if the model has no parts.
    contours: name -> (N,) int32 vertices in order (`default_model` names the default's).
    eye_centres_m: (2, 3) float32, the left eyeball's centre, then the right one's, of the mean
        face; (0, 3) if the model has no eyeballs. eye_radius_m, iris_radius_m: 0 likewise. The
        pupils look along +z.
    unit_groups: "lips" and "other" -> names of units; every unit is in one of them.
    notes: what users should know of a model from their own file: its scale, what it lacks.
    """

    name: str
    sha256: str
    mean_vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    identity_basis: NDArray[np.float32]
    expression_basis: NDArray[np.float32]
    expression_names: tuple[str, ...]
    unit_groups: Mapping[str, tuple[str, ...]]
    landmark_triangles: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    landmark_barycentric: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 3), np.float32)
    )
    landmark_is_contour: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    triangle_parts: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    part_names: tuple[str, ...] = ()
    contours: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    eye_centres_m: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    eye_radius_m: float = 0.0
    iris_radius_m: float = 0.0
    licence: str = ""
    notes: tuple[str, ...] = ()

    @property
    def lip_units(self) -> tuple[str, ...]:
        """Names of the units that the lip decoder moves."""
        return self.unit_groups["lips"]

    @property
    def other_units(self) -> tuple[str, ...]:
        """Names of all other units, the emotion's side."""
        return self.unit_groups["other"]

    def unit_index(self, name: str) -> int:
        """Column of a unit in `expression`.

        Raises:
            EmotalkError: the model has no such unit.

        """
        if name not in self.expression_names:
            raise EmotalkError(
                f"The face model {self.name!r} has no unit {name!r}.",
                f"It has: {', '.join(self.expression_names)}.",
            )
        return self.expression_names.index(name)

    def part_triangles(self, *parts: str) -> NDArray[np.int32]:
        """The (N, 3) triangles of the named parts, in the mesh's order.

        Raises:
            EmotalkError: the model has no such part.

        """
        missing = [p for p in parts if p not in self.part_names]
        if missing:
            raise EmotalkError(
                f"The face model {self.name!r} has no part {missing[0]!r}.",
                f"It has: {', '.join(self.part_names) or 'no parts'}.",
            )
        wanted = [self.part_names.index(p) for p in parts]
        return self.triangles[np.isin(self.triangle_parts, wanted)]

    def vertices(
        self, shape: NDArray[np.float32], expression: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Shape (S,) and expression (..., E) -> vertices (..., V, 3) float32, metres."""
        neutral = self.neutral(shape)
        moved = neutral + np.tensordot(expression, self.expression_basis, 1)
        for unit, stretch in self._blink_stretch(neutral).items():
            more = (stretch - 1)[:, None] * self.expression_basis[unit]
            moved += np.asarray(expression)[..., unit, None, None] * more
        return np.asarray(moved, dtype=np.float32)

    def neutral(self, shape: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shape (S,) -> vertices (V, 3) float32, metres, of the face at rest."""
        moved = self.mean_vertices + np.tensordot(shape, self.identity_basis, 1)
        return np.asarray(moved, dtype=np.float32)

    def unit_offsets(self, shape: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each unit at weight 1 adds to the face of a shape (S,): (E, V, 3) float32, m.

        It is `expression_basis`, but for the blinks: these go as far as this person's lids are
        apart, so that narrow and wide eyes both shut.
        """
        offsets = self.expression_basis.copy()
        for unit, stretch in self._blink_stretch(self.neutral(shape)).items():
            offsets[unit] *= stretch[:, None]
        return offsets

    def landmarks(
        self, shape: NDArray[np.float32], expression: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Shape (S,) and expression (..., E) -> landmarks (..., 478, 3) float32, metres."""
        neutral, units = self.landmark_bases(shape)
        return np.asarray(neutral + np.tensordot(expression, units, 1), dtype=np.float32)

    def landmark_bases(
        self, shape: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Neutral landmarks (478, 3) of a shape (S,) and what the units add at weight 1
        (E, 478, 3); float32, metres. Enough to fit without the mesh.
        """
        units = self._landmark_units.copy()
        for unit, stretch in self._blink_stretch(self.neutral(shape)).items():
            units[unit] = self.at_landmarks(stretch[:, None] * self.expression_basis[unit])
        neutral = self._landmark_mean + np.tensordot(shape, self._landmark_identity, 1)
        return np.asarray(neutral, dtype=np.float32), units

    @functools.cached_property
    def _landmark_mean(self) -> NDArray[np.float32]:
        return self.at_landmarks(self.mean_vertices)

    @functools.cached_property
    def _landmark_identity(self) -> NDArray[np.float32]:
        return self.at_landmarks(self.identity_basis)

    @functools.cached_property
    def _landmark_units(self) -> NDArray[np.float32]:
        return self.at_landmarks(self.expression_basis)

    def at_landmarks(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values at the vertices (..., V, C) -> at the landmarks (..., 478, C) float32."""
        corners = values[..., self.triangles[self.landmark_triangles], :]
        weights = self.landmark_barycentric[:, :, None]
        return np.asarray((corners * weights).sum(axis=-2), dtype=np.float32)

    def _blink_stretch(self, neutral: NDArray[np.float32]) -> dict[int, NDArray[np.float32]]:
        """Blink unit's index -> (V,) factor on its offsets for a neutral face (V, 3).

        The factor is this face's lid opening over the mean face's, column by column of the eye.
        Empty for a model without lid contours or without ARKit's blinks.
        """
        stretches = {}
        for side in ("left", "right"):
            unit = f"eyeBlink{side.capitalize()}"
            upper, lower = (self.contours.get(f"lid_{lid}_{side}") for lid in ("upper", "lower"))
            if upper is None or lower is None or unit not in self.expression_names:
                continue
            usual = _opening(self.mean_vertices, upper, lower)
            wide = usual > BLINK_LEAST_OPENING_M
            ratio = _opening(neutral, upper, lower)[wide] / usual[wide]
            columns = self.mean_vertices[upper[wide], 0]
            factor = np.interp(self.mean_vertices[:, 0], columns, np.clip(ratio, *BLINK_STRETCH))
            stretches[self.expression_names.index(unit)] = factor.astype(np.float32)
        return stretches

    def eye_centres(self, shape: NDArray[np.float32]) -> NDArray[np.float32]:
        """Centres (2, 3) float32, metres, of a shape's (S,) left and right eyeball.

        An eyeball shifts as a whole from face to face, as the mean of its vertices does.
        """
        moved = []
        for side, centre in zip(("left", "right"), self.eye_centres_m, strict=True):
            ball = np.unique(self.part_triangles(f"eye_{side}"))
            shift = self.identity_basis[:, ball].mean(axis=1)
            moved.append(centre + shape @ shift)
        return np.asarray(moved, dtype=np.float32)

    def check(self) -> None:
        """Compare every array's shape, range and indices with what this class says of them.

        Raises:
            EmotalkError: the first thing that is wrong.

        """
        for problem in (*self._shape_problems(), *self._index_problems()):
            raise EmotalkError(
                f"The face model {self.name!r} is damaged: {problem}.",
                "Get the model's file again from where it came from.",
            )

    def _shape_problems(self) -> list[str]:
        count = len(self.mean_vertices)
        problems = []
        for label, basis in (
            ("identity_basis", self.identity_basis),
            ("expression_basis", self.expression_basis),
        ):
            if basis.ndim != 3 or basis.shape[1:] != (count, 3):
                problems.append(f"{label} has shape {basis.shape}, not (n, {count}, 3)")
            elif not np.isfinite(basis).all():
                problems.append(f"{label} holds values that are not finite")
        if self.mean_vertices.shape != (count, 3) or not np.isfinite(self.mean_vertices).all():
            problems.append("mean_vertices is not a finite (V, 3) array")
        if len(self.expression_names) != len(self.expression_basis):
            problems.append("there are not as many units as unit names")
        if len(set(self.expression_names)) != len(self.expression_names):
            problems.append("a unit's name stands twice")
        if sorted((*self.lip_units, *self.other_units)) != sorted(self.expression_names):
            problems.append("the unit groups do not cover each unit once")
        if len(self.triangle_parts) not in (0, len(self.triangles)):
            problems.append("there are not as many part labels as triangles")
        return problems

    def _index_problems(self) -> list[str]:
        count = len(self.mean_vertices)
        problems = []
        if self.triangles.size and not 0 <= self.triangles.min() <= self.triangles.max() < count:
            problems.append("triangles name vertices that do not exist")
        for label, vertices in self.contours.items():
            if vertices.size and not 0 <= vertices.min() <= vertices.max() < count:
                problems.append(f"contour {label} names vertices that do not exist")
        if self.triangle_parts.size and self.triangle_parts.max() >= len(self.part_names):
            problems.append("a part label has no name")
        if len(self.landmark_triangles):
            problems += self._landmark_problems()
        return problems

    def _landmark_problems(self) -> list[str]:
        problems = []
        if self.landmark_triangles.shape != (LANDMARK_COUNT,):
            problems.append(f"there are {len(self.landmark_triangles)} landmarks, not 478")
        if self.landmark_barycentric.shape != (len(self.landmark_triangles), 3):
            problems.append("landmark_barycentric does not fit landmark_triangles")
        if self.landmark_is_contour.shape != self.landmark_triangles.shape:
            problems.append("landmark_is_contour does not fit landmark_triangles")
        if (
            not 0
            <= self.landmark_triangles.min()
            <= self.landmark_triangles.max()
            < len(self.triangles)
        ):
            problems.append("landmarks name triangles that do not exist")
        if np.abs(self.landmark_barycentric.sum(axis=-1) - 1).max() > BARYCENTRIC_TOLERANCE:
            problems.append("landmark_barycentric does not sum to 1")
        return problems
