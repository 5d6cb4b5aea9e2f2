"""What an experiment of several systems, seeds and clips allows to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import HIGHER
from emotalk_cli.metrics.frechet import Moments, frechet_distance
from emotalk_cli.metrics.statistics import CONFIDENCE, SEED, Interval, cluster_index, holm

Float = NDArray[np.float64]
Weights = NDArray[np.float64]
Measure = Callable[[int, Weights], float]
"""A measure of one system: number of the seed, weight of each clip (C,) -> value."""

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Level:
    """One measure of one system: mean over seeds with its interval, and the value of each seed."""

    system: str
    outcome: str
    unit: str
    better: str
    interval: Interval
    seeds: tuple[float, ...]


@dataclass(frozen=True)
class Contrast:
    """First system minus second: interval, chance, size against the clips' spread.

    `effect` is Cohen's d of the paired differences over clips, seeds averaged; nan for measures of
    whole sets. `agreeing`: in so many seeds the difference has the sign of the mean.
    """

    first: str
    second: str
    outcome: str
    unit: str
    better: str
    difference: Interval
    p_value: float
    effect: float
    agreeing: int
    seeds: int
    p_holm: float = float("nan")

    @property
    def winner(self) -> str:
        """The better system where the corrected chance and the interval allow to name one."""
        decided = self.p_holm < SIGNIFICANT and self.difference.low * self.difference.high > 0
        if not decided or not self.better:
            return ""
        return self.first if (self.difference.mean > 0) == (self.better == HIGHER) else self.second


@dataclass(frozen=True)
class Table:
    """One measure of one system by seed and clip, (S, C) with nan where missing."""

    values: Float

    def measure(self, seed: int, weights: Weights) -> float:
        """Weighted mean over clips of one seed."""
        row = self.values[seed % len(self.values)]
        seen = np.isfinite(row) & (weights > 0)
        if not seen.any():
            return float("nan")
        return float(row[seen] @ weights[seen] / weights[seen].sum())


@dataclass(frozen=True)
class Spread:
    """Fréchet distance of a system's frames to the reference's: moments by seed and clip."""

    made: Sequence[Sequence[Moments]]
    real: Sequence[Moments]

    def measure(self, seed: int, weights: Weights) -> float:
        """Distance between the weighted clips of one seed and the same clips of the reference."""
        made = self.made[seed % len(self.made)]
        return frechet_distance(_weighted(made, weights), _weighted(self.real, weights))


@dataclass(frozen=True)
class Resamples:
    """Draws of seeds (R, S) and weights of clips (R, C), the same for all systems.

    Seeds and clips (or whole speakers) are drawn independently of one another, both with
    replacement. The first row is the plain data.
    """

    seeds: NDArray[np.intp]
    weights: Weights

    @classmethod
    def draw(cls, seeds: int, clusters: Sequence[str], count: int) -> Resamples:
        """`clusters`: the speaker of each clip, resampled as in `bootstrap_mean`."""
        place = cluster_index(clusters, np.ones(len(clusters), bool))
        groups = int(place.max()) + 1
        rng = np.random.default_rng(SEED)
        drawn = rng.integers(0, groups, (count, groups))
        hits = np.zeros((count, groups))
        np.add.at(hits, (np.arange(count)[:, None], drawn), 1)
        chosen = rng.integers(0, seeds, (count, seeds))
        first = np.ones((1, len(clusters)))
        return cls(
            np.vstack([np.arange(seeds)[None], chosen]),
            np.vstack([first, hits[:, place]]),
        )

    def of(self, measure: Measure) -> Float:
        """Mean over the drawn seeds of a measure, one value for each resample (R + 1,)."""
        pairs = zip(self.seeds, self.weights, strict=True)
        return np.array(
            [np.mean([measure(int(s), weights) for s in seeds]) for seeds, weights in pairs]
        )


def level(
    system: str, outcome: tuple[str, str, str], draws: Float, seeds: Sequence[float], clips: int
) -> Level:
    """What the values of one system say: `draws` (R + 1,) of `Resamples.of`, `seeds` (S,) on the
    plain data, `clips` how many; `outcome` is name, unit and direction.
    """
    return Level(system, *outcome, _interval(draws, clips), tuple(seeds))


def contrast(
    systems: tuple[str, str],
    outcome: tuple[str, str, str],
    draws: tuple[Float, Float],
    seeds: tuple[Sequence[float], Sequence[float]],
    clips: int,
    effect: float,
) -> Contrast:
    """What the same resamples (R + 1,) of two systems say of their difference, first minus second.

    The p value is twice the smaller share of resamples on one side of zero, never below 1 / R.
    `effect`: see `paired_effect`.
    """
    apart = draws[0] - draws[1]
    rest = apart[1:][np.isfinite(apart[1:])]
    if len(rest) and np.isfinite(apart[0]):
        tail = min(float((rest <= 0).mean()), float((rest >= 0).mean()))
        p = min(1.0, max(2 * tail, 1 / len(rest)))
    else:
        p = float("nan")
    by_seed = np.resize(seeds[0], max(map(len, seeds))) - np.resize(seeds[1], max(map(len, seeds)))
    agreeing = int((np.sign(by_seed) == np.sign(apart[0])).sum())
    interval = _interval(apart, clips)
    return Contrast(*systems, *outcome, interval, p, effect, agreeing, len(by_seed))


def adjusted(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Holm's correction over the outcomes of each pair of systems."""
    found = []
    for pair in dict.fromkeys((c.first, c.second) for c in contrasts):
        own = [c for c in contrasts if (c.first, c.second) == pair]
        p_holm = holm(np.array([c.p_value for c in own]))
        found += [replace(c, p_holm=float(p)) for c, p in zip(own, p_holm, strict=True)]
    return found


