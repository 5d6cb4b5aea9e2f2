"""The stage score: predicted motion or videos against their references -> scores and a report."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emotalk_cli import __version__
from emotalk_cli.batch import Failure, run_jobs, write_failures
from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.clip import ScoredClip
from emotalk_cli.metrics.evaluate import METRICS
from emotalk_cli.metrics.geometry import EXPRESSION_ERROR
from emotalk_cli.metrics.pairs import Pair, find_clips, kind_of_file, pair_up, system_names
from emotalk_cli.metrics.report import Report, write_report
from emotalk_cli.metrics.speed import Speed
from emotalk_cli.metrics.spread import confusions, spread_rows
from emotalk_cli.metrics.summary import REFERENCE_SYSTEM, by_emotion, by_speaker, compare, means
from emotalk_cli.metrics.tables import write_csv, write_json
from emotalk_cli.metrics.witnesses import WitnessFiles
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.remarks import gathered
from emotalk_cli.safe_files import sha256_of, sha256_of_all
from emotalk_cli.schema import MadeBy, Scores
from emotalk_cli.stages.score_clip import Job, score_one, shows, syncnet_of, witnesses_of
from emotalk_cli.stages.video_times import files_of_times, read_times, video_of
from emotalk_cli.store import is_done, read, write

STAGE = "score"
SCORES, JSON, CSV, REPORT = "scores.h5", "scores.json", "scores.csv", "report.html"
NO_SYNCNET = (
    "LSE-C and LSE-D are not available: they need SyncNet's weights, which come with no package. "
    "Give your copy of syncnet_v2.model with --syncnet."
)
NO_TIMES = (
    "speed of {} is not available: no video_times.csv lies there that fits the videos. "
    "`emotalk generate --manifest` writes it beside what it makes."
)
CACHE = "cache"
READER = Path(__file__).resolve().parents[1] / "weights" / "emotion_reader.json"


@dataclass(frozen=True)
class ScoreReport:
    """What the stage wrote, how many clips it scored, and problems by clip."""

    report: Path
    scores: Path
    clips: int
    failures: tuple[Failure, ...] = ()


def score(
    predicted: Path | Sequence[Path],
    reference: Path,
    out: Path,
    *,
    audio: Path | None = None,
    metrics: Sequence[str] | None = None,
    face_model: str = "default",
    syncnet: Path | None = None,
    inception: Path | None = None,
    lpips: Path | None = None,
    emotion_reader: Path | None = None,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> ScoreReport:
    """Measure how far predictions are from their references, clip by clip.

    predicted, reference: each a folder of FaceTrack records (fit-3dmm, generate), of Clip records
    or of videos, or one such file. Clips pair by their path below the folder. Several predicted
    folders are several systems, compared by paired tests. audio: a folder of AudioFeatures for
    the metrics against speech; speed is known of what a video_times.csv of generate lists.
    metrics: names of those to measure; None: all that can be.
    The user's own weights, without which their metrics are not available: syncnet
    (syncnet_v2.model) for LSE-C and LSE-D, inception for FID, lpips (AlexNet) for LPIPS;
    emotion_reader: another reader of coefficients than the packaged one. out: a folder that
    receives scores.h5 (a Scores record), scores.csv, scores.json, report.html, failures.csv where a
    clip failed, and a cache of the landmarks of videos. Raises EmotalkError if nothing pairs or no
    clip can be scored; a clip that cannot is reported and the others are done.
    """
    folders = [predicted] if isinstance(predicted, Path) else list(predicted)
    wanted = _wanted(metrics)
    _require_folder(out)
    names = _names(folders, reference)
    pairings = [pair_up(folder, reference) for folder in folders]
    reader = emotion_reader or READER
    weights = {"syncnet": syncnet, "inception": inception, "lpips": lpips, "reader": reader}
    systems = dict(zip(names, folders, strict=True))
    made_by = _made_by(systems, reference, audio, weights, wanted, face_model)
    if is_done(out / SCORES, made_by, overwrite=overwrite) and (out / REPORT).is_file():
        before = read(out / SCORES, Scores)
        known = {row.clip_id for row in before.rows} - {""}
        return ScoreReport(out / REPORT, out / SCORES, len(known))
    notes = [note for name, p in zip(names, pairings, strict=True) for note in p.notes(name)]
    pairs = [pair for pairing in pairings for pair in pairing.pairs]
    files = WitnessFiles(inception, lpips, reader, _any_pictures(pairs))
    notes += witnesses_of(files, wanted).absent
    if syncnet is not None:
        syncnet_of(syncnet)
    jobs = [
        Job(name, pair, speech, wanted, face_model, syncnet, files, out / CACHE)
        for name, pairing in zip(names, pairings, strict=True)
        for pair, speech in _with_speech(pairing.pairs, audio, notes)
    ]
    if wanted is None or Speed.name in wanted:
        jobs = _timed(jobs, systems, notes)
    scored, failures = _scored(jobs, workers, progress)
    write_failures(failures, out)
    if syncnet is None and any(kind_of_file(pair.predicted[0]) == "video" for pair in pairs):
        notes.append(NO_SYNCNET)
    notes += gathered((clip.drawn.clip_id, note) for clip in scored for note in clip.notes)
    for note in notes:
        progress.note(note)
    notes += [f"Not scored: {line}" for line in gathered((f.clip, f.reason) for f in failures)]
    _write_all(out, names, reference, scored, notes, made_by)
    clips = {clip.drawn.clip_id for clip in scored}
    return ScoreReport(out / REPORT, out / SCORES, len(clips), tuple(failures))


def _timed(jobs: Sequence[Job], systems: Mapping[str, Path], notes: list[str]) -> list[Job]:
    """The jobs with how long their videos took to make, and where that is not known a note."""
    known = {name: read_times(folder) for name, folder in systems.items()}
    for name, times in known.items():
        if times:
            workers = " or ".join(map(str, sorted({time.workers for time in times.values()})))
            notes.append(f"speed of {name}: videos timed: {len(times)}; made at once: {workers}.")
    unknown = [name for name, times in known.items() if not times]
    if unknown:
        notes.append(NO_TIMES.format(", ".join(unknown)))
    return [
        replace(job, times=tuple(known[job.system].get(video_of(p)) for p in job.pair.predicted))
        for job in jobs
    ]


def _scored(
    jobs: Sequence[Job], workers: int, progress: Progress
) -> tuple[list[ScoredClip], list[Failure]]:
    """All clips that could be scored, in the order of the jobs, and those that could not."""
    found: dict[tuple[str, str], ScoredClip] = {}
    failures = run_jobs(
        score_one,
        jobs,
        stage=STAGE,
        workers=workers,
        on_done=lambda job, value: found.__setitem__((job.system, job.clip_id), value),
        progress=progress,
    )
    if not found:
        raise EmotalkError(f"None of {len(jobs)} clips could be scored: {failures[0].reason}")
    keys = [(job.system, job.clip_id) for job in jobs]
    return [found[key] for key in keys if key in found], failures


def _made_by(
    systems: Mapping[str, Path],
    reference: Path,
    audio: Path | None,
    weights: Mapping[str, Path | None],
    wanted: frozenset[str] | None,
    face_model: str,
) -> MadeBy:
    """Everything that the scores depend on."""
    inputs = {name: _digest(folder) for name, folder in systems.items()}
    times = {name: files_of_times(folder) for name, folder in systems.items()}
    inputs |= {f"times of {name}": sha256_of_all(files) for name, files in times.items() if files}
    inputs[REFERENCE_SYSTEM] = _digest(reference)
    if audio is not None:
        inputs["audio"] = _digest(audio)
    inputs |= {name: _hash(path) for name, path in weights.items() if path is not None}
    options = {"metrics": sorted(wanted) if wanted else "all", "face_model": face_model}
    return MadeBy(STAGE, __version__, options, inputs=inputs)


def _hash(path: Path) -> str:
    """The sha256 of a file that the user names."""
    if not path.is_file():
        raise EmotalkError(f"There is no file {path}.", "Check the path.")
    return sha256_of(path)


def _any_pictures(pairs: Sequence[Pair]) -> bool:
    """Whether any pair shows pictures on both sides; a broken file is told of later."""
    for pair in pairs:
        with contextlib.suppress(EmotalkError):
            if shows(pair.predicted[0]) and shows(pair.reference):
                return True
    return False


def _wanted(metrics: Sequence[str] | None) -> frozenset[str] | None:
    if metrics is None:
        return None
    known = (*METRICS, EXPRESSION_ERROR)
    for name in metrics:
        if name not in known:
            raise EmotalkError(f"There is no metric {name}.", f"Known: {', '.join(known)}.")
    return frozenset(metrics)


def _require_folder(out: Path) -> None:
    """Tell of a hopeless output before the work, not after it."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise EmotalkError(
            f"Cannot write into {out}: {there} is no folder that can be written to.",
            "Choose another folder with -o.",
        )


