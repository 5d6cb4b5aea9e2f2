"""Face capture by ARKit, without pictures: Live Link Face's CSV and BEAT's JSON, each with a sound.

Live Link Face (Epic Games) writes a CSV (see `live_link`). BEAT (H. Liu et al., ECCV 2022) writes
{"names": [...], "frames": [{"weights": [...], "time": s}, ...]} per recording. The sound has the
same name: .wav, or the app's own .mov. A corpus takes no head angles from either: their signs
differ between versions of the app.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.datasets.clip_source import ClipSource, files_below, safe_id, unique_ids
from emotalk_cli.errors import EmotalkError
from emotalk_cli.live_link import UNITS, Capture, read_live_link
from emotalk_cli.schema import Labels

NAME = "arkit"
MOTION_SUFFIXES = (".csv", ".json")
SOUND_SUFFIXES = (".wav", ".m4a", ".mp3", ".flac", ".mov", ".mp4")
HEAD_BYTES = 200
POSSIBLE = (-1.0, 2.0)
"""A calibrated unit goes somewhat beyond 0..1; what is further is no value of one."""
MAX_WRONG = 0.2
"""Share of the values that may be filled from the others."""
MAX_NAMED = 6
_BEAT_NAME = re.compile(r"\d+_([a-z]+)_\d_\d+_\d+", re.IGNORECASE)
_VARIANT = re.compile(r"_(cal|raw)$", re.IGNORECASE)


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
    """Read one capture, its faults mended from the frames around and told in its `notes`.

    Raises EmotalkError where it is none, damaged beyond that or too short.
    """
    try:
        read = read_live_link if path.suffix.lower() == ".csv" else _read_beat
        found = read(path)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise EmotalkError(f"{path} cannot be read as a face capture: {error}.", _HELP) from error
    keep = np.flatnonzero(np.diff(np.maximum.accumulate(found.times_s), prepend=-1.0) > 0)
    if keep.size < 2:
        raise EmotalkError(f"{path} holds {keep.size} frame(s) with a time of its own.", _HELP)
    angles = found.angles_rad[keep] if len(found.angles_rad) else found.angles_rad
    found = replace(
        found, values=found.values[keep], times_s=found.times_s[keep], angles_rad=angles
    )
    return _mended(path, found)


def _mended(path: Path, found: Capture) -> Capture:
    """The capture with its wrong values filled from the frames around."""
    low, high = POSSIBLE
    wrong = ~((found.values >= low) & (found.values <= high))  # nan is wrong
    held = ~wrong.all(axis=0)
    names = {name.casefold() for name, some in zip(found.names, held, strict=True) if some}
    missing = [name for name in UNITS if name.casefold() not in names]
    if len(missing) == len(UNITS):
        raise EmotalkError(f"{path} has no value of any ARKit unit, such as JawOpen.", _HELP)
    faults = wrong & held
    if faults[:, held].mean() > MAX_WRONG:
        raise EmotalkError(
            f"{path}: {faults.sum()} of {faults[:, held].size} values are no numbers from 0 to 1.",
            _HELP,
        )
    lost = ~np.isfinite(found.angles_rad)
    values = np.where(held, found.values, 0.0).astype(np.float32)
    return replace(
        found,
        values=_filled(values, faults, found.times_s),
        angles_rad=_filled(found.angles_rad, lost, found.times_s),
        notes=(*found.notes, *_notes(found, missing, faults, int(lost.sum()))),
    )


def _filled(
    values: NDArray[np.float32], wrong: NDArray[np.bool_], times_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Values (T, C) with the wrong ones between those before and after them; 0 if all are."""
    result = np.where(wrong, 0.0, values).astype(np.float32)
    for column in np.flatnonzero(wrong.any(axis=0) & ~wrong.all(axis=0)):
        good = ~wrong[:, column]
        result[:, column] = np.interp(times_s, times_s[good], values[good, column])
    return result


def _notes(
    found: Capture, missing: Sequence[str], faults: NDArray[np.bool_], lost: int
) -> Iterator[str]:
    """What was wrong with a capture, in words."""
    if missing:
        more = len(missing) - MAX_NAMED
        listed = ", ".join(missing[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield f"{len(missing)} of {len(UNITS)} units are missing and stay at rest: {listed}."
    if faults.any():
        row, column = np.argwhere(faults)[0]
        yield (
            f"{faults.sum()} of {faults.size} values are no numbers from 0 to 1 and filled from "
            f"the frames around, the first in {found.names[column]} at {found.times_s[row]:.2f} s."
        )
    if lost:
        yield f"{lost} angles of head or eyes are impossible and filled from the frames around."


_HELP = "Export it again from Live Link Face (CSV) or take it anew from BEAT."


def _read_beat(path: Path) -> Capture:
    data = json.loads(path.read_text(encoding="utf-8"))
    names = tuple(str(name) for name in data["names"])
    values = np.array([frame["weights"] for frame in data["frames"]], np.float32)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"{len(names)} names for {values.shape[-1]} weights")
    times = np.array([float(frame["time"]) for frame in data["frames"]])
    return Capture(names, values, times - times[0])
