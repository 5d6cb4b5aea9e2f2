"""The curves of a training run: metrics.csv as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emotalk_cli.decoders.training.journal import read_journal
from emotalk_cli.safe_files import atomic_path

PICTURE = "curves.png"
SMOOTHING = 20
"""The training loss is shown as a running mean of so many rows."""
DOTS_PER_INCH = 110


def draw_curves(metrics: Path, picture: Path) -> None:
    """Draw the losses and, for lips, r of their opening over the steps as a PNG."""
    from matplotlib.figure import Figure

    rows = read_journal(metrics)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.add_subplot()
    steps, losses = _column(rows, "loss")
    if len(losses):
        size = min(SMOOTHING, len(losses))
        smooth = np.convolve(losses, np.ones(size) / size, "valid")
        axis.plot(steps[size - 1 :], smooth, color="0.6", label="training loss")
    axis.plot(*_column(rows, "validation"), "o-", color="tab:blue", label="loss on held-out clips")
    axis.set(xlabel="step", ylabel="loss", yscale="log")
    handles, labels = axis.get_legend_handles_labels()
    steps, opening = _column(rows, "opening_r")
    if len(opening):
        other = axis.twinx()
        other.plot(steps, opening, "s-", color="tab:orange", label="r of the lip opening")
        other.set(ylabel="r", ylim=(0, 1))
        handles, labels = handles + other.lines, [*labels, "r of the lip opening"]
    axis.legend(handles, labels, loc="center left")
    with atomic_path(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)


def _column(rows: list[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of the rows that have one."""
    kept = [row for row in rows if row.get(name)]
    return [int(row["step"]) for row in kept], [float(row[name]) for row in kept]
