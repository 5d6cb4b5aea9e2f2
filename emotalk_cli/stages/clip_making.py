"""One clip of a corpus becomes one Clip record: face, sound and frames on one clock.

Everything that grows with the length of the clip is spooled to a temporary folder on disk.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, safe_files, store
from emotalk_cli.datasets.clip_source import ClipSource
from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import (
    MediaInfo,
    probe,
    read_frames,
    require_picture,
    require_sound,
    write_sound,
)
from emotalk_cli.schema import SAMPLE_RATE_HZ, Clip, MadeBy, blocks

STAGE = "preprocess"
JPEG_QUALITY = 92
CROP_SCALE = 2.0  # side of the square crop over the face's own
CROP_MOTION_MARGIN = 1.3  # and over the span that the face moves in
CROP_RAISE = 0.06  # the mesh ends at the forehead: the head's middle is higher
MIN_FRAMES = 5
MAX_SOUND_GAP_S = 0.5  # between the lengths of a video and of its sound file
SOUND = "sound"


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
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Tracked:
    """Landmarks (T, 478, 3) px, valid (T,), and the faces' corners (valid frames, 2, 2) px."""

    landmarks: NDArray[np.float32]
    valid: NDArray[np.bool_]
    boxes: NDArray[np.float32]


def make_clip(job: ClipJob) -> ClipDone:
    """Make the Clip of one job, unless it is there already."""
    safe_files.remove_leftovers(Path(tempfile.gettempdir()))
    refuse_wrong(job.source)
    made_by = _made_by(job)
    if store.is_done(job.path, made_by, overwrite=job.overwrite):
        frames = store.array_shape(job.path, "landmarks")[0]
        return _done(job, frames, skipped=True)
    info = probe(job.source.path)
    require_picture(job.source.path, info)
    with safe_files.temporary_folder() as folder:
        record = _clip(job, made_by, info, folder)
        store.write(record, job.path)
    return _done(job, len(record.valid), skipped=False)


def refuse_wrong(source: ClipSource) -> None:
    """Raise EmotalkError for a clip that is listed wrongly."""
    if source.problem:
        raise EmotalkError(source.problem)


def options_of(job: ClipJob) -> dict[str, Any]:
    """What decides about the record beside its inputs."""
    options = job.options
    return {
        "fps": options.fps,
        "crop_size_px": options.crop_size_px if options.keep_frames else 0,
        "face": options.face,
        "labels": job.source.labels,
    }


def _done(job: ClipJob, frames: int, *, skipped: bool) -> ClipDone:
    return ClipDone(frames, frames / job.options.fps, safe_files.sha256_of(job.path), skipped)


def _clip(job: ClipJob, made_by: MadeBy, info: MediaInfo, spool: Path) -> Clip:
    """The record, its large arrays mapped from files in the folder `spool`."""
    source, options = job.source, job.options
    sound = _sound_file(source, info)
    tracked = _track(job, info, spool, with_sound=sound is None)
    if sound is not None:
        write_sound(sound, spool / SOUND, SAMPLE_RATE_HZ)
    crop = _square_crop(tracked, info)
    jpeg, ends = _frames(job, info, crop, spool) if options.keep_frames else (None, None)
    return Clip(
        made_by=made_by,
        landmarks=tracked.landmarks,
        valid=tracked.valid,
        crop=np.array(crop, np.float32),
        waveform=_waveform(job, spool, len(tracked.valid)),
        frames_jpeg=jpeg,
        frame_ends=ends,
        fps=options.fps,
        width_px=info.width_px,
        height_px=info.height_px,
        sample_rate_hz=SAMPLE_RATE_HZ,
        source=source.path.name,
        source_sha256=made_by.inputs["video"],
        labels=source.labels,
        words=source.words,
    )


def _made_by(job: ClipJob) -> MadeBy:
    clip = job.source
    inputs = {"video": safe_files.sha256_of(clip.path)}
    if clip.sound is not None:
        inputs["sound"] = safe_files.sha256_of(clip.sound)
    return MadeBy(STAGE, __version__, options_of(job), inputs=inputs)