def _names(folders: Sequence[Path], reference: Path) -> list[str]:
    """The systems' names; one that is called as the reference is gets its folder's parent too."""
    if not folders:
        raise EmotalkError("No prediction is given.", "Give one folder or file, or several.")
    if REFERENCE_SYSTEM in (names := system_names(folders)):
        names = [f"predicted {name}" if name == REFERENCE_SYSTEM else name for name in names]
    return names


def _digest(side: Path) -> str:
    """One sha256 for all clips of a side and their names."""
    digest = hashlib.sha256()
    for clip_id, kinds in find_clips(side).items():
        for path in (path for paths in kinds.values() for path in paths):
            digest.update(f"{clip_id}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _with_speech(
    pairs: Sequence[Pair], audio: Path | None, notes: list[str]
) -> list[tuple[Pair, Path | None]]:
    """Each pair with its AudioFeatures."""
    if audio is None:
        return [(pair, None) for pair in pairs]
    heard = {clip_id: kinds["record"][0] for clip_id, kinds in find_clips(audio).items()}
    if len(heard) == len(pairs) == 1:
        return [(pairs[0], next(iter(heard.values())))]
    silent = [pair.clip_id for pair in pairs if pair.clip_id not in heard]
    if silent:
        notes.append(f"No speech in {audio.name} for {len(silent)} of the clips: {silent[0]}, ...")
    return [(pair, heard.get(pair.clip_id)) for pair in pairs]


def _write_all(
    out: Path,
    names: Sequence[str],
    reference: Path,
    scored: Sequence[ScoredClip],
    notes: Sequence[str],
    made_by: MadeBy,
) -> None:
    """All four files; the record is the last, so that where it stands all stand."""
    rows = tuple(dict.fromkeys(row for clip in scored for row in clip.rows))
    rows += tuple(spread_rows(scored))
    read_as = confusions(scored)
    scores = Scores(made_by=made_by, rows=rows)
    overall = means(rows)
    groups = {"speaker": means(rows, by_speaker), "emotion": means(rows, by_emotion)}
    comparisons = compare(rows, names)
    report = Report(
        systems=tuple(names),
        reference=reference.stem if reference.is_file() else reference.resolve().name,
        rows=rows,
        means=overall,
        groups=groups,
        comparisons=comparisons,
        drawn=[clip.drawn for clip in scored],
        confusions=read_as,
        notes=notes,
        made_with=f"emotalk score {__version__}",
    )
    write_csv(scores, out / CSV)
    write_json(scores, {"all": overall, **groups}, comparisons, read_as, notes, out / JSON)
    write_report(report, out / REPORT)
    write(scores, out / SCORES)
