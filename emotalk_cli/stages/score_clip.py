"""One clip to be scored: what its two files show, read and brought to one form."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import probe, read_frames, read_sound
from emotalk_cli.metrics.clip import ScoredClip, Side, score_clip
from emotalk_cli.metrics.landmarks import align
from emotalk_cli.metrics.pairs import Pair, kind_of_file
from emotalk_cli.metrics.picture import FINE_PX, FaceCrops, crop_face
from emotalk_cli.metrics.speed import MakingTime
from emotalk_cli.metrics.syncnet import (
    FACE_PX,
    Agreement,
    SyncNet,
    cut_face,
    face_boxes,
    load_syncnet,
)
from emotalk_cli.metrics.witnesses import Witnesses, WitnessFiles, call_witnesses
from emotalk_cli.safe_files import atomic_path, sha256_of
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack, Labels
from emotalk_cli.stages.track_making import load_face_model
from emotalk_cli.store import kind_of, read

if TYPE_CHECKING:
    from emotalk_cli.metrics.surface import FaceSurface

VIDEO_FPS = 25.0  # the rate at which videos are compared, as in the EAT protocol


@dataclass(frozen=True)
class Job:
    """One clip of one system."""

    system: str
    pair: Pair
    speech: Path | None
    metrics: frozenset[str] | None
    face_model: str
    syncnet: Path | None
    witnesses: WitnessFiles
    cache: Path
    times: tuple[MakingTime | None, ...] = ()
    """How long each predicted file took to make, where that is known."""

    @property
    def clip_id(self) -> str:
        """The clip's id, for lists and messages."""
        return self.pair.clip_id

    def wants(self, metric: str) -> bool:
        """Whether a metric is to be measured; the groups of an error go by its first words."""
        return self.metrics is None or metric.partition(",")[0] in self.metrics


def score_one(job: Job) -> ScoredClip:
    """Measure one clip of one system."""
    pair = job.pair
    times = job.times or (None,) * len(pair.predicted)
    samples = [
        replace(_load(path, pair.reference, job), making=time)
        for path, time in zip(pair.predicted, times, strict=True)
    ]
    reference = _load(pair.reference, pair.predicted[0], job)
    speech = read(job.speech, AudioFeatures) if job.speech else None
    called = witnesses_of(job.witnesses, job.metrics)
    return score_clip(job.system, job.clip_id, samples, reference, speech, job.wants, called)


def _load(path: Path, other: Path, job: Job) -> Side:
    """What a record or a video shows of its clip; `other` is the file it is compared with."""
    if kind_of_file(path) == "video":
        return _watch(path, job.syncnet, other, job.cache)
    kind = kind_of(path)
    if kind is FaceTrack:
        track = read(path, FaceTrack)
        model = load_face_model(job.face_model)
        if model.sha256 != track.face_model_sha256:
            raise EmotalkError(
                f"{path} was made for another face model ({track.face_model}, "
                f"{track.face_model_sha256[:8]}) than the one here ({model.name}, "
                f"{model.sha256[:8]}).",
                "Make it again with `emotalk fit-3dmm`, or name its model with --face-model.",
            )
        surface = _surface(job.face_model, len(track.shape))
        return Side(track.labels, len(track.valid), track.fps, track=track, surface=surface)
    if kind is Clip:
        clip = read(path, Clip)
        landmarks = align(clip.landmarks, clip.valid, clip.fps)
        shown = clip.frames_jpeg is not None and clip.fps == VIDEO_FPS and shows(other)
        crops = _clip_crops(clip) if shown else None
        return Side(clip.labels, len(clip.valid), clip.fps, landmarks=landmarks, crops=crops)
    raise EmotalkError(
        f"{path} holds a {kind.kind} record, which shows no face.",
        "Give FaceTrack records, Clip records or videos.",
    )


def shows(path: Path) -> bool:
    """Whether a file may show pictures."""
    return kind_of_file(path) == "video" or kind_of(path) is Clip


