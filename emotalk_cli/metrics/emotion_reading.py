"""Reading the emotion of a track from its coefficients: a small classifier, trained and stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import atomic_path
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9)
"""What is looked at of each unit over the clip: how low, where mostly, how high."""
RIDGE = 1.0
SCALE_FLOOR = 0.02
"""No statistic is normalised by less: 2 % of a unit."""
KIND = "emotalk emotion reader 1"


@dataclass(frozen=True)
class EmotionReader:
    """Multinomial logistic regression on the quantiles over time of each unit.

    `units` (E) and `emotions` (K) name columns and rows of `weights` (K, 3 E); `mean` and `scale`
    (3 E) normalise, `bias` (K,). `learned_from` says on what, in words.
    """

    units: tuple[str, ...]
    emotions: tuple[str, ...]
    mean: Float
    scale: Float
    weights: Float
    bias: Float
    learned_from: str = ""

    def probabilities(self, track: FaceTrack) -> Float:
        """Probability (K,) of each emotion; raises EmotalkError for other units than its own."""
        if track.expression_names != self.units:
            raise EmotalkError(
                f"The emotion reader knows {len(self.units)} units of a face model, the track has "
                f"{len(track.expression_names)} others.",
                "Train a reader on tracks of this face model.",
            )
        scores = self.weights @ ((statistics_of(track) - self.mean) / self.scale) + self.bias
        odds = np.exp(scores - scores.max())
        return np.asarray(odds / odds.sum())

    def read(self, track: FaceTrack) -> str:
        """The most likely emotion."""
        return self.emotions[int(self.probabilities(track).argmax())]


def statistics_of(track: FaceTrack) -> Float:
    """Quantiles over the valid frames of each unit, (3 E,)."""
    seen = track.expression[track.valid] if track.valid.any() else track.expression
    return np.asarray(np.quantile(seen, QUANTILES, axis=0), np.float64).reshape(-1)


def train_reader(
    tracks: Sequence[FaceTrack], learned_from: str = "", ridge: float = RIDGE
) -> EmotionReader:
    """Learn from labelled tracks; raises EmotalkError for fewer than two emotions.

    The loss is the mean cross-entropy plus ridge / 2N |weights|², every emotion counting alike.
    """
    from scipy.optimize import minimize

    emotions = tuple(sorted({track.labels.emotion for track in tracks} - {""}))
    if len(emotions) < 2:
        raise EmotalkError(
            f"{len(tracks)} tracks are labelled with {len(emotions)} emotion(s).",
            "An emotion reader needs tracks of two or more.",
        )
    tracks = [track for track in tracks if track.labels.emotion]
    truth = np.array([emotions.index(track.labels.emotion) for track in tracks])
    raw = np.stack([statistics_of(track) for track in tracks])
    mean, scale = raw.mean(0), np.maximum(raw.std(0), SCALE_FLOOR)
    rows = (raw - mean) / scale
    hot = np.eye(len(emotions))[truth]
    share = (1 / np.bincount(truth))[truth] / len(emotions)  # sums to 1

    def loss(flat: Float) -> tuple[float, Float]:
        """Balanced cross-entropy with a ridge, and its gradient."""
        weights = flat.reshape(len(emotions), -1)
        scores = rows @ weights[:, :-1].T + weights[:, -1]
        scores = scores - scores.max(1, keepdims=True)
        log_sum = np.log(np.exp(scores).sum(1))
        chance = np.exp(scores - log_sum[:, None])
        cross = (share * (log_sum - scores[np.arange(len(truth)), truth])).sum()
        weak = ridge / len(rows)
        apart = share[:, None] * (chance - hot)
        slope = np.column_stack([apart.T @ rows + weak * weights[:, :-1], apart.sum(0)])
        return float(cross + weak / 2 * np.square(weights[:, :-1]).sum()), slope.reshape(-1)

    start = np.zeros(len(emotions) * (rows.shape[1] + 1))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights = found.x.reshape(len(emotions), -1)
    return EmotionReader(
        tracks[0].expression_names,
        emotions,
        mean,
        scale,
        weights[:, :-1],
        weights[:, -1],
        learned_from,
    )


def confusion(truth: Sequence[str], read: Sequence[str], emotions: Sequence[str]) -> NDArray[Any]:
    """Counts (K, K): row the label, column what was read."""
    table = np.zeros((len(emotions), len(emotions)), np.int64)
    np.add.at(table, ([emotions.index(t) for t in truth], [emotions.index(r) for r in read]), 1)
    return table


def save_reader(reader: EmotionReader, path: Path) -> Path:
    """Write it as JSON, whole or not at all."""
    content: dict[str, Any] = {
        "kind": KIND,
        "learned_from": reader.learned_from,
        "units": reader.units,
        "emotions": reader.emotions,
    }
    for name in ("mean", "scale", "weights", "bias"):
        content[name] = np.round(getattr(reader, name), 5).tolist()
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return path


def load_reader(path: Path) -> EmotionReader:
    """Read what `save_reader` wrote; raises EmotalkError for anything else."""
    advice = "Give one that `python -m tools.train_emotion_reader` or an experiment wrote."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["kind"] != KIND:
            raise ValueError(f"kind {content['kind']}")
        reader = EmotionReader(
            units=tuple(content["units"]),
            emotions=tuple(content["emotions"]),
            mean=np.array(content["mean"], np.float64),
            scale=np.array(content["scale"], np.float64),
            weights=np.array(content["weights"], np.float64),
            bias=np.array(content["bias"], np.float64),
            learned_from=str(content["learned_from"]),
        )
    except OSError as error:
        raise EmotalkError(f"Cannot read {path}: {error.strerror}.", advice) from error
    except (ValueError, TypeError, KeyError) as error:
        raise EmotalkError(f"{path} is no emotion reader: {error}.", advice) from error
    width = len(QUANTILES) * len(reader.units)
    expected = {"mean": (width,), "scale": (width,), "weights": (len(reader.emotions), width)}
    for name, shape in {**expected, "bias": (len(reader.emotions),)}.items():
        if getattr(reader, name).shape != shape:
            raise EmotalkError(f"{path} is damaged: {name} is not {shape}.", advice)
    return reader
