"""Everything about ffmpeg: what a media file holds, its sound and its pictures on one clock.

All times count from the moment of the first picture (of the first sample where there is no
picture), by the time stamps of the file: a sound track that starts earlier is cut, one that starts
later begins with silence, encoder priming is skipped, and gaps and clock drift are resampled away.
Hostile files are decoded in a child process that reads local files alone and never outlives us.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

PROBE_TIMEOUT_S = 60.0
MAX_PICTURE_PX = 50_000_000
MAX_UNKNOWN_DURATION_S = 6 * 3600.0
OVERRUN_S = 10.0  # a file may be that much longer than its header says
TRUNCATED_SHARE = 0.9  # less than this share of the stated duration, and ffmpeg complains
TRUNCATED_S = 0.5
# Stay within 8 ms of the time stamps by at most 1000 samples/s, jump at gaps above 60 ms.
SOUND_CLOCK = {"async": 1000, "min_comp": 0.008, "min_hard_comp": 0.06}
TEXT_FORMATS = ("tty", "concat", "hls", "dash", "srt", "ass", "webvtt", "lrc", "subviewer")

_INPUT = re.compile(r"^Input #0, ([\w,]+), from ", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d+):(\d+):(\d+\.?\d*)", re.MULTILINE)
_PICTURE = re.compile(r"^  Stream #0:\d+.*?: Video: (?!.*\(attached pic\)).*$", re.MULTILINE)
_SOUND = re.compile(r"^  Stream #0:\d+.*?: Audio: .*$", re.MULTILINE)
_SIZE = re.compile(r", (\d{1,6})x(\d{1,6})\b")
_PIXEL_ASPECT = re.compile(r"\bSAR (\d+):(\d+)")
_RATE = re.compile(r", (\d+(?:\.\d+)?)(k?) (?:fps|tbr)\b")
_ROTATION = re.compile(r"rotation of (-?\d+(?:\.\d+)?) degrees")
# The two filters may write into one line: each time is told by what stands behind it.
_FIRST_PICTURE = re.compile(r"pts_time:(-?[\d.]+)(?:(?!pts_time).)*? s:\d+x\d+ ")
_FIRST_SOUND = re.compile(r"pts_time:(-?[\d.]+)(?:(?!pts_time).)*? nb_samples:")
_NOISE = re.compile(r"\[[^\]]* @ 0x[0-9a-f]+\] *")


@dataclass(frozen=True)
class MediaInfo:
    """What a file says about itself; sizes are upright and in square pixels.

    Start times are those of the first decodable picture and sample, None where there is none.
    """

    format: str
    duration_s: float | None
    fps: float | None
    width_px: int
    height_px: int
    has_video: bool
    has_audio: bool
    video_start_s: float | None
    audio_start_s: float | None
    square_pixels: bool = True

    @property
    def sound_offset_s(self) -> float:
        """When the sound begins, counted from the first picture; 0 without a picture."""
        if self.video_start_s is None or self.audio_start_s is None:
            return 0.0
        return self.audio_start_s - self.video_start_s


@functools.cache
def ffmpeg_binary() -> str:
    """Path of the system's ffmpeg, else of the one in the package imageio-ffmpeg."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise EmotalkError(
            "There is no ffmpeg on this machine.",
            "Install it: `pip install imageio-ffmpeg`, or your system's ffmpeg package.",
        ) from error


def probe(path: Path) -> MediaInfo:
    """What the media file `path` holds; decodes its first picture and first samples.

    Raises EmotalkError for a file that is missing, empty or no media.
    """
    _require_file(path)
    text = _first_moments(path, "V", "a")
    name = _INPUT.search(text)
    if name is None:
        raise EmotalkError(f"{path} is no media file: {_last_line(text)}.", _CONVERT)
    if any(part in TEXT_FORMATS for part in name[1].split(",")):
        raise EmotalkError(f"{path} is a text file, no media file.", _CONVERT)
    info = _parse(path, name[1], text)
    if info.has_video and info.video_start_s is None:
        info = replace(info, video_start_s=_time(_FIRST_PICTURE, _first_moments(path, "V")))
    if info.has_audio and info.audio_start_s is None:
        info = replace(info, audio_start_s=_time(_FIRST_SOUND, _first_moments(path, "a")))
    return info


