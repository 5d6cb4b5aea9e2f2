"""The plan of an experiment: a YAML file whose every key is known and checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from emotalk_cli.errors import EmotalkError
from emotalk_cli.stages.experiment_metrics import metrics_of
from emotalk_cli.text_files import read_yaml

SETS = ("neutral", "emotional", "unseen")
GROUPS = ("lip", "emo", "single")
JOINED = (("lip", "emo"), ("single",), ("lip",), ())
SPEECHES = ("own", "shuffled")
ACTED = ("auto", True, False)
OPTIONAL = ("training", "resamples")
NAME = re.compile(r"[A-Za-z0-9_-]+")
RULES_OFF = {"close_lips": False, "rest_in_silence": False}


@dataclass(frozen=True)
class DataPlan:
    """How the corpus becomes training and test clips."""

    encoder: str = "hama-hidden"
    augment: int = 0
    acted: str | bool = "auto"
    test_share: float = 0.1
    validation_share: float = 0.05
    limit: int = 0  # at most so many clips; 0: all


@dataclass(frozen=True)
class DecoderPlan:
    """A decoder to be trained: its group, and the training options that differ."""

    group: str
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SystemPlan:
    """What moves a face: decoders, how they are sampled, whose speech they hear; in words."""

    decoders: tuple[str, ...] = ()
    draw: Mapping[str, Any] = field(default_factory=dict)
    speech: str = "own"
    about: str = ""


@dataclass(frozen=True)
class Outcome:
    """A metric on a set of clips, named before the results are known."""

    set: str
    metric: str

    @property
    def label(self) -> str:
        """The outcome's name in tables."""
        return f"{self.set}: {self.metric}"


@dataclass(frozen=True)
class Plan:
    """One experiment; `source` is the file it was read from."""

    title: str
    question: str
    data: DataPlan
    seeds: tuple[int, ...]
    training: Mapping[str, Any]
    decoders: Mapping[str, DecoderPlan]
    systems: Mapping[str, SystemPlan]
    compare: tuple[tuple[str, str], ...]
    outcomes: tuple[Outcome, ...]
    source: Path
    resamples: int = 2000

    @property
    def labels(self) -> frozenset[str]:
        """The names of all outcomes in tables."""
        return frozenset(outcome.label for outcome in self.outcomes)

    def training_of(self, decoder: str) -> dict[str, Any]:
        """The options of one decoder's training: the common ones, and its own over them."""
        return merged(self.training, self.decoders[decoder].training)

    def draw_of(self, system: str) -> dict[str, Any]:
        """How a system is sampled: without the rules that close lips, unless it says so."""
        return {**RULES_OFF, **self.systems[system].draw}


def read_plan(path: Path) -> Plan:
    """Read and check an experiment's YAML; raises EmotalkError naming what is wrong with it."""
    example = "Give an experiment such as data_manifests/experiments/dual_vs_single.yaml."
    values = read_yaml(path, example)
    known = [f.name for f in fields(Plan) if f.name != "source"]
    _keys(values, known, path, "the file")
    missing = [name for name in known if name not in values and name not in OPTIONAL]
    if missing:
        raise EmotalkError(f"{path} lacks {missing[0]}.", f"It needs {', '.join(known)}.")
    try:
        plan = _plan(values, path)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise EmotalkError(f"{path} is not understood: {error}.", "Check its keys.") from error
    _check(plan)
    return plan


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _plan(values: Mapping[str, Any], path: Path) -> Plan:
    return Plan(
        title=str(values["title"]),
        question=str(values["question"]).strip(),
        data=_build(DataPlan, values["data"], path, "data"),
        seeds=tuple(int(seed) for seed in values["seeds"]),
        training=dict(values.get("training") or {}),
        decoders={
            str(name): _build(DecoderPlan, given, path, f"decoders.{name}")
            for name, given in values["decoders"].items()
        },
        systems={
            str(name): _build(SystemPlan, given, path, f"systems.{name}")
            for name, given in values["systems"].items()
        },
        compare=tuple((str(one), str(other)) for one, other in values["compare"]),
        outcomes=tuple(_build(Outcome, given, path, "outcomes") for given in values["outcomes"]),
        source=path,
        resamples=int(values.get("resamples", Plan.resamples)),
    )


def _build(kind: Any, values: Any, path: Path, where: str) -> Any:
    _keys(values, [f.name for f in fields(kind)], path, where)
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _keys(values: Any, known: Sequence[str], path: Path, where: str) -> None:
    if not isinstance(values, Mapping):
        raise EmotalkError(f"{path}: {where} is no mapping.", f"Known: {', '.join(known)}.")
    unknown = [str(key) for key in values if key not in known]
    if unknown:
        raise EmotalkError(
            f"{path}: {where} has the unknown key '{unknown[0]}'.", f"Known: {', '.join(known)}."
        )


def _check(plan: Plan) -> None:
    """Refuse names that lead nowhere."""
    for name, decoder in plan.decoders.items():
        require_known(plan, f"the group of decoder {name}", decoder.group, GROUPS)
    for name, system in plan.systems.items():
        _check_system(plan, name, system)
    for outcome in plan.outcomes:
        require_known(plan, "the set of an outcome", outcome.set, SETS)
        metrics = metrics_of(outcome.set)
        require_known(plan, f"a metric of the set {outcome.set}", outcome.metric, metrics)
    for name in (name for pair in plan.compare for name in pair):
        require_known(plan, "a system in compare", name, tuple(plan.systems))
    require_known(plan, "data.acted", plan.data.acted, ACTED)
    if not plan.seeds or not plan.compare or not plan.outcomes:
        raise EmotalkError(f"{plan.source}: seeds, compare or outcomes is empty.", "Fill it.")


def _check_system(plan: Plan, name: str, system: SystemPlan) -> None:
    if not NAME.fullmatch(name):
        raise EmotalkError(
            f"{plan.source}: '{name}' cannot name a folder.", "Use letters, digits, _ and -."
        )
    for decoder in system.decoders:
        require_known(plan, f"a decoder of system {name}", decoder, tuple(plan.decoders))
    groups = tuple(plan.decoders[decoder].group for decoder in system.decoders)
    require_known(plan, f"the groups joined by system {name}", groups, JOINED)
    require_known(plan, f"the speech of system {name}", system.speech, SPEECHES)


def require_known(plan: Plan, what: str, value: Any, known: Sequence[Any]) -> None:
    """Raise EmotalkError, naming what is near, where `value` is not one of the `known`."""
    if value not in known:
        names = {str(one).casefold(): str(one) for one in known}
        near = difflib.get_close_matches(str(value).casefold(), names, n=1)
        hint = f"Did you mean '{names[near[0]]}'? " if near else ""
        listed = ", ".join(str(one) for one in known)
        raise EmotalkError(f"{plan.source}: {what} is {value!r}.", f"{hint}Known: {listed}.")
