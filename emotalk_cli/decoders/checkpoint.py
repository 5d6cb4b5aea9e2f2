"""Checkpoints: a folder with config.json, model.safetensors and a card; checked before use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emotalk_cli.decoders.denoiser import Denoiser, build
from emotalk_cli.decoders.spec import Spec, as_json, from_json
from emotalk_cli.decoders.tensors import AGAIN, load_tensors, save_tensors
from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import atomic_path
from emotalk_cli.text_files import read_json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"


@dataclass(frozen=True)
class Decoder:
    """A trained decoder, ready to sample: its specification, its network in evaluation mode."""

    spec: Spec
    model: Denoiser
    made_by: Mapping[str, Any]


def save_decoder(
    folder: Path,
    spec: Spec,
    weights: Mapping[str, Tensor],
    made_by: Mapping[str, Any],
    card: str = "",
    *,
    half: bool = False,
) -> None:
    """Write a checkpoint; weights first, so that a config always has its weights.

    `half` stores the weights as float16.
    """
    kept = {k: v.detach().cpu().contiguous() for k, v in weights.items()}
    if half:
        kept = {k: v.half() if v.is_floating_point() else v for k, v in kept.items()}
    save_tensors(folder / WEIGHTS, kept)
    if card:
        write_text(folder / CARD, card)
    config = {"spec": as_json(spec), "made_by": dict(made_by)}
    write_text(folder / CONFIG, json.dumps(config, ensure_ascii=False, indent=1))


def load_decoder(folder: Path) -> Decoder:
    """Read a checkpoint folder; raises EmotalkError where it is none, or damaged."""
    spec, made_by = read_spec(folder)
    model = build(spec)
    tensors = load_tensors(folder / WEIGHTS)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))[0][0]
        raise EmotalkError(
            f"{folder / WEIGHTS} does not fit its {CONFIG}: {wrong} differs.",
            AGAIN,
        )
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise EmotalkError(f"{folder / WEIGHTS} holds numbers that are not finite.", "Train again.")
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return Decoder(spec, model.eval(), made_by)


def read_spec(folder: Path) -> tuple[Spec, dict[str, Any]]:
    """The specification of a checkpoint and who made it, without its weights."""
    path = folder / CONFIG
    if not path.is_file():
        raise EmotalkError(
            f"There is no checkpoint in {folder} ({CONFIG} is missing).",
            "Give the folder that `emotalk train-lip` or `train-emo` wrote.",
        )
    values = read_json(path, AGAIN)
    if not isinstance(values, dict) or not isinstance(values.get("made_by"), dict):
        raise EmotalkError(f"{path} is no decoder's config.", AGAIN)
    return from_json(values.get("spec"), str(path)), values["made_by"]


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
