"""Diffusion over motion: noising for training, guidance, and where the few steps of sampling lie.

The network predicts x0 (Ramesh et al. 2022; Tevet et al. 2023). Guidance is separate for speech
and emotion (Brooks et al. 2023, eq. 3). A regression decoder is the same network at the last
timestep with x = 0.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from emotalk_cli.decoders.denoiser import Conditions, Denoiser
from emotalk_cli.decoders.solvers import TIMESTEPS, alphas_cumprod, even_timesteps, solve

FINE_STEPS = 8
"""From so many sampling steps on they are spread evenly in log signal to noise ..."""
NOISE_RANGE = (100.0, 0.03)
"""... from this ratio of noise to signal, where blinks and looks away are decided, to this one."""


def add_noise(x0: Tensor, noise: Tensor, timestep: Tensor, alphas: Tensor) -> Tensor:
    """x_t = sqrt(a) x0 + sqrt(1 - a) noise (Ho et al. 2020, eq. 4) for timesteps (B,)."""
    a = alphas.to(x0.device)[timestep].view(-1, 1, 1)
    return a.sqrt() * x0 + (1 - a).sqrt() * noise


@torch.no_grad()
def sample(
    model: Denoiser,
    conditions: Conditions,
    noise: Tensor,
    *,
    mode: str,
    steps: int,
    speech_guidance: float,
    emotion_guidance: float,
    sampler: str = "dpm",
) -> Tensor:
    """Draw motion x0 (B, T, D) from `noise` of that shape; one evaluation if mode is regression.

    guided = f(-,-) + ws (f(s,-) - f(-,-)) + we (f(s,e) - f(s,-)); parts with weight 0 are not
    computed, so that ws = we = 1 costs one evaluation a step.
    """
    weights = {
        (0.0, 0.0): 1 - speech_guidance,
        (1.0, 0.0): speech_guidance - emotion_guidance,
        (1.0, 1.0): emotion_guidance,
    }
    branches = [(torch.tensor(keep), w) for keep, w in weights.items() if abs(w) > 1e-6]
    told = _repeat(conditions, [keep for keep, _ in branches])
    code = model.encode(told)
    batch = noise.shape[0]

    def guided(x: Tensor, timestep: int) -> Tensor:
        """Noisy x (B, T, D) at a timestep -> guided x0 (B, T, D)."""
        moment = torch.full((batch * len(branches),), timestep, device=x.device)
        parts = model(x.repeat(len(branches), 1, 1), moment, told, code).chunk(len(branches))
        return torch.stack([w * part for (_, w), part in zip(branches, parts, strict=True)]).sum(0)

    if mode == "regression":
        return guided(torch.zeros_like(noise), TIMESTEPS - 1)
    few = steps < FINE_STEPS
    return solve(guided, noise, even_timesteps(steps) if few else _fine_timesteps(steps), sampler)


def _fine_timesteps(steps: int) -> list[int]:
    """Falling timesteps from pure noise on, evenly spaced in log signal to noise (Lu et al. 2022).

    The rarer a motion, the more noise hides it: with evenly spaced timesteps only one or two
    steps decide whether eyes blink, and they blink too little.
    """
    alphas = alphas_cumprod()
    noisy = 0.5 * torch.log((1 - alphas) / alphas)
    most, least = NOISE_RANGE
    wanted = torch.linspace(math.log(most), math.log(least), steps - 1)
    nearest = (noisy[None] - wanted[:, None]).abs().argmin(dim=1)
    return sorted({TIMESTEPS - 1, *nearest.tolist()}, reverse=True)


def _repeat(conditions: Conditions, keeps: list[Tensor]) -> Conditions:
    """The conditions once per guidance branch, along the batch."""
    n, batch = len(keeps), conditions.known.shape[0]
    return dataclasses.replace(
        conditions,
        values={name: value.repeat(n, 1, 1) for name, value in conditions.values.items()},
        past=conditions.past.repeat(n, 1, 1),
        known=conditions.known.repeat(n, 1, 1),
        keep=torch.cat([keep.expand(batch, 2) for keep in keeps]).to(conditions.known.device),
    )