def _clip_crops(clip: Clip) -> FaceCrops:
    """Aligned crops of the pictures that a Clip record keeps."""
    import cv2

    x0, y0, side, _ = clip.crop

    def pictures() -> Iterator[NDArray[np.uint8]]:
        """Each frame's crop (128, 128, 3) uint8 RGB."""
        for index, landmarks in enumerate(clip.landmarks):
            data = np.frombuffer(clip.frame_jpeg(index), np.uint8)
            picture = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            scale = picture.shape[0] / side
            yield crop_face(np.asarray(picture, np.uint8), (landmarks[:, :2] - [x0, y0]) * scale)

    return FaceCrops(_on_disk(pictures(), FINE_PX), clip.valid)


def _watch(path: Path, syncnet: Path | None, other_sound: Path, cache: Path) -> Side:
    """Follow the largest face through a video; its crops lie on disk, however long it is.

    The landmarks are kept in `cache`, for the next time the same file is watched. A silent video
    is heard with the sound of the other side.
    """
    points, valid = _landmarks(path, cache)
    nothing = np.zeros((FINE_PX, FINE_PX, 3), np.uint8)

    def crops() -> Iterator[NDArray[np.uint8]]:
        for frame, landmarks, seen in zip(read_frames(path, VIDEO_FPS), points, valid, strict=True):
            yield crop_face(frame, landmarks) if seen else nothing

    return Side(
        Labels(),
        len(valid),
        VIDEO_FPS,
        landmarks=align(points, valid, VIDEO_FPS),
        crops=FaceCrops(_on_disk(crops(), FINE_PX), valid),
        agreement=_heard(path, points, syncnet, other_sound) if syncnet else None,
    )


def _landmarks(path: Path, cache: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Landmarks (T, 478, 2) px of a video's largest face, gaps filled, and where it was seen."""
    from emotalk_cli.face3d.face_tracking import track_faces

    kept = cache / f"{sha256_of(path)}-{VIDEO_FPS:g}.npz"
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as arrays:
            return arrays["landmarks_px"], arrays["valid"]
    points, valid = track_faces(read_frames(path, VIDEO_FPS))
    with atomic_path(kept) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, landmarks_px=points[..., :2], valid=valid)
    return points[..., :2], valid


def _heard(
    path: Path, landmarks_px: NDArray[np.float32], syncnet: Path, other_sound: Path
) -> Agreement | None:
    """SyncNet's judgement of a video; None where neither side has sound."""
    voices = [p for p in (path, other_sound) if kind_of_file(p) == "video" and probe(p).has_audio]
    if not voices:
        return None
    frames = zip(read_frames(path, VIDEO_FPS), face_boxes(landmarks_px), strict=True)
    faces = _on_disk((cut_face(frame, box) for frame, box in frames), FACE_PX)
    return syncnet_of(syncnet).compare(faces, read_sound(voices[0]))


def _on_disk(pictures: Iterable[NDArray[np.uint8]], size_px: int) -> NDArray[np.uint8]:
    """Square pictures as one array (T, size, size, 3) that lies in a nameless temporary file."""
    with tempfile.TemporaryFile() as spool:
        for picture in pictures:
            spool.write(picture.tobytes())
        spool.flush()
        # The map outlives the file's handle.
        return np.memmap(spool, np.uint8, "r").reshape(-1, size_px, size_px, 3)


@functools.cache
def witnesses_of(files: WitnessFiles, metrics: frozenset[str] | None) -> Witnesses:
    """The networks that look at faces, loaded once per process."""
    return call_witnesses(files, lambda name: metrics is None or name in metrics)


@functools.cache
def syncnet_of(path: Path) -> SyncNet:
    """The user's SyncNet, read once per process."""
    return load_syncnet(path)


@functools.cache
def _surface(face_model: str, shape_size: int) -> FaceSurface:
    """The surface of a face model, made once per process."""
    from emotalk_cli.metrics.surface import FaceSurface

    return FaceSurface(load_face_model(face_model), shape_size)
