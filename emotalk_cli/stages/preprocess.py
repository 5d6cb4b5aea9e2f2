"""preprocess: a corpus of videos becomes one Clip record per clip, and a manifest."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli import batch, safe_files, store
from emotalk_cli.datasets import arkit
from emotalk_cli.datasets.catalogue import Choice, find_clips
from emotalk_cli.datasets.clip_source import ClipSource
from emotalk_cli.errors import EmotalkError
from emotalk_cli.folder_lock import one_run
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.remarks import gathered, write_remarks
from emotalk_cli.stages import capture_making, clip_making
from emotalk_cli.stages.clip_making import STAGE, ClipDone, ClipJob, Options
from emotalk_cli.stages.earlier_clips import refuse_other_options

MANIFEST = "manifest.csv"
COLUMNS = (
    *("clip", "path", "sound", "speaker", "emotion", "intensity", "view", "split"),
    *("status", "frames", "seconds", "sha256"),
)
"""Columns of manifest.csv, which `datasets.manifest` can read again."""


@dataclass(frozen=True)
class Preprocessed:
    """What one run did: counts, where the manifest lies, and what failed."""

    clips: int
    made: int
    skipped: int
    frames: int
    seconds: float
    manifest: Path
    failures: tuple[batch.Failure, ...]


def preprocess(
    source: Path,
    out: Path,
    *,
    dataset: str = "auto",
    fps: float = 25.0,
    keep_frames: bool = True,
    crop_size_px: int = 256,
    face: str = "largest",
    speakers: Collection[str] = (),
    emotions: Collection[str] = (),
    views: Collection[str] = (),
    levels: Collection[int] = (),
    limit: int | None = None,
    splits: Path | None = None,
    min_valid: float = 0.5,
    workers: int = 1,
    cluster: str | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> Preprocessed:
    """Track the face in every clip of the corpus `source`; one Clip each in `out`/<clip id>.h5.

    `source` is a folder, a video or a CSV that lists clips; `dataset` one of the names in
    `datasets.catalogue`, `levels` are MEAD's 1 to 3, `splits` is a CSV such as those in
    data_manifests/. Landmarks and frames come at `fps`, sound as 16 kHz mono from the first frame
    to the end of the last. `face` is largest, central or a number from the left. Clips that are
    done are skipped; clips that show the face in less than the share `min_valid` of their frames
    fail. Captures without pictures (`arkit`) become FaceTracks. Also writes manifest.csv, and
    failures.csv and notes.csv where something failed or is to be said. Raises StaleOutputError
    before it writes anything where `out` holds what was made with other options.
    """
    options = Options(fps, keep_frames, crop_size_px, face, min_valid)
    _check_options(options)
    progress.task("finding clips")
    choice = Choice(speakers, emotions, views, levels, limit)
    clips = find_clips(source, dataset, choice, splits)
    threads = 1 if workers > 1 or cluster else 0
    jobs = batch.shard_of(
        [
            ClipJob(c, out / (c.labels.clip_id + store.SUFFIX), options, overwrite, threads)
            for c in clips
        ],
        shard,
    )
    captured = jobs[0].source.labels.dataset == arkit.NAME if jobs else False
    refuse_other_options(jobs, capture_making.options_of if captured else clip_making.options_of)
    if not captured:
        _tell_missing_sounds(clips, progress)
    safe_files.remove_leftovers(out)
    done: dict[str, ClipDone] = {}
    with one_run(out, STAGE, shard):
        failures = batch.run_jobs(
            capture_making.make_track if captured else clip_making.make_clip,
            jobs,
            stage=STAGE,
            workers=workers,
            cluster=cluster,
            on_done=lambda job, result: done.update({job.clip_id: result}),
            progress=progress,
        )
        safe_files.remove_leftovers(out)  # of workers that were killed on the way
        batch.write_failures(failures, out, shard)
        remarks = [(name, note) for name, one in done.items() for note in one.notes]
        write_remarks(remarks, out, [name for name in done if not done[name].skipped], shard)
        manifest = out / batch.shard_name(MANIFEST, shard)
        _write_manifest(manifest, source, jobs, done, failures)
    for line in gathered(remarks):
        progress.note(line)
    return Preprocessed(
        clips=len(jobs),
        made=sum(not d.skipped for d in done.values()),
        skipped=sum(d.skipped for d in done.values()),
        frames=sum(d.frames for d in done.values()),
        seconds=sum(d.seconds for d in done.values()),
        manifest=manifest,
        failures=tuple(failures),
    )


def _check_options(options: Options) -> None:
    if not 1 <= options.fps <= 240:
        raise EmotalkError(f"--fps {options.fps:g} makes no sense.", "Give 1 to 240; usual is 25.")
    if not 32 <= options.crop_size_px <= 2048:
        raise EmotalkError(
            f"--crop-size-px {options.crop_size_px} makes no sense.", "Give 32 to 2048."
        )
    if not 0 <= options.min_valid <= 1:
        raise EmotalkError(
            f"--min-valid {options.min_valid:g} makes no sense.", "Give a share from 0 to 1."
        )


def _tell_missing_sounds(clips: Sequence[ClipSource], progress: Progress) -> None:
    lacking = [clip.missing_sound for clip in clips if clip.missing_sound]
    if lacking:
        progress.note(
            f"{len(lacking)} of {len(clips)} clips lack their sound file, such as {lacking[0]}: "
            "the video's own sound is taken where it has one, the others fail."
        )


def _write_manifest(
    path: Path,
    source: Path,
    jobs: list[ClipJob],
    done: dict[str, ClipDone],
    failures: list[batch.Failure],
) -> None:
    """One row per clip of this run; rows of earlier runs stay while their record is there."""
    rows = _earlier_rows(path)
    reasons = {f.clip: f.reason for f in failures}
    root = source if source.is_dir() else source.parent
    for job in jobs:
        result = done.get(job.clip_id)
        if result or job.clip_id not in rows:
            rows[job.clip_id] = _row(job, root, result, failed=job.clip_id in reasons)
    with (
        safe_files.atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows.values())


def _earlier_rows(path: Path) -> dict[str, dict[str, str]]:
    """Clip id -> row of the manifest that is there already, for records that are there too."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            return {}
        return {
            row["clip"]: {name: row[name] for name in COLUMNS}
            for row in reader
            if row["status"] == "done" and (path.parent / (row["clip"] + store.SUFFIX)).is_file()
        }


def _row(job: ClipJob, root: Path, result: ClipDone | None, *, failed: bool) -> dict[str, str]:
    labels = job.source.labels
    values = (
        job.clip_id,
        _below(job.source.path, root),
        _below(job.source.sound, root) if job.source.sound else "",
        labels.speaker,
        labels.emotion,
        f"{labels.intensity:.4g}",
        labels.view,
        labels.split,
        "done" if result else "failed" if failed else "",
        str(result.frames) if result else "",
        f"{result.seconds:.3f}" if result else "",
        result.sha256 if result else "",
    )
    return dict(zip(COLUMNS, values, strict=True))


def _below(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
