"""Face capture by ARKit, without pictures: Live Link Face's CSV and BEAT's JSON, each with a sound.

Live Link Face (Epic Games) writes a row per frame: Timecode hh:mm:ss:frame.part, the number of
values, the 52 units in PascalCase, then angles of head and eyes. BEAT (H. Liu et al., ECCV 2022)
writes {"names": [...], "frames": [{"weights": [...], "time": s}, ...]} per recording. The sound has
the same name: .wav, or the app's own .mov. Head angles are not read: their signs and units differ
between versions of the app.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.datasets.clip_source import ClipSource, files_below, safe_id, unique_ids
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import Labels

NAME = "arkit"
MOTION_SUFFIXES = (".csv", ".json")
SOUND_SUFFIXES = (".wav", ".m4a", ".mp3", ".flac", ".mov", ".mp4")
CLOCKS_HZ = (24, 25, 30, 48, 50, 60, 120)
HEAD_BYTES = 200
DAY_S = 86400.0
_BEAT_NAME = re.compile(r"\d+_([a-z]+)_\d_\d+_\d+", re.IGNORECASE)
_VARIANT = re.compile(r"_(cal|raw)$", re.IGNORECASE)


@dataclass(frozen=True)
class Capture:
    """Unit values (T, U) in 0..1 at `times_s` (T,), rising from 0; names of the U units."""

    names: tuple[str, ...]
    values: NDArray[np.float32]
    times_s: NDArray[np.float64]

    def at_rate(
        self, fps: float, names: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values (T, len(names)) at k / fps and whether each was measured (T,).

        Between frames by linear interpolation; a unit that was not captured is 0; a moment inside
        a gap of more than 4 frames of the capture is not valid.
        """
        moments = np.arange(int(self.times_s[-1] * fps + 1e-6) + 1) / fps
        known = {name.casefold(): column for column, name in enumerate(self.names)}
        result = np.zeros((moments.size, len(names)), np.float32)
        for unit, name in enumerate(names):
            column = known.get(name.casefold())
            if column is not None:
                result[:, unit] = np.interp(moments, self.times_s, self.values[:, column])
        steps = np.diff(self.times_s)
        after = np.clip(np.searchsorted(self.times_s, moments), 1, steps.size)
        return np.clip(result, 0.0, 1.0), steps[after - 1] <= 4 * np.median(steps)


def fits(path: Path) -> bool:
    """Whether a file is a capture, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES).decode("utf-8-sig", "replace").lstrip()
    except OSError:
        return False
    if path.suffix.lower() == ".csv":
        return head.lower().startswith("timecode,blendshapecount")
    return path.suffix.lower() == ".json" and head.startswith("{") and '"names"' in head


def find_captures(root: Path) -> list[Path]:
    """Every capture below `root`, calibrated ones in place of raw ones."""
    found = [p for p in files_below(root, MOTION_SUFFIXES) if fits(p)]
    names = {p.with_suffix("") for p in found}
    return [
        p
        for p in found
        if not p.stem.lower().endswith("_raw")
        or not names & {p.with_name(p.stem[:-4]), p.with_name(p.stem[:-4] + "_cal")}
    ]


def find_clips(root: Path) -> list[ClipSource]:
    """Every capture with the sound of the same name; `path` is the capture."""
    paths = find_captures(root)
    # The sound's name, which is also the id that extract-audio gives it.
    ids = unique_ids([safe_id(_VARIANT.sub("", p.stem)) for p in paths])
    clips = []
    for path, clip_id in zip(paths, ids, strict=True):
        named = _BEAT_NAME.fullmatch(path.stem)
        labels = Labels(clip_id=clip_id, dataset=NAME, speaker=named[1].lower() if named else "")
        stems = (path.stem, _VARIANT.sub("", path.stem))
        sounds = [path.with_name(stem + suffix) for stem in stems for suffix in SOUND_SUFFIXES]
        sound = next((s for s in sounds if s.is_file()), None)
        missing = "" if sound else f"{stems[-1]}.wav"
        clips.append(ClipSource(path, labels, sound, missing_sound=missing))
    return clips


def read_capture(path: Path) -> Capture:
    """Read one capture. Raises EmotalkError where it is damaged or too short."""
    try:
        read = _read_live_link if path.suffix.lower() == ".csv" else _read_beat
        names, values, times = read(path)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise EmotalkError(f"{path} cannot be read as a face capture: {error}.", _HELP) from error
    keep = np.flatnonzero(np.diff(np.maximum.accumulate(times), prepend=-1.0) > 0)
    if keep.size < 2 or not np.isfinite(values).all():
        raise EmotalkError(f"{path} holds {keep.size} usable frames.", _HELP)
    return Capture(names, values[keep], times[keep])


_HELP = "Export it again from Live Link Face (CSV) or take it anew from BEAT."


def _read_live_link(
    path: Path,
) -> tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.float64]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        header, *rows = list(csv.reader(file))
    last = next((i for i, name in enumerate(header) if name.startswith("Head")), len(header))
    full = [row for row in rows if len(row) >= last and row[1].strip() != "0"]
    if not full:
        raise ValueError("no frame shows a face")
    values = np.array([row[2:last] for row in full], np.float32)
    codes = [_TIMECODE.fullmatch(row[0].strip()) for row in full]
    if None in codes:
        raise ValueError("a time code is not hh:mm:ss:frame")
    parts = np.array([[float(part) for part in code.groups()] for code in codes if code])
    clock_hz = next((hz for hz in CLOCKS_HZ if hz > parts[:, 3].max()), CLOCKS_HZ[-1])
    times = parts[:, :3] @ (3600.0, 60.0, 1.0) + parts[:, 3] / clock_hz
    times += DAY_S * np.cumsum(np.diff(times, prepend=times[0]) < -DAY_S / 2)
    return tuple(name[:1].lower() + name[1:] for name in header[2:last]), values, times - times[0]


_TIMECODE = re.compile(r"(\d+):(\d+):(\d+):(\d+(?:\.\d+)?)")


def _read_beat(path: Path) -> tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.float64]]:
    data = json.loads(path.read_text(encoding="utf-8"))
    names = tuple(str(name) for name in data["names"])
    values = np.array([frame["weights"] for frame in data["frames"]], np.float32)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"{len(names)} names for {values.shape[-1]} weights")
    times = np.array([float(frame["time"]) for frame in data["frames"]])
    return names, values, times - times[0]
