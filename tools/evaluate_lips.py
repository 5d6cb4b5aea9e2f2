"""How well default lips follow real ones: `python -m tools.evaluate_lips CLIPS TRACKS AUDIO`.

The lip opening of clips that were held out of training: seen in the video (distance of the inner
lips' landmarks, px) against that of motion generated from the sound alone on the same fitted head.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from emotalk_cli import store
from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.data import is_held_out
from emotalk_cli.decoders.emotions import emotion_curve
from emotalk_cli.decoders.mouth import mouth_of
from emotalk_cli.decoders.sampling import sample_motion
from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.default_model import load_default_face_model
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack
from emotalk_cli.stages.generate import WEIGHTS

PAIRS = ((13, 14), (82, 87), (312, 317))
MAX_LAG = 5
Array = NDArray[np.float64]


def opening_px(landmarks: NDArray[np.float32]) -> Array:
    """Landmarks (T, 478, 2+) px -> mean distance of the inner lips (T,), px."""
    upper, lower = zip(*PAIRS, strict=True)
    gap = landmarks[:, list(upper), :2] - landmarks[:, list(lower), :2]
    return np.asarray(np.linalg.norm(gap, axis=-1).mean(axis=-1), np.float64)


def correlations(made: Array, seen: Array) -> Array:
    """Pearson r at lags -MAX_LAG..MAX_LAG; a positive lag: the made lips come late."""
    rows = []
    for lag in range(-MAX_LAG, MAX_LAG + 1):
        late = made[max(lag, 0) : len(made) + min(lag, 0)]
        true = seen[max(-lag, 0) : len(seen) + min(-lag, 0)]
        rows.append(np.corrcoef(late, true)[0, 1])
    return np.array(rows)


def main(
    clips: Path,
    tracks: Path,
    audio: Path,
    share: Annotated[
        float, typer.Option(help="The training's validation_share; 1 takes every clip.")
    ] = 0.12,
) -> None:
    """Print r, lag and amplitude over the clips."""
    model = load_default_face_model()
    lip, emo = load_decoder(WEIGHTS / "lip"), load_decoder(WEIGHTS / "emo")
    found, ratios = [], []
    for path in sorted(tracks.glob("*.h5")):
        if not is_held_out(path.stem, share):
            continue
        track, clip = store.read(path, FaceTrack), store.read(clips / path.name, Clip)
        features = store.read(audio / path.name, AudioFeatures)
        frames = len(track.expression)
        weights = emotion_curve(track.labels.emotion, track.labels.intensity)
        motion = sample_motion(
            lip,
            emo,
            features,
            weights.weights(np.arange(frames) / track.fps),
            frames=frames,
            fps=track.fps,
            mouth=mouth_of(model, track.shape),
        )
        points = model.landmarks(track.shape, motion.expression)
        made = opening_px(project(points, track.head_pose, track.camera))
        seen = opening_px(clip.landmarks)
        found.append(correlations(made, seen))
        ratios.append(made.std() / seen.std())
    rows = np.array(found)
    mean = rows.mean(axis=0)
    best = int(mean.argmax()) - MAX_LAG
    own = rows.argmax(axis=1) - MAX_LAG
    Console().print(
        f"{len(rows)} clips: r {mean[MAX_LAG]:.3f} (worst {rows[:, MAX_LAG].min():.3f}), best lag "
        f"{best:+d} (r {mean.max():.3f}), {np.mean(np.abs(own) <= 1):.0%} of the clips within one "
        f"frame, amplitude {np.median(ratios):.2f}"
    )


if __name__ == "__main__":
    typer.run(main)
