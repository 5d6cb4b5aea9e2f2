"""One clip, video or photo becomes one FaceTrack."""

from __future__ import annotations

import contextlib
import functools
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, parts, safe_files, store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import Clip, FaceTrack, Labels, MadeBy
from emotalk_cli.stages.pixel_fit import REVISION as PIXEL_REVISION
from emotalk_cli.stages.pixel_fit import pixel_fit, require_pictures
from emotalk_cli.stages.track_pictures import has_pictures, shots_of

if TYPE_CHECKING:
    from emotalk_cli.face3d.fitting.fit import Identity
    from emotalk_cli.face3d.models.linear_model import FaceModel

STAGE = "fit-3dmm"
SHARPNESS_FRAMES, SHARPNESS_STEP = 8, 5
"""So many pictures, and every how many-th, tell whether a clip is blurred."""
KNOWN_MODELS = "default, ict:FOLDER, flame:FILE, bfm:FILE"
VIDEO_FPS = 25.0
"""Frame rate of the track of a video that was not preprocessed."""


@dataclass(frozen=True)
class FitJob:
    """One source to fit.

    speaker: clips on which this person's shape and camera are measured; none: on this one alone.
    photometric: the differentiable rasteriser that refines the fit by the pixels; empty: none does.
    """

    clip_id: str
    source: Path
    track: Path
    speaker: tuple[Path, ...]
    face_model: str
    overwrite: bool
    photometric: str = ""


@dataclass(frozen=True)
class FitDone:
    """The track of one source, whether it was made now, and what is to be said of it."""

    track: Path
    made: bool
    notes: tuple[str, ...] = ()


def fit_clip(job: FitJob) -> FitDone:
    """Make the track of one Clip record, unless it is there already."""
    from emotalk_cli.face3d.fitting.fit import fit_sequence

    inputs = {"clip": safe_files.sha256_of(job.source)}
    if job.speaker:
        inputs["speaker"] = _digest(job.speaker)
    made_by = _made_by(job, inputs)
    if store.is_done(job.track, made_by, overwrite=job.overwrite):
        return FitDone(job.track, made=False)
    if job.photometric:
        require_pictures(job.source)
    clip = {
        name: store.read_field(job.source, Clip, name)
        for name in ("landmarks", "valid", "width_px", "height_px", "fps", "labels")
    }
    model = load_face_model(job.face_model)
    person = _identity(job.speaker, job.face_model) if job.speaker else None
    track = fit_sequence(**clip, model=model, identity=person, made_by=made_by)
    return _written(job, track, clip["landmarks"])


def fit_video_file(job: FitJob) -> FitDone:
    """Make the track of one video file, at 25 frames a second."""
    from emotalk_cli.face3d.face_tracking import track_faces
    from emotalk_cli.face3d.fitting.fit import fit_sequence
    from emotalk_cli.media import probe, read_frames, require_picture

    info = probe(job.source)
    require_picture(job.source, info)
    made_by = _made_by(job, {"video": safe_files.sha256_of(job.source)})
    if store.is_done(job.track, made_by, overwrite=job.overwrite):
        return FitDone(job.track, made=False)
    with contextlib.closing(read_frames(job.source, VIDEO_FPS, info=info)) as frames:
        landmarks, valid = track_faces(frames)
    track = fit_sequence(
        landmarks,
        valid,
        info.width_px,
        info.height_px,
        VIDEO_FPS,
        load_face_model(job.face_model),
        made_by=made_by,
        labels=Labels(clip_id=job.clip_id),
    )
    return _written(job, track, landmarks)


def fit_photo_file(job: FitJob) -> FitDone:
    """Make the track of one photo: a single frame."""
    from emotalk_cli.face3d.fitting.fit import fit_photo
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    photo = read_photo(job.source)
    made_by = _made_by(job, {"photo": safe_files.sha256_of(job.source)})
    if store.is_done(job.track, made_by, overwrite=job.overwrite):
        return FitDone(job.track, made=False)
    face = require_face(photo, job.source)
    height, width = photo.shape[:2]
    model = load_face_model(job.face_model)
    labels = Labels(clip_id=job.clip_id)
    track = fit_photo(face.landmarks, width, height, model, made_by=made_by, labels=labels)
    return _written(job, track, face.landmarks[None], face.note)


