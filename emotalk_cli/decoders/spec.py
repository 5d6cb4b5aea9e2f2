"""What a decoder predicts and from what: written into its checkpoint, checked before use."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.errors import EmotalkError

SPEC_VERSION = 1
GROUPS = ("lip", "emo", "single")
SAMPLING_STEPS = {"lip": 2, "emo": 20, "single": 20}
"""Rare and quick events need more: an early emotion decoder made 11 blinks a minute in 8 steps, 16
in 20 and 17 in 50; its corpus has 18."""
GUIDANCE = {"lip": 1.5, "emo": 1.0, "single": 1.5}
"""Lips follow the sound as far as real ones from 1.5 on; at 1 their motion is a tenth too small."""
TEMPERATURE = {"lip": 0.3, "emo": 1.0, "single": 1.0}
"""Lips say what was said whatever the seed; faces and heads live."""
CONTEXT = 10
"""Frames of the past that a window is given (DiffPoseTalk)."""
LOOKAHEAD = 10
"""Frames at the end of a window that are made and thrown away, so that none lacks its future."""
WINDOW = 100
"""Frames made at once, past and thrown away included."""
MAX_WINDOW = 10_000
NETWORK_LIMITS = {
    "hidden": (1, 4096),
    "encoder_blocks": (0, 64),
    "denoiser_blocks": (1, 64),
    "kernel": (1, 63),
}


@dataclass(frozen=True)
class Network:
    """Size of the denoiser: `hidden` channels, `blocks` convolutions over time each.

    `input_dropout`: share of what is heard that training leaves out (see `windows`), so that no
    single feature of a voice is relied upon.
    """

    hidden: int = 160
    encoder_blocks: int = 3
    denoiser_blocks: int = 4
    kernel: int = 5
    input_dropout: float = 0.3


@dataclass(frozen=True)
class Spec:
    """Everything that must fit before a decoder may be used.

    `outputs` names the D predicted channels: units, `colour:UNIT` and head pose. `output_mean`
    and `output_scale` (D) undo the normalisation, `output_emotion` (7, D) is what each emotion at
    full strength adds to the mean. `blinks_per_minute` (8): how often people blinked in each
    emotion. `speech_mean` and `speech_scale` (C) are those of the speech columns `speech_names`.
    `opening_m` (L) and `rest_m` are the mouth of the face model (see `mouth.Mouth`).
    `told_emotion` is False for a control that hears the sound alone.
    """

    group: str
    mode: str
    face_model: str
    face_model_sha256: str
    expression_names: tuple[str, ...]
    lip_units: tuple[str, ...]
    opening_m: tuple[float, ...]
    rest_m: float
    fps: float
    encoder: str
    speech_names: tuple[str, ...]
    speech_mean: tuple[float, ...]
    speech_scale: tuple[float, ...]
    speech_rate_hz: float
    outputs: tuple[str, ...]
    output_mean: tuple[float, ...]
    output_scale: tuple[float, ...]
    network: Network
    output_emotion: tuple[tuple[float, ...], ...] = ()
    blinks_per_minute: tuple[float, ...] = ()
    told_emotion: bool = True
    steps: int = 8
    speech_guidance: float = 1.0
    emotion_guidance: float = 1.0
    temperature: float = 1.0
    window: int = WINDOW
    context: int = CONTEXT
    lookahead: int = LOOKAHEAD
    version: int = SPEC_VERSION

    @property
    def mouth(self) -> Mouth:
        """The mouth that the decoder was trained on."""
        return Mouth(self.lip_units, self.opening_m, self.rest_m)

    @property
    def other_units(self) -> tuple[str, ...]:
        """All units that are not the lips'."""
        return tuple(name for name in self.expression_names if name not in self.lip_units)

    @property
    def substeps(self) -> int:
        """Rows of speech per video frame."""
        return max(1, round(self.speech_rate_hz / self.fps))

    @property
    def hears_speech(self) -> bool:
        """Whether the decoder is given the phones, not the melody alone."""
        return self.group != "emo"


def as_json(spec: Spec) -> dict[str, Any]:
    """The specification as JSON types."""
    return dataclasses.asdict(spec)


def from_json(values: Any, where: str) -> Spec:
    """JSON of a `config.json` -> Spec; raises EmotalkError naming what is wrong with it."""
    fields = {field.name for field in dataclasses.fields(Spec)}
    needed = {f.name for f in dataclasses.fields(Spec) if f.default is dataclasses.MISSING}
    found = set(values) if isinstance(values, dict) else set()
    if not needed <= found <= fields or values.get("version") != SPEC_VERSION:
        wrong = ", ".join(sorted((needed - found) | (found - fields))[:4]) or "version"
        raise EmotalkError(
            f"{where} does not describe a decoder of this version (differs: {wrong}).",
            "Train it again, or use the emotalk version that wrote it.",
        )
    try:
        network = Network(**values["network"])
        lists: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        spec = Spec(**{**lists, "network": network})
        _check(spec)
    except (TypeError, ValueError) as error:
        raise EmotalkError(f"{where} is damaged: {error}.", "Fetch or train it again.") from error
    return spec


def check_pair(lip: Spec, emo: Spec) -> None:
    """Raise EmotalkError unless the two decoders can drive one face together."""
    if lip.group != "lip" or emo.group != "emo":
        raise EmotalkError(
            f"A lip and an emotion decoder are needed, but these are '{lip.group}' and "
            f"'{emo.group}'.",
            "Give --lip-decoder a folder of `train-lip`, --emo-decoder one of `train-emo`.",
        )
    same = ("face_model", "face_model_sha256", "expression_names", "lip_units", "fps")
    for name in (*same, "window", "context", "lookahead"):
        if getattr(lip, name) != getattr(emo, name):
            raise EmotalkError(
                f"The two decoders do not fit: {name} is {_short(getattr(lip, name))} for the "
                f"lips and {_short(getattr(emo, name))} for the emotion.",
                "Train both on the same tracks and audio features.",
            )


def _check(spec: Spec) -> None:
    """Raise ValueError naming what does not fit together."""
    if spec.group not in GROUPS or spec.mode not in ("diffusion", "regression"):
        raise ValueError(f"group '{spec.group}', mode '{spec.mode}'")
    sizes = {
        "outputs": len(spec.outputs) == len(spec.output_mean) == len(spec.output_scale),
        "output_emotion": all(len(row) == len(spec.outputs) for row in spec.output_emotion),
        "speech": len(spec.speech_names) == len(spec.speech_mean) == len(spec.speech_scale),
        "lip_units": len(spec.lip_units) == len(spec.opening_m),
        "fps": spec.fps > 0 and spec.speech_rate_hz > 0,
        "window": MAX_WINDOW >= spec.window > spec.context + spec.lookahead > 0,
        "network": _fits(spec.network),
    }
    for name, fits in sizes.items():
        if not fits:
            raise ValueError(f"{name} does not fit")


def _fits(network: Network) -> bool:
    """Whether the sizes are such as a network can have; a damaged file may ask for anything."""
    values = dataclasses.asdict(network)
    return all(
        isinstance(values[name], int) and low <= values[name] <= high
        for name, (low, high) in NETWORK_LIMITS.items()
    )


def _short(value: Any) -> str:
    """At most 40 characters of a value."""
    text = str(value)
    return text if len(text) <= 40 else text[:36] + "..."
