"""How alive default faces are, beside real ones: `python -m tools.evaluate_life TRACKS AUDIO`.

Blinks, gaze and head speeds of neutral 2-minute clips that the emotion decoder makes of voices it
never heard, those of the prior that it learned from, and those of the tracked clips themselves,
with the two-sample Kolmogorov-Smirnov distance between each two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from emotalk_cli import store
from emotalk_cli.decoders.acting.gaze import DOWN_DEG_PER_UNIT, UP_DEG_PER_UNIT, YAW_DEG_PER_UNIT
from emotalk_cli.decoders.acting.head_motion import TRACKER_SIGMA
from emotalk_cli.decoders.acting.performance import act_face
from emotalk_cli.decoders.acting.speech_beats import beats_of
from emotalk_cli.decoders.acting.voice_reel import cut_speech, join
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.direction.emotions import EmotionCurve, emotion_curve
from emotalk_cli.decoders.motion import Motion, pose_delta
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.decoders.training.data import is_held_out
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy
from emotalk_cli.stages.motion_making import WEIGHTS

Float = NDArray[np.float64]
Facts = dict[str, Float]

FPS = 25.0
CLIP_S = 120.0
BLINK_DEPTH = 0.3
"""A blink closes the lids by so much more than they are closed before and after."""
LONGEST_BLINK_S = 0.6
SHIFT_DEG = 2.0
"""A look goes elsewhere if the eyes turn by this much within SHIFT_FRAMES."""
SHIFT_FRAMES = 2
STEADY_FRAMES = 5
"""A look is shorter only by the tracker's noise."""
LONG_PAUSE_S = 1.0
RATES = {
    "blink, duration at half height": "blinks",
    "gaze shift, size": "gaze shifts",
}
UNITS = {
    "blink, duration at half height": "s",
    "blink, time to the next": "s",
    "gaze shift, size": "deg",
    "head speed, speaking": "deg/s",
    "head speed, silent": "deg/s",
    "head speed, pauses of 1 s and more": "deg/s",
}


def facts_of(motion: Motion, names: tuple[str, ...], features: AudioFeatures) -> Facts:
    """What moved in one clip at FPS: samples of each quantity of UNITS, and its `minutes`."""
    times = np.arange(len(motion.expression)) / FPS
    beats = beats_of(features, times)
    peaks, durations = _blinks(motion.expression, names)
    speed = _head_speed(motion.head_pose_delta)
    speaking = beats.speaking[1:] > 0.5
    long_pause = _eroded(~speaking, round(LONG_PAUSE_S * FPS))
    return {
        "minutes": np.array([times[-1] / 60]),
        "blink, duration at half height": durations,
        "blink, time to the next": np.diff(peaks) / FPS,
        "gaze shift, size": _gaze_shifts(motion.expression, names),
        "head speed, speaking": speed[speaking],
        "head speed, silent": speed[~speaking],
        "head speed, pauses of 1 s and more": speed[long_pause],
    }


def _blinks(expression: NDArray[np.float32], names: tuple[str, ...]) -> tuple[Float, Float]:
    """Frames of the blinks and their durations at half height in s."""
    from scipy.signal import find_peaks, peak_widths

    lids = expression[:, [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]].mean(axis=1)
    found, _ = find_peaks(lids, prominence=BLINK_DEPTH, distance=3)
    widths = peak_widths(lids, found, rel_height=0.5)[0] / FPS
    kept = widths <= LONGEST_BLINK_S
    return found[kept].astype(np.float64), widths[kept]


def _gaze_shifts(expression: NDArray[np.float32], names: tuple[str, ...]) -> Float:
    """Sizes in degrees of the eyes' turns of SHIFT_DEG or more within SHIFT_FRAMES."""
    from scipy.ndimage import median_filter
    from scipy.signal import find_peaks

    def unit(name: str) -> Float:
        return expression[:, names.index(name)].astype(np.float64)

    left = unit("eyeLookOutLeft") + unit("eyeLookInRight")
    right = unit("eyeLookInLeft") + unit("eyeLookOutRight")
    up = unit("eyeLookUpLeft") + unit("eyeLookUpRight")
    down = unit("eyeLookDownLeft") + unit("eyeLookDownRight")
    yaw = YAW_DEG_PER_UNIT * (left - right) / 2
    pitch = (UP_DEG_PER_UNIT * up - DOWN_DEG_PER_UNIT * down) / 2
    yaw, pitch = median_filter(yaw, STEADY_FRAMES), median_filter(pitch, STEADY_FRAMES)
    turned = np.hypot(
        yaw[SHIFT_FRAMES:] - yaw[:-SHIFT_FRAMES], pitch[SHIFT_FRAMES:] - pitch[:-SHIFT_FRAMES]
    )
    found, _ = find_peaks(turned, height=SHIFT_DEG, distance=SHIFT_FRAMES + 1)
    return np.asarray(turned[found])


