"""The solvers give what those of diffusers give, and any other of theirs can be used."""

import sys

import pytest
import torch
from torch import Tensor

from emotalk_cli.decoders.solvers import (
    SAMPLERS,
    SCHEDULE,
    TIMESTEPS,
    alphas_cumprod,
    even_timesteps,
    solve,
)
from emotalk_cli.errors import EmotalkError

NOISE = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0))


def predict(x: Tensor, timestep: int) -> Tensor:
    """Some function of both."""
    return torch.tanh(x * (1 - timestep / 1500)) + 0.1


@pytest.mark.parametrize("steps", [1, 2, 8, 10, 25])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_equal_to_diffusers(sampler: str, steps: int) -> None:
    diffusers = pytest.importorskip("diffusers")
    common = {
        "num_train_timesteps": TIMESTEPS, "beta_schedule": SCHEDULE,
        "prediction_type": "sample", "timestep_spacing": "trailing",
    }  # fmt: skip
    if sampler == "ddim":
        scheduler = diffusers.DDIMScheduler(**common, clip_sample=False)
    else:
        scheduler = diffusers.DPMSolverMultistepScheduler(**common, lower_order_final=True)
    torch.testing.assert_close(scheduler.alphas_cumprod, alphas_cumprod(), rtol=1e-4, atol=1e-7)
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps.tolist() == even_timesteps(steps)
    x = NOISE
    for timestep in scheduler.timesteps:
        x = scheduler.step(predict(x, int(timestep)), timestep, x).prev_sample
    made = solve(predict, NOISE, even_timesteps(steps), sampler)
    torch.testing.assert_close(made, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_known_answer_is_found_at_once(sampler: str) -> None:
    made = solve(lambda x, timestep: torch.ones_like(x), NOISE, [999, 700, 20], sampler)
    torch.testing.assert_close(made, torch.ones_like(NOISE))


def test_any_scheduler_of_diffusers() -> None:
    pytest.importorskip("diffusers")
    made = solve(predict, NOISE, even_timesteps(20), "diffusers:UniPCMultistepScheduler")
    near = solve(predict, NOISE, even_timesteps(20), "dpm")
    assert float((made - near).abs().mean()) < 0.05
    for name in ("diffusers:Nothing", "diffusers:utils", "euler"):
        with pytest.raises(EmotalkError, match=r"no (sampler|scheduler)"):
            solve(predict, NOISE, [999], name)


def test_sampling_does_not_load_diffusers() -> None:
    import subprocess

    code = "import sys, emotalk_cli.decoders.sampling; sys.exit('diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
