"""Whole-body macros of MakeHuman (sex, age, muscle, weight, ancestry) as vertex offsets."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .source import read_target

SEXES = ("male", "female")
AGES = ("baby", "child", "young", "old")
AGE_ANCHORS = (0.0, 1 / 3, 2 / 3, 1.0)
"""Where the targets stand on the age axis: about 1, 10, 25 and 80 years."""
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS = ("minweight", "averageweight", "maxweight")
ANCESTRIES = ("african", "asian", "caucasian")


def _interpolate(value: float, anchors: tuple[float, ...]) -> NDArray[np.float64]:
    """Piecewise-linear weights of the anchors, summing to 1."""
    return np.array([np.interp(value, anchors, row) for row in np.eye(len(anchors))])


class Macros:
    """Offsets of selected vertices for a person's macro values.

    The weights are those of MakeHuman: a target named by several words counts with the product
    of the words' weights.
    """

    def __init__(self, data: Path, vertex_ids: NDArray[np.int64]) -> None:
        folder = data / "mpfb2/targets/macrodetails"
        self._ancestry = np.stack(
            [
                read_target(folder / f"{a}-{s}-{y}.target.gz")[vertex_ids]
                for a, s, y in product(ANCESTRIES, SEXES, AGES)
            ]
        )
        self._build = np.stack(
            [
                read_target(folder / f"universal-{s}-{y}-{m}-{w}.target.gz")[vertex_ids]
                for s, y, m, w in product(SEXES, AGES, MUSCLES, WEIGHTS)
            ]
        )

    def offsets(
        self, sex: float, age: float, muscle: float, weight: float, ancestry: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(V, 3) metres. sex 0 male .. 1 female; age, muscle, weight 0..1; ancestry (3,), sum 1."""
        sex_w = _interpolate(sex, (0.0, 1.0))
        age_w = _interpolate(age, AGE_ANCHORS)
        muscle_w = _interpolate(muscle, (0.0, 0.5, 1.0))
        weight_w = _interpolate(weight, (0.0, 0.5, 1.0))
        person = np.multiply.outer(sex_w, age_w)
        of_ancestry = np.multiply.outer(ancestry, person).ravel()
        build = np.multiply.outer(np.multiply.outer(person, muscle_w), weight_w).ravel()
        return np.tensordot(of_ancestry, self._ancestry, 1) + np.tensordot(build, self._build, 1)
