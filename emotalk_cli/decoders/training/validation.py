"""Validation: the loss at fixed noise, and for lips how well sampled motion follows the true."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from emotalk_cli.decoders import diffusion
from emotalk_cli.decoders.denoiser import Denoiser
from emotalk_cli.decoders.solvers import TIMESTEPS
from emotalk_cli.decoders.spec import Spec
from emotalk_cli.decoders.training.losses import MotionLoss
from emotalk_cli.decoders.training.windows import Batch, Windows, mix, moved

BATCH = 32
SEED = 1
LEVELS = 4
"""Each window is scored at so many evenly spread noise levels."""
MOST_STEPS = 4
"""Sampling steps for the lips' figures; more hardly change them."""


@torch.no_grad()
def validate(
    model: Denoiser, windows: Windows, loss: MotionLoss, spec: Spec, alphas: Tensor
) -> dict[str, float]:
    """Figures over held-out clips, taken from their beginning.

    `validation`: the loss at fixed noise. For decoders of lips also, of sampled against true
    motion: `opening_r` (Pearson r of the inner-lip gap, mean over clips), `opening_ratio` (of its
    standard deviations, median over clips) and `lve_mm2` (mean over frames of the largest squared
    error of a lip landmark); `shuffled_r` and `shuffled_lve_mm2` are the same where each clip is
    told the sound of another: what a decoder reaches that does not listen.
    """
    device = next(model.parameters()).device
    total = frames = 0.0
    lips: list[tuple[float, float, float]] = []
    control: list[tuple[float, float, float]] = []
    for first in range(0, len(windows), BATCH):
        plan = windows.whole(first, BATCH)
        batch = moved(windows.cut(plan, windows.frames(plan), (SEED, first)), device)
        generator = torch.Generator().manual_seed(mix(SEED, first))
        noise = torch.randn(batch.x0.shape, generator=generator).to(device)
        total += _loss(model, batch, noise, loss, spec, alphas)
        frames += float(batch.mask.sum())
        if spec.group != "emo":
            lips += _lips(model, batch, noise, loss, spec)
            plan = windows.whole(first, BATCH, shuffled=True)
            other = moved(windows.cut(plan, windows.frames(plan), (SEED, first)), device)
            control += _lips(model, other, noise, loss, spec)
    figures = {"validation": total / max(frames, 1.0)}
    if lips:
        r, ratio, lve = np.array(lips).T
        figures |= {
            "opening_r": float(r.mean()),
            "opening_ratio": float(np.median(ratio)),
            "lve_mm2": float(lve.mean()),
        }
    if control and len(windows) > 1:
        r, _, lve = np.array(control).T
        figures |= {"shuffled_r": float(r.mean()), "shuffled_lve_mm2": float(lve.mean())}
    return figures


def _loss(
    model: Denoiser, batch: Batch, noise: Tensor, loss: MotionLoss, spec: Spec, alphas: Tensor
) -> float:
    """Sum of the loss over the batch's frames, mean over noise levels."""
    regression = spec.mode == "regression"
    total = 0.0
    for level in range(1 if regression else LEVELS):
        timestep = (level * 2 + 1) * TIMESTEPS // (2 * LEVELS)
        moment = torch.full((len(noise),), timestep, device=noise.device)
        if regression:
            moment, x = torch.full_like(moment, TIMESTEPS - 1), noise * 0
        else:
            x = diffusion.add_noise(batch.x0, noise, moment, alphas)
        terms = loss.terms(model(x, moment, batch.conditions), batch.x0, batch.mask)
        total += float(torch.stack(list(terms.values())).sum())
    return total if regression else total / LEVELS


def _lips(
    model: Denoiser, batch: Batch, noise: Tensor, loss: MotionLoss, spec: Spec
) -> list[tuple[float, float, float]]:
    """Of each clip: r and ratio of the lip opening, LVE in mm^2; clips without motion left out."""
    made = diffusion.sample(
        model,
        batch.conditions,
        noise * spec.temperature,
        mode=spec.mode,
        steps=min(spec.steps, MOST_STEPS),
        speech_guidance=spec.speech_guidance,
        emotion_guidance=spec.emotion_guidance,
    )
    found = []
    gaps = zip(loss.gap_mm(made), loss.gap_mm(batch.x0), strict=True)
    errors = loss.largest_lip_error_mm2(made - batch.x0)
    for (ours, true), error, mask in zip(gaps, errors, batch.mask[..., 0] > 0, strict=True):
        both = torch.stack([ours[mask, 0], true[mask, 0]])
        if both.shape[1] > 2 and bool((both.std(dim=1) > 1e-6).all()):
            spread = both.std(dim=1)
            r = float(torch.corrcoef(both)[0, 1])
            found.append((r, float(spread[0] / spread[1]), float(error[mask].mean())))
    return found