def _sound_file(source: ClipSource, info: MediaInfo) -> Path | None:
    """The sound file that belongs to the picture; None: the video's own track."""
    if source.sound is None:
        if not info.has_audio and source.missing_sound:
            raise EmotalkError(
                f"{source.path} has no sound, and there is no {source.missing_sound}."
            )
        require_sound(source.path, info)
        return None
    sound = probe(source.sound)
    if sound.duration_s is None or info.duration_s is None:
        return source.sound
    gap_s = abs(sound.duration_s - info.duration_s)
    if gap_s <= MAX_SOUND_GAP_S:
        return source.sound
    if info.has_audio:
        return None
    raise EmotalkError(
        f"{source.sound} lasts {sound.duration_s:.1f} s and {source.path} {info.duration_s:.1f} s: "
        "they do not belong together."
    )


def _track(job: ClipJob, info: MediaInfo, spool: Path, *, with_sound: bool) -> _Tracked:
    """Landmarks of every frame, on disk; the video's own sound goes to the spool on the way."""
    from emotalk_cli.face3d.face_mesh import LANDMARK_COUNT
    from emotalk_cli.face3d.face_tracking import FaceFollower, fill_gaps

    path, options = job.source.path, job.options
    follower = FaceFollower(options.face)
    lost = np.zeros((LANDMARK_COUNT, 3), np.float32)
    valid: list[bool] = []
    boxes: list[NDArray[np.float32]] = []
    frames = read_frames(
        path,
        options.fps,
        info=info,
        sound_to=spool / SOUND if with_sound else None,
        sample_rate_hz=SAMPLE_RATE_HZ,
        threads=job.threads,
    )
    with contextlib.closing(frames), (spool / "landmarks").open("wb") as file:
        for frame in frames:
            found = follower.locate(frame)
            valid.append(found is not None)
            file.write((lost if found is None else found).tobytes())
            if found is not None:
                boxes.append(np.array([found[:, :2].min(axis=0), found[:, :2].max(axis=0)]))
    _refuse_poor(path, len(valid), len(boxes), options.min_valid)
    landmarks = np.memmap(
        spool / "landmarks", np.float32, mode="r+", shape=(len(valid), LANDMARK_COUNT, 3)
    )
    fill_gaps(landmarks, np.array(valid))
    return _Tracked(landmarks, np.array(valid), np.array(boxes))


def _refuse_poor(path: Path, frames: int, seen: int, min_valid: float) -> None:
    if frames < MIN_FRAMES:
        raise EmotalkError(f"{path} holds {frames} frame(s): too few for a clip.")
    if not seen:
        raise EmotalkError(f"{path}: no frame shows a face.")
    if seen < min_valid * frames:
        raise EmotalkError(
            f"{path}: only {seen / frames:.0%} of its frames show the face, {min_valid:.0%} are "
            "needed.",
            "Lower --min-valid, or try another --face.",
        )


def _waveform(job: ClipJob, spool: Path, frames: int) -> NDArray[np.float32]:
    """Waveform (S,) from the first frame to the end of the last, padded with silence."""
    path = spool / SOUND
    if not path.exists() or path.stat().st_size < 4:
        raise EmotalkError(f"{job.source.path} holds no readable sound.")
    length = round(frames / job.options.fps * SAMPLE_RATE_HZ)
    with path.open("r+b") as file:
        file.truncate(4 * length)
    waveform = np.memmap(path, np.float32, mode="r+", shape=(length,))
    for part, block in blocks(waveform):
        waveform[part] = np.clip(np.nan_to_num(block), -1.0, 1.0)
    return waveform


def _square_crop(tracked: _Tracked, info: MediaInfo) -> tuple[int, int, int, int]:
    """One square (x, y, side, side) px for the whole clip: the head, wherever it moves."""
    low, high = tracked.boxes[:, 0], tracked.boxes[:, 1]
    span_low, span_high = np.quantile(low, 0.02, axis=0), np.quantile(high, 0.98, axis=0)
    size = float(np.median((high - low).max(axis=1)))
    side = max(CROP_SCALE * size, CROP_MOTION_MARGIN * float((span_high - span_low).max()))
    middle = (span_low + span_high) / 2 - (0.0, CROP_RAISE * size)
    corner = middle - side / 2
    room = np.array([info.width_px, info.height_px]) - side  # stay inside where it fits
    corner = np.where(room > 0, np.clip(corner, 0, np.maximum(room, 0)), corner)
    x, y = np.floor(corner).astype(int)
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
