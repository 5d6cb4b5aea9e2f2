"""Cuts the features of recordings and joins them into a longer one, with pauses between."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.speech_beats import beats_of
from emotalk_cli.decoders.motion import Motion, resample
from emotalk_cli.schema import AudioFeatures, MadeBy

Float = NDArray[np.float32]

ROW_FIELDS = ("speech", "log_mel", "f0_hz", "voicing", "energy_db")
MARGIN_S = 0.15
"""Silence left before and after the speech of a recording when it is cut out."""
QUIET_ROWS = 10
PAUSES_S = ((0.0, 0.35), (0.5, 2.2), (2.5, 7.0))
PAUSE_CHANCES = (0.62, 0.28, 0.10)
"""Silences put between recordings: between clauses, between sentences, while somebody listens."""
TEMPO = (0.85, 1.18)
"""Recordings are sped up or slowed down by this much, with the motion that goes with them."""


@dataclass(frozen=True)
class Reel:
    """Joined features, and the motion measured with them: (T, ...) at `fps`, or None."""

    features: AudioFeatures
    motion: Motion | None


def cut_speech(
    features: AudioFeatures, motion: Motion | None, fps: float
) -> tuple[AudioFeatures, Motion | None]:
    """A recording and its motion without the silence before and after the speech."""
    rows = len(features.energy_db)
    beats = beats_of(features, np.arange(rows) / features.rate_hz)
    if not len(beats.onsets_s):
        return features, motion
    first = max(int((beats.onsets_s[0] - MARGIN_S) * features.rate_hz), 0)
    last = min(int((beats.ends_s[-1] + MARGIN_S) * features.rate_hz) + 1, rows)
    index = np.arange(first, last)
    if motion is not None:
        frames = np.arange(0, (len(index) - 1) / features.rate_hz, 1 / fps)
        motion = _moved(motion, (first / features.rate_hz + frames) * fps)
    return _picked(features, index.astype(np.float64)), motion


def join(
    pieces: Sequence[tuple[AudioFeatures, Motion | None]],
    fps: float,
    made_by: MadeBy,
    rng: np.random.Generator,
) -> Reel:
    """Join recordings in order, at one new tempo, with silences of natural lengths between them.

    The motion is kept only if all pieces have it; it eases from piece to piece over the pauses.
    """
    tempo = float(rng.uniform(*TEMPO))
    sounds: list[AudioFeatures] = []
    moved: list[Motion | None] = []
    frames = 0
    for features, motion in pieces:
        rows = np.arange(0, len(features.energy_db) - 1, tempo)
        pause = PAUSES_S[int(rng.choice(len(PAUSES_S), p=PAUSE_CHANCES))]
        spoken = _picked(features, rows)
        sounds += [spoken, _silence(features, float(rng.uniform(*pause)), rng)]
        total = sum(len(sound.energy_db) for sound in sounds) / features.rate_hz
        wanted, frames = int(total * fps) - frames, int(total * fps)
        moved.append(motion and _moved(motion, np.arange(wanted) * tempo))
    voice = _joined(sounds, tempo, made_by)
    kept = [motion for motion in moved if motion is not None]
    return Reel(voice, _eased(kept, fps) if len(kept) == len(moved) else None)


def _picked(features: AudioFeatures, rows: NDArray[np.float64]) -> AudioFeatures:
    """The rows at fractional row numbers; pitch is not blended with silence."""
    arrays: dict[str, Any] = {name: resample(getattr(features, name), rows) for name in ROW_FIELDS}
    arrays["f0_hz"] = features.f0_hz[np.round(rows).astype(np.int64)]
    return dataclasses.replace(features, **arrays)


def _silence(features: AudioFeatures, seconds: float, rng: np.random.Generator) -> AudioFeatures:
    """So much of the recording's own background, drawn from its quietest moments."""
    quiet = np.argsort(features.energy_db)[:QUIET_ROWS]
    rows = rng.choice(quiet, int(seconds * features.rate_hz))
    silent = _picked(features, rows.astype(np.float64))
    nothing = np.zeros(len(rows), np.float32)
    return dataclasses.replace(silent, f0_hz=nothing, voicing=nothing)


def _joined(sounds: Sequence[AudioFeatures], tempo: float, made_by: MadeBy) -> AudioFeatures:
    arrays: dict[str, Any] = {
        name: np.ascontiguousarray(np.concatenate([getattr(sound, name) for sound in sounds]))
        for name in ROW_FIELDS
    }
    rate = float(np.mean([sound.speaking_rate_hz for sound in sounds])) * tempo
    duration = len(arrays["energy_db"]) / sounds[0].rate_hz
    return dataclasses.replace(
        sounds[0], **arrays, speaking_rate_hz=rate, duration_s=duration, made_by=made_by
    )


def _moved(motion: Motion, frames: NDArray[np.float64]) -> Motion:
    return Motion(resample(motion.expression, frames), resample(motion.head_pose_delta, frames))


def _eased(pieces: Sequence[Motion], fps: float) -> Motion:
    """Motions joined without jumps: each seam's step is spread over half a second."""
    expression = _without_steps([piece.expression for piece in pieces], fps)
    head = _without_steps([piece.head_pose_delta for piece in pieces], fps)
    return Motion(np.clip(expression, 0, 1).astype(np.float32), head.astype(np.float32))


def _without_steps(pieces: Sequence[Float], fps: float) -> Float:
    joined = np.concatenate(pieces).astype(np.float64)
    fade = np.exp(-np.arange(len(joined)) / (0.25 * fps))
    seam = 0
    for piece in pieces[:-1]:
        seam += len(piece)
        if 0 < seam < len(joined):
            step = joined[seam - 1] - joined[seam]
            joined[seam:] += fade[: len(joined) - seam, None] * step
    return joined.astype(np.float32)
