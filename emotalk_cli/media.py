"""Everything about ffmpeg: what a media file holds, its sound and its pictures on one clock.

All times count from the moment of the first picture (of the first sample where there is no
picture), by the time stamps of the file: a sound track that starts earlier is cut, one that starts
later begins with silence, encoder priming is skipped, and gaps and clock drift are resampled away.
Hostile files are decoded in a child process that reads local files alone and never outlives us.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import held_back, tidied
from emotalk_cli.large_arrays import roomy
from emotalk_cli.media_info import (
    CONVERT_IT,
    SILENT,
    MediaInfo,
    ffmpeg_binary,
    last_line,
    media_input,
    probe,
    require_picture,
    require_sound,
)
from emotalk_cli.safe_files import temporary_folder
from emotalk_cli.schema import SAMPLE_RATE_HZ, blocks

__all__ = [
    "MediaInfo",
    "ffmpeg_binary",
    "probe",
    "read_frames",
    "read_sound",
    "require_picture",
    "require_sound",
    "write_sound",
]

MAX_UNKNOWN_DURATION_S = 6 * 3600.0
OVERRUN_S = 10.0  # a file may be that much longer than its header says
# A file is cut off if ffmpeg complains and so much is missing of what its header says.
TRUNCATED_SHARE = 0.02
TRUNCATED_S = 0.1
# Stay within 8 ms of the time stamps by at most 1000 samples/s, jump at gaps above 60 ms.
SOUND_CLOCK = {"async": 1000, "min_comp": 0.008, "min_hard_comp": 0.06}


def read_sound(path: Path, sample_rate_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.float32]:
    """Mono sound (S,) in -1..1 of an audio or video file.

    Sample 0 is the moment of the first picture, where there is a picture. Raises EmotalkError for
    a file without sound or one that cannot be decoded.
    """
    with temporary_folder() as folder:
        raw = folder / "sound"
        write_sound(path, raw, sample_rate_hz)
        samples = roomy(raw.stat().st_size // 4)
        with raw.open("rb") as file:
            for part, block in blocks(samples):
                read = np.fromfile(file, "<f4", len(block))
                samples[part] = np.clip(np.nan_to_num(read), -1.0, 1.0)
    return samples


def write_sound(path: Path, raw: Path, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write what `read_sound` reads to the file `raw`: float32 little-endian, not yet clipped."""
    info = probe(path)
    require_sound(path, info)
    stream = _sound_stream(media_input(path, threads=1), info, sample_rate_hz)
    with _child(_compiled(stream.output("pipe:", **_RAW_SOUND))) as (process, errors):
        assert process.stdout is not None
        with raw.open("wb") as file:
            shutil.copyfileobj(process.stdout, file)
        process.wait()
        complaint = _complaint(errors)
    count = raw.stat().st_size // 4
    if not count:
        reason = complaint or "no samples"
        raise EmotalkError(f"{path} holds no readable sound: {reason}.", CONVERT_IT)
    _refuse_truncated(path, info, count / sample_rate_hz, complaint)


def read_frames(
    path: Path,
    fps: float = 25.0,
    size: tuple[int, int] | None = None,
    *,
    crop: tuple[int, int, int, int] | None = None,
    info: MediaInfo | None = None,
    sound_to: Path | None = None,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    threads: int = 0,
) -> Generator[NDArray[np.uint8], None, None]:
    """Upright pictures (H, W, 3) uint8 RGB at a constant rate: frame k shows the moment k / fps.

    Each is the picture whose time stamp is nearest to that moment; time 0 is the first picture.
    Interlaced pictures are deinterlaced and pixels made square. `crop` (x, y, width, height) px
    cuts that part out of the upright picture, black where it lies beyond; `size` (width, height)
    px is what to scale to then. `sound_to` also writes the sound of the same span there, as
    `read_sound` would give it but raw: float32 little-endian; the file is complete when the last
    frame was taken. Pass `info` if you have probed already. `threads` 0 lets ffmpeg choose.

    Raises EmotalkError for a file without pictures, a truncated one, or one that cannot be decoded.
    """
    info = info or probe(path)
    require_picture(path, info)
    limit_s = (info.duration_s or MAX_UNKNOWN_DURATION_S) + OVERRUN_S
    source = media_input(path, threads=threads)
    outputs = [_picture_stream(source, info, fps, limit_s, crop, size)]
    if sound_to is not None and info.has_audio:
        sound = _sound_stream(source, info, sample_rate_hz)
        outputs.append(sound.output(f"file:{sound_to.resolve()}", **_RAW_SOUND))
    command = _compiled(*outputs)
    limit = round(limit_s * fps)
    count = 0
    with _child(command) as (process, errors):
        assert process.stdout is not None
        for frame in _ppm_pictures(process.stdout):
            if count == limit:
                raise EmotalkError(
                    f"{path} says that it lasts {info.duration_s or 0:.1f} s, but its time stamps "
                    f"run past {count / fps:.0f} s.",
                    CONVERT_IT,
                )
            yield frame
            count += 1
        process.wait()
        complaint = _complaint(errors)
    if not count:
        raise EmotalkError(
            f"{path} holds no readable picture: {complaint or 'ffmpeg gave none'}.", CONVERT_IT
        )
    _refuse_truncated(path, info, count / fps, complaint)