def _head_speed(pose_deltas: NDArray[np.float32]) -> Float:
    """Angular speed (T - 1,) in degrees/s, below the tracker's noise in frequency."""
    from scipy.ndimage import gaussian_filter1d

    steady = gaussian_filter1d(np.degrees(pose_deltas[:, :3]), TRACKER_SIGMA, axis=0)
    return np.asarray(np.linalg.norm(np.diff(steady, axis=0), axis=1) * FPS)


def _eroded(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """What is left of the runs of True that are `least` frames or longer."""
    from scipy.ndimage import binary_opening

    return np.asarray(binary_opening(mask, np.ones(least, bool)))


def _merged(clips: list[Facts]) -> Facts:
    return {name: np.concatenate([clip[name] for clip in clips]) for name in clips[0]}


def _real(tracks: Path, audio: Path, share: float) -> tuple[Facts, list[AudioFeatures]]:
    """Facts of the held-out clips that have a track, and their voices."""
    clips, voices = [], []
    for path in sorted(tracks.glob("*.h5")):
        if is_held_out(path.stem, share) and (audio / path.name).is_file():
            track = store.read(path, FaceTrack)
            voices.append(store.read(audio / path.name, AudioFeatures))
            motion = Motion(track.expression, pose_delta(track.head_pose, track.valid))
            clips.append(facts_of(motion, track.expression_names, voices[-1]))
    if not clips:
        raise typer.BadParameter(f"{tracks} and {audio} share no held-out clip.")
    return _merged(clips), voices


def _reel(voices: list[AudioFeatures], rng: np.random.Generator) -> AudioFeatures:
    """Recordings in random order, with pauses, until there are CLIP_S of them."""
    pieces, length = [], 0.0
    while length < CLIP_S:
        voice = cut_speech(voices[int(rng.integers(len(voices)))], None, FPS)[0]
        pieces.append((voice, None))
        length += len(voice.energy_db) / voice.rate_hz + 0.7
    return join(pieces, FPS, MadeBy("evaluate_life", "1"), rng).features


def _sampled(
    decoders: tuple[Decoder, Decoder], voice: AudioFeatures, curve: EmotionCurve, seed: int
) -> Motion:
    frames = int(voice.duration_s * FPS)
    weights = curve.weights(np.arange(frames) / FPS)
    return sample_motion(*decoders, voice, weights, frames=frames, fps=FPS, draw=Draw(seed=seed))


def main(
    tracks: Path,
    audio: Path,
    decoder: Annotated[Path, typer.Option(help="The emotion decoder.")] = WEIGHTS / "emo",
    clips: Annotated[int, typer.Option(help="2-minute clips to make.")] = 4,
    emotion: str = "neutral",
    share: Annotated[float, typer.Option(help="Clips that training held out.")] = 0.12,
) -> None:
    """Print every statistic of real, sampled and acted clips and their distances."""
    real, voices = _real(tracks, audio, share)
    decoders = load_decoder(WEIGHTS / "lip"), load_decoder(decoder)
    names, curve = decoders[1].spec.expression_names, emotion_curve(emotion, 1.0)
    sampled, acted = [], []
    for seed in range(clips):
        rng = np.random.default_rng(seed)
        voice = _reel(voices, rng)
        beats = beats_of(voice, np.arange(int(voice.duration_s * FPS)) / FPS)
        sampled.append(facts_of(_sampled(decoders, voice, curve, seed), names, voice))
        acted.append(facts_of(act_face(beats, curve, names, rng), names, voice))
    _show(real, _merged(sampled), _merged(acted), emotion)


def _show(real: Facts, sampled: Facts, acted: Facts, emotion: str) -> None:
    from scipy.stats import ks_2samp

    def middle(facts: Facts, name: str) -> str:
        if not len(facts[name]):
            return "none"
        low, mid, high = np.quantile(facts[name], (0.1, 0.5, 0.9))
        return f"{low:.2f} {mid:.2f} {high:.2f}"

    def distance(one: Facts, other: Facts, name: str) -> str:
        if min(len(one[name]), len(other[name])) < 5:
            return "-"
        return f"{ks_2samp(one[name], other[name]).statistic:.2f}"

    minutes = [float(facts["minutes"].sum()) for facts in (real, sampled, acted)]
    table = Table(title=f"{emotion}: real {minutes[0]:.1f} min, sampled {minutes[1]:.1f} min")
    for heading in ("quantity: 10, 50, 90 %", "real", "sampled", "prior", "KS real", "KS prior"):
        table.add_column(heading)
    for name, unit in UNITS.items():
        shown = [middle(facts, name) for facts in (real, sampled, acted)]
        apart = distance(sampled, real, name), distance(sampled, acted, name)
        table.add_row(f"{name} ({unit})", *shown, *apart)
    for name, label in RATES.items():
        counts = [
            len(facts[name]) / m for facts, m in zip((real, sampled, acted), minutes, strict=True)
        ]
        table.add_row(f"{label} (1/min)", *(f"{count:.1f}" for count in counts), "", "")
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
