"""Train what the lips must do from synthetic voices: `python -m tools.train_articulators OUT`.

flite and espeak-ng say the sentences of `sentences.txt` in many voices and languages; each phone's
times are known. Tones, chords and noises are added, which nobody says. Needs both programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as nnf

from emotalk_cli.audio.augment import augment
from emotalk_cli.audio.hama_encoder import HamaHiddenEncoder
from emotalk_cli.audio.waveform import normalise_level
from emotalk_cli.decoders.lips.articulators import (
    ARTICULATIONS,
    INPUT_LIMIT,
    KERNEL,
    lips_of_phone,
    log_posteriors,
)
from emotalk_cli.decoders.tensors import save_tensors
from tools.spoken import FLITE_VOICES, RATE_HZ, Phone, Spoken, espeak, flite, sentences

Float = NDArray[np.float32]

ENGLISH = (
    "en-us", "en-gb-scotland+m2", "en-us+f2", "en-us+f4", "en-us+m3", "en-us+m7", "en-029+f3",
    "en-gb-x-rp+m1", "en-us+whisper", "en-us+f5", "en-gb-scotland", "en-us+croak",
)  # fmt: skip
ENGLISH_EACH = 3
VARIANTS = ("", "+f2", "+m3")
NOISES = 90
NOISE_S = 3.0
ROW_S = 0.02
HIDDEN = 32
STEPS, BATCH, WINDOW = 2000, 32, 100
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.05
INPUT_NOISE, DROPOUT = 0.3, 0.2
SCALE_FLOOR = 1e-3


@dataclass(frozen=True)
class Example:
    """One recording: what the encoder says of it (N, C) and what the lips do (N, 4)."""

    voice: str
    rows: Float
    lips: Float


def lips_of(phones: tuple[Phone, ...], rows: int) -> Float:
    """Phones -> ARTICULATIONS (N, 4) at 50 Hz, each row the mean over its 20 ms."""
    out = np.zeros((rows, len(ARTICULATIONS)), np.float32)
    middle = np.arange(rows) * ROW_S
    for phone in phones:
        if phone.ipa:
            begin, end = middle - ROW_S / 2, middle + ROW_S / 2
            inside = np.minimum(end, phone.end_s) - np.maximum(begin, phone.start_s)
            share = np.clip(inside / ROW_S, 0, 1)
            out += share[:, None] * np.array([*lips_of_phone(phone.ipa), 1.0])
    return np.clip(out, 0, 1).astype(np.float32)


def voices(rng: np.random.Generator) -> list[Spoken]:
    """Every sentence by several voices."""
    spoken: list[Spoken] = []
    for language, text in sentences():
        if language == "en":
            spoken += [flite(voice, text) for voice in FLITE_VOICES]
            picked = rng.permutation(len(ENGLISH))[:ENGLISH_EACH]
            spoken += [espeak(ENGLISH[i], text) for i in picked]
        else:
            spoken += [espeak(language + variant, text) for variant in VARIANTS]
    return spoken


def unspoken(rng: np.random.Generator) -> Float:
    """A sound that nobody says (S,): tones, chords, melodies, beats, hum or noise."""
    time_s = np.arange(int(NOISE_S * RATE_HZ)) / RATE_HZ
    out = np.zeros(len(time_s))
    if rng.random() < 0.75:
        step_s = float(rng.choice([0.15, 0.3, 0.6, NOISE_S]))
        note = (time_s / step_s).astype(int)
        for _ in range(int(rng.integers(1, 5))):
            hz = 110 * 2 ** (rng.integers(0, 40, note.max() + 1) / 12)
            phase = 2 * np.pi * np.cumsum(hz[note]) / RATE_HZ
            fall = np.exp(-(time_s % step_s) * rng.uniform(0, 8))
            for harmonic in range(1, int(rng.integers(2, 9))):
                out += fall * np.sin(harmonic * phase) / harmonic ** rng.uniform(0.7, 2)
    if rng.random() < 0.4:
        beat = np.exp(-(time_s % rng.uniform(0.2, 0.7)) * rng.uniform(10, 60))
        out += beat * rng.standard_normal(len(time_s)) * rng.uniform(0.3, 2)
    if rng.random() < 0.3 or not out.any():
        spectrum = np.fft.rfft(rng.standard_normal(len(time_s)))
        spectrum /= np.maximum(np.arange(len(spectrum)), 30) ** rng.uniform(0, 1)
        noise = np.fft.irfft(spectrum, len(time_s))
        out += noise / noise.std() * rng.uniform(0.2, 1)
    return np.asarray(0.1 * out / out.std(), np.float32)


def examples(seed: int) -> list[Example]:
    """Everything to learn from: each voice plain and changed, and what nobody says."""
    rng, encoder, found = np.random.default_rng(seed), HamaHiddenEncoder(), []

    def hear(waveform: Float) -> Float:
        """Waveform (S,) -> what the network takes (N, C)."""
        rows = encoder.encode(normalise_level(waveform))
        return log_posteriors(rows, encoder.feature_names)

    for spoken in track(voices(rng), "Listening"):
        for waveform in (spoken.waveform, augment(spoken.waveform, rng)):
            rows = hear(waveform)
            found.append(Example(spoken.voice, rows, lips_of(spoken.phones, len(rows))))
    for _ in range(NOISES):
        rows = hear(np.clip(unspoken(rng), -1, 1))
        found.append(Example("", rows, np.zeros((len(rows), len(ARTICULATIONS)), np.float32)))
    return found


def fit(found: list[Example], seed: int) -> dict[str, Tensor]:
    """The network's tensors, as `articulators.network` takes them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    every = np.concatenate([example.rows for example in found])
    mean, scale = torch.tensor(every.mean(0)), torch.tensor(every.std(0) + SCALE_FLOOR)
    network = nn.Sequential(
        nn.Dropout(DROPOUT),
        nn.Conv1d(every.shape[1], HIDDEN, KERNEL, padding=KERNEL // 2),
        nn.GELU(),
        nn.Dropout(DROPOUT),
        nn.Conv1d(HIDDEN, len(ARTICULATIONS), KERNEL, padding=KERNEL // 2),
    )
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in track(range(STEPS), "Learning"):
        rows, lips, mask = _batch(found, rng)
        heard = ((rows - mean) / scale).clip(-INPUT_LIMIT, INPUT_LIMIT)
        heard = heard + INPUT_NOISE * torch.randn_like(heard)
        made = network(heard.transpose(1, 2)).transpose(1, 2)
        error = nnf.binary_cross_entropy_with_logits(made, lips, reduction="none")
        optimiser.zero_grad()
        torch.autograd.backward((error * mask).mean())
        optimiser.step()
        schedule.step()
    weights = network.state_dict()
    return {
        "mean": mean, "scale": scale, "inner.weight": weights["1.weight"],
        "inner.bias": weights["1.bias"], "outer.weight": weights["4.weight"],
        "outer.bias": weights["4.bias"],
    }  # fmt: skip


def _batch(found: list[Example], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Windows of BATCH examples: rows, lips, and 1 where the example has not ended."""
    parts = []
    for index in rng.integers(len(found), size=BATCH):
        example = found[index]
        start = int(rng.integers(max(1, len(example.rows) - WINDOW)))
        cut = slice(start, start + WINDOW)
        rows, lips = example.rows[cut], example.lips[cut]
        rest = ((0, WINDOW - len(rows)), (0, 0))
        mask = np.ones((len(rows), 1), np.float32)
        parts.append([np.pad(part, rest) for part in (rows, lips, mask)])
    stacked = [torch.tensor(np.stack(part)) for part in zip(*parts, strict=True)]
    return stacked[0], stacked[1], stacked[2]


def main(out: Path, seed: int = 0) -> None:
    """Write OUT/model.safetensors."""
    found = examples(seed)
    tensors = fit(found, seed)
    save_tensors(out / "model.safetensors", {k: v.half().contiguous() for k, v in tensors.items()})
    Console().print(f"Learned from {len(found)} recordings.")


if __name__ == "__main__":
    typer.run(main)
