"""The card of a checkpoint: data, figures, use and limits, written from facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotalk_cli.decoders.checkpoint import CARD, write_text
from emotalk_cli.decoders.spec import Spec
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.data import Facts

TITLES = {
    "lip": "Lip decoder: speech to the units of the mouth",
    "emo": "Emotion decoder: emotion and prosody to the rest of the face and the head",
    "single": "Single decoder: speech and emotion to the whole face and the head",
}
FIGURES = {
    "steps": "training steps",
    "validation": "loss at fixed noise",
    "opening_r": "Pearson r of the lip opening, sampled against true, mean over clips",
    "opening_ratio": "ratio of its standard deviations, median over clips",
    "lve_mm2": "lip vertex error (mean over frames of the largest squared error), mm^2",
    "shuffled_r": "the same r where each clip is told the sound of another: what chance gives",
    "shuffled_lve_mm2": "lip vertex error with the sound of another clip, mm^2",
}
CORPORA = {
    "acted": "performances made by `emotalk act`, not recorded: prototypes of the emotions on the "
    "rhythm of real voices, blinks, gaze and heads by published and measured statistics. No real "
    "emotional face was seen",
    "grid": "GRID audio-visual corpus (Cooke, Barker, Cunningham, Shao, JASA 2006), CC BY 4.0",
    "mead": "MEAD (Wang et al., ECCV 2020); its terms forbid commercial use",
    "crema_d": "CREMA-D (Cao et al., IEEE Trans. Affective Computing 2014), ODbL 1.0",
    "ravdess": "RAVDESS (Livingstone and Russo, PLoS ONE 2018), CC BY-NC-SA 4.0",
}


def write_card(
    folder: Path,
    spec: Spec,
    config: TrainConfig,
    facts: Facts,
    clips: tuple[int, int],
    figures: Mapping[str, float],
    seed: int,
) -> None:
    """Write README.md beside the weights; `clips` are the numbers trained on and held out."""
    changed = changed_options(config)
    corpora = [CORPORA.get(name, f"{name} (licence: see its owner)") for name in facts.datasets]
    measured = [f"| {FIGURES.get(name, name)} | {value:.4g} |" for name, value in figures.items()]
    lines = [
        f"# {TITLES[spec.group]}",
        "",
        f"Predicts {len(spec.outputs)} channels of the face model `{spec.face_model}` at "
        f"{spec.fps:g} fps from features of the encoder `{facts.encoder}`"
        + (" and" if spec.hears_speech else ": its prosody and")
        + " emotion weights. `config.json` names every channel.",
        "",
        "## Data",
        *(f"- {line}" for line in corpora or ["unnamed clips"]),
        f"- {facts.clips} clips, {facts.speakers} speaker(s), {facts.hours:.2f} hours; "
        f"{clips[0]} clips trained on, {clips[1]} held out.",
        "- Held out: the corpus's own split where it has one; else speakers or clips whose "
        f"sha256 modulo 1000 is below {round(config.validation_share * 1000)}.",
        "",
        "## Figures on the held-out clips",
        "| figure | value |",
        "|---|---|",
        *measured,
        "",
        "## Made with",
        "```",
        f"emotalk train-{spec.group} TRACKS AUDIO --output OUT --config train.yaml --seed {seed}",
        "```",
        "train.yaml:" if changed else "No train.yaml is needed: every option has its default.",
        *(["```yaml", changed.rstrip(), "```"] if changed else []),
        "",
        "## Limits",
        *_limits(spec, facts),
        "",
    ]
    write_text(folder / CARD, "\n".join(lines))


def changed_options(config: TrainConfig) -> str:
    """The options that are not the defaults, as YAML; empty if there are none."""
    import yaml

    values = _difference(dataclasses.asdict(config), dataclasses.asdict(TrainConfig()))
    return yaml.safe_dump(values, sort_keys=False) if values else ""


def _difference(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The values that are not the defaults, nested as they are."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            inner = _difference(value, defaults[key])
            found |= {key: inner} if inner else {}
        elif value != defaults[key]:
            found[key] = list(value) if isinstance(value, tuple) else value
    return found


def _limits(spec: Spec, facts: Facts) -> list[str]:
    """The card's list of limits."""
    limits = [f"- It knows {facts.speakers} speaker(s); others move their faces otherwise."]
    if spec.group == "lip":
        limits.append("- The tongue is hardly visible to a face tracker and so hardly learned.")
    return limits