def read_sound(path: Path, sample_rate_hz: int = 16000) -> NDArray[np.float32]:
    """Mono sound (S,) in -1..1 of an audio or video file.

    Sample 0 is the moment of the first picture, where there is a picture. Raises EmotalkError for
    a file without sound or one that cannot be decoded.
    """
    info = probe(path)
    require_sound(path, info)
    stream = _sound_stream(_input(path, threads=1), info, sample_rate_hz)
    command = _compiled(stream.output("pipe:", **_RAW_SOUND))
    with _child(command) as (process, errors):
        assert process.stdout is not None
        data = process.stdout.read()
        process.wait()
        complaint = _complaint(errors)
    samples = np.frombuffer(data[: len(data) // 4 * 4], dtype="<f4").astype(np.float32)
    if not samples.size:
        reason = complaint or "no samples"
        raise EmotalkError(f"{path} holds no readable sound: {reason}.", _CONVERT)
    _refuse_truncated(path, info, samples.size / sample_rate_hz, complaint)
    return np.clip(np.nan_to_num(samples), -1.0, 1.0)


def read_frames(
    path: Path,
    fps: float = 25.0,
    size: tuple[int, int] | None = None,
    *,
    crop: tuple[int, int, int, int] | None = None,
    info: MediaInfo | None = None,
    sound_to: Path | None = None,
    sample_rate_hz: int = 16000,
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
    source = _input(path, threads=threads)
    outputs = [_picture_stream(source, info, fps, crop, size)]
    if sound_to is not None and info.has_audio:
        sound = _sound_stream(source, info, sample_rate_hz)
        outputs.append(sound.output(f"file:{sound_to.resolve()}", **_RAW_SOUND))
    command = _compiled(*outputs)
    limit = round(((info.duration_s or MAX_UNKNOWN_DURATION_S) + OVERRUN_S) * fps)
    count = 0
    with _child(command) as (process, errors):
        assert process.stdout is not None
        for frame in _ppm_pictures(process.stdout):
            if count == limit:
                raise EmotalkError(
                    f"{path} says that it lasts {info.duration_s or 0:.1f} s, but its time stamps "
                    f"run past {count / fps:.0f} s.",
                    _CONVERT,
                )
            yield frame
            count += 1
        process.wait()
        complaint = _complaint(errors)
    if not count:
        raise EmotalkError(
            f"{path} holds no readable picture: {complaint or 'ffmpeg gave none'}.", _CONVERT
        )
    _refuse_truncated(path, info, count / fps, complaint)


def require_picture(path: Path, info: MediaInfo) -> None:
    """Raise EmotalkError if `path` has no video stream."""
    if not info.has_video:
        found = "sound alone" if info.has_audio else "neither picture nor sound"
        raise EmotalkError(f"{path} has no picture: it holds {found}.", "Give a video file.")
    if info.width_px * info.height_px > MAX_PICTURE_PX:
        raise EmotalkError(
            f"{path} says that its pictures are {info.width_px}x{info.height_px} px.",
            f"At most {MAX_PICTURE_PX // 10**6} megapixels are read.",
        )


def require_sound(path: Path, info: MediaInfo) -> None:
    """Raise EmotalkError if `path` has no audio stream."""
    if not info.has_audio:
        found = "pictures alone" if info.has_video else "neither picture nor sound"
        raise EmotalkError(f"{path} has no sound: it holds {found}.", "Give a file with sound.")


_RAW_SOUND = {"format": "f32le", "acodec": "pcm_f32le"}
_SILENT = ("-nostdin", "-hide_banner", "-nostats")
_CONVERT = "Check that it plays; converting it with ffmpeg to mp4 (sound: wav) may save it."


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise EmotalkError(f"{path} is a folder, not a media file.", "Name a file in it.")
    if not path.exists():
        raise EmotalkError(f"There is no file {path}.", "Check the path.")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise EmotalkError(f"{path} is empty (0 bytes).", "Copy or record it again.")
    except OSError as error:
        raise EmotalkError(
            f"{path} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error


def _input(path: Path, **options: Any) -> Any:
    # "file:" and an absolute path: no name is ever taken for an option or a URL.
    import ffmpeg

    return ffmpeg.input(f"file:{path.resolve()}", protocol_whitelist="file,pipe", **options)


def _first_moments(path: Path, *streams: str) -> str:
    """What ffmpeg says when it decodes the first picture ("V") and the first sample ("a")."""
    filters = {
        "V": ("-vf", "trim=end_frame=1,showinfo=checksum=0"),
        "a": ("-af", "atrim=end_sample=1,ashowinfo"),
    }
    sink = _input(path, threads=1, copyts=None).output("pipe:", format="null")
    command: list[str] = sink.global_args(*_SILENT).compile(ffmpeg_binary())
    chosen = [part for s in streams for part in ("-map", f"0:{s}:0?", *filters[s])]
    at = command.index("pipe:")
    command[at:at] = chosen
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise EmotalkError(f"{path} cannot be read: ffmpeg hangs on it.", _CONVERT) from error
    return done.stderr.decode("utf-8", "replace")


def _picture_stream(
    source: Any,
    info: MediaInfo,
    fps: float,
    crop: tuple[int, int, int, int] | None,
    size: tuple[int, int] | None,
) -> Any:
    stream = source["V:0"].filter("setpts", "PTS-STARTPTS")
    stream = stream.filter("fps", fps=fps, round="near").filter("yadif", deint="interlaced")
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
    quiet = (*_SILENT, "-loglevel", "error", "-filter_complex_threads", "1")
    command: list[str] = merged.global_args(*quiet).compile(ffmpeg_binary(), overwrite_output=True)
    return command


@contextmanager
def _child(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run ffmpeg for the length of the block; it dies of its broken pipe if we are killed."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            yield process, errors
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


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
    return _last_line(errors.read(1 << 20).decode("utf-8", "replace"), nothing="")


def _last_line(text: str, nothing: str = "ffmpeg does not know this kind of file") -> str:
    """The last thing that ffmpeg said, without addresses and paths."""
    lines = [_NOISE.sub("", line).strip().rstrip(".") for line in text.splitlines()]
    lines = [line for line in lines if line and "At least one output" not in line]
    if not lines:
        return nothing
    line = re.sub(r"^(Error opening input file |Error opening input: )?file:.*?: ", "", lines[-1])
    line = re.sub(r"file:\S+", "it", line)
    return "".join(c if c.isprintable() else "?" for c in line)[:160]


def _refuse_truncated(path: Path, info: MediaInfo, found_s: float, complaint: str) -> None:
    stated_s = info.duration_s
    if stated_s is None or not complaint:
        return
    if found_s < TRUNCATED_SHARE * stated_s and found_s < stated_s - TRUNCATED_S:
        raise EmotalkError(
            f"{path} is damaged or cut off: {found_s:.1f} s of {stated_s:.1f} s can be read "
            f"({complaint}).",
            "Copy it again, or cut it to its good part with ffmpeg.",
        )


def _parse(path: Path, name: str, text: str) -> MediaInfo:
    head = text.split("Stream mapping:")[0].split("Output #0")[0]
    picture, sound = _PICTURE.search(head), _SOUND.search(head)
    duration = _DURATION.search(head)
    width, height, fps, square = _picture_facts(path, head, picture)
    return MediaInfo(
        format=name,
        duration_s=_seconds(duration) if duration else None,
        fps=fps,
        width_px=width,
        height_px=height,
        has_video=picture is not None,
        has_audio=sound is not None,
        video_start_s=_time(_FIRST_PICTURE, text),
        audio_start_s=_time(_FIRST_SOUND, text),
        square_pixels=square,
    )


def _time(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return float(found[1]) if found else None


def _seconds(match: re.Match[str]) -> float:
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def _picture_facts(
    path: Path, head: str, picture: re.Match[str] | None
) -> tuple[int, int, float | None, bool]:
    """Upright width and height in square pixels, rate, and whether the pixels are square."""
    if picture is None:
        return 0, 0, None, True
    size = _SIZE.search(picture[0])
    if size is None:
        raise EmotalkError(f"{path} does not say how large its pictures are.", _CONVERT)
    width, height = int(size[1]), int(size[2])
    aspect = _PIXEL_ASPECT.search(picture[0])
    across, down = (int(aspect[1]), int(aspect[2])) if aspect else (1, 1)
    square = across == down or not across or not down
    rest = head[picture.end() :]
    rotation = _ROTATION.search(rest.split("  Stream #")[0])
    turned = rotation is not None and round(abs(float(rotation[1])) / 90) % 2 == 1
    if not square:
        width = max(1, round(width * across / down))
    if turned:
        width, height = height, width
    rate = _RATE.search(picture[0])
    fps = float(rate[1]) * (1000 if rate[2] else 1) if rate else None
    return width, height, fps, square
