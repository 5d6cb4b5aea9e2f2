"""Solvers: from noise to clean motion in a few steps, knowing only a function that predicts it.

The noise schedule is the cosine one (Nichol and Dhariwal, ICML 2021). The two solvers here give
what those of the package `diffusers` give (a test compares them) without the 1.5 s that its import
takes; any other scheduler of that package is used by its name, `diffusers:CLASS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from emotalk_cli.errors import EmotalkError

TIMESTEPS = 1000
SAMPLERS = ("dpm", "ddim")
DIFFUSERS = "diffusers:"
SCHEDULE = "squaredcos_cap_v2"
COSINE_OFFSET = 0.008
LARGEST_BETA = 0.999

Predict = Callable[[Tensor, int], Tensor]
"""Noisy motion and its timestep -> the clean motion behind it, as far as one can tell."""


@cache
def alphas_cumprod() -> Tensor:
    """Share of signal variance left at each of the TIMESTEPS, (TIMESTEPS,) in 1..0."""
    moments = torch.arange(TIMESTEPS + 1, dtype=torch.float64) / TIMESTEPS
    left = torch.cos((moments + COSINE_OFFSET) / (1 + COSINE_OFFSET) * torch.pi / 2) ** 2
    betas = (1 - left[1:] / left[:-1]).clamp(max=LARGEST_BETA)
    return (1 - betas.float()).cumprod(dim=0)


def even_timesteps(steps: int) -> list[int]:
    """Falling timesteps, evenly spaced, from pure noise on."""
    return [round(TIMESTEPS - TIMESTEPS / steps * k) - 1 for k in range(steps)]


def solve(predict: Predict, noise: Tensor, timesteps: Sequence[int], sampler: str) -> Tensor:
    """Clean motion of the shape of `noise`, in one evaluation of `predict` per timestep."""
    if sampler.startswith(DIFFUSERS):
        return _by_diffusers(predict, noise, timesteps, sampler.removeprefix(DIFFUSERS))
    if sampler not in SAMPLERS:
        raise EmotalkError(
            f"There is no sampler '{sampler}'.",
            f"Known: {', '.join(SAMPLERS)}, and {DIFFUSERS}CLASS for a scheduler of diffusers.",
        )
    return _dpm(predict, noise, timesteps) if sampler == "dpm" else _ddim(predict, noise, timesteps)


def _levels(timesteps: Sequence[int]) -> list[tuple[float, float]]:
    """Amplitudes of signal and noise at each timestep, and at the end: no noise."""
    left = alphas_cumprod()[list(timesteps)].double()
    return [*zip(left.sqrt().tolist(), (1 - left).sqrt().tolist(), strict=True), (1.0, 0.0)]


def _ddim(predict: Predict, x: Tensor, timesteps: Sequence[int]) -> Tensor:
    """Without fresh noise (Song, Meng and Ermon, ICLR 2021, eq. 12 with sigma = 0)."""
    levels = _levels(timesteps)
    for step, timestep in enumerate(timesteps):
        (alpha, sigma), (next_alpha, next_sigma) = levels[step : step + 2]
        clean = predict(x, timestep)
        x = next_alpha * clean + next_sigma / sigma * (x - alpha * clean)
    return x


def _dpm(predict: Predict, x: Tensor, timesteps: Sequence[int]) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2); first and last step are of first order."""
    levels = _levels(timesteps)
    before: Tensor | None = None
    last_h = 0.0
    for step, timestep in enumerate(timesteps):
        (alpha, sigma), (next_alpha, next_sigma) = levels[step : step + 2]
        clean = predict(x, timestep)
        ratio = next_sigma * alpha / (next_alpha * sigma)  # exp(-h), h: growth of log(alpha/sigma)
        if not ratio:
            return next_alpha * clean
        h = -float(torch.tensor(ratio, dtype=torch.float64).log())
        slope = clean if before is None else clean + (clean - before) * (h / last_h / 2)
        x = next_sigma / sigma * x + next_alpha * (1 - ratio) * slope
        before, last_h = clean, h
    return x


def _by_diffusers(predict: Predict, x: Tensor, timesteps: Sequence[int], name: str) -> Tensor:
    """By a scheduler of the package, with its own timesteps, as many as asked for."""
    import diffusers

    kind: Any = getattr(diffusers, name, None)
    if not hasattr(kind, "set_timesteps"):
        raise EmotalkError(
            f"The package diffusers has no scheduler '{name}'.",
            "Name one that predicts the sample, such as diffusers:UniPCMultistepScheduler.",
        )
    scheduler = kind(
        num_train_timesteps=TIMESTEPS,
        beta_schedule=SCHEDULE,
        prediction_type="sample",
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(len(timesteps))
    for timestep in scheduler.timesteps:
        x = scheduler.step(predict(x, int(timestep)), timestep, x).prev_sample
    return x
