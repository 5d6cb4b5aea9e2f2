"""A folder of records in words: how many of which kind, how long, of whom, what failed."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emotalk_cli import store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack, Labels, Record

MAX_NAMES = 12
MAX_REASONS = 5


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
    """The records and failures in a folder, line by line.

    Raises EmotalkError for a folder that holds neither.
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
    if not kinds and not damaged and not failures:
        raise EmotalkError(
            f"{folder} holds no records (*{store.SUFFIX}) and no checkpoint.",
            "Give a folder that a stage wrote, or one file in it.",
        )
    lines = [f"{folder}: {sum(kind.files for kind in kinds.values())} records"]
    for name, counted in kinds.items():
        lines += _kind_lines(name, counted)
    if damaged:
        lines.append(f"damaged: {len(damaged)}: {_listed(damaged)}")
    return (*lines, *failures)


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
    lines = [f"{name}: {counted.files} files{seconds}{frames}, {size}"]
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
