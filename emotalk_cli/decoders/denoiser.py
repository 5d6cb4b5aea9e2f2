"""The network of all decoders: convolutions over time that predict clean motion (x0)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from emotalk_cli.decoders.conditions import EMOTION_NAMES, PROSODY_NAMES
from emotalk_cli.decoders.spec import Network, Spec

DILATIONS = (1, 2, 4)
TIME_FREQUENCIES = 32
MAX_PERIOD = 10_000.0
HEARD = ("speech", "prosody")
"""Conditions that guidance for speech switches; the others belong to the emotion."""


@dataclass(frozen=True)
class Conditions:
    """What one batch of windows is told, all float32.

    `values` name -> (B, T, C): speech, prosody, emotion, colour as the group needs them.
    `past` (B, T, D) normalised motion that is known, `known` (B, T, 1) 1 where it is.
    `keep` (B, 2) 0 where the window is not told its speech, its emotion.
    """

    values: Mapping[str, Tensor]
    past: Tensor
    known: Tensor
    keep: Tensor


def input_sizes(spec: Spec) -> dict[str, int]:
    """Name and width of each condition of a group."""
    sizes: dict[str, int] = {}
    if spec.hears_speech:
        sizes["speech"] = len(spec.speech_names) * spec.substeps
    if spec.group != "lip":
        sizes["prosody"] = len(PROSODY_NAMES)
    if spec.told_emotion:
        sizes["emotion"] = len(EMOTION_NAMES)
    if spec.told_emotion and spec.group == "lip":
        sizes["colour"] = len(spec.lip_units)
    return sizes


class Denoiser(nn.Module):
    """Noisy motion, diffusion step and conditions -> clean motion.

    The conditions pass their own layers once (`encode`); the diffusion steps share the result.
    """

    def __init__(self, sizes: Mapping[str, int], outputs: int, network: Network) -> None:
        super().__init__()
        hidden = network.hidden
        self.inputs = nn.ModuleDict({name: nn.Linear(n, hidden) for name, n in sizes.items()})
        self.missing = nn.ParameterDict({name: torch.zeros(hidden) for name in sizes})
        self.encoder = _stack(network.encoder_blocks, hidden, network.kernel, timed=False)
        self.motion = nn.Linear(outputs + 1, hidden)
        self.time = nn.Sequential(
            nn.Linear(2 * TIME_FREQUENCIES, hidden), nn.SiLU(), nn.Linear(hidden, hidden)
        )
        self.denoiser = _stack(network.denoiser_blocks, hidden, network.kernel, timed=True)
        self.norm = nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, outputs)
        for layer in (self.output, *(self.inputs[n] for n in sizes if n not in HEARD)):
            # An emotion that training never showed must change nothing.
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def encode(self, conditions: Conditions) -> Tensor:
        """Conditions of B windows of T frames -> their code (B, T, H)."""
        code = torch.zeros((), device=conditions.known.device)
        for name, layer in self.inputs.items():
            value = conditions.values[name]
            keep = conditions.keep[:, 0 if name in HEARD else 1].view(-1, 1, 1)
            code = code + keep * layer(value) + (1 - keep) * self.missing[name]
        for block in self.encoder:
            code = block(code, None)
        return code

    def forward(
        self, x: Tensor, timestep: Tensor, conditions: Conditions, code: Tensor | None = None
    ) -> Tensor:
        """Noisy x (B, T, D), timestep (B,) in 0..999, conditions -> clean x0 (B, T, D).

        `code` is `encode(conditions)` where that is known already.
        """
        code = self.encode(conditions) if code is None else code
        known = conditions.known
        seen = torch.cat([known * conditions.past + (1 - known) * x, known], dim=-1)
        moment = self.time(_time_features(timestep))
        h = self.motion(seen) + code
        for block in self.denoiser:
            h = block(h, moment)
        result: Tensor = self.output(self.norm(h))
        return result


class _Block(nn.Module):
    """Residual convolution over time; the diffusion step scales and shifts its input (FiLM)."""

    def __init__(self, hidden: int, kernel: int, dilation: int, timed: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.film = nn.Linear(hidden, 2 * hidden) if timed else None
        self.conv = nn.Conv1d(
            hidden, hidden, kernel, padding=dilation * (kernel // 2), dilation=dilation
        )
        self.mix = nn.Linear(hidden, hidden)

    def forward(self, h: Tensor, moment: Tensor | None) -> Tensor:
        """Features (B, T, H), modulated by the moment of diffusion (B, C) where there is one."""
        y = self.norm(h)
        if self.film is not None and moment is not None:
            scale, shift = self.film(moment).unsqueeze(1).chunk(2, dim=-1)
            y = y * (1 + scale) + shift
        y = self.conv(y.transpose(1, 2)).transpose(1, 2)
        result: Tensor = h + self.mix(nnf.gelu(y))
        return result


def build(spec: Spec) -> Denoiser:
    """The untrained network of a specification."""
    return Denoiser(input_sizes(spec), len(spec.outputs), spec.network)


def parameter_count(spec: Spec) -> int:
    """Number of parameters of a specification's network, without making it."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(spec).parameters())


def _stack(blocks: int, hidden: int, kernel: int, *, timed: bool) -> nn.ModuleList:
    """Residual blocks whose dilations repeat."""
    return nn.ModuleList(
        _Block(hidden, kernel, DILATIONS[i % len(DILATIONS)], timed) for i in range(blocks)
    )


def _time_features(timestep: Tensor) -> Tensor:
    """Timesteps (B,) -> sines and cosines (B, 2 * TIME_FREQUENCIES) (Vaswani et al. 2017)."""
    steps = torch.arange(TIME_FREQUENCIES, device=timestep.device, dtype=torch.float32)
    frequencies = torch.exp(-math.log(MAX_PERIOD) * steps / TIME_FREQUENCIES)
    angles = timestep.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
