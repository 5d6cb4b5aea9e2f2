"""From rows to what they say: means with intervals by group, and systems compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from emotalk_cli.metrics.statistics import Interval, PairedTest, bootstrap_mean, holm, paired_test
from emotalk_cli.schema import ScoreRow

REFERENCE_SYSTEM = "reference"  # rows that describe the reference itself


@dataclass(frozen=True)
class Mean:
    """Mean of one metric of one system over one group of clips."""

    system: str
    group: str
    metric: str
    unit: str
    better: str
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """Two systems on the clips that both have; the difference is first minus second."""

    first: str
    second: str
    metric: str
    unit: str
    better: str
    test: PairedTest


def everything(row: ScoreRow) -> str:
    """All clips are one group."""
    return "all"


def by_speaker(row: ScoreRow) -> str:
    """One group for each speaker."""
    return row.speaker


def by_emotion(row: ScoreRow) -> str:
    """One group for each emotion."""
    return row.emotion


def means(rows: Iterable[ScoreRow], group: Callable[[ScoreRow], str] = everything) -> list[Mean]:
    """Means by system, group and metric, in the order in which these first appear.

    Rows whose group is empty are left out.
    """
    found: dict[tuple[str, str, str, str, str], list[ScoreRow]] = defaultdict(list)
    for row in rows:
        if group(row):
            found[row.system, group(row), row.metric, row.unit, row.better].append(row)
    return [
        Mean(*key, bootstrap_mean(np.array([r.value for r in own]), [r.speaker for r in own]))
        for key, own in found.items()
    ]


def compare(rows: Iterable[ScoreRow], systems: Sequence[str]) -> list[Comparison]:
    """Every two systems on every metric with a direction, clip by clip.

    The p values are adjusted by Holm over all metrics of one pair of systems.
    """
    table: dict[tuple[str, str, str], dict[str, dict[str, float]]] = {}
    speakers: dict[str, str] = {}
    for row in rows:
        speakers[row.clip_id] = row.speaker
        if row.better:
            metric = table.setdefault((row.metric, row.unit, row.better), {})
            metric.setdefault(row.system, {})[row.clip_id] = row.value
    found: list[Comparison] = []
    for first, second in combinations(systems, 2):
        tests = [
            Comparison(first, second, *metric, _tested(of[first], of[second], speakers))
            for metric, of in table.items()
            if first in of and second in of
        ]
        adjusted = holm(np.array([c.test.p_value for c in tests]))
        found += [
            replace(c, test=replace(c.test, p_holm=float(p)))
            for c, p in zip(tests, adjusted, strict=True)
        ]
    return found


def _tested(
    first: dict[str, float], second: dict[str, float], speakers: dict[str, str]
) -> PairedTest:
    """The test on the clips that both systems have."""
    shared = [clip_id for clip_id in first if clip_id in second]
    one, other = np.array([first[c] for c in shared]), np.array([second[c] for c in shared])
    return paired_test(one, other, [speakers[c] for c in shared])
