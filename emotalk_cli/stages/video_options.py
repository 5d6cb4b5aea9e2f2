"""All that shapes one video beside its recording and its face, and what each option may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotalk_cli import parts
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import check_seed

FPS_RANGE = (5.0, 60.0)
SIZE_RANGE_PX = (64, 4096)
LONG_S = 15 * 60.0
"""Longer recordings are made only where that is wanted: a wrong file may last for hours."""
MAX_S = 6 * 3600.0
FILES = ("pose", "style", "motion", "lip_decoder", "emo_decoder", "c2pa")
"""Options that name files or folders of the user's."""


@dataclass(frozen=True)
class VideoOptions:
    """Options of one video; each is one of the command line and may be a column of a manifest.

    `emotion` is what `decoders.direction.emotions.parse_emotion` understands, `intensity` 0..1
    scales it; the next seven are explained at `decoders.direction.direction.Direction`, where
    `pose` and `style` are read from FaceTrack files; with `motion` nothing is decoded, but what
    that file holds is drawn. `size_px` is the longer side of the video, without it the photo's
    own, at most 1024; `crop` is full, head or face. `watermark` draws a visible mark; `c2pa` signs
    with a certificate and its private key (PEM files); `long` allows recordings over LONG_S.
    """

    emotion: str = "neutral"
    intensity: float = 1.0
    upper_strength: float = 1.0
    lower_strength: float = 1.0
    head_motion: float = 1.0
    blink_rate: float | None = None
    gaze: str = "wander"
    pose: Path | None = None
    style: Path | None = None
    motion: Path | None = None
    seed: int = 0
    fps: float = 25.0
    size_px: int | None = None
    crop: str = "full"
    renderer: str = "portrait"
    watermark: bool = False
    long: bool = False
    lip_decoder: Path | None = None
    emo_decoder: Path | None = None
    c2pa: tuple[Path, Path] | None = None

    def check(self) -> None:
        """Refuse what cannot work before any work is done: EmotalkError."""
        check_seed(self.seed)
        if self.renderer not in parts.RENDERERS:
            raise EmotalkError(
                f"There is no --renderer '{self.renderer}'.",
                f"Known: {', '.join(parts.RENDERERS)}.",
            )
        if not FPS_RANGE[0] <= self.fps <= FPS_RANGE[1]:
            raise EmotalkError(
                f"{self.fps:g} frames a second cannot be made.",
                f"--fps takes {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g}; 25 is usual.",
            )
        from emotalk_cli.render.framing import CROPS

        if self.crop not in CROPS:
            raise EmotalkError(f"There is no --crop '{self.crop}'.", f"Known: {', '.join(CROPS)}.")
        for path in self.c2pa or ():
            if not path.is_file():
                raise EmotalkError(f"There is no file {path}.", "Check the paths after --c2pa.")
        low, high = SIZE_RANGE_PX
        if self.size_px is not None and not low <= self.size_px <= high:
            raise EmotalkError(
                f"A video of {self.size_px} pixels cannot be made.",
                f"--size takes {low} to {high}, the longer side in pixels.",
            )

    def named(self) -> dict[str, Any]:
        """Every option for `made_by`, but never a path: files count by `file_hashes` instead."""
        shown = {name: value for name, value in vars(self).items() if name not in FILES}
        del shown["seed"]  # made_by has a place of its own for it
        del shown["long"]  # changes nothing of the video
        if self.emotion_file is not None:
            shown["emotion"] = "keys in a file"
        return shown

    @property
    def emotion_file(self) -> Path | None:
        """The YAML file of the emotion's keys, where `emotion` names one."""
        text = self.emotion.strip()
        return Path(text) if text.lower().endswith((".yaml", ".yml")) else None
