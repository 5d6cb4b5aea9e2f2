"""The card of a checkpoint: data, figures, use and limits, written from facts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emotalk_cli.decoders.checkpoint import CARD, write_text
from emotalk_cli.decoders.config import TrainConfig
from emotalk_cli.decoders.data import Facts
from emotalk_cli.decoders.spec import Spec

TITLES = {
    "lip": "Lip decoder: speech to the units of the mouth",
    "emo": "Emotion decoder: emotion and prosody to the rest of the face and the head",
    "single": "Single decoder: speech and emotion to the whole face and the head",
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
    training: int,
    validation: int,
    figures: Mapping[str, float],
) -> None:
    """Write README.md beside the weights."""
    corpora = [CORPORA.get(name, f"{name} (licence: see its owner)") for name in facts.datasets]
    measured = [f"| {name} | {value:.4g} |" for name, value in figures.items()]
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
        f"{training} clips trained on, {validation} held out.",
        "- Held out: the corpus's own split where it has one; else speakers or clips whose "
        f"sha256 modulo 1000 is below {round(config.validation_share * 1000)}.",
        "",
        "## Figures on the held-out clips",
        "| figure | value |",
        "|---|---|",
        *measured,
        "",
        "## Limits",
        *_limits(spec, facts),
        "",
    ]
    write_text(folder / CARD, "\n".join(lines))


def _limits(spec: Spec, facts: Facts) -> list[str]:
    limits = [f"- It knows {facts.speakers} speaker(s); others move their faces otherwise."]
    if spec.group == "lip":
        limits.append("- The tongue is hardly visible to a face tracker and so hardly learned.")
    return limits
