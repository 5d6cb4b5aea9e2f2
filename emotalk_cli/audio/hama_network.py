"""The network of the `hama` recogniser in numpy: four times as fast as its own engine on one core.

It also gives what the network thinks before it decides. The weights are those in the package
(Apache-2.0); the network is a Conformer (Gulati et al., Interspeech 2020) without positions,
trained with CTC: 80 mel bands every 10 ms, halved by a convolution, four blocks of 144 channels.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

Float = NDArray[np.float32]

WINDOW, MEL_HOP = 400, 160  # samples: 25 and 10 ms
POWER_FLOOR = 1e-10
BLOCKS, CHANNELS, HEADS, TAPS = 4, 144, 4, 31
NORM_EPSILON = 1e-5

MAGIC = b"HAMAPK\x01\x02"
DTYPES = (np.dtype("<f4"), np.dtype("<f2"))
# The exporter numbered the matrices; per block: in and out of the first feed-forward layer,
# query-key-value, attention's output, in and out of the second feed-forward layer.
MATRICES = (
    (829, 830, 831, 835, 836, 837),
    (838, 839, 840, 844, 845, 846),
    (847, 848, 849, 853, 854, 855),
    (856, 857, 858, 862, 863, 864),
)
DEPTHWISE = (804, 807, 810, 813)
SUBSAMPLING = 801


@dataclass(frozen=True)
class Thoughts:
    """What the network makes of a waveform, one row per 20 ms, row n centred at n / 50 s.

    `log_probs` (N, tokens) of the recogniser's tokens; `layers` (N, CHANNELS) after each block.
    """

    log_probs: Float
    layers: tuple[Float, ...]


def think(waveform: Float) -> Thoughts:
    """Mono 16 kHz waveform (S,) -> what the network thinks; S above WINDOW / 2, up to 30 s."""
    weights = _weights()
    hidden = _subsample(_log_mel(waveform, weights), weights)
    layers = []
    for number in range(BLOCKS):
        hidden = _block(hidden, number, weights)
        layers.append(hidden)
    logits = _dense(hidden, weights, "acoustic_model.model.proj")
    logits -= logits.max(axis=1, keepdims=True)
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return Thoughts(log_probs, tuple(layers))


def _log_mel(waveform: Float, weights: Mapping[str, Float]) -> Float:
    padded = np.pad(waveform, WINDOW // 2, mode="reflect")
    overlapping = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::MEL_HOP]
    frames = np.ascontiguousarray(overlapping)  # BLAS takes no rows that share memory
    real, imaginary = (frames @ weights[f"stft_{part}_kernel"][:, 0].T for part in ("real", "imag"))
    mel = (real**2 + imaginary**2) @ weights["mel_fb"]
    return np.asarray(np.log(np.maximum(mel, POWER_FLOOR)))


def _subsample(mel: Float, weights: Mapping[str, Float]) -> Float:
    """A convolution over three mel frames at every second one."""
    kernel, bias = (weights[f"onnx::Conv_{SUBSAMPLING + i}"] for i in range(2))
    rows = (len(mel) - 1) // 2 + 1
    padded = np.pad(mel, ((1, 2), (0, 0)))
    hidden = sum(padded[k : k + 2 * rows : 2] @ kernel[:, :, k].T for k in range(3)) + bias
    return _gelu(hidden)


def _block(hidden: Float, number: int, weights: Mapping[str, Float]) -> Float:
    """One Conformer block: half a feed-forward layer, attention, convolution, another half."""
    name = f"acoustic_model.model.blocks.{number}"
    m = [weights[f"onnx::MatMul_{k}"] for k in MATRICES[number]]
    hidden = hidden + 0.5 * _feed_forward(hidden, m[0], m[1], f"{name}.ffn1", weights)
    hidden = hidden + _attention(hidden, m[2], m[3], name, weights)
    hidden = hidden + _convolution(hidden, number, f"{name}.conv", weights)
    hidden = hidden + 0.5 * _feed_forward(hidden, m[4], m[5], f"{name}.ffn2", weights)
    return _normalised(hidden, weights, f"{name}.norm")


def _feed_forward(
    hidden: Float, first: Float, second: Float, name: str, weights: Mapping[str, Float]
) -> Float:
    inner = _normalised(hidden, weights, f"{name}.norm") @ first + weights[f"{name}.fc1.bias"]
    return np.asarray((inner * _sigmoid(inner)) @ second + weights[f"{name}.fc2.bias"])


def _attention(
    hidden: Float, inward: Float, outward: Float, name: str, weights: Mapping[str, Float]
) -> Float:
    size = CHANNELS // HEADS
    three = _normalised(hidden, weights, f"{name}.attn_norm") @ inward
    three = (three + weights[f"{name}.attn.in_proj_bias"]).reshape(-1, 3, HEADS, size)
    query, key, value = three.transpose(1, 2, 0, 3)
    scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(size))
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    heard = (scores @ value) / scores.sum(axis=-1, keepdims=True)
    joined = heard.transpose(1, 0, 2).reshape(-1, CHANNELS)
    return np.asarray(joined @ outward + weights[f"{name}.attn.out_proj.bias"])


def _convolution(hidden: Float, number: int, name: str, weights: Mapping[str, Float]) -> Float:
    both = _dense(_normalised(hidden, weights, f"{name}.norm"), weights, f"{name}.pointwise1")
    gated = both[:, :CHANNELS] * _sigmoid(both[:, CHANNELS:])
    kernel, bias = (weights[f"onnx::Conv_{DEPTHWISE[number] + i}"] for i in range(2))
    padded = np.pad(gated, ((TAPS // 2, TAPS // 2), (0, 0)))
    mixed = np.tile(bias, (len(gated), 1))
    for tap in range(TAPS):
        mixed += padded[tap : tap + len(gated)] * kernel[:, 0, tap]
    return _dense(mixed * _sigmoid(mixed), weights, f"{name}.pointwise2")


def _dense(hidden: Float, weights: Mapping[str, Float], name: str) -> Float:
    return np.asarray(hidden @ weights[f"{name}.weight"][:, :, 0].T + weights[f"{name}.bias"])


def _normalised(hidden: Float, weights: Mapping[str, Float], name: str) -> Float:
    centred = hidden - hidden.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", centred, centred)[:, None] / CHANNELS
    centred /= np.sqrt(variance + NORM_EPSILON)
    return np.asarray(centred * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def _sigmoid(x: Float) -> Float:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _gelu(x: Float) -> Float:
    """Hendrycks and Gimpel's approximation by tanh."""
    return np.asarray(0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))), np.float32)


