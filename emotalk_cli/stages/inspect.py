"""inspect: what one of the project's files is, in words and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emotalk_cli import store
from emotalk_cli.schema import Labels, MadeBy, Record, ScoreRow, blocks

MAX_TEXT = 100


@dataclass(frozen=True)
class Description:
    """A record in words: `str` gives the text; `fields` has one line per array and attribute."""

    path: Path
    kind: str
    version: int
    made_by: MadeBy
    fields: tuple[str, ...]
    size_bytes: int
    plot: Path | None = None

    def __str__(self) -> str:
        made = self.made_by
        options = ", ".join(f"{name}={_short(value)}" for name, value in made.options.items())
        inputs = ", ".join(f"{name} {digest[:12]}" for name, digest in made.inputs.items())
        lines = [
            f"{self.path}: {self.kind}, format version {self.version}, "
            f"{self.size_bytes / 1024:.0f} KiB",
            f"made by: {made.stage} {made.version}"
            + (f", seed {made.seed}" if made.seed is not None else ""),
            f"  options: {options or 'none'}",
            f"  from: {inputs or 'nothing'}",
            "fields:",
            *(f"  {line}" for line in self.fields),
        ]
        if self.plot:
            lines.append(f"drawn in {self.plot}")
        return "\n".join(lines)


def inspect(path: Path, *, plot: Path | None = None) -> Description:
    """Describe the record in `path`; `plot` also draws it into that PNG file.

    Raises RecordError for a file that is none of the project's or is damaged.
    """
    kind = store.kind_of(path)
    record = store.read(path, kind)
    if plot is not None:
        from emotalk_cli.stages.record_plots import draw

        draw(record, plot)
    return Description(
        path=path,
        kind=record.kind,
        version=record.version,
        made_by=record.made_by,
        fields=tuple([*_array_lines(record), *_attribute_lines(record)]),
        size_bytes=path.stat().st_size,
        plot=plot,
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