def _written(
    job: FitJob, track: FaceTrack, landmarks: NDArray[np.float32], note: str = ""
) -> FitDone:
    """Refine a track by the pixels where that is wanted, write it, say what is to be said."""
    notes = [note] if note else []
    if job.photometric:
        model, backend = load_face_model(job.face_model), job.photometric
        found = pixel_fit(
            track, job.source, landmarks, model, backend=backend, free_shape=not job.speaker
        )
        track, notes = found.track, [*notes, found.note]
    store.write(track, job.track)
    return FitDone(job.track, made=True, notes=(*notes, *warnings_of(landmarks, track, job.source)))


def load_face_model(name: str) -> FaceModel:
    """The face model called `name`: default, or one from the user's files, read once per process.

    Raises EmotalkError for an unknown name and for files that hold no such model.
    """
    kind, _, place = name.partition(":")
    if kind not in parts.FACE_MODELS or bool(place) != (kind != "default"):
        raise EmotalkError(f"There is no face model '{name}'.", f"Known: {KNOWN_MODELS}.")
    return _loaded_model(f"{kind}:{Path(place).expanduser().resolve()}" if place else kind)


@functools.lru_cache(maxsize=2)
def _loaded_model(name: str) -> FaceModel:
    model: FaceModel = parts.make(parts.FACE_MODELS, name)
    return model


def _made_by(job: FitJob, inputs: dict[str, str]) -> MadeBy:
    from emotalk_cli.face3d.fitting.fit import REVISION

    inputs["face_model"] = load_face_model(job.face_model).sha256
    identity = "speaker" if job.speaker else "clip"
    kind, _, place = job.face_model.partition(":")
    name = f"{kind}:{Path(place).name}" if place else kind
    options: dict[str, Any] = {"face_model": name, "identity": identity, "fitting": REVISION}
    if notes := load_face_model(job.face_model).notes:
        options["face_model_notes"] = " ".join(notes)
    if job.photometric:
        options["photometric"] = f"{job.photometric} {PIXEL_REVISION}"
    return MadeBy(STAGE, __version__, options, inputs=inputs)


@functools.lru_cache(maxsize=4)
def _digest(clips: tuple[Path, ...]) -> str:
    return safe_files.sha256_of_all(clips)


@functools.lru_cache(maxsize=4)
def _identity(clips: tuple[Path, ...], face_model: str) -> Identity:
    """Who the speaker of these clips is; clips that cannot be read do not speak."""
    from emotalk_cli.face3d.fitting.fit import fit_identity

    landmarks, valid, sizes = [], [], []
    for path in clips:
        with contextlib.suppress(EmotalkError):
            seen = store.read_field(path, Clip, "landmarks"), store.read_field(path, Clip, "valid")
            width, height = (store.read_field(path, Clip, s) for s in ("width_px", "height_px"))
            landmarks.append(seen[0])
            valid.append(seen[1])
            sizes.append((width, height))
    return fit_identity(landmarks, sizes, load_face_model(face_model), valid=valid)


def warnings_of(
    landmarks: NDArray[np.float32], track: FaceTrack, source: Path | None = None
) -> tuple[str, ...]:
    """Why a track is not to be trusted, or nothing; the source's pictures tell whether of blur."""
    from emotalk_cli.face3d.fitting.quality import fit_quality, fit_warnings

    quality = fit_quality(landmarks, track)
    warnings = fit_warnings(quality)
    if not warnings or source is None or not has_pictures(source):
        return warnings
    return fit_warnings(quality, _sharpness(source, track.fps))


def _sharpness(source: Path, fps: float) -> float:
    """Median sharpness of the face in some of the source's pictures."""
    from emotalk_cli.face3d.landmarks import sharpness

    shots = itertools.islice(shots_of(source, fps), 0, SHARPNESS_FRAMES * SHARPNESS_STEP)
    found = [
        sharpness(shot.picture, (shot.landmarks - shot.origin_px) * shot.scale)
        for shot in itertools.islice(shots, 0, None, SHARPNESS_STEP)
        if shot.landmarks is not None
    ]
    return float(np.median(found)) if found else 0.0
