"""A folder in words: what stage wrote it, how many files of which kind, of whom, what failed."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emotalk_cli import store
from emotalk_cli.datasets.clip_source import VIDEO_SUFFIXES
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack, Labels, Record
from emotalk_cli.stages.extract_audio import RECORDING_SUFFIXES
from emotalk_cli.stages.file_words import DESCRIBERS, PICTURE_SUFFIXES, plural, size_text

MAX_NAMES = 12
MAX_REASONS = 5
MAX_LOOKED_AT = 5000
"""Of more records below a folder the kinds are not looked up one by one."""
CHECKPOINT = "config.json", "model.safetensors"
FOLDERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("sets", "systems"), "written by `emotalk experiment`; the answer is in {0}/report.html"),
    (("scores.h5", "report.html"), "written by `emotalk score`; open {0}/report.html"),
    (
        ("tracks", "audio"),
        "a corpus; `emotalk train-emo {0}/tracks {0}/audio` or train-lip learns from it, and "
        "`emotalk experiment --data {0}` takes it",
    ),
)
"""What must be in a folder for it to be what, and what can be done with it."""


@dataclass
class _Kind:
    """What the records of one kind have in common, and what was counted of them."""

    files: int = 0
    seconds: float = 0.0
    frames: int = 0
    size_bytes: int = 0
    labels: list[Labels] = field(default_factory=list)
    errors_px: list[float] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)


def folder_lines(folder: Path) -> tuple[str, ...]:
    """What is in a folder and below it, line by line.

    Raises EmotalkError for a folder that holds nothing this program knows.
    """
    kinds: defaultdict[str, _Kind] = defaultdict(_Kind)
    damaged: list[str] = []
    for path in sorted(folder.glob(f"*{store.SUFFIX}")):
        if path.name.startswith("."):
            continue
        try:
            kind = store.kind_of(path)
            _count(path, kind, kinds[kind.kind])
        except EmotalkError:
            damaged.append(path.name)
    failures = _failures(folder)
    others, below = _others(folder), _below(folder)
    if not (kinds or damaged or failures or others or below):
        raise EmotalkError(
            f"{folder} holds no records (*{store.SUFFIX}), no checkpoint and no other file that "
            "emotalk knows.",
            "Give a folder that a stage wrote, or one file in it.",
        )
    whats = [
        what.format(folder)
        for names, what in FOLDERS
        if all((folder / name).exists() for name in names)
    ]
    files = sum(kind.files for kind in kinds.values())
    records = plural(files, "record") if files else "no records here"
    lines = [f"{folder}: {whats[0] if whats else records}"]
    for name, counted in kinds.items():
        lines += _kind_lines(name, counted)
    if damaged:
        lines.append(f"damaged: {len(damaged)}: {_listed(damaged)}")
    return (*lines, *others, *below, *failures)


def _others(folder: Path) -> list[str]:
    """The files in the folder that are no records, by what they are."""
    found = [path for path in sorted(folder.iterdir()) if path.is_file()]
    sizes: defaultdict[str, list[int]] = defaultdict(list)
    names: list[str] = []
    for path in found:
        what = _what(path)
        if what in ("video", "sound", "picture"):
            sizes[what].append(path.stat().st_size)
        elif what == "file" and not path.name.startswith("failures"):
            names.append(path.name)
    lines = [
        f"{plural(len(own), what)}, {size_text(sum(own))}" for what, own in sorted(sizes.items())
    ]
    return [*lines, f"also: {_listed(names)}"] if names else lines


def _below(folder: Path) -> list[str]:
    """For each folder in this one, how many of which kind are anywhere below it."""
    lines = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        if place.name.startswith("."):
            continue
        files = [path for path in place.rglob("*") if path.is_file()]
        shown = ", ".join(
            f"{count} {what}" if what[:1].isupper() else plural(count, what)
            for what, count in sorted(_kinds_of(files).items())
        )
        if shown:
            size = size_text(sum(path.stat().st_size for path in files))
            lines.append(f"{place.name}/: {shown}, {size}")
    return lines


def _kinds_of(files: Sequence[Path]) -> Counter[str]:
    """How many files there are of which kind; a checkpoint counts once."""
    records = [path for path in files if _what(path) == "record"]
    kinds = Counter(_what(path) for path in files)
    del kinds[""], kinds["record"]
    if len(records) > MAX_LOOKED_AT:
        kinds["record"] = len(records)
        return kinds
    for path in records:
        try:
            kinds[store.kind_of(path).kind] += 1
        except EmotalkError:
            kinds["damaged record"] += 1
    configs, weights = ({path.parent for path in files if path.name == name} for name in CHECKPOINT)
    checkpoints = len(configs & weights)
    kinds["checkpoint"], kinds["file"] = checkpoints, kinds["file"] - 2 * checkpoints
    return +kinds


def _what(path: Path) -> str:
    """What a file is by its name, "" for nothing of ours."""
    suffix = path.suffix.lower()
    if path.name.startswith("."):
        return ""
    if suffix == store.SUFFIX:
        return "record"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in RECORDING_SUFFIXES:
        return "sound"
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    return "file" if suffix in DESCRIBERS else ""


def _count(path: Path, kind: type[Record], counted: _Kind) -> None:
    counted.size_bytes += path.stat().st_size
    if kind in (Clip, FaceTrack):
        frames = store.array_shape(path, "valid")[0]
        counted.frames += frames
        counted.seconds += frames / max(float(store.read_field(path, kind, "fps")), 1e-9)
    elif kind is AudioFeatures:
        counted.seconds += float(store.read_field(path, kind, "duration_s"))
    if kind is FaceTrack:
        valid = store.read_field(path, kind, "valid")
        residual = store.read_field(path, kind, "residual_px")[valid]
        counted.errors_px += [float(residual.mean())] if residual.size else []
        counted.models[store.read_field(path, kind, "face_model")] += 1
    if "labels" in kind.attribute_names():
        counted.labels.append(store.read_field(path, kind, "labels"))
    counted.files += 1


def _kind_lines(name: str, counted: _Kind) -> list[str]:
    seconds = f", {counted.seconds / 60:.1f} min" if counted.seconds else ""
    frames = f", {counted.frames} frames" if counted.frames else ""
    size = f"{counted.size_bytes / 1e6:.1f} MB"
    lines = [f"{name}: {plural(counted.files, 'file')}{seconds}{frames}, {size}"]
    for what in ("dataset", "speaker", "emotion", "split"):
        counts = Counter(str(getattr(labels, what)) for labels in counted.labels)
        named = {value: count for value, count in counts.items() if value}
        if named:
            shown = [f"{value} ({count})" for value, count in sorted(named.items())]
            nameless = f", without one: {counts['']}" if counts[""] else ""
            lines.append(f"  {what}s: {len(named)}: {_listed(shown)}{nameless}")
    if counted.models:
        shown = [f"{value} ({count})" for value, count in counted.models.items()]
        lines.append(f"  face models: {', '.join(shown)}")
    if any(counted.errors_px):
        middle, worst = np.quantile(counted.errors_px, (0.5, 0.95))
        lines.append(
            f"  error of the fit: {middle:.2f} px in the median file, "
            f"{worst:.2f} px in the worst twentieth"
        )
    return lines


def _failures(folder: Path) -> list[str]:
    """What the lists of failures say, the most frequent reasons first."""
    reasons: Counter[str] = Counter()
    lists = sorted(folder.glob("failures*.csv"))
    for path in lists:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    name = re.escape(row.get("clip") or "")
                    reason = row.get("reason") or "no reason given"
                    reasons[re.sub(rf"\b{name}\b", "...", reason) if name else reason] += 1
        except (OSError, UnicodeDecodeError, csv.Error):
            reasons[f"{path.name} cannot be read"] += 1
    if not lists:
        return []
    lines = [f"failures: {reasons.total()} in {', '.join(path.name for path in lists)}"]
    lines += [f"  {count} x {reason}" for reason, count in reasons.most_common(MAX_REASONS)]
    more = len(reasons) - MAX_REASONS
    return [*lines, f"  and {more} other reasons"] if more > 0 else lines


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
