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
from dataclasses import replace
from pathlib import Path

import numpy as np

from emotalk_cli.datasets.clip_source import ClipSource, files_below, safe_id, unique_ids
from emotalk_cli.errors import EmotalkError
from emotalk_cli.live_link import Capture, read_live_link
from emotalk_cli.schema import Labels

NAME = "arkit"
MOTION_SUFFIXES = (".csv", ".json")
SOUND_SUFFIXES = (".wav", ".m4a", ".mp3", ".flac", ".mov", ".mp4")
HEAD_BYTES = 200
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
    """Read one capture. Raises EmotalkError where it is damaged or too short."""
    try:
        read = read_live_link if path.suffix.lower() == ".csv" else _read_beat
        found = read(path)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise EmotalkError(f"{path} cannot be read as a face capture: {error}.", _HELP) from error
    keep = np.flatnonzero(np.diff(np.maximum.accumulate(found.times_s), prepend=-1.0) > 0)
    if keep.size < 2 or not np.isfinite(found.values).all():
        raise EmotalkError(f"{path} holds {keep.size} usable frames.", _HELP)
    angles = found.angles_rad[keep] if len(found.angles_rad) else found.angles_rad
    return replace(found, values=found.values[keep], times_s=found.times_s[keep], angles_rad=angles)


_HELP = "Export it again from Live Link Face (CSV) or take it anew from BEAT."


def _read_beat(path: Path) -> Capture:
    data = json.loads(path.read_text(encoding="utf-8"))
    names = tuple(str(name) for name in data["names"])
    values = np.array([frame["weights"] for frame in data["frames"]], np.float32)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"{len(names)} names for {values.shape[-1]} weights")
    times = np.array([float(frame["time"]) for frame in data["frames"]])
    return Capture(names, values, times - times[0])
