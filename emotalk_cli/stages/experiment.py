"""The stage experiment: a plan and a corpus -> trained systems, their scores and one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from emotalk_cli import safe_files, store
from emotalk_cli.batch import Job, run_jobs
from emotalk_cli.errors import EmotalkError
from emotalk_cli.folder_lock import one_run
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.experiment_answer import FILES, answer
from emotalk_cli.stages.experiment_cells import PlayCell, TrainCell, play_cell, train_cell
from emotalk_cli.stages.experiment_folder import decoder_folder, require_ready, system_folder
from emotalk_cli.stages.experiment_plan import SETS, Plan, read_plan
from emotalk_cli.stages.experiment_records import STAGE, TRACKS, TRAIN, Sets, prepare

J = TypeVar("J", bound=Job)

READER = "emotion_reader.json"
HEAVIEST_FIRST = ("single", "lip", "emo")


@dataclass(frozen=True)
class Experimented:
    """What was written, and the answer in one sentence."""

    report: Path
    answer: str


def experiment(
    plan: Path,
    data: Path,
    out: Path,
    *,
    unseen: Path | None = None,
    workers: int = 2,
    progress: Progress = Quiet(),
) -> Experimented:
    """Run the experiment of a YAML file on a corpus, seed after seed, and answer its question.

    data, unseen: a corpus that `preprocess` knows, or a folder with records in tracks/ and audio/;
    `unseen` is only tested on. out: receives sets/, decoders/, systems/ and the report (html, md,
    json), which is written again after each seed. The same command goes on where it was stopped.
    Raises EmotalkError for a plan or a corpus that cannot be used, where a cell fails, and where
    another run writes into `out`; StaleOutputError where `out` holds other things.
    """
    planned = read_plan(plan)
    require_ready(planned, data, unseen, out)
    with one_run(out, STAGE):
        return _experiment(planned, data, unseen, out, workers, progress)


def _experiment(
    planned: Plan, data: Path, unseen: Path | None, out: Path, workers: int, progress: Progress
) -> Experimented:
    """Run a plan that can be run."""
    sets = prepare(data, unseen, planned.data, out, workers=workers, progress=progress)
    _require_outcomes(planned, sets, progress)
    configs = _configs(planned, out)
    reader = _reader(sets, out)
    said = ""
    for number, seed in enumerate(planned.seeds):
        progress.note(f"Seed {seed}: {number + 1} of {len(planned.seeds)}.")
        training = list(_training(planned, sets, configs, seed, out))
        _run(train_cell, training, "training", workers, progress)
        playing = list(_playing(planned, sets, reader, seed, out))
        _run(play_cell, playing, "performing", workers, progress)
        said = answer(planned, planned.seeds[: number + 1], sets, reader, out, progress)
    return Experimented(out / FILES.page, said)


def _require_outcomes(plan: Plan, sets: Sets, progress: Progress) -> None:
    """Tell what of the plan no clip is there for; raise EmotalkError if that is all."""
    empty = [outcome.label for outcome in plan.outcomes if not sets.has(outcome.set)]
    if len(empty) == len(plan.outcomes):
        raise EmotalkError(
            f"No clip is there for any outcome of {plan.source}: {', '.join(empty)}.",
            "Clips of the set unseen come from --unseen; the others from --data.",
        )
    if empty:
        progress.note(f"No clip is there for {len(empty)} outcome(s): {', '.join(empty)}.")


def _run(
    function: Callable[[J], None], cells: Sequence[J], stage: str, workers: int, progress: Progress
) -> None:
    """Do all cells that can be done; raise EmotalkError if one cannot."""
    failures = run_jobs(function, cells, stage=stage, workers=workers, progress=progress)
    if failures:
        raise EmotalkError(
            f"{failures[0].clip} failed: {failures[0].reason}",
            "The same command goes on with what is left; a changed plan needs a new folder (-o).",
        )


def _reader(sets: Sets, out: Path) -> Path:
    """The emotion reader, trained on the training clips alone."""
    from emotalk_cli.metrics.emotion_reading import save_reader, train_reader

    paths = sorted((sets.folder(TRAIN) / TRACKS).glob(f"*{store.SUFFIX}"))
    tracks = [store.read(path, FaceTrack) for path in paths]
    reader = train_reader(tracks, f"{len(tracks)} training clips of this experiment")
    return save_reader(reader, out / READER)


def _configs(plan: Plan, out: Path) -> dict[str, Path]:
    """Each decoder's training options as a YAML file that `emotalk train-*` takes."""
    import yaml

    written = {}
    for name in plan.decoders:
        path = out / "configs" / f"{name}.yaml"
        with safe_files.atomic_path(path) as temporary:
            temporary.write_text(yaml.safe_dump(plan.training_of(name)), encoding="utf-8")
        written[name] = path
    return written


def _training(
    plan: Plan, sets: Sets, configs: dict[str, Path], seed: int, out: Path
) -> Iterator[TrainCell]:
    for group in HEAVIEST_FIRST:
        for name, decoder in plan.decoders.items():
            if decoder.group == group:
                folder = decoder_folder(out, name, seed)
                yield TrainCell(name, group, seed, sets.folder(TRAIN), folder, configs[name])


def _playing(plan: Plan, sets: Sets, reader: Path, seed: int, out: Path) -> Iterator[PlayCell]:
    tested = {name: sets.folder(name) for name in SETS if sets.has(name)}
    for name, system in plan.systems.items():
        if system.decoders or seed == plan.seeds[0]:
            yield PlayCell(
                system=name,
                seed=seed,
                decoders=tuple(decoder_folder(out, decoder, seed) for decoder in system.decoders),
                draw=plan.draw_of(name),
                shuffled=system.speech == "shuffled",
                sets=tested,
                reader=reader,
                out=system_folder(out, name, seed),
            )
