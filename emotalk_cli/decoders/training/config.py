"""The options of training, from YAML: every key is known and checked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emotalk_cli.decoders.spec import WINDOW, Network
from emotalk_cli.errors import EmotalkError
from emotalk_cli.text_files import meant, read_yaml

MODES = ("diffusion", "regression")
VALIDATIONS = ("auto", "clips", "speakers")
PRECISIONS = ("no", "bf16", "fp16")


@dataclass(frozen=True)
class Losses:
    """Weights of the terms of the loss (see `losses`); 0 leaves a term out."""

    coefficients: float = 1.0
    velocity: float = 2.0
    landmarks: float = 0.3
    gap: float = 0.3
    closure: float = 4.0  # how much more a gap counts where the lips are closed


@dataclass(frozen=True)
class Augment:
    """What is varied in training."""

    stretch: float = 0.15  # speed is changed by up to this share, sound and motion alike
    speech_noise: float = 0.3  # added to the standardised speech features
    hide_kind: float = 0.3  # share of windows not told one kind of speech feature at all
    drop_speech: float = 0.1  # share of windows not told their speech
    drop_emotion: float = 0.15  # share of windows not told their emotion
    past_share: float = 0.5  # share of windows that are given their past
    past_noise: float = 0.1  # added to that past, in standard deviations
    false_colour: float = 0.3  # share of windows told a mouth colour that is not there


@dataclass(frozen=True)
class TrainConfig:
    """All options of a training run."""

    mode: str = "diffusion"
    steps: int = 4000
    batch_size: int = 64
    window: int = WINDOW
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    ema_decay: float = 0.998
    gradient_clip: float = 1.0
    precision: str = "no"  # bf16, or fp16 on an older GPU
    validation: str = "auto"  # by speakers where there are five or more, else by clips
    validation_share: float = 0.1
    validation_speakers: tuple[str, ...] = ()  # these, instead of a share
    validate_every: int = 250
    patience: int = 0  # stop after so many validations without a better one; 0: never
    log_every: int = 10
    half_weights: bool = False  # store the best weights as float16: half the size, same lips
    overfit: bool = False  # one batch again and again: the loss must fall to almost nothing
    tell_emotion: bool = True  # false: the decoder is not told the emotion, as a control
    match_parameters: bool = True  # single: as many as a lip and an emotion decoder together
    network: Network = field(default_factory=Network)
    losses: Losses = field(default_factory=Losses)
    augment: Augment = field(default_factory=Augment)


def read_config(path: Path | None, **changes: Any) -> TrainConfig:
    """A YAML file over the defaults, then `changes` that are not None, as a TrainConfig.

    Raises EmotalkError for unreadable YAML, unknown keys and values of the wrong type or range.
    """
    values: Any = {}
    if path is not None:
        values = read_yaml(path, "`emotalk train-lip --show-config` prints an example.") or {}
    return config_of(values, str(path) if path else "the options", **changes)


def config_of(values: Any, where: str, **changes: Any) -> TrainConfig:
    """`values`, which `where` names to people, and then `changes`, as in `read_config`."""
    config: TrainConfig = _build(TrainConfig, values, where, "")
    given = {name: value for name, value in changes.items() if value is not None}
    config = dataclasses.replace(config, **given)
    _check(config, where)
    return config


def _build(kind: Any, values: Any, where: str, prefix: str) -> Any:
    """A dataclass from a mapping; nested dataclasses from nested mappings."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if not isinstance(values, dict):
        raise EmotalkError(
            f"{where}: {prefix or 'the file'} is no mapping of keys.", _known(fields)
        )
    unknown = [str(key) for key in values if key not in fields]
    if unknown:
        raise EmotalkError(
            f"{where} has the unknown key '{prefix}{unknown[0]}'.",
            meant(unknown[0], fields) + _known(fields),
        )
    default = kind()
    built = {
        name: _value(getattr(default, name), value, where, prefix + name)
        for name, value in values.items()
    }
    return dataclasses.replace(default, **built)


def _value(default: Any, value: Any, where: str, name: str) -> Any:
    """One value as its default's type; raises EmotalkError where it is of another."""
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return _build(type(default), value, where, name + ".")
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(str(item) for item in value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise EmotalkError(
            f"{where}: {name} is {value!r}, which is no {type(default).__name__}.",
            f"The default is {default!r}.",
        )
    return value


def _known(fields: dict[str, Any]) -> str:
    """The sentence that names the keys there are."""
    return f"Known: {', '.join(fields)}."


def _check(config: TrainConfig, where: str) -> None:
    """Raise EmotalkError for a value out of its range."""
    choices = {
        "mode": (config.mode, MODES),
        "validation": (config.validation, VALIDATIONS),
        "precision": (config.precision, PRECISIONS),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            raise EmotalkError(f"{where}: {name} is '{value}'.", f"Known: {', '.join(known)}.")
    positive = ("steps", "batch_size", "validate_every", "log_every", "learning_rate")
    for name in positive:
        if getattr(config, name) <= 0:
            raise EmotalkError(f"{where}: {name} must be above 0.", "Choose a larger value.")
    shares = {
        "validation_share": config.validation_share,
        "augment.hide_kind": config.augment.hide_kind,
        "augment.drop_speech": config.augment.drop_speech,
        "augment.drop_emotion": config.augment.drop_emotion,
        "augment.past_share": config.augment.past_share,
        "augment.false_colour": config.augment.false_colour,
        "network.input_dropout": config.network.input_dropout,
        "augment.stretch": config.augment.stretch,
    }
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise EmotalkError(f"{where}: {name} is {share}.", "It must be from 0 to below 1.")
    if config.window < 2 or config.network.kernel % 2 == 0 or config.network.hidden < 8:
        raise EmotalkError(
            f"{where}: window, network.kernel or network.hidden does not work.",
            "The window has 2 frames or more, the kernel is odd, hidden is 8 or more.",
        )
