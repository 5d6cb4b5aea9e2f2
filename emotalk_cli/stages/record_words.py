"""A record in words: its fields with axes, dtype, unit and range, and who made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emotalk_cli.schema import Labels, Record, ScoreRow, blocks

MAX_TEXT = 100


def record_lines(record: Record, path: Path) -> tuple[str, ...]:
    """The record read from `path`, line by line."""
    made = record.made_by
    return (
        f"{path}: {record.kind}, format version {record.version}, "
        f"{path.stat().st_size / 1024:.0f} KiB",
        *made_by_lines(vars(made)),
        "fields:",
        *(f"  {line}" for line in (*_array_lines(record), *_attribute_lines(record))),
    )


def made_by_lines(made_by: Mapping[str, Any]) -> tuple[str, ...]:
    """Stage, version, seed, options and inputs of a `made_by`, as a record or a video names it."""
    options = ", ".join(f"{k}={_short(v)}" for k, v in made_by.get("options", {}).items())
    inputs = ", ".join(f"{k} {str(v)[:12]}" for k, v in made_by.get("inputs", {}).items())
    seed = made_by.get("seed")
    return (
        f"made by: {made_by.get('stage', '?')} {made_by.get('version', '')}"
        + (f", seed {seed}" if seed is not None else ""),
        f"  options: {options or 'none'}",
        f"  from: {inputs or 'nothing'}",
    )


def _array_lines(record: Record) -> list[str]:
    rows = []
    for name, spec in record.array_specs().items():
        value = getattr(record, name)
        if value is None:
            rows.append((name, "not kept", "", "", spec.about))
            continue
        sizes = ", ".join(
            str(size) if axis.isdigit() else f"{axis}={size}"
            for axis, size in zip(spec.axes, value.shape, strict=True)
        )
        rows.append((name, f"({sizes}) {value.dtype}", spec.unit, _range(value), spec.about))
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    return [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    ]


def _range(value: Any) -> str:
    if not value.size:
        return "empty"
    if value.dtype == bool:
        return f"{value.mean():.1%} true"
    extremes = [(block.min(), block.max()) for _, block in blocks(value)]
    low, high = np.min(extremes), np.max(extremes)
    return f"{low:.4g} to {high:.4g}" if value.dtype.kind == "f" else f"{low} to {high}"


def _attribute_lines(record: Record) -> list[str]:
    lines = []
    for name in record.attribute_names():
        value = getattr(record, name)
        if name == "made_by":
            continue
        if isinstance(value, Labels):
            known = {k: v for k, v in vars(value).items() if v != ""}
            value = ", ".join(f"{k}={_short(v)}" for k, v in known.items()) or "none"
        lines.append(f"{name}: {_short(value)}")
    return lines


def _short(value: Any) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], ScoreRow):
        metrics = sorted({row.metric for row in value})
        return f"{len(value)} rows of {', '.join(metrics)}"
    if isinstance(value, tuple):
        text = " ".join(str(item[-1]) if isinstance(item, tuple) else str(item) for item in value)
        text = f"{len(value)}: {text}" if value else "none"
    elif isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, Labels):
        text = value.clip_id
    else:
        text = str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