def paired_effect(first: Table, second: Table) -> float:
    """Cohen's d of the clips' paired differences, averaged over seeds."""
    apart = _over_seeds(first.values) - _over_seeds(second.values)
    apart = apart[np.isfinite(apart)]
    spread = apart.std(ddof=1) if len(apart) > 1 else 0.0
    return float(apart.mean() / spread) if spread > 1e-12 else float("nan")


def _over_seeds(values: Float) -> Float:
    """Mean over seeds of values (S, C), missing ones left out: (C,)."""
    seen = np.isfinite(values)
    sums = np.where(seen, values, 0.0).sum(0)
    return np.where(seen.any(0), sums / np.maximum(seen.sum(0), 1), np.nan)


def verdict(contrasts: Sequence[Contrast]) -> str:
    """One sentence on one pair: on what each system is better, and what stays open."""
    judged = [one for one in contrasts if one.better]
    if not judged:
        return ""
    parts = []
    for system, words in ((judged[0].first, " is better"), (judged[0].second, ""), ("", "")):
        won = [one.outcome for one in judged if one.winner == system]
        count = f"{len(won)} of {len(judged)} outcomes" if words else str(len(won))
        said = f"{system}{words} on {count}" if system else f"{count} stay open"
        parts.append(f"{said} ({', '.join(won)})" if won else said.replace("on 0", "on none"))
    return "; ".join(parts) + "."


def _weighted(clips: Sequence[Moments], weights: Weights) -> Moments:
    used = [(w, clip) for w, clip in zip(weights, clips, strict=True) if w > 0]
    return Moments(
        sum(w * clip.count for w, clip in used),
        np.sum([w * clip.total for w, clip in used], axis=0),
        np.sum([w * clip.outer for w, clip in used], axis=0),
    )


def _interval(draws: Float, clips: int) -> Interval:
    rest = draws[1:][np.isfinite(draws[1:])]
    if not len(rest):
        return Interval(float(draws[0]), float("nan"), float("nan"), clips)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(rest, [tail, 100 - tail])
    return Interval(float(draws[0]), float(low), float(high), clips)
