"""Sampling: any length, one seed one result, no seam, decoders that fit together."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.decoders.checkpoint import Decoder
from emotalk_cli.decoders.motion import Motion
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy

NEUTRAL = np.eye(8, dtype=np.float32)[5]


def weights(frames: int) -> NDArray[np.float32]:
    return np.repeat(NEUTRAL[None], frames, axis=0)


@pytest.fixture(scope="module")
def features(pair: Callable[..., tuple[FaceTrack, AudioFeatures]]) -> AudioFeatures:
    return pair("long", 99, frames=260)[1]


@pytest.mark.parametrize("frames", [1, 7, 79, 80, 81, 260])
@pytest.mark.parametrize("kind", ["both", "lip", "single"])
def test_every_length(
    decoders: dict[str, Decoder], features: AudioFeatures, frames: int, kind: str
) -> None:
    lip = decoders["single" if kind == "single" else "lip"]
    emo = decoders["emo"] if kind == "both" else None
    motion = sample_motion(lip, emo, features, weights(frames), frames=frames, fps=25.0)
    assert motion.expression.shape == (frames, 6)
    assert motion.head_pose_delta.shape == (frames, 6)
    assert motion.expression.dtype == np.float32
    assert motion.expression.min() >= 0 and motion.expression.max() <= 1


def test_other_frame_rates_keep_the_time(
    decoders: dict[str, Decoder], features: AudioFeatures
) -> None:
    slow = sample_motion(decoders["lip"], None, features, weights(250), frames=250, fps=25.0)
    fast = sample_motion(decoders["lip"], None, features, weights(500), frames=500, fps=50.0)
    np.testing.assert_allclose(fast.expression[::2][:249], slow.expression[:249], atol=1e-5)


def test_seed_decides(decoders: dict[str, Decoder], features: AudioFeatures) -> None:
    def draw(seed: int) -> Motion:
        return sample_motion(
            decoders["lip"], decoders["emo"], features, weights(120),
            frames=120, fps=25.0, draw=Draw(seed=seed),
        )  # fmt: skip

    np.testing.assert_array_equal(draw(1).expression, draw(1).expression)
    assert np.abs(draw(1).head_pose_delta - draw(2).head_pose_delta).max() > 1e-4


@pytest.mark.parametrize("guidance", [(1.0, 1.0), (1.5, 1.0), (1.0, 2.0), (0.0, 0.0)])
@pytest.mark.parametrize("sampler", ["dpm", "ddim"])
def test_guidance_and_samplers(
    decoders: dict[str, Decoder],
    features: AudioFeatures,
    guidance: tuple[float, float],
    sampler: str,
) -> None:
    draw = Draw(speech_guidance=guidance[0], emotion_guidance=guidance[1], sampler=sampler, steps=3)
    motion = sample_motion(
        decoders["lip"], decoders["emo"], features, weights(30), frames=30, fps=25.0, draw=draw
    )
    assert np.isfinite(motion.expression).all() and np.isfinite(motion.head_pose_delta).all()


def test_mismatches_are_refused(decoders: dict[str, Decoder], features: AudioFeatures) -> None:
    other = dataclasses.replace(features, encoder="mel")
    with pytest.raises(EmotalkError, match="'mel'"):
        sample_motion(decoders["lip"], None, other, weights(9), frames=9, fps=25.0)
    with pytest.raises(EmotalkError, match="group 'emo'"):
        sample_motion(decoders["emo"], None, features, weights(9), frames=9, fps=25.0)
    with pytest.raises(EmotalkError, match="single"):
        sample_motion(decoders["single"], decoders["emo"], features, weights(9), frames=9, fps=25.0)
    spec = dataclasses.replace(decoders["emo"].spec, face_model_sha256="1" * 64)
    with pytest.raises(EmotalkError, match="face_model_sha256"):
        sample_motion(
            decoders["lip"], dataclasses.replace(decoders["emo"], spec=spec), features,
            weights(9), frames=9, fps=25.0,
        )  # fmt: skip


def test_emotions_never_seen_change_no_lips(
    decoders: dict[str, Decoder], features: AudioFeatures
) -> None:
    """`contempt` is in no clip of the tiny corpus."""
    contempt = np.repeat(np.eye(8, dtype=np.float32)[1][None], 40, axis=0)
    plain = sample_motion(decoders["lip"], None, features, weights(40), frames=40, fps=25.0)
    told = sample_motion(decoders["lip"], None, features, contempt, frames=40, fps=25.0)
    np.testing.assert_allclose(told.expression, plain.expression, atol=1e-6)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(EmotalkError, match=f"seed is {seed}"):
        Draw(seed=seed)
    with pytest.raises(EmotalkError, match=f"seed is {seed}"):
        MadeBy("generate", "0", seed=seed)
