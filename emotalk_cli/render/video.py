"""Writing videos: H.264 and AAC in an mp4 that plays everywhere, fed frame by frame."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__
from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import held_back, tidied
from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.safe_files import atomic_path
from emotalk_cli.schema import MadeBy
from emotalk_cli.store import as_json

QUEUE_FRAMES = 16
"""Drawing may run so many frames ahead of the encoder; memory stays constant in length."""
CRF = 15
"""x264's quality: lower is better; above, a still background's grain is off by a grey level."""
PRESET = "veryfast"
KEY_FRAME_S = 30.0
"""A new key frame encodes the background's grain anew, which is seen as a faint pulse."""
EXACT = "area+accurate_rnd+full_chroma_inp"
"""How ffmpeg makes the colours Y'CbCr: each sample of colour is the mean of its four pixels."""
AUDIO_BITRATE = "160k"
SYNTHETIC_NOTE = (
    f"Synthetic video: a still photo animated by emotalk {__version__}. The person shown did not "
    "make these movements. digitalSourceType: "
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
)
"""Stands in the file's metadata, so that nobody need take the video for a recording."""
_READ_WAIT_S = 30.0


class VideoWriter:
    """Encodes frames as they are made; the file appears whole when the `with` block ends well.

    Frames are (H, W, 3) uint8 RGB of one even size. The video lasts frames / fps seconds; the
    sound of the file `sound` starts with it at 0 and is cut or continued in silence to that
    length, which `frames` must then tell.
    Raises EmotalkError where ffmpeg fails or the path cannot be written.
    """

    def __init__(
        self,
        path: Path,
        width_px: int,
        height_px: int,
        fps: float,
        *,
        sound: Path | None = None,
        frames: int | None = None,
        crf: int = CRF,
        made_by: MadeBy | None = None,
        finish: Callable[[Path], None] | None = None,
        synthetic: bool = True,
    ) -> None:
        """made_by: written into the file's metadata, for `read_made_by`. finish: called with the
        encoded file before it gets its name, to change it in place. synthetic: the metadata say
        so; False for recordings that are only drawn upon.
        """
        if width_px % 2 or height_px % 2:
            raise ValueError(f"{width_px} x {height_px}: both sides must be even")
        if sound is not None and frames is None:
            raise ValueError("with sound the number of frames must be known")
        self._path = path
        self._finish = finish
        self._shape = (height_px, width_px, 3)
        self._inputs = _input_options(width_px, height_px, fps, sound)
        self._outputs = _output_options(fps, sound is not None, frames, crf)
        if synthetic:
            self._outputs += ["-metadata", f"comment={SYNTHETIC_NOTE}"]
            self._outputs += ["-metadata", "title=Synthetic video"]
        if made_by is not None:
            self._outputs += ["-metadata", f"description={as_json(made_by)}"]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> VideoWriter:
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self._path))
            self._temporary = temporary
            self._log = stack.enter_context(tempfile.TemporaryFile())
            command = [
                ffmpeg_binary(),
                *self._inputs,
                *self._outputs,
                "-f",
                "mp4",
                f"file:{temporary}",
            ]
            with held_back():  # a child that nobody knows of would write on
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._log
                )
                stack.callback(self._close)
                stack.enter_context(tidied(self._kill))
            self._stack = stack.pop_all()
        return self

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Hand one frame to the encoder; the array may be reused afterwards."""
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"a frame is {frame.dtype} {frame.shape}, not uint8 {self._shape}")
        assert self._process.stdin is not None
        try:  # ffmpeg reads ahead in a thread of its own
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except OSError as error:
            self._process.wait()
            raise self._failure() from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if error is not None:
                raise error
            self._complete()

    def _complete(self) -> None:
        """Let the encoded file pass, or say what went wrong."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if self._process.wait():
            raise self._failure()
        if self._finish is not None:
            self._finish(self._temporary)

    def _kill(self) -> None:
        """Leave no encoder behind, whatever happened; a stop may strike in `wait`: no lock."""
        self._process.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._process.pid, 0)

    def _close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _failure(self) -> EmotalkError:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return EmotalkError(
            f"ffmpeg could not write {self._path}: {lines[-1] if lines else 'no reason given'}.",
            "Check the recording and the free space, or choose another place with -o.",
        )


def _input_options(width_px: int, height_px: int, fps: float, sound: Path | None) -> list[str]:
    options = ["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    options += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width_px}x{height_px}"]
    options += ["-r", f"{fps:g}", "-thread_queue_size", str(QUEUE_FRAMES), "-i", "pipe:0"]
    if sound is not None:
        options += ["-i", f"file:{sound}"]
    return options


def _output_options(fps: float, has_sound: bool, frames: int | None, crf: int) -> list[str]:
    options = ["-map", "0:v:0"]
    if has_sound and frames is not None:
        length = f"{frames / fps:.6f}"
        # The sound starts at 0, whatever its file says, and lasts exactly as long as the picture.
        chain = f"aresample=async=1:first_pts=0,apad=whole_dur={length},atrim=end={length}"
        options += ["-map", "1:a:0", "-af", chain, "-c:a", "aac", "-b:a", AUDIO_BITRATE]
    options += ["-vf", f"scale=out_color_matrix=bt709:out_range=tv:flags={EXACT}"]
    options += ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", PRESET, "-crf", str(crf)]
    options += ["-g", str(round(KEY_FRAME_S * fps))]
    options += ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    options += ["-color_range", "tv", "-movflags", "+faststart", "-map_metadata", "-1"]
    return options


def read_made_by(path: Path) -> dict[str, Any] | None:
    """The JSON value of the `made_by` that a video names; None if it names none or is no video."""
    try:
        value = json.loads(_metadata(path, "description") or b"null")
    except ValueError:
        return None
    return value if isinstance(value, dict) and "stage" in value else None


def read_note(path: Path) -> str:
    """The comment in a video's metadata, where `VideoWriter` says that it is synthetic, or ""."""
    return (_metadata(path, "comment") or b"").decode("utf-8", "replace")


def _metadata(path: Path, name: str) -> bytes | None:
    """One entry of a video's metadata; None if there is none or it is no video."""
    command = [ffmpeg_binary(), "-hide_banner", "-loglevel", "error", "-nostdin"]
    command += ["-protocol_whitelist", "file,pipe", "-i", f"file:{path.resolve()}"]
    command += ["-f", "ffmetadata", "pipe:1"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_READ_WAIT_S, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    entry = rb"^%s=((?:[^\\\n]|\\.)*)" % name.encode()
    found = re.search(entry, done.stdout, re.MULTILINE | re.DOTALL)
    return re.sub(rb"\\(.)", rb"\1", found[1], flags=re.DOTALL) if found else None
