"""The opening of the mouth over time: does the prediction open as far, and at the same moments?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import HIGHER, LOWER, NEITHER, Described, mean_of

MAX_LAG_FRAMES = 15
MIN_OVERLAP_FRAMES = 8
LENGTH_UNITS = ("mm", "px")
FLAT = 1e-3  # a standard deviation in mm or px below which a curve stands still
CLOSED_SHARE = 0.2  # of the way from the reference's narrowest to its widest opening
CLOSURE_SLACK_FRAMES = 2


@dataclass(frozen=True)
class MouthOpening:
    """Distance (T,) between the inner edges of the lips, where it was seen (T,), unit and rate."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    unit: str
    fps: float


class OpeningMetric(Described):
    """Compares two curves of one length, rate and unit."""

    unit: ClassVar[str] = ""
    family: ClassVar[str] = "Lips"

    @classmethod
    def suits(cls, opening: MouthOpening) -> bool:
        """Whether the metric can be measured on such a curve."""
        return cls.unit not in LENGTH_UNITS or cls.unit == opening.unit

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        """Value for one pair of curves; nan where it cannot be measured."""
        raise NotImplementedError


class MouthOpeningDifference(OpeningMetric):
    """Mean absolute difference of the opening between the inner edges of the lips (MOD)."""

    name = "MOD"
    unit = "mm"
    better = LOWER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        apart = np.abs(predicted.values - reference.values)
        return mean_of(apart, predicted.valid & reference.valid)


class CropOpeningDifference(MouthOpeningDifference):
    """Mean absolute difference of the mouth's opening on the aligned crop of 128 px, where there
    is no track in millimetres.
    """

    name = "MOD on crop"
    unit = "px"


class LipCorrelation(OpeningMetric):
    """Pearson correlation of predicted and real opening at lag zero; 0 where the prediction
    stands still, not measured where the reference does.
    """

    name = "lip r"
    better = HIGHER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        valid = predicted.valid & reference.valid
        return pearson(predicted.values[valid], reference.values[valid])


class LipLag(OpeningMetric):
    """Shift within ±15 frames at which the openings correlate best; above zero, the prediction
    is late.
    """

    name = "lip lag"
    unit = "frames"
    better = NEITHER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        return best_lag(*_joint(predicted, reference))[0]


class AbsoluteLipLag(LipLag):
    """Size of the best shift, early or late."""

    name = "|lip lag|"
    better = LOWER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        return abs(super().__call__(predicted, reference))


class LipCorrelationAtLag(OpeningMetric):
    """Pearson correlation of the openings at the best shift."""

    name = "lip r at best lag"
    better = HIGHER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        return best_lag(*_joint(predicted, reference))[1]


class LipAmplitude(OpeningMetric):
    """Standard deviation of the predicted opening over that of the real one; 1 is right, below
    1 the lips are damped.
    """

    name = "lip amplitude"
    better = NEITHER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        valid = predicted.valid & reference.valid
        if not valid.any() or reference.values[valid].std() < FLAT:
            return float("nan")
        return float(predicted.values[valid].std() / reference.values[valid].std())


class LipClosure(OpeningMetric):
    """Share of the reference's lip closures (opening below a fifth of its range) that the
    prediction makes too within two frames, by the same threshold.
    """

    name = "lip closures kept"
    better = HIGHER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        closed = _closed(*_joint(predicted, reference))
        return float("nan") if closed is None else _met(closed[1], closed[0])


class LipClosureScore(OpeningMetric):
    """Harmonic mean (F1) of the share of the reference's lip closures that the prediction makes
    too and the share of the prediction's that the reference has, within two frames, both by the
    threshold of `lip closures kept`: a mouth that never opens closes in vain.
    """

    name = "lip closure F1"
    better = HIGHER

    def __call__(self, predicted: MouthOpening, reference: MouthOpening) -> float:
        closed = _closed(*_joint(predicted, reference))
        if closed is None:
            return float("nan")
        made, real = closed
        opened = np.flatnonzero(~made)
        if not len(opened) or not made.any():
            return 0.0
        recall, precision = _met(real, made), _met(made, real)
        return 2 * recall * precision / max(recall + precision, 1e-9)


OPENING_METRICS: tuple[type[OpeningMetric], ...] = (
    LipCorrelation,
    LipLag,
    AbsoluteLipLag,
    LipCorrelationAtLag,
    LipAmplitude,
    LipClosure,
    LipClosureScore,
    MouthOpeningDifference,
    CropOpeningDifference,
)


def pearson(predicted: NDArray[np.floating[Any]], reference: NDArray[np.floating[Any]]) -> float:
    """Correlation of two curves (N,); 0 for a flat prediction, nan for a flat reference."""
    if len(reference) < MIN_OVERLAP_FRAMES:
        return float("nan")
    one, other = predicted - predicted.mean(), reference - reference.mean()
    size = np.sqrt(np.array([one @ one, other @ other]) / len(one))
    if size[1] < FLAT:
        return float("nan")
    return float(one @ other / len(one) / size.prod()) if size[0] >= FLAT else 0.0


def best_lag(
    predicted: NDArray[np.floating[Any]],
    reference: NDArray[np.floating[Any]],
    valid: NDArray[np.bool_],
    doubt: float = 0.0,
) -> tuple[float, float]:
    """Shift and correlation at which two curves (T,) agree best; nan where either stands still.

    A shift of d says predicted[t + d] ~ reference[t]: the prediction is d frames late. At least
    half of the clip must overlap. `doubt` weighs a correlation less by this share of it for every
    frame of the shift, so that of two peaks of a rhythm the nearer wins.
    """
    length = len(reference)
    limit = min(MAX_LAG_FRAMES, length // 2)
    if not valid.any() or min(predicted[valid].std(), reference[valid].std()) < FLAT:
        return float("nan"), float("nan")
    best, best_weight = (float("nan"), float("nan")), -np.inf
    for lag in sorted(range(-limit, limit + 1), key=abs):
        late = slice(max(lag, 0), length + min(lag, 0))
        early = slice(max(-lag, 0), length + min(-lag, 0))
        both = valid[late] & valid[early]
        r = pearson(predicted[late][both], reference[early][both])
        weight = r * (1 - doubt * abs(lag))
        if weight > best_weight:
            best, best_weight = (float(lag), r), weight
    return best


def _closed(
    made: NDArray[np.float32], real: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Where either mouth (T,) counts as closed; None where the reference stands still."""
    if not valid.any() or real[valid].std() < FLAT:
        return None
    low, high = real[valid].min(), real[valid].max()
    limit = low + CLOSED_SHARE * (high - low)
    return (made <= limit) & valid, (real <= limit) & valid


def _met(wanted: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    """Share of the runs of True in `wanted` (T,) that `given` meets within the slack."""
    places = np.flatnonzero(given)
    first = _starts(wanted) - CLOSURE_SLACK_FRAMES
    last = (len(wanted) - 1 - _starts(wanted[::-1]))[::-1] + CLOSURE_SLACK_FRAMES
    met = [bool(((places >= a) & (places <= b)).any()) for a, b in zip(first, last, strict=True)]
    return float(np.mean(met))


def _joint(
    predicted: MouthOpening, reference: MouthOpening
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    return predicted.values, reference.values, predicted.valid & reference.valid


def _starts(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where runs of True begin."""
    return np.flatnonzero(flags & ~np.concatenate([[False], flags[:-1]]))
