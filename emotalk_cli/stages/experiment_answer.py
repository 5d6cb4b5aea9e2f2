"""From the scored cells of an experiment to its answer: tables, page and JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, store
from emotalk_cli.metrics.answer import (
    Contrast,
    Level,
    Resamples,
    Spread,
    Table,
    adjusted,
    contrast,
    level,
    paired_effect,
    verdict,
)
from emotalk_cli.metrics.answer_page import Findings, write_findings
from emotalk_cli.metrics.base import LOWER
from emotalk_cli.metrics.emotion_reading import confusion, load_reader
from emotalk_cli.metrics.evaluate import definition_of
from emotalk_cli.metrics.frechet import Moments, frechet_distance
from emotalk_cli.metrics.statistics import MIN_CLUSTERS
from emotalk_cli.metrics.summary import REFERENCE_SYSTEM
from emotalk_cli.progress import Progress
from emotalk_cli.schema import FaceTrack, ScoreRow, Scores
from emotalk_cli.stages.experiment_cells import MEASURES, reference_rows
from emotalk_cli.stages.experiment_folder import decoder_folder, system_folder
from emotalk_cli.stages.experiment_metrics import FRECHET, OWN_METRICS
from emotalk_cli.stages.experiment_plan import SETS, Outcome, Plan
from emotalk_cli.stages.experiment_records import TRACKS, TRAIN, Sets

SPEED_S = 0.2
"""Frames are seen with their change over so long, so that a face that never moves is not alike."""
SPREAD_RESAMPLES = 0.3
"""Share of the resamples that Fréchet distances get, which take longer."""
NOTHING_SAID = "Nothing was measured that tells which system is better."


class Files(NamedTuple):
    """The names of what is written."""

    page: str = "report.html"
    text: str = "RESULTS.md"
    data: str = "results.json"


FILES = Files()


@dataclass(frozen=True)
class _Cell:
    """Rows and folder of one system with one seed."""

    rows: tuple[ScoreRow, ...]
    folder: Path


def answer(
    plan: Plan, seeds: Sequence[int], sets: Sets, reader: Path, out: Path, progress: Progress
) -> str:
    """Write report.html, RESULTS.md and results.json below `out`; the answer in one sentence."""
    progress.task("Answering", len(plan.outcomes))
    tested = {name: sets.folder(name) for name in SETS if sets.has(name)}
    cells = {name: _cells(plan, name, seeds, tested, out) for name in plan.systems}
    real = reference_rows(tested, reader)
    levels: list[Level] = []
    contrasts: list[Contrast] = []
    for outcome in plan.outcomes:
        if outcome.set in tested:
            more, apart = _outcome(plan, outcome, cells, sets, real)
            levels += more
            contrasts += apart
        progress.advance()
    unmeasured = plan.labels - {one.outcome for one in levels}
    contrasts = adjusted(contrasts)
    first = [c for c in contrasts if (c.first, c.second) == plan.compare[0]]
    said = verdict(first) or NOTHING_SAID
    findings = Findings(
        title=plan.title,
        question=plan.question,
        verdict=said,
        systems=tuple(plan.systems),
        levels=levels,
        contrasts=contrasts,
        others=_others(plan, cells),
        confusions=_confusions(plan, cells, tested, reader),
        emotions=load_reader(reader).emotions,
        facts=_facts(plan, seeds, sets, out),
        limits=_limits(sets, unmeasured),
        meanings=_meanings(plan),
        made_with=f"emotalk experiment {__version__}, {plan.source.name}",
    )
    write_findings(findings, *(out / name for name in FILES))
    return said


def _cells(
    plan: Plan, system: str, seeds: Sequence[int], tested: dict[str, Path], out: Path
) -> list[_Cell]:
    """The finished cells of a system; one that needs no decoder has a single one."""
    chosen = seeds if plan.systems[system].decoders else seeds[:1]
    cells = []
    for seed in chosen:
        folder = system_folder(out, system, seed)
        rows = list(store.read(folder / MEASURES, Scores).rows)
        for name in tested:
            scored = store.read(folder / name / "scores" / "scores.h5", Scores).rows
            rows += [_named(row, name) for row in scored if row.system != REFERENCE_SYSTEM]
        cells.append(_Cell(tuple(rows), folder))
    return cells


def _named(row: ScoreRow, name: str) -> ScoreRow:
    return replace(row, metric=f"{name}: {row.metric}")


def _outcome(
    plan: Plan,
    outcome: Outcome,
    cells: dict[str, list[_Cell]],
    sets: Sets,
    real: Sequence[ScoreRow],
) -> tuple[list[Level], list[Contrast]]:
    """All systems and all pairs on one outcome."""
    records = sets.folder(outcome.set)
    paths = sorted((records / TRACKS).glob(f"*{store.SUFFIX}"))
    clips = [path.stem for path in paths]
    labels = [store.read_field(path, FaceTrack, "labels") for path in paths]
    label = outcome.label
    if outcome.metric in FRECHET:
        tables: dict[str, Table | Spread] = dict(_spreads(outcome, cells, paths))
        about, count = (label, "", LOWER), round(SPREAD_RESAMPLES * plan.resamples)
    else:
        found = {name: _table(label, own, clips) for name, own in cells.items()}
        tables = {name: table for name, table in found.items() if table is not None}
        known = [row for own in cells.values() for row in own[0].rows if row.metric == label]
        if not known:
            return [], []
        about, count = (label, known[0].unit, known[0].better), plan.resamples
    most = max(len(own) for own in cells.values())
    draws = Resamples.draw(most, [one.speaker for one in labels], count)
    plain = np.ones(len(clips))
    values = {name: draws.of(t.measure) for name, t in tables.items()}
    by_seed = {
        name: [table.measure(n, plain) for n in range(len(cells[name]))]
        for name, table in tables.items()
    }
    levels = [level(n, about, values[n], by_seed[n], len(clips)) for n in tables]
    own = [row.value for row in real if row.metric == label]
    floor = _floor(outcome, paths, sets) if outcome.metric in FRECHET else np.mean(own or [np.nan])
    if np.isfinite(floor):
        levels.append(level(REFERENCE_SYSTEM, about, np.array([floor]), (), len(clips)))
    contrasts = []
    for one, other in plan.compare:
        if one in tables and other in tables:
            first, second = tables[one], tables[other]
            both = isinstance(first, Table) and isinstance(second, Table)
            effect = paired_effect(first, second) if both else float("nan")  # type: ignore[arg-type]
            pair = (values[one], values[other]), (by_seed[one], by_seed[other])
            contrasts.append(contrast((one, other), about, *pair, len(clips), effect))
    return levels, contrasts


def _table(label: str, cells: Sequence[_Cell], clips: Sequence[str]) -> Table | None:
    """Values by seed and clip; None where the system has none."""
    found = [{row.clip_id: row.value for row in cell.rows if row.metric == label} for cell in cells]
    values = np.array([[one.get(clip, np.nan) for clip in clips] for one in found])
    return Table(values) if np.isfinite(values).any() else None


def _spreads(
    outcome: Outcome, cells: dict[str, list[_Cell]], paths: Sequence[Path]
) -> dict[str, Spread]:
    def moments(path: Path) -> Moments:
        return _moments(store.read(path, FaceTrack), outcome.metric)

    real = [moments(path) for path in paths]
    return {
        name: Spread(
            [
                [moments(cell.folder / outcome.set / "tracks" / path.name) for path in paths]
                for cell in own
            ],
            real,
        )
        for name, own in cells.items()
    }


def _floor(outcome: Outcome, paths: Sequence[Path], sets: Sets) -> float:
    """Distance between test clips and those training clips that are emotional alike."""
    tracks = [
        store.read(path, FaceTrack)
        for path in sorted((sets.folder(TRAIN) / TRACKS).glob(f"*{store.SUFFIX}"))
    ]
    neutral = outcome.set == "neutral"
    alike = [t for t in tracks if (t.labels.emotion == "neutral") == neutral]
    if not alike or outcome.set == "unseen":
        return float("nan")
    train = reduce(add, (_moments(track, outcome.metric) for track in alike))
    test = reduce(add, (_moments(store.read(path, FaceTrack), outcome.metric) for path in paths))
    return frechet_distance(train, test)


def _moments(track: FaceTrack, metric: str) -> Moments:
    """Moments of the units that a Fréchet outcome looks at, and of their change."""
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    lips = set(load_default_face_model().lip_units)
    chosen = [(name in lips) == FRECHET[metric] for name in track.expression_names]
    return Moments.of(_with_change(track.expression[:, chosen], track.fps))


def _with_change(values: NDArray[np.float32], fps: float) -> NDArray[np.float32]:
    """Rows (T, U) with their change over SPEED_S beside them, (T - k, 2 U)."""
    step = max(1, round(SPEED_S * fps))
    return np.concatenate([values[step:], values[step:] - values[:-step]], axis=1)


def _others(plan: Plan, cells: dict[str, list[_Cell]]) -> dict[str, dict[str, float]]:
    """Means of all that was measured beside the outcomes: metric -> system -> mean."""
    chosen = plan.labels
    found: dict[str, dict[str, list[float]]] = {}
    for name, own in cells.items():
        for row in chain.from_iterable(cell.rows for cell in own):
            if row.metric not in chosen:
                found.setdefault(row.metric, {}).setdefault(name, []).append(row.value)
    return {
        metric: {name: float(np.mean(values)) for name, values in of.items()}
        for metric, of in sorted(found.items())
    }


def _confusions(
    plan: Plan, cells: dict[str, list[_Cell]], tested: dict[str, Path], reader: Path
) -> dict[str, list[list[int]]]:
    """Label against reading, on the emotional clips: of the reference and the first pair."""
    known = load_reader(reader)
    if "emotional" not in tested:
        return {}
    folders = {"reference": [tested["emotional"] / TRACKS]}
    for name in plan.compare[0]:
        folders[name] = [cell.folder / "emotional" / "tracks" for cell in cells[name]]
    result = {}
    for name, places in folders.items():
        paths = [path for place in places for path in sorted(place.glob(f"*{store.SUFFIX}"))]
        tracks = [store.read(path, FaceTrack) for path in paths]
        tracks = [track for track in tracks if track.labels.emotion in known.emotions]
        truth = [track.labels.emotion for track in tracks]
        read = [known.read(track) for track in tracks]
        result[name] = confusion(truth, read, known.emotions).tolist()
    return result


def _facts(plan: Plan, seeds: Sequence[int], sets: Sets, out: Path) -> dict[str, str]:
    """What was trained on what, in words."""
    from emotalk_cli.decoders.checkpoint import read_spec
    from emotalk_cli.decoders.denoiser import parameter_count

    sizes = {}
    for name in plan.decoders:
        spec, _ = read_spec(decoder_folder(out, name, seeds[0]))
        sizes[name] = parameter_count(spec)
    return {
        "clips": ", ".join(f"{name} {count}" for name, count in sets.counts.items()),
        "speakers": ", ".join(f"{name} {count}" for name, count in sets.speakers.items()),
        "divided by": sets.by,
        "emotions": "acted over the clips by the prior" if sets.acted else "of the corpus",
        "training steps": str(plan.training.get("steps", "default")),
        "seeds": ", ".join(str(seed) for seed in seeds),
        "parameters": ", ".join(f"{name} {size:,}" for name, size in sizes.items()),
    }


def _meanings(plan: Plan) -> dict[str, str]:
    """What the systems are and what the outcomes measure."""
    found = {name: system.about for name, system in plan.systems.items() if system.about}
    for metric in dict.fromkeys(outcome.metric for outcome in plan.outcomes):
        found[metric] = OWN_METRICS.get(metric) or definition_of(metric)
    return found


def _limits(sets: Sets, unmeasured: Collection[str]) -> list[str]:
    """What the figures do not show."""
    trained = sets.speakers.get(TRAIN, 0)
    limits = []
    if unmeasured:
        listed = ", ".join(sorted(unmeasured))
        limits.append(
            f"{len(unmeasured)} outcome(s) of the plan could not be measured on these clips: "
            f"{listed}."
        )
    if trained < 2:
        limits.append(
            "The lips of the corpus are those of one speaker: its intervals speak of more clips "
            "of the same person, not of other people."
        )
    if sets.acted:
        limits.append(
            "The emotions are acted over neutral clips by a documented prior. Its mouth is put "
            "together by the rule by which the two decoders are joined, except that it also "
            "articulates wider or narrower with the emotion; a corpus of real emotions may "
            "favour two decoders less."
        )
        limits.append(
            "The voices of these clips are neutral whatever the face does, so that nothing was "
            "learned of how an emotion sounds."
        )
    tested = max(sets.speakers.get(name, 0) for name in ("neutral", "emotional"))
    if trained > 1 and tested < MIN_CLUSTERS:
        limits.append(
            f"Of {tested} test speaker(s) clips are drawn, not speakers: the intervals speak of "
            "more clips of the same people."
        )
    limits.append(
        "Resampling few seeds understates how much trainings differ; the column 'seeds' counts "
        "in how many of them the difference has the same sign."
    )
    unseen = sets.counts.get("unseen", 0)
    if unseen:
        limits.append(
            f"The unseen corpus has {unseen} clips of {sets.speakers['unseen']} speaker(s)."
        )
    return limits
