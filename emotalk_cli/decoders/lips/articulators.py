"""What the lips must do for a sound: closed, to the teeth, rounded; read from what is heard.

A small network reads it from the hidden layer of the encoder `hama-hidden`. It has learned from
synthetic voices, whose phones are known to the millisecond, in many languages
(`tools/train_articulators.py`); of other encoders that give posteriors, the phones' own are taken.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from emotalk_cli.decoders.tensors import load_tensors
from emotalk_cli.schema import release

Float = NDArray[np.float32]

ARTICULATIONS = ("closed", "teeth", "rounded", "speech")
"""Columns: p b m; f v; how round the lips are; anything spoken at all."""
CLOSED, TEETH, ROUNDED, SPEECH = range(4)
WEIGHTS = Path(__file__).resolve().parents[2] / "weights" / "articulators" / "model.safetensors"
HIDDEN_PREFIX = "hidden_"
"""Columns of an encoder that are no posteriors; decoders hear the logarithm of the others."""
POSTERIOR_FLOOR = 1e-3
SPIKE_GAIN = 1.5
"""A recogniser's posterior of a phone is a short spike, and often a low one."""
INPUT_LIMIT = 5.0
KERNEL = 7
"""Rows of each of the two convolutions: the network sees 120 ms on either side."""
BLOCK_ROWS = 6000

_CLOSED = ("p", "b", "m", "ɓ")
_TEETH = ("f", "v", "ʋ", "ɱ")
_ROUND = (
    ("w", 1.0), ("ʍ", 1.0), ("ɥ", 1.0), ("u", 1.0), ("y", 1.0), ("ʉ", 1.0), ("oʊ", 0.8), ("o", 0.8),
    ("ø", 0.8), ("ʊ", 0.7), ("ʏ", 0.7), ("œ", 0.6), ("ɔ", 0.5), ("aʊ", 0.5), ("əʊ", 0.7),
    ("ʃ", 0.6), ("ʒ", 0.6), ("tʃ", 0.6), ("t͡ʃ", 0.6), ("dʒ", 0.6), ("d͡ʒ", 0.6), ("ʂ", 0.4),
    ("ɹ", 0.4),
)  # fmt: skip


def lips_of_phone(ipa: str) -> tuple[float, float, float]:
    """How much a phone closes, brings to the teeth and rounds the lips, each in 0..1."""
    rounding = max((size for letters, size in _ROUND if ipa.startswith(letters)), default=0.0)
    return float(ipa.startswith(_CLOSED)), float(ipa.startswith(_TEETH)), rounding


def log_posteriors(speech: Float, names: Sequence[str]) -> Float:
    """Features (N, C) with the posteriors among them as logarithms, the hidden layer as it is."""
    is_phone = [not name.startswith(HIDDEN_PREFIX) for name in names]
    logs = np.log(np.maximum(speech, 0) + POSTERIOR_FLOOR)
    return np.where(is_phone, logs, speech).astype(np.float32)


def articulations(heard: Float, names: Sequence[str]) -> Float:
    """What `log_posteriors` gives (N, C), with its names -> ARTICULATIONS (N, 4) in 0..1."""
    if any(name.startswith(HIDDEN_PREFIX) for name in names):
        return network(heard, _tensors())
    lips = np.array([lips_of_phone(name) for name in names], np.float32)
    made = SPIKE_GAIN * np.exp(heard) @ lips
    every = np.concatenate([made, np.ones_like(made[:, :1])], axis=1)
    return np.asarray(np.clip(every, 0, 1), np.float32)


def network(heard: Float, tensors: Mapping[str, Tensor]) -> Float:
    """Two convolutions over time: (N, C) -> ARTICULATIONS (N, 4), in constant memory."""
    reach = 2 * (KERNEL // 2)
    made = np.empty((len(heard), len(ARTICULATIONS)), np.float32)
    for first in range(0, len(heard), BLOCK_ROWS):
        last, start = first + BLOCK_ROWS, max(0, first - reach)
        rows = torch.from_numpy(heard[start : last + reach])
        rows = ((rows - tensors["mean"]) / tensors["scale"]).clip(-INPUT_LIMIT, INPUT_LIMIT)
        made[first:last] = _convolved(rows, tensors)[first - start : last - start]
        release(heard)
    return made


def _convolved(rows: Tensor, tensors: Mapping[str, Tensor]) -> Float:
    """Standardised rows (N, C) -> probabilities (N, 4) in 0..1."""
    edge = KERNEL // 2
    inner = nnf.conv1d(rows.T[None], tensors["inner.weight"], tensors["inner.bias"], padding=edge)
    outer = nnf.conv1d(
        nnf.gelu(inner), tensors["outer.weight"], tensors["outer.bias"], padding=edge
    )
    return np.asarray(torch.sigmoid(outer)[0].T.numpy(), np.float32)


@functools.cache
def _tensors() -> Mapping[str, Tensor]:
    """The packaged weights as float32, by name."""
    return {name: value.float() for name, value in load_tensors(WEIGHTS).items()}
