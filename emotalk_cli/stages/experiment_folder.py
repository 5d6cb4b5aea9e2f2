"""What must hold before an experiment begins: nothing of another plan lies in its folder."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotalk_cli import __version__, safe_files, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.schema import MadeBy, Scores
from emotalk_cli.stages.experiment_cells import MEASURES, play_options
from emotalk_cli.stages.experiment_plan import SETS, Plan, require_known
from emotalk_cli.stages.experiment_records import (
    CLIPS,
    CORPUS,
    DONE,
    NEXT_STEP,
    SETS_FOLDER,
    TRAIN,
    UNSEEN_CORPUS,
    has_records,
    refuse_other,
)
from emotalk_cli.stages.preprocess import MANIFEST
from emotalk_cli.text_files import read_json

if TYPE_CHECKING:
    from emotalk_cli.decoders.training.config import TrainConfig

FIRST_WRITTEN = (
    f"{SETS_FOLDER}/{DONE}",
    *(f"{SETS_FOLDER}/{name}" for name in (TRAIN, *SETS)),
    f"{CORPUS}/{CLIPS}",
    f"{UNSEEN_CORPUS}/{CLIPS}",
)
"""Of these at least one is there from the first moment of an experiment on."""


def decoder_folder(out: Path, name: str, seed: int) -> Path:
    """Where the decoder `name` of a seed lies."""
    return out / "decoders" / name / f"seed{seed}"


def system_folder(out: Path, name: str, seed: int) -> Path:
    """Where the performances of the system `name` with a seed lie."""
    return out / "systems" / name / f"seed{seed}"


def require_ready(plan: Plan, data: Path, unseen: Path | None, out: Path) -> None:
    """Raise EmotalkError where a run could only fail later; writes nothing.

    That is a corpus that is not there, an option of training or sampling that does not exist, or a
    folder with the work of another plan or corpus.
    """
    corpora = (("--data", data, CORPUS), ("--unseen", unseen, UNSEEN_CORPUS))
    for option, folder, _ in corpora:
        if folder is not None and not folder.is_dir():
            raise EmotalkError(f"There is no folder {folder}.", f"Give a corpus with {option}.")
    safe_files.require_writable(out / DONE)
    _require_own(out)
    _require_draws(plan)
    configs = _configs(plan)
    for place, before, options in _made_before(plan, configs, out):
        inputs = dict(before.get("inputs", {}))
        if place == out / SETS_FOLDER and ("unseen" in inputs) != (unseen is not None):
            inputs["unseen"] = "there" if unseen else "missing"
        now = MadeBy(before.get("stage", ""), __version__, options, before.get("seed"), inputs)
        refuse_other(place, before, now)
    for _, folder, name in corpora:
        if folder is not None and not has_records(folder):
            _require_same_clips(folder, out, name)


def _require_own(out: Path) -> None:
    """Raise StaleOutputError where `out` holds things and none that an experiment begins with."""
    found = sorted(path.name for path in out.glob("[!.]*"))
    if found and not any((out / place).exists() for place in FIRST_WRITTEN):
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise StaleOutputError(
            f"{out} is not empty and holds no experiment (found: {', '.join(found[:3])}{more}).",
            "Name a new or an empty folder with -o.",
        )


def _require_same_clips(data: Path, out: Path, name: str) -> None:
    """Refuse another corpus than the one that was begun: its clips would lie among the others."""
    from emotalk_cli.datasets.catalogue import find_clips

    folder = out / name / CLIPS
    before = {path.stem for path in folder.glob(f"[!.]*{store.SUFFIX}")}
    if not before:
        return
    if (folder / MANIFEST).is_file():
        with (folder / MANIFEST).open(newline="", encoding="utf-8") as file:
            before |= {row["clip"] for row in csv.DictReader(file)}
    now = {clip.labels.clip_id for clip in find_clips(data)}
    finished = (out / SETS_FOLDER / DONE).is_file()
    other = sorted(before ^ now if finished else before - now)
    if other:
        where = f"{folder} has, and {data} has not" if other[0] in before else f"{data} has anew"
        raise EmotalkError(
            f"The corpus has changed: {len(other)} clip(s), such as {other[0]}, which {where}.",
            NEXT_STEP,
        )


def _require_draws(plan: Plan) -> None:
    from emotalk_cli.decoders.sampling import Draw

    names = [one.name for one in dataclasses.fields(Draw) if one.name != "seed"]
    for name, system in plan.systems.items():
        for key in system.draw:
            require_known(plan, f"a key of draw of system {name}", key, names)


def _configs(plan: Plan) -> dict[str, TrainConfig]:
    """The training options of each decoder, checked."""
    from emotalk_cli.decoders.training.config import config_of

    return {
        name: config_of(plan.training_of(name), f"{plan.source}: training of {name}")
        for name in plan.decoders
    }


def _made_before(
    plan: Plan, configs: Mapping[str, TrainConfig], out: Path
) -> Iterator[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """What an earlier run left: its place, what it was made by, and the options it has now."""
    from emotalk_cli.decoders.training.folder import made_by_of

    records = out / SETS_FOLDER / DONE
    if records.is_file():
        content = read_json(records, "Choose another folder with -o.")
        yield records.parent, content["made_by"], dataclasses.asdict(plan.data)
    for seed in plan.seeds:
        for name, config in configs.items():
            folder = decoder_folder(out, name, seed)
            trained = made_by_of(folder)
            if trained is not None:
                yield folder, trained, dataclasses.asdict(config)
        for name, system in plan.systems.items():
            measures = system_folder(out, name, seed) / MEASURES
            if measures.is_file():
                played = json.loads(store.as_json(store.read_field(measures, Scores, "made_by")))
                options = play_options(plan.draw_of(name), system.speech == "shuffled")
                yield measures.parent, played, options
