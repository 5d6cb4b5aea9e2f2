"""The plan of an experiment: a YAML file whose every key is known and checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import MAX_SEED
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
MIN_RESAMPLES = 10  # Fréchet distances get a share of them, and one at least
MAX_SHOWN = 60
"""Letters of a wrong value that are repeated."""
EXPECTED = {
    "title": "words",
    "question": "words",
    "data": "a mapping, as in {augment: 1}",
    "seeds": f"a list of different whole numbers from 0 to {MAX_SEED}, as in [0, 1, 2]",
    "resamples": f"a whole number from {MIN_RESAMPLES}; usual is 2000",
    "training": "a mapping, as in {steps: 800}",
    "decoders": "a mapping of names, as in {lip: {group: lip}}",
    "systems": "a mapping of names, as in {dual: {decoders: [lip, emo]}}",
    "compare": "a list of pairs of systems, as in [[dual, single]]",
    "outcomes": "a list, as in [{set: neutral, metric: lip r}]",
}
"""What the value of each key is."""


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
    plan = _plan(values, path)
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
    parsers: dict[str, Callable[[Any], Any]] = {
        "title": str,
        "question": lambda given: str(given).strip(),
        "data": lambda given: _build(DataPlan, given, path, "data"),
        "seeds": lambda given: tuple(_whole(seed) for seed in _items(given)),
        "resamples": _whole,
        "training": lambda given: dict(given or {}),
        "decoders": lambda given: _named(DecoderPlan, given, path, "decoders"),
        "systems": lambda given: _named(SystemPlan, given, path, "systems"),
        "compare": lambda given: tuple(_pair(pair) for pair in _items(given)),
        "outcomes": lambda given: tuple(
            _build(Outcome, one, path, "outcomes") for one in _items(given)
        ),
    }
    parsed: dict[str, Any] = {"training": {}}
    for key in values:
        try:
            parsed[key] = parsers[key](values[key])
        except (TypeError, ValueError, AttributeError) as error:
            raise _wrong(path, key, values[key], EXPECTED[key]) from error
    return Plan(**parsed, source=path)


def _wrong(path: Path, key: str, value: Any, expected: str) -> EmotalkError:
    """What to tell of a key with a value that it cannot have."""
    shown = repr(value)
    shown = shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "..."
    return EmotalkError(f"{path}: {key} is {shown}.", f"Give {expected}.")


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(value)
    return value


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _pair(value: Any) -> tuple[str, str]:
    one, other = _items(value)
    return str(one), str(other)


def _named(kind: Any, values: Any, path: Path, where: str) -> dict[str, Any]:
    return {
        str(name): _build(kind, given, path, f"{where}.{name}") for name, given in values.items()
    }


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
    """Refuse numbers that count nothing and names that lead nowhere."""
    _check_numbers(plan)
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


def _check_numbers(plan: Plan) -> None:
    seeds, data = plan.seeds, plan.data
    if len(set(seeds)) < len(seeds) or not all(0 <= seed <= MAX_SEED for seed in seeds):
        raise _wrong(plan.source, "seeds", list(seeds), EXPECTED["seeds"])
    if plan.resamples < MIN_RESAMPLES:
        raise _wrong(plan.source, "resamples", plan.resamples, EXPECTED["resamples"])
    for name, count in (("augment", data.augment), ("limit", data.limit)):
        if type(count) is not int or count < 0:
            raise _wrong(plan.source, f"data.{name}", count, "a whole number from 0")
    shares = (("test_share", data.test_share), ("validation_share", data.validation_share))
    for name, share in shares:
        if type(share) not in (int, float) or not 0 <= share < 1:
            raise _wrong(plan.source, f"data.{name}", share, "a number from 0 to below 1")


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
