"""The default emotion decoder: what it makes of a voice it never heard."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import emotalk_cli
from emotalk_cli.decoders.acting.prototypes import prototypes
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.direction.emotions import EMOTIONS, parse_emotion
from emotalk_cli.decoders.motion import Motion
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.schema import AudioFeatures
from tests.decoders.voices import voice

FPS = 25.0
SECONDS = 16.0
PHRASES = [(0.4, 2.8), (3.4, 6.1), (7.6, 9.9), (10.4, 14.5)]
WEIGHTS = Path(emotalk_cli.__file__).parent / "weights"
LOUD = [name for name in EMOTIONS if name != "neutral"]


@cache
def decoders() -> tuple[Decoder, Decoder]:
    return load_decoder(WEIGHTS / "lip"), load_decoder(WEIGHTS / "emo")


@cache
def heard() -> AudioFeatures:
    """A made-up voice, with silent phones: the emotion decoder hears its melody alone."""
    made = voice(PHRASES, SECONDS)
    lip = decoders()[0].spec
    names = tuple(
        name for name in lip.speech_names if not name.startswith("mel_") and name != "loudness"
    )
    return AudioFeatures(
        **{
            **{name: getattr(made, name) for name in made.attribute_names()},
            **{name: getattr(made, name) for name in made.array_specs()},
            "speech": np.full((len(made.energy_db), len(names)), 0.01, np.float32),
            "encoder": lip.encoder,
            "speech_names": names,
        }
    )


@cache
def performed(emotion: str, intensity: float = 1.0, seed: int = 0) -> Motion:
    lip, emo = decoders()
    frames = int(SECONDS * FPS)
    weights = parse_emotion(emotion, intensity).weights(np.arange(frames) / FPS)
    return sample_motion(lip, emo, heard(), weights, frames=frames, fps=FPS, draw=Draw(seed=seed))


def upper_profile(motion: Motion) -> np.ndarray:
    """Mean of the units that show an emotion and do not speak."""
    return motion.expression[:, shown()].mean(axis=0)


@cache
def shown() -> list[int]:
    names = decoders()[1].spec.expression_names
    table = prototypes(names).max(axis=0) > 0
    return [
        n
        for n, name in enumerate(names)
        if not name.startswith(("eyeLook", "eyeBlink", "jaw")) and table[n]
    ]


@pytest.mark.parametrize("emotion", LOUD)
def test_an_emotion_looks_like_its_prototype_and_grows_with_intensity(emotion: str) -> None:
    neutral = upper_profile(performed("neutral"))
    table = prototypes(decoders()[1].spec.expression_names)[EMOTIONS.index(emotion)][shown()]
    full, half = (upper_profile(performed(emotion, strength)) - neutral for strength in (1.0, 0.5))
    assert np.corrcoef(full, table)[0, 1] > 0.9
    assert 0.25 < np.linalg.norm(half) / np.linalg.norm(full) < 0.75


def test_a_timeline_is_followed() -> None:
    made = performed("0 neutral, 8 surprised").expression
    names = decoders()[1].spec.expression_names
    brows = made[:, names.index("browOuterUpLeft")]
    middle = (brows[100:175].mean() + brows[250:].mean()) / 2
    crossed = np.flatnonzero(brows[175:] > middle)[0] / FPS + 7
    assert abs(crossed - 8) < 0.3


def test_eyes_blink_and_close() -> None:
    names = decoders()[1].spec.expression_names
    lids = [
        performed(name, 1.0, seed).expression[:, names.index("eyeBlinkLeft")]
        for seed, name in enumerate(EMOTIONS)
    ]
    peaks = [
        lid[k]
        for lid in lids
        for k in range(1, len(lid) - 1)
        if lid[k] > 0.5 and lid[k] >= lid[k - 1] and lid[k] > lid[k + 1]
    ]
    per_minute = len(peaks) / (len(EMOTIONS) * SECONDS / 60)
    assert 8 < per_minute < 28
    assert np.mean(peaks) > 0.85


def test_heads_move_a_little_and_carry_the_emotion() -> None:
    neutral, sad = (
        np.degrees(performed(name).head_pose_delta[:, :3]) for name in ("neutral", "sad")
    )
    speed = np.linalg.norm(np.diff(neutral, axis=0), axis=1) * FPS
    assert 1 < speed.mean() < 10
    assert np.abs(neutral).max() < 12
    assert sad[:, 0].mean() - neutral[:, 0].mean() > 3  # lower
