"""preprocess: a corpus of videos becomes one Clip record per clip, and a manifest."""

from __future__ import annotations

import contextlib
import csv
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, batch, store
from emotalk_cli.datasets.catalogue import find_clips
from emotalk_cli.datasets.clip_source import ClipSource
from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import (
    MediaInfo,
    probe,
    read_frames,
    read_sound,
    require_picture,
    require_sound,
)
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import Clip, MadeBy

STAGE = "preprocess"
SAMPLE_RATE_HZ = 16000
JPEG_QUALITY = 92
CROP_SCALE = 2.0  # side of the square crop over the face's own
CROP_MOTION_MARGIN = 1.3  # and over the span that the face moves in
CROP_RAISE = 0.06  # the mesh ends at the forehead: the head's middle is higher
MIN_FRAMES = 5


@dataclass(frozen=True)
class Options:
    """What decides about the content of a Clip."""

    fps: float = 25.0
    keep_frames: bool = True
    crop_size_px: int = 256
    face: str = "largest"
    min_valid: float = 0.5


@dataclass(frozen=True)
class ClipJob:
    """One clip to preprocess."""

    source: ClipSource
    path: Path
    options: Options
    overwrite: bool
    threads: int

    @property
    def clip_id(self) -> str:
        """The clip's id in its corpus."""
        return self.source.labels.clip_id


@dataclass(frozen=True)
class ClipDone:
    """What was made of one clip."""

    frames: int
    seconds: float
    sha256: str
    skipped: bool


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
    min_valid: float = 0.5,
    workers: int = 1,
    cluster: str | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> Preprocessed:
    """Track the face in every clip of the corpus `source`; one Clip each in `out`/<clip id>.h5.

    Landmarks and frames come at `fps`, sound as 16 kHz mono from the first frame to the last.
    Clips that are done are skipped; clips with a face in less than the share `min_valid` of their
    frames fail. Also writes manifest.csv, and failures.csv where something failed.
    """
    options = Options(fps, keep_frames, crop_size_px, face, min_valid)
    _check_options(options)
    progress.task("finding clips")
    clips = find_clips(
        source,
        dataset,
        speakers=speakers,
        emotions=emotions,
        views=views,
        levels=levels,
        limit=limit,
    )
    threads = 1 if workers > 1 or cluster else 0
    jobs = batch.shard_of(
        [
            ClipJob(c, out / (c.labels.clip_id + store.SUFFIX), options, overwrite, threads)
            for c in clips
        ],
        shard,
    )
    done: dict[str, ClipDone] = {}
    failures = batch.run_jobs(
        preprocess_clip,
        jobs,
        stage=STAGE,
        workers=workers,
        cluster=cluster,
        on_done=lambda job, result: done.update({job.clip_id: result}),
        progress=progress,
    )
    batch.write_failures(failures, out, shard)
    manifest = out / batch.shard_name("manifest.csv", shard)
    _write_manifest(manifest, source, jobs, done, failures)
    return Preprocessed(
        clips=len(jobs),
        made=sum(not d.skipped for d in done.values()),
        skipped=sum(d.skipped for d in done.values()),
        frames=sum(d.frames for d in done.values()),
        seconds=sum(d.seconds for d in done.values()),
        manifest=manifest,
        failures=tuple(failures),
    )


def preprocess_clip(job: ClipJob) -> ClipDone:
    """Make the Clip of one job, unless it is there already."""
    clip, options = job.source, job.options
    if clip.problem:
        raise EmotalkError(clip.problem)
    made_by = _made_by(job)
    if store.is_done(job.path, made_by, overwrite=job.overwrite):
        frames = store.array_shape(job.path, "landmarks")[0]
        return ClipDone(frames, frames / options.fps, store.sha256_of(job.path), skipped=True)
    info = probe(clip.path)
    require_picture(clip.path, info)
    if clip.sound is None:
        require_sound(clip.path, info)
    with tempfile.TemporaryDirectory(prefix="emotalk-") as folder:
        spool = Path(folder)
        landmarks, valid = _track(job, info, spool)
        waveform = _sound(job, spool, landmarks.shape[0])
        crop = _square_crop(landmarks, valid)
        jpeg, ends = _frames(job, info, crop, spool) if options.keep_frames else (None, None)
        record = Clip(
            made_by=made_by,
            landmarks=landmarks,
            valid=valid,
            crop=np.array(crop, np.float32),
            waveform=waveform,
            frames_jpeg=jpeg,
            frame_ends=ends,
            fps=options.fps,
            width_px=info.width_px,
            height_px=info.height_px,
            sample_rate_hz=SAMPLE_RATE_HZ,
            source=clip.path.name,
            source_sha256=made_by.inputs["video"],
            labels=clip.labels,
            words=clip.words,
        )
        store.write(record, job.path)
    frames = len(valid)
    return ClipDone(frames, frames / options.fps, store.sha256_of(job.path), skipped=False)


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


def _made_by(job: ClipJob) -> MadeBy:
    clip, options = job.source, job.options
    inputs = {"video": store.sha256_of(clip.path)}
    if clip.sound is not None:
        inputs["sound"] = store.sha256_of(clip.sound)
    chosen = {
        "fps": options.fps,
        "crop_size_px": options.crop_size_px if options.keep_frames else 0,
        "face": options.face,
        "labels": clip.labels,
    }
    return MadeBy(STAGE, __version__, chosen, inputs=inputs)