@functools.cache
def _weights() -> Mapping[str, Float]:
    """Every tensor of the package's file by its name, as float32."""
    from importlib import resources

    try:
        data = resources.files("hama.assets").joinpath("asr_waveform.hama").read_bytes()
        return _parse(data)
    except (ImportError, OSError, ValueError, struct.error) as error:
        raise EmotalkError(
            f"The phone recogniser hama cannot be read here: {error}.",
            "Run `pip install 'hama>=1.7,<1.8'`, or choose `--encoder mel`.",
        ) from error


def _parse(data: bytes) -> dict[str, Float]:
    """Read the package's container: a table of name, dtype, shape, offset and size; then data."""
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError("its weights have an unknown format")
    (count,), at = struct.unpack_from("<I", data, len(MAGIC)), len(MAGIC) + 4
    table = []
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        kind, axes = struct.unpack_from("<BB", data, at + 2 + length)
        shape = struct.unpack_from(f"<{axes}I", data, at + 4 + length)
        offset, size = struct.unpack_from("<QQ", data, at + 4 + length + 4 * axes)
        table.append((name, DTYPES[kind], shape, offset, size))
        at += 20 + length + 4 * axes
    start = len(data) - max(offset + size for *_, offset, size in table)
    return {
        name: np.frombuffer(data, dtype, size // dtype.itemsize, start + offset)
        .reshape(shape)
        .astype(np.float32)
        for name, dtype, shape, offset, size in table
    }
