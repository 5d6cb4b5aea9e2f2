"""Pictures of records: landmarks on frames, curves over time, score bars."""

from __future__ import annotations

import io
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import atomic_path
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack, Record, Scores

DPI = 110
MOST_ACTIVE = 10
SCORE_COLUMNS, SCORE_WIDTH_IN = 3, 11.0
SCORE_FRAME_IN, SCORE_LINE_IN = 1.1, 0.28
"""Height of a metric's frame, and what each system adds to it."""


def draw(record: Record, path: Path) -> None:
    """Draw any record into the PNG file `path`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.suffix.lower() != ".png":
        raise EmotalkError(f"{path} is no name of a PNG file.", "Give a name that ends in .png.")
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    _DRAWERS[record.kind](record, figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")


def _draw_clip(clip: Clip, figure: Any) -> None:
    top, bottom = figure.subfigures(2, 1, height_ratios=(3, 2))
    seen = np.flatnonzero(clip.valid)
    for index, axes in zip(seen[[0, seen.size // 2, -1]], top.subplots(1, 3), strict=True):
        x, y, side, _ = clip.crop
        points = clip.landmarks[index, :, :2] - (x, y)
        if clip.frames_jpeg is not None:
            from PIL import Image

            axes.imshow(
                np.asarray(Image.open(io.BytesIO(clip.frame_jpeg(int(index))))),
                extent=(0, side, side, 0),
            )
        axes.plot(points[:, 0], points[:, 1], ".", markersize=1.5, color="lime")
        axes.set(xlim=(0, side), ylim=(side, 0), aspect="equal", title=f"{index / clip.fps:.2f} s")
        axes.set_facecolor("black")
        axes.axis("off") if clip.frames_jpeg is not None else axes.set(xticks=[], yticks=[])
    sound, mouth = bottom.subplots(2, 1, sharex=True)
    time = np.arange(clip.waveform.size) / clip.sample_rate_hz
    sound.plot(time, clip.waveform, linewidth=0.4)
    sound.set_ylabel("sound")
    for start, _, word in clip.words:
        sound.axvline(start, color="gray", linewidth=0.5)
        sound.text(start, 0.98, word, va="top", fontsize=8, transform=sound.get_xaxis_transform())
    opening = np.linalg.norm(clip.landmarks[:, 13, :2] - clip.landmarks[:, 14, :2], axis=1)
    frames = np.arange(opening.size) / clip.fps
    mouth.plot(frames, opening, label="mouth opening, px")
    mouth.fill_between(frames, 0, opening.max(), where=~clip.valid, color="red", alpha=0.3)
    mouth.set(xlabel="s", ylabel="mouth, px")


def _draw_track(track: FaceTrack, figure: Any) -> None:
    curves, turns, places, errors = figure.subplots(
        4, 1, sharex=True, height_ratios=(4, 1.5, 1.5, 1)
    )
    time = np.arange(len(track.valid)) / track.fps
    busiest = np.argsort(-track.expression.std(axis=0))[:MOST_ACTIVE]
    for unit in busiest:
        curves.plot(time, track.expression[:, unit], label=track.expression_names[unit])
    curves.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    curves.set(ylabel="expression", title=f"the {len(busiest)} units that move most")
    for axis, name in enumerate(("about x: nod", "about y: turn", "about z: tilt")):
        turns.plot(time, np.degrees(track.head_pose[:, axis]), label=name)
    for axis, name in enumerate(("x", "y", "z")):
        path = track.head_pose[:, 3 + axis]
        places.plot(time, 1000 * (path - path.mean()), label=name)
    for axes in (turns, places):
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    turns.set_ylabel("head, deg")
    places.set_ylabel("head, mm")
    errors.plot(time, track.residual_px, color="black")
    errors.set(ylabel="error, px", xlabel="s", ylim=(0, None))
    if track.colour_error is not None:
        colours = errors.twinx()
        colours.plot(time, track.colour_error, color="tab:orange")
        colours.set_ylabel("colours,\nof 255", color="tab:orange", fontsize=8)
        colours.set_ylim(0, None)
    _shade_lost((curves, turns, places, errors), track.fps, track.valid)


def _shade_lost(panels: Iterable[Any], fps: float, valid: NDArray[np.bool_]) -> None:
    """Red where the face was lost and filled in."""
    steps = np.diff(np.concatenate([[0], ~valid, [0]]).astype(int))
    for axes in panels:
        for first, end in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True):
            axes.axvspan((first - 0.5) / fps, (end - 0.5) / fps, color="red", alpha=0.2, lw=0)


def _draw_audio(audio: AudioFeatures, figure: Any) -> None:
    speech, mel, pitch, energy = figure.subplots(4, 1, sharex=True, height_ratios=(3, 2, 1, 1))
    span = (-0.5 / audio.rate_hz, (len(audio.f0_hz) - 0.5) / audio.rate_hz)
    shown = np.argsort(-audio.speech.max(axis=0))[:40]
    shown = shown[np.argsort(audio.speech[:, shown].argmax(axis=0))]
    image = audio.speech[:, shown].T
    speech.imshow(
        image, aspect="auto", extent=(*span, len(shown) - 0.5, -0.5), interpolation="nearest"
    )
    if audio.speech_names:
        speech.set_yticks(range(len(shown)), [audio.speech_names[i] for i in shown], fontsize=6)
    speech.set_title(f"speech features of {audio.encoder}")
    mel.imshow(
        audio.log_mel.T, aspect="auto", origin="lower", extent=(*span, 0, audio.log_mel.shape[1])
    )
    mel.set_ylabel("log mel")
    time = np.arange(len(audio.f0_hz)) / audio.rate_hz
    pitch.plot(time, np.where(audio.f0_hz > 0, audio.f0_hz, np.nan))
    pitch.set_ylabel("pitch, Hz")
    energy.plot(time, audio.energy_db)
    energy.set(ylabel="energy, dB", xlabel="s")


def _draw_scores(scores: Scores, figure: Any) -> None:
    values: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    units = {}
    for row in scores.rows:
        if np.isfinite(row.value):
            values[row.metric][row.system].append(row.value)
        units[row.metric] = ", ".join(
            part for part in (row.unit, row.better and f"{row.better} is better") if part
        )
    if not values:
        raise EmotalkError("There are no scores to draw.", "Run `emotalk score` again.")
    systems = list(dict.fromkeys(row.system for row in scores.rows))
    rows = -(-len(values) // SCORE_COLUMNS)
    figure.set_size_inches(SCORE_WIDTH_IN, rows * (SCORE_FRAME_IN + SCORE_LINE_IN * len(systems)))
    grid = figure.subplots(rows, SCORE_COLUMNS, squeeze=False)
    for axes in grid.flat[len(values) :]:
        axes.set_visible(False)
    for k, (axes, metric) in enumerate(zip(grid.flat, values, strict=False)):
        _draw_metric(axes, values[metric], systems)
        axes.set_title(textwrap.fill(metric, 34), fontsize=9)
        axes.set_xlabel(textwrap.fill(units[metric], 40), fontsize=8)
        if k % SCORE_COLUMNS:  # the names stand at the left of each row
            axes.set_yticklabels([])


def _draw_metric(axes: Any, found: Mapping[str, list[float]], systems: Sequence[str]) -> None:
    """One metric: a line per system, its clips as dots, their spread as a box."""
    for place, system in enumerate(systems):
        values = found.get(system, [])
        if len(values) > 1:
            axes.boxplot([values], positions=[place], vert=False, widths=0.6, showfliers=False)
        spread = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.plot(values, place + spread, ".", markersize=3, alpha=0.5, color="tab:blue")
    axes.set_ylim(len(systems) - 0.5, -0.5)
    axes.set_yticks(range(len(systems)), [textwrap.shorten(s, 24) for s in systems], fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(axis="x", linewidth=0.4, alpha=0.6)


_DRAWERS: dict[str, Callable[[Any, Any], None]] = {
    Clip.kind: _draw_clip,
    FaceTrack.kind: _draw_track,
    AudioFeatures.kind: _draw_audio,
    Scores.kind: _draw_scores,
}
