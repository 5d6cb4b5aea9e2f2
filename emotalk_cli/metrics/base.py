"""What every metric says of itself: name, unit, direction and definition."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.schema import FaceTrack

LOWER, HIGHER, NEITHER = "lower", "higher", ""


class Described:
    """A metric's name, unit and direction; its docstring is its definition in the report."""

    name: ClassVar[str]
    unit: ClassVar[str]
    better: ClassVar[str] = LOWER
    family: ClassVar[str]

    @classmethod
    def definition(cls) -> str:
        """The docstring as one line of text."""
        return " ".join(inspect.getdoc(cls).split())  # type: ignore[union-attr]


@dataclass(frozen=True)
class TrackMetric(Described):
    """Compares the motion of two tracks of one length T, put on the same face (`parts.Metric`).

    Points are (T, V, 3) in mm in the head's own space, coefficients (T, E) in 0..1; only frames
    that are valid in both tracks count.
    """

    surface: FaceSurface
    family: ClassVar[str] = "Surface"

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        """Value for one pair of tracks; nan where it cannot be measured."""
        raise NotImplementedError


@dataclass(frozen=True)
class MotionMetric(Described):
    """Describes the motion of one track; reported for the prediction and for the reference.

    Only valid frames count.
    """

    surface: FaceSurface
    better: ClassVar[str] = NEITHER
    family: ClassVar[str] = "Motion"

    def __call__(self, track: FaceTrack) -> float:
        """Value for one track; nan where it cannot be measured."""
        raise NotImplementedError


def mean_of(values: NDArray[np.floating[Any]], valid: NDArray[np.bool_]) -> float:
    """Mean over the valid frames of values (T, ...); nan if there are none."""
    return float(values[valid].mean()) if valid.any() else float("nan")
