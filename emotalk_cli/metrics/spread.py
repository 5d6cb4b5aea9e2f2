"""What witnesses say of many clips together: Fréchet distances and confusion matrices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotalk_cli.metrics.clip import ScoredClip
from emotalk_cli.metrics.emotion_reading import confusion
from emotalk_cli.metrics.frechet import Moments, frechet_distance
from emotalk_cli.metrics.summary import REFERENCE_SYSTEM
from emotalk_cli.metrics.witnesses import SPREADS, Reading
from emotalk_cli.schema import ScoreRow

MIN_PICTURES = 2


@dataclass(frozen=True)
class Confusion:
    """Label (row) against what was read (column), (K, K) counts; of one system or the reference."""

    system: str
    metric: str
    emotions: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def spread_rows(scored: Sequence[ScoredClip]) -> list[ScoreRow]:
    """One row for each system and Fréchet distance, of all clips: its clip id is empty."""
    rows = []
    for system in dict.fromkeys(clip.drawn.system for clip in scored):
        said = [t for clip in scored if clip.drawn.system == system for t in clip.testimonies]
        for metric in SPREADS:
            both = [t.features[metric.name] for t in said if metric.name in t.features]
            if sum(len(real) for _, real in both) < MIN_PICTURES:
                continue
            made, real = (Moments.of(np.concatenate(side)) for side in zip(*both, strict=True))
            value = frechet_distance(made, real)
            rows.append(ScoreRow(system, "", metric.name, value, metric.unit, metric.better))
    return rows


def confusions(scored: Sequence[ScoredClip]) -> list[Confusion]:
    """The matrix of each witness, of the reference and of each system."""
    said: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for clip in scored:
        for testimony in clip.testimonies:
            for reading in testimony.predicted:
                said[clip.drawn.system, reading.metric].append(reading)
        for reading in clip.testimonies[0].reference if clip.testimonies else ():
            if (clip.drawn.clip_id, reading.metric) not in seen:
                seen.add((clip.drawn.clip_id, reading.metric))
                said[REFERENCE_SYSTEM, reading.metric].append(reading)
    found = []
    for (system, metric), readings in sorted(said.items(), key=lambda one: one[0][1]):
        names = tuple(sorted({r.label for r in readings} | {r.read for r in readings}))
        table = confusion([r.label for r in readings], [r.read for r in readings], names)
        counts = tuple(tuple(int(count) for count in row) for row in table)
        found.append(Confusion(system, metric, names, counts))
    return found