_RAW_SOUND = {"format": "f32le", "acodec": "pcm_f32le"}


def _picture_stream(
    source: Any,
    info: MediaInfo,
    fps: float,
    limit_s: float,
    crop: tuple[int, int, int, int] | None,
    size: tuple[int, int] | None,
) -> Any:
    stream = source["V:0"].filter("setpts", "PTS-STARTPTS")
    stream = stream.filter("fps", fps=fps, round="near")
    # ffmpeg holds in memory all pictures that fill a gap of days between two time stamps
    stream = stream.filter("trim", end=limit_s + 1).filter("yadif", deint="interlaced")
    if not info.square_pixels:
        stream = stream.filter("scale", info.width_px, info.height_px, flags="bicubic")
    if crop is not None:
        x, y, width, height = crop
        stream = stream.filter("format", "rgb24")  # chroma samples would round the numbers
        left, top = max(-x, 0), max(-y, 0)
        wide = max(info.width_px, x + width) + left
        high = max(info.height_px, y + height) + top
        if (wide, high) != (info.width_px, info.height_px):
            stream = stream.filter("pad", wide, high, left, top)
        stream = stream.filter("crop", width, height, x + left, y + top)
    if size is not None:
        stream = stream.filter("scale", *size, flags="area")
    return stream.filter("format", "rgb24").output("pipe:", format="image2pipe", vcodec="ppm")


def _sound_stream(source: Any, info: MediaInfo, sample_rate_hz: int) -> Any:
    stream = source["a:0"].filter("aresample", sample_rate_hz, **SOUND_CLOCK)
    stream = stream.filter("aformat", channel_layouts="mono", sample_fmts="flt")
    shift = round(info.sound_offset_s * sample_rate_hz)
    if shift < 0:
        stream = stream.filter("atrim", start_sample=-shift)
    elif shift > 0:
        stream = stream.filter("adelay", delays=f"{shift}S")
    return stream


def _compiled(*outputs: Any) -> list[str]:
    import ffmpeg

    merged = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    quiet = (*SILENT, "-loglevel", "error", "-filter_complex_threads", "1")
    command: list[str] = merged.global_args(*quiet).compile(ffmpeg_binary(), overwrite_output=True)
    return command


@contextlib.contextmanager
def _child(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run ffmpeg for the length of the block; it dies of its broken pipe if we are killed."""
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile())
        with held_back():
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
            stack.callback(process.wait)
            if process.stdout is not None:
                stack.callback(process.stdout.close)
            stack.enter_context(tidied(process.kill))
        yield process, errors


def _ppm_pictures(pipe: IO[bytes]) -> Iterator[NDArray[np.uint8]]:
    """Binary PPM pictures, one after another: each tells its own size."""
    while pipe.readline().strip() == b"P6":
        try:
            width, height = (int(part) for part in pipe.readline().split())
        except ValueError:
            return
        pipe.readline()  # 255, the highest value
        picture = np.empty((height, width, 3), np.uint8)
        if pipe.readinto(picture.data.cast("B")) != picture.size:  # type: ignore[attr-defined]
            return
        yield picture


def _complaint(errors: IO[bytes]) -> str:
    errors.seek(0)
    return last_line(errors.read(1 << 20).decode("utf-8", "replace"), nothing="")


def _refuse_truncated(path: Path, info: MediaInfo, found_s: float, complaint: str) -> None:
    stated_s = info.duration_s
    if stated_s is None or not complaint:
        return
    if stated_s - found_s > max(TRUNCATED_S, TRUNCATED_SHARE * stated_s):
        raise EmotalkError(
            f"{path} is damaged or cut off: {found_s:.1f} s of {stated_s:.1f} s can be read "
            f"({complaint}).",
            "Copy it again, or cut it to its good part with ffmpeg.",
        )
