"""scores.csv, one row per clip and metric, and scores.json, what they sum up to."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emotalk_cli.metrics.evaluate import definition_of
from emotalk_cli.metrics.spread import Confusion
from emotalk_cli.metrics.summary import Comparison, Mean
from emotalk_cli.safe_files import atomic_path
from emotalk_cli.schema import Scores

COLUMNS = ("system", "clip_id", "metric", "value", "unit", "better", "speaker", "emotion")
DIGITS = 7


def write_csv(scores: Scores, path: Path) -> Path:
    """One line per clip and metric, UTF-8 with a header."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in scores.rows:
            fields = asdict(row) | {"value": f"{row.value:.{DIGITS}g}"}
            table.writerow([fields[name] for name in COLUMNS])
    return path


def write_json(
    scores: Scores,
    groups: dict[str, Sequence[Mean]],
    comparisons: Sequence[Comparison],
    confusions: Sequence[Confusion],
    notes: Sequence[str],
    path: Path,
) -> Path:
    """Means with 95 % intervals by kind of group, comparisons, confusions and notes."""
    names = dict.fromkeys(row.metric for row in scores.rows)
    content = {
        "made_by": asdict(scores.made_by),
        "means": {kind: [asdict(mean) for mean in found] for kind, found in groups.items()},
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "confusions": [asdict(confusion) for confusion in confusions],
        "definitions": {name: definition_of(name) for name in names},
        "notes": list(notes),
    }
    text = json.dumps(finite(content), ensure_ascii=False, indent=1)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def finite(value: Any) -> Any:
    """JSON knows no nan: null stands for it."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
