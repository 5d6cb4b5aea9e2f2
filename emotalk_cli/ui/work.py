"""What happens behind the page's button: its values become one run of `generate`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli.errors import EmotalkError
from emotalk_cli.stages.generate import generate
from emotalk_cli.stages.video_options import VideoOptions

KEYS = 4
"""So many moments of the emotion can be set on the page."""


@dataclass(frozen=True)
class Key:
    """From `time_s` on, `emotion` at `strength` 0..1; an unused key counts for nothing."""

    used: bool
    time_s: float
    emotion: str
    strength: float


def timeline(keys: Sequence[Key]) -> str:
    """The keys in the language of emotions, by time; the first used one starts at 0."""
    used = sorted((key for key in keys if key.used), key=lambda key: key.time_s)
    if not used:
        return "neutral"
    texts = [f"{key.time_s:g} {key.emotion}:{key.strength:g}" for key in used[1:]]
    return ", ".join([f"0 {used[0].emotion}:{used[0].strength:g}", *texts])


class ShareOfWork:
    """A `progress.Progress` that reports (share 0..1 or None, text) to a function."""

    def __init__(self, report: Callable[[float | None, str], None]) -> None:
        self._report = report
        self._title, self._done, self._total = "", 0, 0

    def task(self, title: str, total: int | None = None) -> None:
        """Begin a piece of work."""
        self._title, self._done, self._total = title, 0, total or 0
        self._report(None, title)

    def advance(self, steps: int = 1) -> None:
        """So many steps are done."""
        self._done += steps
        if self._total:
            self._report(self._done / self._total, self._title)

    def note(self, text: str) -> None:
        """Something people should know."""
        self._report(None, text)


def make_video(
    photo: str | None,
    recording: str | None,
    options: VideoOptions,
    folder: Path,
    report: Callable[[float | None, str], None],
) -> tuple[Path, Path]:
    """One video and its motion (.h5), in a new folder inside `folder`."""
    if not photo:
        raise EmotalkError("There is no photo.", "Choose one, or take one with the camera.")
    if not recording:
        raise EmotalkError("There is no recording.", "Choose one, or speak into the microphone.")
    place = Path(tempfile.mkdtemp(prefix="video-", dir=folder))
    video, motion = place / "emotalk.mp4", place / "emotalk.h5"
    generate(
        Path(recording),
        Path(photo),
        video,
        options,
        motion_out=motion,
        progress=ShareOfWork(report),
    )
    return video, motion


def told(error: Exception, folder: Path, uploads: Sequence[str | None]) -> str:
    """What the page says of an error: files by their own names, never their temporary places."""
    if isinstance(error, EmotalkError):
        text = f"{error.problem} {error.next_step}"
    else:
        text = f"This is a bug in emotalk: {type(error).__name__}: {error}. `--debug` shows more."
    for upload in filter(None, uploads):
        text = text.replace(upload, Path(upload).name)
    return re.sub(rf"{re.escape(str(folder))}(/[^/\s]+)*/", "", text)
