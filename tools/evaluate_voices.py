"""What lips do on known sounds, by any voice: `python -m tools.evaluate_voices [LIP] [EMO]`.

Lips shut on p, b, m, at the teeth on f, v, open on open vowels and round on w, oo: by synthetic
voices with known phones (flite, espeak-ng in five languages), and by a LibriVox reader with aligned
ones; at rest and at full emotions. And how alike the lips stay when the same speech is changed: a
child's voice, whispered, quiet, noisy, fast. Needs flite, espeak-ng and pocketsphinx-testdata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from emotalk_cli.audio.features import extract_features
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.direction.emotions import parse_emotion
from emotalk_cli.decoders.lips.articulators import lips_of_phone
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.parts import SPEECH_ENCODERS, make
from emotalk_cli.schema import MadeBy
from emotalk_cli.stages.motion_making import WEIGHTS
from tools.aligned import librivox
from tools.changed_voices import CHANGES, Change
from tools.spoken import FLITE_VOICES, Spoken, espeak, flite, sentences

Float = NDArray[np.float32]

FPS = 25.0
CLOSED_SHARE = 0.1
"""Lips count as shut below this share of the 95th percentile of the recording's gap."""
ROUND_UNITS = ("mouthPucker", "mouthFunnel")
LANGUAGES = ("de", "fr", "cmn-latn-pinyin", "ar", "hi")
EMOTIONS = ("neutral", "happy", "angry", "sad")
OPEN_VOWELS = ("ɑ", "æ", "a", "ɔ")
TEXTS = (
    "My baby brother bumped a big purple map.",
    "Please remember to bring some apples and jam for Bob.",
    "The film began before the boy jumped from the bus.",
    "Five very fine villages have a view of the river valley.",
    "Pam bought a cheap blue lamp and a pump in September.",
    "We will move the whole box away before noon.",
    "Mama made up her mind about the empty room.",
    "Who would choose to lose a new blue shoe soon?",
    "Father's calm palm trees are far apart in the park.",
    "Stop the bomb, Tom, and help them climb up the ramp.",
)
"""Sentences that the articulators did not learn from; they did learn from flite's voices."""


@dataclass
class Tally:
    """What was found over many phones."""

    shut: list[bool] = field(default_factory=list)
    teeth: list[bool] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)
    rounded: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)

    def row(self, name: str) -> list[str]:
        """Cells of the table."""
        return [
            name,
            f"{np.mean(self.shut):.1%} of {len(self.shut)}",
            f"{np.mean(self.teeth):.1%} of {len(self.teeth)}" if self.teeth else "",
            f"{np.mean(self.opened):.2f}",
            f"{np.mean(self.rounded):.2f}" if self.rounded else "",
            f"{np.mean(self.spread):.2f}",
        ]


class Lips:
    """Motion of the lips for waveforms."""

    def __init__(self, lip: Decoder, emo: Decoder | None) -> None:
        self._lip, self._emo = lip, emo
        self._encoder = make(SPEECH_ENCODERS, lip.spec.encoder)
        names = lip.spec.expression_names
        self._units = [names.index(name) for name in lip.spec.lip_units]
        self._round = [names.index(name) for name in ROUND_UNITS]

    def move(
        self, waveform: Float, emotion: str = "neutral", draw: Draw | None = None
    ) -> tuple[Float, Float]:
        """Gap above rest (T,) in mm and pucker + funnel (T,)."""
        features = extract_features(waveform, self._encoder, made_by=MadeBy("evaluate", "0"))
        frames = max(2, int(features.duration_s * FPS))
        weights = parse_emotion(emotion).weights(np.arange(frames) / FPS)
        motion = sample_motion(
            self._lip, self._emo, features, weights, frames=frames, fps=FPS, draw=draw
        )
        gap = self._lip.spec.mouth.gap(motion.expression[:, self._units]) - self._lip.spec.rest_m
        return 1000 * gap, motion.expression[:, self._round].sum(axis=1)


def tally(
    lips: Lips, spoken: Sequence[Spoken], emotion: str = "neutral", draw: Draw | None = None
) -> Tally:
    """Look at every phone of every recording."""
    found = Tally()
    for one in spoken:
        gap, rounding = lips.move(one.waveform, emotion, draw)
        wide = float(np.quantile(gap, 0.95))
        for phone in one.phones:
            first, last = int(phone.start_s * FPS), int(np.ceil(phone.end_s * FPS))
            inside = slice(max(0, first), last + 1)
            if not phone.ipa or not len(gap[inside]):
                continue
            closed, teeth, rounded = lips_of_phone(phone.ipa)
            touches = bool(gap[inside].min() < CLOSED_SHARE * wide)
            if closed:
                found.shut.append(touches)
            elif teeth:
                found.teeth.append(touches)
            elif phone.ipa.startswith(OPEN_VOWELS):
                found.opened.append(float(gap[inside].max() / wide))
            if rounded == 1:
                found.rounded.append(float(rounding[inside].max()))
            elif not rounded:
                found.spread.append(float(rounding[inside].mean()))
    return found


def likeness(lips: Lips, spoken: Sequence[Spoken], change: Change) -> list[str]:
    """Pearson r (mean and worst) and amplitude of the lips of changed against plain recordings."""
    found, sizes = [], []
    for one in spoken:
        plain, _ = lips.move(one.waveform)
        other, _ = lips.move(np.clip(change(one.waveform), -1, 1).astype(np.float32))
        same = np.interp(np.linspace(0, 1, len(plain)), np.linspace(0, 1, len(other)), other)
        found.append(np.corrcoef(plain, same)[0, 1])
        sizes.append(same.std() / plain.std())
    return [f"{np.mean(found):.3f}", f"{min(found):.3f}", f"{np.median(sizes):.2f}"]


def main(
    lip: Annotated[Path, typer.Argument()] = WEIGHTS / "lip",
    emo: Annotated[Path, typer.Argument()] = WEIGHTS / "emo",
) -> None:
    """Print both tables."""
    lips, read = Lips(load_decoder(lip), load_decoder(emo)), librivox()
    synthetic = [flite(voice, text) for voice in FLITE_VOICES for text in TEXTS]
    foreign = [espeak(code, text) for code in LANGUAGES for _, text in sentences(code)]
    table = Table("voices", "shut on p b m", "touch on f v", "opening", "round w oo", "round other")
    for emotion in EMOTIONS:
        table.add_row(*tally(lips, synthetic, emotion).row(f"flite, {emotion}"))
    for emotion in EMOTIONS:
        table.add_row(*tally(lips, read, emotion).row(f"LibriVox, {emotion}"))
    for code in LANGUAGES:
        these = [one for one in foreign if one.voice == f"espeak {code}"]
        table.add_row(*tally(lips, these).row(f"espeak-ng {code}"))
    Console().print(table)
    table = Table("change", "r of the lips", "worst", "amplitude")
    sample = [*read, *synthetic[::5]]
    for name, change in CHANGES.items():
        table.add_row(name, *likeness(lips, sample, change))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
