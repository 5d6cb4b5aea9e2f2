"""How well lips follow real ones: `python -m tools.evaluate_lips CLIPS TRACKS AUDIO`.

The lips of clips that were held out of training: seen in the video against those of motion that is
made from the sound alone on the same fitted head. And whether sound and picture of the clips
themselves belong to one moment: how long before the f and v that is heard the filmed lips are
nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from emotalk_cli import store
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.conditions import hear
from emotalk_cli.decoders.direction.emotions import emotion_curve
from emotalk_cli.decoders.lips.articulators import TEETH
from emotalk_cli.decoders.lips.mouth import LIPS, mouth_of
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.decoders.training.data import is_held_out
from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack
from emotalk_cli.stages.motion_making import WEIGHTS

PAIRS = ((13, 14), (82, 87), (312, 317))
MAX_LAG = 5
MM = 1000.0
SURE_TEETH = 0.4
"""Probability of an f or v from which on it counts as heard."""
SPIKE_ROWS = 4
REACH_S = 0.16
STEP_S = 0.002
"""The filmed lips are looked at so long before and after an f or v, and so finely."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Followed:
    """One clip: Pearson r of the lip opening at lags -MAX_LAG..MAX_LAG, ratio of its standard
    deviations, lip vertex error in mm^2 (mean over frames of the largest squared error of a lip
    landmark), and the generated opening (T,) in px.
    """

    r: Array
    ratio: float
    lve_mm2: float
    opening: Array


@dataclass(frozen=True)
class Heard:
    """One held-out clip, read."""

    track: FaceTrack
    clip: Clip
    features: AudioFeatures


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


def read_held_out(clips: Path, tracks: Path, audio: Path, share: float) -> list[Heard]:
    """The clips that a training with this `validation_share` holds out; 1 takes all."""
    return [
        Heard(
            store.read(path, FaceTrack),
            store.read(clips / path.name, Clip),
            store.read(audio / path.name, AudioFeatures),
        )
        for path in sorted(tracks.glob("*.h5"))
        if is_held_out(path.stem, share)
    ]


def follow(one: Heard, lip: Decoder, emo: Decoder | None, draw: Draw) -> Followed:
    """Make the lips of a clip and compare them with those of its video."""
    track, model = one.track, load_default_face_model()
    frames = len(track.expression)
    curve = emotion_curve(track.labels.emotion, track.labels.intensity)
    weights = curve.weights(np.arange(frames) / track.fps)
    motion = sample_motion(
        lip, emo, one.features, weights, frames=frames, fps=track.fps, draw=draw,
        mouth=mouth_of(model, track.shape),
    )  # fmt: skip
    points = model.landmarks(track.shape, motion.expression)
    true = model.landmarks(track.shape, track.expression)
    errors = MM**2 * ((points - true)[:, list(LIPS)] ** 2).sum(axis=-1)
    made = opening_px(project(points, track.head_pose, track.camera))
    seen = opening_px(one.clip.landmarks)
    return Followed(
        correlations(made, seen), made.std() / seen.std(), float(errors.max(axis=1).mean()), made
    )


def leads_s(features: AudioFeatures, clip: Clip) -> list[float]:
    """How long before each f or v that is heard the filmed lips are nearest, s.

    Nothing of a decoder is in it: the clip's own sound and picture alone.
    """
    heard = hear(features)
    teeth = heard.lips[:, TEETH]
    opening = opening_px(clip.landmarks)
    times_s = np.arange(len(opening)) / clip.fps
    found = []
    for row in range(1, len(teeth) - 1):
        if teeth[row] <= SURE_TEETH or teeth[row] < max(teeth[row - 1], teeth[row + 1]):
            continue
        near = np.arange(max(row - SPIKE_ROWS, 0), min(row + SPIKE_ROWS + 1, len(teeth)))
        heard_s = float(near @ teeth[near] / teeth[near].sum() / heard.rate_hz)
        seen_s = np.arange(heard_s - REACH_S, heard_s + REACH_S, STEP_S)
        nearest = int(np.interp(seen_s, times_s, opening).argmin())
        if 0 < nearest < len(seen_s) - 1:  # else they are on their way to something else
            found.append(heard_s - float(seen_s[nearest]))
    return found


def summary(found: list[Followed]) -> dict[str, float]:
    """Figures over the clips: r, worst r, best lag and r there, ratio, LVE."""
    rows = np.array([one.r for one in found])
    mean = rows.mean(axis=0)
    best = int(mean.argmax())
    own = rows.argmax(axis=1) - MAX_LAG
    return {
        "r": float(mean[MAX_LAG]),
        "worst_r": float(rows[:, MAX_LAG].min()),
        "lag": best - MAX_LAG,
        "r_there": float(mean[best]),
        "within_one": float(np.mean(np.abs(own) <= 1)),
        "ratio": float(np.median([one.ratio for one in found])),
        "lve_mm2": float(np.mean([one.lve_mm2 for one in found])),
    }


def main(
    clips: Path,
    tracks: Path,
    audio: Path,
    share: Annotated[
        float, typer.Option(help="The training's validation_share; 1 takes every clip.")
    ] = 0.12,
    lip: Annotated[Path, typer.Option(help="Folder of train-lip.")] = WEIGHTS / "lip",
    emo: Annotated[Path, typer.Option(help="Folder of train-emo.")] = WEIGHTS / "emo",
) -> None:
    """Print r, lag, amplitude and lip vertex error over the clips, and how the clips are timed."""
    decoders, draw = (load_decoder(lip), load_decoder(emo)), Draw()
    held_out = read_held_out(clips, tracks, audio, share)
    found = [follow(one, *decoders, draw) for one in held_out]
    told = summary(found)
    leads_ms = MM * np.array([lead for one in held_out for lead in leads_s(one.features, one.clip)])
    Console().print(
        f"{len(found)} clips: r {told['r']:.3f} (worst {told['worst_r']:.3f}), best lag "
        f"{told['lag']:+.0f} (r {told['r_there']:.3f}), {told['within_one']:.0%} of the clips "
        f"within one frame, amplitude {told['ratio']:.2f}, LVE {told['lve_mm2']:.2f} mm2"
    )
    if len(leads_ms) > 1:
        error = leads_ms.std(ddof=1) / np.sqrt(len(leads_ms))
        Console().print(
            f"Filmed lips are nearest {leads_ms.mean():.0f} ms (standard error {error:.0f}) before "
            f"the f or v that is heard ({len(leads_ms)} of them)"
        )


if __name__ == "__main__":
    typer.run(main)
