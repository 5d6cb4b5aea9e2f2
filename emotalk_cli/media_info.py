"""What a media file holds, by asking ffmpeg: format, length, sizes, and when its tracks begin."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emotalk_cli.errors import EmotalkError

PROBE_TIMEOUT_S = 60.0
MAX_PICTURE_PX = 50_000_000
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
_EMPTY_WORDS = re.compile(
    r"At least one output|Error (marking filters|while (processing|filtering|decoding)|sending|"
    r"submitting)|Conversion failed|Nothing was written|Output file .* does not|received no packets"
)


SILENT = ("-nostdin", "-hide_banner", "-nostats")
CONVERT_IT = "Check that it plays; converting it with ffmpeg to mp4 (sound: wav) may save it."


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
    """Path of the ffmpeg of the package imageio-ffmpeg, else of the system's.

    The package's comes first: it is the same on every machine and starts four times faster. Its
    own variable IMAGEIO_FFMPEG_EXE names another one.
    """
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        found = shutil.which("ffmpeg")
        if found:
            return found
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
        raise EmotalkError(f"{path} is no media file, or damaged: {last_line(text)}.", CONVERT_IT)
    if any(part in TEXT_FORMATS for part in name[1].split(",")):
        raise EmotalkError(f"{path} is a text file, no media file.", CONVERT_IT)
    info = _parse(path, name[1], text)
    if info.has_video and info.video_start_s is None:
        info = replace(info, video_start_s=_time(_FIRST_PICTURE, _first_moments(path, "V")))
    if info.has_audio and info.audio_start_s is None:
        info = replace(info, audio_start_s=_time(_FIRST_SOUND, _first_moments(path, "a")))
    return info


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


def media_input(path: Path, **options: Any) -> Any:
    # "file:" and an absolute path: no name is ever taken for an option or a URL.
    import ffmpeg

    return ffmpeg.input(f"file:{path.resolve()}", protocol_whitelist="file,pipe", **options)


def last_line(text: str, nothing: str = "ffmpeg does not know this kind of file") -> str:
    """The last thing that ffmpeg said, without addresses and paths."""
    lines = [_NOISE.sub("", line).strip().rstrip(".") for line in text.splitlines()]
    lines = [line for line in lines if line]
    telling = [line for line in lines if not _EMPTY_WORDS.match(line)] or lines
    if not telling:
        return nothing
    line = re.sub(r"^(Error opening input file |Error opening input: )?file:.*?: ", "", telling[-1])
    line = re.sub(r"file:\S+", "it", line)
    return "".join(c if c.isprintable() else "?" for c in line)[:160]


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


def _first_moments(path: Path, *streams: str) -> str:
    """What ffmpeg says when it decodes the first picture ("V") and the first sample ("a")."""
    filters = {
        "V": ("-vf", "trim=end_frame=1,showinfo=checksum=0"),
        "a": ("-af", "atrim=end_sample=1,ashowinfo"),
    }
    sink = media_input(path, threads=1, copyts=None).output("pipe:", format="null")
    command: list[str] = sink.global_args(*SILENT).compile(ffmpeg_binary())
    chosen = [part for s in streams for part in ("-map", f"0:{s}:0?", *filters[s])]
    at = command.index("pipe:")
    command[at:at] = chosen
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise EmotalkError(f"{path} cannot be read: ffmpeg hangs on it.", CONVERT_IT) from error
    return done.stderr.decode("utf-8", "replace")


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
        raise EmotalkError(f"{path} does not say how large its pictures are.", CONVERT_IT)
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
