"""What is expected of an output: found again, given back, and nothing for what was never shown."""

import dataclasses

import numpy as np
import pytest

from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.diffusion import FINE_STEPS, _fine_timesteps
from emotalk_cli.decoders.solvers import TIMESTEPS, alphas_cumprod
from emotalk_cli.decoders.training.expectation import floors, learn_expectation, natural, normalised
from emotalk_cli.stages.generate import WEIGHTS

OUTPUTS = ("browDownLeft", "jawOpen", "head_rx")


def shown() -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.array([[0.5, 0.1, 0.1], [-0.2, 0.3, 0.0]])
    emotions, targets = [], []
    for _ in range(6):
        emotion = np.zeros((400, 7), np.float32)
        emotion[:, :2] = rng.uniform(0, 1, (1, 2))
        targets.append((0.2 + emotion[:, :2] @ truth + rng.normal(0, 0.05, (400, 3))).astype("f4"))
        emotions.append(emotion)
    return targets, emotions, truth


def test_what_an_emotion_adds_is_found_and_one_never_shown_adds_nothing() -> None:
    targets, emotions, truth = shown()
    found = learn_expectation(targets, emotions, OUTPUTS)
    np.testing.assert_allclose(found.mean, 0.2, atol=0.05)
    np.testing.assert_allclose(found.by_emotion[:2], truth, atol=0.08)
    assert not found.by_emotion[2:].any()
    np.testing.assert_allclose(found.scale, 0.05, atol=0.005)


def test_a_plain_output_has_its_mean_alone() -> None:
    targets, emotions, _ = shown()
    found = learn_expectation(targets, emotions, OUTPUTS, ["jawOpen"])
    assert not found.by_emotion[:, 1].any()
    assert found.mean[1] == pytest.approx(np.concatenate(targets)[:, 1].mean(), abs=1e-5)
    assert found.by_emotion[0, 0] > 0.4


def test_still_channels_are_not_blown_up() -> None:
    still = [np.zeros((50, 3), np.float32)]
    found = learn_expectation(still, [np.zeros((50, 7), np.float32)], OUTPUTS)
    np.testing.assert_array_equal(found.scale, floors(OUTPUTS))
    assert found.scale[2] < found.scale[0]


def test_natural_undoes_normalised() -> None:
    spec = load_decoder(WEIGHTS / "emo").spec
    rng = np.random.default_rng(1)
    width = len(spec.outputs)
    rows = tuple(tuple(row) for row in rng.normal(0, 1, (7, width)))
    spec = dataclasses.replace(spec, output_emotion=rows)
    target, emotion = rng.random((5, width), np.float32), rng.random((5, 7), np.float32)
    back = natural(spec, normalised(spec, target, emotion), emotion)
    np.testing.assert_allclose(back, target, atol=1e-4)


@pytest.mark.parametrize("steps", [FINE_STEPS, 20, 50])
def test_sampling_steps_fall_evenly_from_pure_noise(steps: int) -> None:
    chosen = _fine_timesteps(steps)
    assert chosen[0] == TIMESTEPS - 1
    assert steps - 3 <= len(chosen) <= steps
    assert np.all(np.diff(chosen) < 0)
    kept = alphas_cumprod()[chosen[1:]].double()
    gaps = np.diff(np.log(np.sqrt(kept / (1 - kept))))
    assert gaps.max() < 3 * np.median(gaps)
