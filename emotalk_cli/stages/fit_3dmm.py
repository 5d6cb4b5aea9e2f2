"""The stage fit-3dmm: landmarks of clips, of a video or of a photo -> FaceTracks, one file each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from emotalk_cli import batch
from emotalk_cli.errors import EmotalkError
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import Clip
from emotalk_cli.stages.fit_preview import draw_preview, require_preview
from emotalk_cli.stages.many_clips import run_clips
from emotalk_cli.stages.pixel_fit import require_backend
from emotalk_cli.stages.track_making import (
    STAGE,
    FitDone,
    FitJob,
    fit_clip,
    fit_photo_file,
    fit_video_file,
    load_face_model,
)
from emotalk_cli.stages.track_pictures import is_photo_name
from emotalk_cli.store import SUFFIX, kind_of, read_field

IDENTITY_CLIPS = 40
"""A speaker's shape and camera are measured on at most so many of the clips, evenly spread."""


@dataclass(frozen=True)
class Fitted:
    """What one run did: the tracks now there, how many of them were made, what failed."""

    tracks: tuple[Path, ...]
    made: int
    skipped: int
    failures: tuple[batch.Failure, ...]
    preview: Path | None = None


def fit_3dmm(
    source: Path,
    out: Path,
    *,
    face_model: str = "default",
    identity: Literal["speaker", "clip"] = "speaker",
    photometric: bool = False,
    photometric_backend: str = "deodr",
    preview: Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> Fitted:
    """Fit the face model to every clip of `source`, to one video or to one photo.

    source: a folder of Clip records, one Clip record, a video or a photo; out: a folder that
    receives `<clip id>.h5`, or the .h5 file itself for a single source. face_model: default,
    ict:FOLDER, flame:FILE or bfm:FILE. identity: one shape and focal length per speaker, or per
    clip. photometric: refine shape and expression by the pixels, with the differentiable rasteriser
    `photometric_backend`; a shape that a speaker's clips share stays theirs. preview: an mp4 (of a
    photo a PNG) that receives the fits drawn over the pictures. Tracks that are there are skipped;
    a clip that cannot be fitted is listed and the others are done. Raises EmotalkError where none
    could be fitted.
    """
    if identity not in ("speaker", "clip"):
        raise EmotalkError(f"There is no --identity {identity}.", "Known: speaker, clip.")
    model = load_face_model(face_model)  # a wrong name is one error, not one per clip
    for note in model.notes:
        progress.note(note)
    if photometric:
        require_backend(photometric_backend)
    if preview is not None:
        require_preview(preview, source, overwrite=overwrite)
    jobs, function = _jobs(source, out, face_model, identity, overwrite, progress)
    if photometric:
        jobs = [replace(job, photometric=photometric_backend) for job in jobs]
    jobs = batch.shard_of(jobs, shard)
    done, failures = run_clips(
        function,
        jobs,
        out,
        stage=STAGE,
        lists=source.is_dir(),
        workers=workers,
        cluster=cluster,
        shard=shard,
        progress=progress,
    )
    if failures and not done:
        raise EmotalkError(_main_reason(failures), f"None of {len(jobs)} could be fitted.")
    made = sum(value.made for value in done)
    tracks = tuple(sorted(value.track for value in done))
    if preview is not None:
        pairs = [(job.source, job.track) for job in jobs if job.track in tracks]
        draw_preview(pairs, preview, model, progress)
    return Fitted(tracks, made, len(done) - made, tuple(failures), preview)


def _main_reason(failures: Sequence[batch.Failure]) -> str:
    """The reason that most clips have in common."""
    counts = Counter(f.reason.replace(f.clip, "") for f in failures)
    return max(failures, key=lambda f: counts[f.reason.replace(f.clip, "")]).reason


def _jobs(
    source: Path, out: Path, face_model: str, identity: str, overwrite: bool, progress: Progress
) -> tuple[list[FitJob], Callable[[FitJob], FitDone]]:
    """What is to be done, and the function that does it."""
    if source.is_file() and source.suffix != SUFFIX:
        job = FitJob(source.stem, source, _track(source, out), (), face_model, overwrite)
        return [job], fit_photo_file if is_photo_name(source) else fit_video_file
    clips = _clips(source)
    if source.is_dir() and out.suffix == SUFFIX:
        raise EmotalkError(f"{source} is a folder and {out} a file.", "Name a folder with -o.")
    groups = [[clip] for clip in clips]
    if identity == "speaker":
        groups, nameless = _speakers(clips)
        if nameless:
            progress.note(
                f"{nameless} of {len(clips)} clips name no speaker: each gets a shape of its own. "
                "Speakers come from the corpus's folders (GRID: s1, s2, ...) or from a manifest."
            )
    jobs = []
    for group in groups:
        measured = _measured(group) if len(group) > 1 else ()
        for clip in group:
            track = _track(clip, out)
            jobs.append(FitJob(clip.stem, clip, track, measured, face_model, overwrite))
    return jobs, fit_clip


def _clips(source: Path) -> list[Path]:
    """The Clip records to fit, in order."""
    if source.is_dir():
        clips = sorted(p for p in source.glob(f"*{SUFFIX}") if not p.name.startswith("."))
        if not clips:
            raise EmotalkError(
                f"{source} holds no clips (*{SUFFIX}).",
                "Give a folder that `emotalk preprocess` wrote, a video or a photo.",
            )
        return clips
    if not source.is_file():
        raise EmotalkError(f"There is no file or folder {source}.", "Check the path.")
    if kind_of(source) is not Clip:
        raise EmotalkError(
            f"{source} holds a {kind_of(source).kind}, not a Clip.",
            "Give a Clip record, a folder of them, a video or a photo.",
        )
    return [source]


def _speakers(clips: Sequence[Path]) -> tuple[list[list[Path]], int]:
    """The clips, those of one speaker together, and how many name none and so stand alone."""
    groups: dict[tuple[str, str], list[Path]] = {}
    nameless = 0
    for clip in clips:
        try:
            labels = read_field(clip, Clip, "labels")
            nameless += not labels.speaker
            key = (labels.dataset, labels.speaker) if labels.speaker else ("", clip.name)
        except EmotalkError:  # told when its turn comes
            key = ("", clip.name)
        groups.setdefault(key, []).append(clip)
    return list(groups.values()), nameless


def _measured(clips: Sequence[Path]) -> tuple[Path, ...]:
    """The clips on which a speaker's identity is measured."""
    picks = np.linspace(0, len(clips) - 1, min(IDENTITY_CLIPS, len(clips))).round().astype(int)
    return tuple(clips[i] for i in picks)


def _track(source: Path, out: Path) -> Path:
    return out if out.suffix == SUFFIX else out / f"{source.stem}{SUFFIX}"
