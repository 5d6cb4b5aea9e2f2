"""The stage fit-3dmm: landmarks of clips, a video or a photo -> FaceTracks, one file each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from emotalk_cli import __version__
from emotalk_cli.errors import EmotalkError
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import Clip, FaceTrack, Labels, MadeBy
from emotalk_cli.store import SUFFIX, is_done, kind_of, read, read_field, sha256_of, write

if TYPE_CHECKING:
    from emotalk_cli.face3d.fitting import Identity
    from emotalk_cli.face3d.linear_model import FaceModel

STAGE = "fit-3dmm"
IDENTITY_CLIPS = 40
"""A speaker's shape and camera are measured on at most so many of the clips, evenly spread."""
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
BAD_RESIDUAL = 0.04
"""Mean landmark error, as a share of the inter-ocular distance, that is worth a warning."""
SMALL_EYES_PX = 24.0
TURNED_DEG = 35.0
LOST_SHARE = 0.3


@dataclass(frozen=True)
class FitReport:
    """What the stage did: the tracks now there, those made just now, problems by clip."""

    tracks: tuple[Path, ...]
    made: int
    failed: Mapping[str, str]


@dataclass(frozen=True)
class _Job:
    """One clip to fit: where it is, where its track goes, how."""

    clip: Path
    track: Path
    made_by: MadeBy
    labels: Labels
    identity: Identity | None
    face_model: str


def fit_3dmm(
    source: Path,
    out: Path,
    *,
    face_model: str = "default",
    identity: Literal["speaker", "clip"] = "speaker",
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress = Quiet(),
) -> FitReport:
    """Fit the face model to every clip of `source`, or to one photo.

    source: a folder of Clip records, one Clip record, or a photo. out: a folder that receives
    `<clip>.h5`, or the file itself for a single source. identity: one shape and focal length per
    speaker, or per clip. A clip that cannot be fitted is reported, the others are done; raises
    EmotalkError when nothing could be fitted.
    """
    if identity not in ("speaker", "clip"):
        raise EmotalkError(f"There is no --identity {identity}.", "Known: speaker, clip.")
    if source.suffix.lower() in PHOTO_SUFFIXES:
        return _fit_photo(source, out, face_model, overwrite, progress)
    failed: dict[str, str] = {}
    done: list[Path] = []
    jobs: list[_Job] = []
    speakers = _by_speaker(_clips(source), identity == "speaker", failed, progress)
    progress.task("Measuring faces", len(speakers))
    for clips in speakers:
        todo = _plan(clips, source, out, face_model, identity, overwrite, done)
        if todo and identity == "speaker":
            todo = _with_identity(todo, list(clips), face_model, failed)
        jobs += todo
        progress.advance()
    progress.task("Fitting", len(jobs))
    for job, problem, note in _run(jobs, workers):
        if problem:
            failed[job.clip.stem] = problem
            progress.note(f"{job.clip.stem}: {problem}")
        else:
            done.append(job.track)
        if note:
            progress.note(f"{job.clip.stem}: {note}")
        progress.advance()
    if not done:
        first = next(iter(failed.values()), "")
        raise EmotalkError(f"No clip of {source} could be fitted: {first}", "See the messages.")
    return FitReport(tuple(sorted(done)), len(jobs) - len(failed), failed)


def _clips(source: Path) -> list[Path]:
    """The files to fit, in order."""
    if source.is_dir():
        clips = sorted(source.glob(f"*{SUFFIX}"))
        if not clips:
            raise EmotalkError(
                f"{source} holds no clips (*{SUFFIX}).",
                f"Run `emotalk preprocess ... -o {source}`.",
            )
        return clips
    if not source.is_file():
        raise EmotalkError(f"There is no file or folder {source}.", "Check the path.")
    if kind_of(source) is not Clip:
        raise EmotalkError(
            f"{source} holds a {kind_of(source).kind}, not a Clip.",
            "Give a photo, a Clip record or a folder of Clip records.",
        )
    return [source]


def _by_speaker(
    clips: Sequence[Path], together: bool, failed: dict[str, str], progress: Progress
) -> list[dict[Path, Labels]]:
    """The clips and their labels, those of one speaker together where the corpus names one."""
    groups: dict[tuple[str, str], dict[Path, Labels]] = {}
    for clip in clips:
        try:
            labels = read_field(clip, Clip, "labels")
        except EmotalkError as error:
            failed[clip.stem] = str(error)
            progress.note(f"{clip.stem}: {error.problem}")
            continue
        named = together and labels.speaker
        key = (labels.dataset, labels.speaker) if named else ("", clip.name)
        groups.setdefault(key, {})[clip] = labels
    return list(groups.values())