def _track(
    job: ClipJob, info: MediaInfo, spool: Path
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Landmarks (T, 478, 3) on disk and valid (T,); the sound goes to the spool on the way."""
    from emotalk_cli.face3d.face_mesh import LANDMARK_COUNT
    from emotalk_cli.face3d.face_tracking import FaceFollower, fill_gaps

    clip, options = job.source, job.options
    follower = FaceFollower(options.face)
    lost = np.zeros((LANDMARK_COUNT, 3), np.float32)
    seen: list[bool] = []
    frames = read_frames(
        clip.path,
        options.fps,
        info=info,
        sound_to=None if clip.sound else spool / "sound",
        sample_rate_hz=SAMPLE_RATE_HZ,
        threads=job.threads,
    )
    with contextlib.closing(frames), (spool / "landmarks").open("wb") as file:
        for frame in frames:
            found = follower.locate(frame)
            seen.append(found is not None)
            file.write((lost if found is None else found).tobytes())
    if len(seen) < MIN_FRAMES:
        raise EmotalkError(f"{clip.path} holds {len(seen)} frames: too few for a clip.")
    valid = np.array(seen, bool)
    if not valid.any():
        raise EmotalkError(f"{clip.path}: no frame shows a face.")
    if valid.mean() < options.min_valid:
        raise EmotalkError(
            f"{clip.path}: only {valid.mean():.0%} of its frames show the face, "
            f"{options.min_valid:.0%} are needed.",
            "Lower --min-valid, or try another --face.",
        )
    landmarks = np.memmap(
        spool / "landmarks", np.float32, mode="r+", shape=(len(seen), LANDMARK_COUNT, 3)
    )
    fill_gaps(landmarks, valid)
    return landmarks, valid


def _sound(job: ClipJob, spool: Path, frames: int) -> NDArray[np.float32]:
    """Waveform (S,) from the first frame to the end of the last, padded with silence."""
    clip, options = job.source, job.options
    path = spool / "sound"
    if clip.sound is not None:
        path.write_bytes(read_sound(clip.sound, SAMPLE_RATE_HZ).astype("<f4").tobytes())
    length = round(frames / options.fps * SAMPLE_RATE_HZ)
    if not path.exists() or path.stat().st_size < 4:
        raise EmotalkError(f"{clip.path} holds no readable sound.")
    with path.open("r+b") as file:
        file.truncate(4 * length)
    waveform = np.memmap(path, np.float32, mode="r+", shape=(length,))
    np.clip(np.nan_to_num(waveform, copy=False), -1.0, 1.0, out=waveform)
    return waveform


def _square_crop(
    landmarks: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[int, int, int, int]:
    """One square (x, y, side, side) px for the whole clip: the head, wherever it moves."""
    low, high = landmarks[valid, :, :2].min(axis=1), landmarks[valid, :, :2].max(axis=1)
    span_low, span_high = np.quantile(low, 0.02, axis=0), np.quantile(high, 0.98, axis=0)
    size = float(np.median((high - low).max(axis=1)))
    side = max(CROP_SCALE * size, CROP_MOTION_MARGIN * float((span_high - span_low).max()))
    middle = (span_low + span_high) / 2 - (0.0, CROP_RAISE * size)
    x, y = np.round(middle - side / 2).astype(int)
    return int(x), int(y), round(side), round(side)


def _frames(
    job: ClipJob, info: MediaInfo, crop: tuple[int, int, int, int], spool: Path
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """JPEG bytes (B,) of the crop of every frame, on disk, and where each ends (T,)."""
    import cv2

    options = job.options
    size = (options.crop_size_px, options.crop_size_px)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    frames = read_frames(
        job.source.path, options.fps, size, crop=crop, info=info, threads=job.threads
    )
    ends = []
    with contextlib.closing(frames), (spool / "frames").open("wb") as file:
        for frame in frames:
            _, jpeg = cv2.imencode(".jpg", frame[:, :, ::-1], quality)
            file.write(jpeg.tobytes())
            ends.append(file.tell())
    return np.memmap(spool / "frames", np.uint8, mode="r"), np.array(ends, np.int64)


def _write_manifest(
    path: Path,
    source: Path,
    jobs: list[ClipJob],
    done: dict[str, ClipDone],
    failures: list[batch.Failure],
) -> None:
    reasons = {f.clip: f.reason for f in failures}
    root = source if source.is_dir() else source.parent
    columns = "clip path sound speaker emotion intensity view split status frames seconds sha256"
    with store.atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split())
        for job in jobs:
            labels, result = job.source.labels, done.get(job.clip_id)
            writer.writerow(
                (
                    job.clip_id,
                    _below(job.source.path, root),
                    _below(job.source.sound, root) if job.source.sound else "",
                    labels.speaker,
                    labels.emotion,
                    f"{labels.intensity:.4g}",
                    labels.view,
                    labels.split,
                    "done" if result else "failed" if job.clip_id in reasons else "",
                    result.frames if result else "",
                    f"{result.seconds:.3f}" if result else "",
                    result.sha256 if result else "",
                )
            )


def _below(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
