"""The stage score: predicted motion or videos against their references -> scores and a report."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__
from emotalk_cli.batch import Failure, run_jobs
from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import probe, read_frames, read_sound
from emotalk_cli.metrics.clip import ScoredClip, Side, score_clip
from emotalk_cli.metrics.evaluate import METRICS
from emotalk_cli.metrics.geometry import EXPRESSION_ERROR
from emotalk_cli.metrics.landmarks import align
from emotalk_cli.metrics.pairs import Pair, find_clips, kind_of_file, pair_up, system_names
from emotalk_cli.metrics.picture import FINE_PX, FaceCrops, crop_face
from emotalk_cli.metrics.report import Report, write_report
from emotalk_cli.metrics.summary import REFERENCE_SYSTEM, by_emotion, by_speaker, compare, means
from emotalk_cli.metrics.syncnet import (
    FACE_PX,
    Agreement,
    SyncNet,
    cut_face,
    face_boxes,
    load_syncnet,
)
from emotalk_cli.metrics.tables import write_csv, write_json
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack, Labels, MadeBy, Scores
from emotalk_cli.store import is_done, kind_of, read, sha256_of, write

if TYPE_CHECKING:
    from emotalk_cli.metrics.surface import FaceSurface

STAGE = "score"
SCORES, JSON, CSV, REPORT = "scores.h5", "scores.json", "scores.csv", "report.html"
MAX_NOTES_OF_A_KIND = 8
NO_SYNCNET = (
    "LSE-C and LSE-D are not available: they need SyncNet's weights, which come with no package. "
    "Give your copy of syncnet_v2.model with --syncnet."
)
VIDEO_FPS = 25.0  # the rate at which videos are compared, as in the EAT protocol


@dataclass(frozen=True)
class ScoreReport:
    """What the stage wrote, how many clips it scored, and problems by clip."""

    report: Path
    scores: Path
    clips: int
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class _Job:
    """One clip of one system."""

    system: str
    pair: Pair
    speech: Path | None
    metrics: frozenset[str] | None
    face_model: str
    syncnet: Path | None

    @property
    def clip_id(self) -> str:
        return self.pair.clip_id

    def wants(self, metric: str) -> bool:
        """Whether a metric is to be measured; the groups of an error go by its first words."""
        return self.metrics is None or metric.partition(",")[0] in self.metrics


def score(
    predicted: Path | Sequence[Path],
    reference: Path,
    out: Path,
    *,
    audio: Path | None = None,
    metrics: Sequence[str] | None = None,
    face_model: str = "default",
    syncnet: Path | None = None,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> ScoreReport:
    """Measure how far predictions are from their references, clip by clip.

    predicted, reference: each a folder of FaceTrack records (fit-3dmm, generate), of Clip records
    or of videos, or one such file. Clips pair by their path below the folder. Several predicted
    folders are several systems, compared by paired tests. audio: a folder of AudioFeatures for
    the metrics against speech. metrics: names of those to measure; None: all that can be.
    syncnet: the user's syncnet_v2.model for LSE-C and LSE-D of videos; without it they are not
    available. out: a folder that receives scores.h5 (a Scores record), scores.csv, scores.json and
    report.html. Raises EmotalkError if nothing pairs or no clip can be scored; a clip that
    cannot is reported and the others are done.
    """
    folders = [predicted] if isinstance(predicted, Path) else list(predicted)
    wanted = _wanted(metrics)
    _require_folder(out)
    names = _names(folders, reference)
    pairings = [pair_up(folder, reference) for folder in folders]
    inputs = {name: _digest(folder) for name, folder in zip(names, folders, strict=True)}
    inputs[REFERENCE_SYSTEM] = _digest(reference)
    if audio is not None:
        inputs["audio"] = _digest(audio)
    if syncnet is not None:
        _syncnet(syncnet)
        inputs["syncnet"] = sha256_of(syncnet)
    options = {"metrics": sorted(wanted) if wanted else "all", "face_model": face_model}
    made_by = MadeBy(STAGE, __version__, options, inputs=inputs)
    if is_done(out / SCORES, made_by, overwrite=overwrite) and (out / REPORT).is_file():
        before = read(out / SCORES, Scores)
        return ScoreReport(out / REPORT, out / SCORES, len({r.clip_id for r in before.rows}))
    notes = [note for name, p in zip(names, pairings, strict=True) for note in p.notes(name)]
    jobs = [
        _Job(name, pair, speech, wanted, face_model, syncnet)
        for name, pairing in zip(names, pairings, strict=True)
        for pair, speech in _with_speech(pairing.pairs, audio, notes)
    ]
    found: dict[tuple[str, str], ScoredClip] = {}
    failures = run_jobs(
        _score_clip,
        jobs,
        stage=STAGE,
        workers=workers,
        on_done=lambda job, value: found.__setitem__((job.system, job.clip_id), value),
        progress=progress,
    )
    scored = [found[key] for job in jobs if (key := (job.system, job.clip_id)) in found]
    if not scored:
        raise EmotalkError(f"None of {len(jobs)} clips could be scored: {failures[0].reason}")
    if syncnet is None and any(kind_of_file(job.pair.predicted[0]) == "video" for job in jobs):
        notes.append(NO_SYNCNET)
    notes += _gathered([note for clip in scored for note in clip.notes])
    for note in notes:
        progress.note(note)
    notes += [f"{failure.clip} could not be scored: {failure.reason}" for failure in failures]
    _write_all(out, names, reference, scored, notes, made_by)
    return ScoreReport(
        out / REPORT,
        out / SCORES,
        len({clip.drawn.clip_id for clip in scored}),
        tuple(failures),
    )


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


def _gathered(notes: Sequence[str]) -> list[str]:
    """The notes without doubles; the first few and how many more."""
    unique = list(dict.fromkeys(notes))
    rest = len(unique) - MAX_NOTES_OF_A_KIND
    more = [f"... and {rest} more such notes."] if rest > 0 else []
    return unique[:MAX_NOTES_OF_A_KIND] + more


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
        notes=notes,
        made_with=f"emotalk score {__version__}",
    )
    write_csv(scores, out / CSV)
    write_json(scores, {"all": overall, **groups}, comparisons, notes, out / JSON)
    write_report(report, out / REPORT)
    write(scores, out / SCORES)


def _score_clip(job: _Job) -> ScoredClip:
    """Measure one clip of one system."""
    pair = job.pair
    samples = [_load(path, pair.reference, job) for path in pair.predicted]
    reference = _load(pair.reference, pair.predicted[0], job)
    speech = read(job.speech, AudioFeatures) if job.speech else None
    return score_clip(job.system, job.clip_id, samples, reference, speech, job.wants)


def _load(path: Path, other: Path, job: _Job) -> Side:
    """What a record or a video shows of its clip; `other` is the file it is compared with."""
    if kind_of_file(path) == "video":
        return _watch(path, job.syncnet, other)
    kind = kind_of(path)
    if kind is FaceTrack:
        track = read(path, FaceTrack)
        surface = _surface(job.face_model, len(track.shape))
        if surface.geometry.sha256 != track.face_model_sha256:
            raise EmotalkError(
                f"{path} was made for another face model ({track.face_model}, "
                f"{track.face_model_sha256[:8]}) than the one here ({surface.geometry.name}, "
                f"{surface.geometry.sha256[:8]}).",
                "Make it again with `emotalk fit-3dmm`, or name its model with --face-model.",
            )
        return Side(track.labels, len(track.valid), track.fps, track=track, surface=surface)
    if kind is Clip:
        clip = read(path, Clip)
        landmarks = align(clip.landmarks, clip.valid, clip.fps)
        shown = clip.frames_jpeg is not None and clip.fps == VIDEO_FPS and _is_shown(other)
        crops = _clip_crops(clip) if shown else None
        return Side(clip.labels, len(clip.valid), clip.fps, landmarks=landmarks, crops=crops)
    raise EmotalkError(
        f"{path} holds a {kind.kind} record, which shows no face.",
        "Give FaceTrack records, Clip records or videos.",
    )


def _is_shown(path: Path) -> bool:
    """Whether a file may show pictures."""
    return kind_of_file(path) == "video" or kind_of(path) is Clip


def _clip_crops(clip: Clip) -> FaceCrops:
    """Aligned crops of the pictures that a Clip record keeps."""
    import cv2

    x0, y0, side, _ = clip.crop

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for index, landmarks in enumerate(clip.landmarks):
            data = np.frombuffer(clip.frame_jpeg(index), np.uint8)
            picture = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            scale = picture.shape[0] / side
            yield crop_face(np.asarray(picture, np.uint8), (landmarks[:, :2] - [x0, y0]) * scale)

    return FaceCrops(_on_disk(pictures(), FINE_PX), clip.valid)


def _watch(path: Path, syncnet: Path | None, other_sound: Path) -> Side:
    """Follow the largest face through a video; its crops lie on disk, however long it is.

    A silent video is heard with the sound of the other side.
    """
    from emotalk_cli.face3d.face_mesh import LANDMARK_COUNT
    from emotalk_cli.face3d.face_tracking import FaceFollower, fill_gaps

    follower = FaceFollower()
    found: list[NDArray[np.float32] | None] = []
    nothing = np.zeros((FINE_PX, FINE_PX, 3), np.uint8)

    def crops() -> Iterator[NDArray[np.uint8]]:
        for frame in read_frames(path, VIDEO_FPS):
            found.append(follower.locate(frame))
            yield nothing if found[-1] is None else crop_face(frame, found[-1])

    pictures = _on_disk(crops(), FINE_PX)
    valid = np.array([landmarks is not None for landmarks in found])
    blank = np.zeros((LANDMARK_COUNT, 3), np.float32)
    points = np.array([blank if one is None else one for one in found], np.float32)
    fill_gaps(points, valid)
    return Side(
        Labels(),
        len(found),
        VIDEO_FPS,
        landmarks=align(points, valid, VIDEO_FPS),
        crops=FaceCrops(pictures, valid),
        agreement=_heard(path, points, syncnet, other_sound) if syncnet else None,
    )


def _heard(
    path: Path, landmarks_px: NDArray[np.float32], syncnet: Path, other_sound: Path
) -> Agreement | None:
    """SyncNet's judgement of a video; None where neither side has sound."""
    voices = [p for p in (path, other_sound) if kind_of_file(p) == "video" and probe(p).has_audio]
    if not voices:
        return None
    frames = zip(read_frames(path, VIDEO_FPS), face_boxes(landmarks_px), strict=True)
    faces = _on_disk((cut_face(frame, box) for frame, box in frames), FACE_PX)
    return _syncnet(syncnet).compare(faces, read_sound(voices[0]))


def _on_disk(pictures: Iterable[NDArray[np.uint8]], size_px: int) -> NDArray[np.uint8]:
    """Square pictures as one array (T, size, size, 3) that lies in a nameless temporary file."""
    with tempfile.TemporaryFile() as spool:
        for picture in pictures:
            spool.write(picture.tobytes())
        spool.flush()
        # The map outlives the file's handle.
        return np.memmap(spool, np.uint8, "r").reshape(-1, size_px, size_px, 3)


@functools.cache
def _syncnet(path: Path) -> SyncNet:
    """The user's SyncNet, read once per process."""
    return load_syncnet(path)


@functools.cache
def _surface(face_model: str, shape_size: int) -> FaceSurface:
    """The surface of a face model, made once per process."""
    from emotalk_cli.metrics.surface import FaceSurface
    from emotalk_cli.stages.track_making import load_face_model

    return FaceSurface(load_face_model(face_model), shape_size)
