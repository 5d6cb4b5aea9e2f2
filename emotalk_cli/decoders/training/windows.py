"""Windows: batches cut from takes, each a pure function of seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotalk_cli.decoders.conditions import Heard, kinds_of, stacked
from emotalk_cli.decoders.denoiser import HEARD, Conditions, input_sizes
from emotalk_cli.decoders.motion import colour_units, resample
from emotalk_cli.decoders.spec import Spec
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.data import Take
from emotalk_cli.decoders.training.expectation import normalised

Float = NDArray[np.float32]

SPEECH_SCALE_FLOOR = 0.3
SPEECH_LIMIT = 5.0
MAX_FALSE_COLOUR = 0.8


@dataclass(frozen=True)
class Window:
    """Where one window lies: take, recording, first frame, speed; and what it is not told.

    `heard_of` is the take whose recording is told. `hidden_kind` is the kind of speech feature
    (`conditions.kinds_of`) that is hidden, or -1.
    """

    take: int
    heard_of: int
    variant: int
    start: float
    speed: float
    has_past: bool
    keep: tuple[float, float]
    false_colour: bool
    speech_noise: float
    dropout: float
    hidden_kind: int


@dataclass(frozen=True)
class Batch:
    """B windows of T frames: clean normalised motion x0 (B, T, D), what is told, what counts.

    `mask` (B, T, 1) is 1 for frames that are real, valid and not given as past.
    """

    x0: Tensor
    conditions: Conditions
    mask: Tensor


def statistics(rows: Sequence[Float], floor: float) -> tuple[Float, Float]:
    """Mean and standard deviation (C,) over many arrays (N, C); deviations from `floor` up."""
    count = sum(len(r) for r in rows)
    mean = sum((r.sum(axis=0, dtype=np.float64) for r in rows), np.zeros(rows[0].shape[1])) / count
    square = sum((((r - mean) ** 2).sum(axis=0) for r in rows), np.zeros(len(mean))) / count
    return mean.astype(np.float32), np.maximum(np.sqrt(square), floor).astype(np.float32)


def told_speech(spec: Spec, heard: Heard, times_s: NDArray[np.float64]) -> Float:
    """Speech as the network takes it at some times (T,): (T, substeps * C), no outlier too loud."""
    rows = stacked(heard.speech, heard.rate_hz, times_s, spec.substeps)
    mean = np.tile(np.asarray(spec.speech_mean, np.float32), spec.substeps)
    scale = np.tile(np.asarray(spec.speech_scale, np.float32), spec.substeps)
    return np.asarray(np.clip((rows - mean) / scale, -SPEECH_LIMIT, SPEECH_LIMIT), np.float32)


class Windows:
    """Cuts batches from takes for one specification."""

    def __init__(self, takes: Sequence[Take], spec: Spec, config: TrainConfig) -> None:
        self._takes = list(takes)
        self._spec = spec
        self._config = config
        self._names = tuple(input_sizes(spec))
        self._x0 = [normalised(spec, take.target, take.emotion) for take in self._takes]
        self._columns = np.tile(kinds_of(spec.speech_names), spec.substeps)
        self._kinds = np.unique(self._columns) if spec.hears_speech else np.array([-1])
        self._colourable = colour_units(spec.lip_units)

    def __len__(self) -> int:
        return len(self._takes)

    def plan(self, step: int, seed: int) -> list[Window]:
        """The windows of one training step."""
        rng = np.random.default_rng((seed, 0 if self._config.overfit else step))
        return [self._draw(rng) for _ in range(self._config.batch_size)]

    def whole(self, first: int, count: int, *, shuffled: bool = False) -> list[Window]:
        """Takes first..first+count from their beginning, unchanged: for validation.

        `shuffled`: each is told the sound of another one.
        """
        takes = len(self._takes)
        shift = takes // 2 if shuffled else 0
        return [
            Window(i, (i + shift) % takes, 0, 0.0, 1.0, False, (1.0, 1.0), False, 0.0, 0.0, -1)
            for i in range(first, min(first + count, takes))
        ]

    def frames(self, windows: Sequence[Window]) -> int:
        """Frames of a batch: the configured window, or less if all takes are shorter."""
        longest = max(int(len(self._x0[w.take]) / w.speed) for w in windows)
        return min(self._config.window, max(longest, self._spec.context + 2))

    def cut(
        self, windows: Sequence[Window], frames: int, seed: tuple[int, ...], offset: int = 0
    ) -> Batch:
        """Cut `windows` of `frames` frames; `seed` decides the noise on what is told.

        `offset` is the place of the first window in the whole batch of all processes.
        """
        rows = [
            self._cut(window, frames, np.random.default_rng((*seed, offset + place)))
            for place, window in enumerate(windows)
        ]

        def stack(name: str) -> Tensor:
            """One entry of every row as (B, ...)."""
            return torch.from_numpy(np.stack([row[name] for row in rows]))

        known, x0 = stack("known"), stack("x0")
        past = (x0 + self._config.augment.past_noise * stack("past_noise")) * known
        conditions = Conditions(
            values={name: stack(name) for name in self._names},
            past=past,
            known=known,
            keep=torch.tensor([w.keep for w in windows], dtype=torch.float32),
        )
        return Batch(x0, conditions, stack("mask"))

    def _draw(self, rng: np.random.Generator) -> Window:
        """A random window: which clip and recording, where, how fast, and what it is not told."""
        augment = self._config.augment
        index = int(rng.integers(len(self._takes)))
        take = self._takes[index]
        speed = float(np.exp(rng.uniform(-1, 1) * np.log1p(augment.stretch)))
        room = len(take.target) - 1 - self._config.window * speed
        chances = rng.random(5)
        return Window(
            take=index,
            heard_of=index,
            variant=int(rng.integers(len(take.heard))),
            start=float(rng.uniform(0, room)) if room > 0 else 0.0,
            speed=speed,
            has_past=bool(chances[0] < augment.past_share),
            keep=(
                float(chances[1] >= augment.drop_speech),
                float(chances[2] >= augment.drop_emotion),
            ),
            false_colour=bool(chances[3] < augment.false_colour),
            speech_noise=augment.speech_noise,
            dropout=self._config.network.input_dropout,
            hidden_kind=int(rng.choice(self._kinds)) if chances[4] < augment.hide_kind else -1,
        )

    def _cut(self, window: Window, frames: int, rng: np.random.Generator) -> dict[str, Float]:
        """One window's arrays (T, ...) by name: what is told, x0, known, mask."""
        take, heard = self._takes[window.take], self._takes[window.heard_of].heard[window.variant]
        at = window.start + np.arange(frames) * window.speed
        x0 = resample(self._x0[window.take], at)
        known = np.zeros((frames, 1), np.float32)
        if window.has_past:
            known[: self._spec.context] = 1
        inside = at <= len(take.target) - 1
        valid = take.valid[np.minimum(np.round(at), len(take.target) - 1).astype(np.int64)]
        row: dict[str, Float] = {
            "x0": x0,
            "known": known,
            "past_noise": rng.standard_normal(x0.shape, np.float32),
            "mask": (inside & valid)[:, None].astype(np.float32) * (1 - known),
            "emotion": resample(take.emotion, at),
            "colour": self._colour(take, window, at, rng),
            "prosody": resample(heard.prosody, at / self._spec.fps * heard.rate_hz),
        }
        if self._spec.hears_speech:
            told = told_speech(self._spec, heard, at / self._spec.fps)
            noise = rng.standard_normal(told.shape, np.float32)
            told = told + np.float32(window.speech_noise) * noise
            row["speech"] = np.where(self._columns == window.hidden_kind, np.float32(0), told)
        for name in HEARD:
            if name in row and window.dropout:
                kept = rng.random(row[name].shape, np.float32) >= window.dropout
                row[name] = row[name] * kept / np.float32(1 - window.dropout)
        return row

    def _colour(
        self, take: Take, window: Window, at: NDArray[np.float64], rng: np.random.Generator
    ) -> Float:
        """Mouth colour (T, L) at the moments `at` (T,); some windows get one that is not there."""
        colour = resample(take.colour, at)
        if window.false_colour:
            level = rng.uniform(0, MAX_FALSE_COLOUR, colour.shape[1]) * self._colourable
            sparse = level * (rng.random(colour.shape[1]) < 0.3)
            colour = np.clip(colour + sparse.astype(np.float32), 0, 1)
        return colour


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on another device."""
    told = batch.conditions
    conditions = Conditions(
        {name: value.to(device) for name, value in told.values.items()},
        told.past.to(device), told.known.to(device), told.keep.to(device),
    )  # fmt: skip
    return Batch(batch.x0.to(device), conditions, batch.mask.to(device))


def mix(*numbers: int) -> int:
    """One 63-bit seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