def _plan(
    clips: Mapping[Path, Labels],
    source: Path,
    out: Path,
    face_model: str,
    identity: str,
    overwrite: bool,
    done: list[Path],
) -> list[_Job]:
    """The jobs that are still to do; tracks that are there are added to `done`."""
    options = {"face_model": face_model, "identity": identity}
    shared = {"face_model": _model(face_model).sha256}
    if identity == "speaker":
        shared["speaker"] = _digest(_measured(list(clips)))
    jobs = []
    for clip, labels in clips.items():
        single = source.is_file() and out.suffix == SUFFIX
        track = out if single else out / f"{clip.stem}{SUFFIX}"
        inputs = {"clip": sha256_of(clip), **shared}
        made_by = MadeBy(STAGE, __version__, options, inputs=inputs)
        if is_done(track, made_by, overwrite=overwrite):
            done.append(track)
        else:
            jobs.append(_Job(clip, track, made_by, labels, None, face_model))
    return jobs


def _measured(clips: Sequence[Path]) -> list[Path]:
    """The clips on which a speaker's identity is measured."""
    picks = np.linspace(0, len(clips) - 1, min(IDENTITY_CLIPS, len(clips))).round().astype(int)
    return [clips[i] for i in picks]


def _digest(files: Iterable[Path]) -> str:
    """One sha256 for the contents of many files, in order."""
    return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()


def _model(name: str) -> FaceModel:
    from emotalk_cli.face3d.default_model import load_default_face_model

    if name != "default":
        raise EmotalkError(f"There is no face model '{name}'.", "Known: default.")
    return load_default_face_model()


def _with_identity(
    jobs: list[_Job], clips: list[Path], face_model: str, failed: dict[str, str]
) -> list[_Job]:
    """The same jobs, told who the speaker is; none if no frame shows the speaker's face."""
    from dataclasses import replace

    from emotalk_cli.face3d.fitting import fit_identity

    landmarks, valid, sizes = [], [], []
    for path in _measured(clips):
        landmarks.append(read_field(path, Clip, "landmarks"))
        valid.append(read_field(path, Clip, "valid"))
        width, height = (read_field(path, Clip, side) for side in ("width_px", "height_px"))
        sizes.append((width, height))
    try:
        person = fit_identity(landmarks, sizes, _model(face_model), valid=valid)
    except EmotalkError as error:
        failed.update({job.clip.stem: str(error) for job in jobs})
        return []
    return [replace(job, identity=person) for job in jobs]


def _run(jobs: Sequence[_Job], workers: int) -> Iterable[tuple[_Job, str, str]]:
    """Do all jobs in `workers` processes; yields job, problem and note as they end."""
    if workers == 1:
        return map(_do, jobs)
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=workers, return_as="generator_unordered")
    results: Iterable[tuple[_Job, str, str]] = pool(delayed(_do)(job) for job in jobs)
    return results


def _do(job: _Job) -> tuple[_Job, str, str]:
    from emotalk_cli.face3d.fitting import fit_sequence

    try:
        clip = read(job.clip, Clip)
        track = fit_sequence(
            clip.landmarks,
            clip.valid,
            clip.width_px,
            clip.height_px,
            clip.fps,
            _model(job.face_model),
            identity=job.identity,
            made_by=job.made_by,
            labels=job.labels,
        )
        write(track, job.track)
    except EmotalkError as error:
        return job, str(error), ""
    return job, "", warning(clip, track)


def warning(clip: Clip, track: FaceTrack) -> str:
    """Why a track is not to be trusted, or nothing."""
    from emotalk_cli.face3d.camera import yaw_pitch_roll
    from emotalk_cli.face3d.fitting_points import inter_ocular

    eyes_px = float(np.median(inter_ocular(clip.landmarks[clip.valid][..., :2])))
    share = float(np.median(track.residual_px[track.valid])) / max(eyes_px, 1.0)
    lost = 1.0 - float(track.valid.mean())
    if lost > LOST_SHARE:
        return f"the face was lost in {100 * lost:.0f} % of the frames."
    if share < BAD_RESIDUAL:
        return ""
    yaw = float(np.degrees(np.abs(np.median(yaw_pitch_roll(track.head_pose)[:, 0]))))
    if yaw > TURNED_DEG:
        reason = f"the head is turned by {yaw:.0f} degrees"
    elif eyes_px < SMALL_EYES_PX:
        reason = f"the face is small, {eyes_px:.0f} px between the eyes"
    else:
        reason = "something may hide the face, or the picture is blurred"
    return f"the fit is {100 * share:.1f} % of the inter-ocular distance off: {reason}."


def _fit_photo(
    source: Path, out: Path, face_model: str, overwrite: bool, progress: Progress
) -> FitReport:
    from emotalk_cli.face3d.fitting import fit_photo
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    photo = read_photo(source)
    track = out if out.suffix == SUFFIX else out / f"{source.stem}{SUFFIX}"
    model = _model(face_model)
    inputs = {"photo": sha256_of(source), "face_model": model.sha256}
    made_by = MadeBy(STAGE, __version__, {"face_model": face_model}, inputs=inputs)
    if is_done(track, made_by, overwrite=overwrite):
        return FitReport((track,), 0, {})
    face = require_face(photo, source)
    if face.note:
        progress.note(face.note)
    height, width = photo.shape[:2]
    labels = Labels(clip_id=source.stem)
    fitted = fit_photo(face.landmarks, width, height, model, made_by=made_by, labels=labels)
    write(fitted, track)
    return FitReport((track,), 1, {})
