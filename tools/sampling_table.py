"""What steps and guidance give: `python -m tools.sampling_table CLIPS TRACKS AUDIO`.

For each number of sampling steps and each strength of the guidance by speech: how the lips of
held-out clips follow the video, how often lips shut without the rules that shut them, and how much
two seeds differ.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.sampling import Draw
from emotalk_cli.stages.motion_making import WEIGHTS
from tools.evaluate_lips import follow, read_held_out, summary
from tools.evaluate_voices import TEXTS, Lips, tally
from tools.spoken import FLITE_VOICES, flite

STEPS = (1, 2, 4, 8, 16)
GUIDANCE = (1.0, 1.5, 2.0, 3.0)
HEAD = "| steps | guidance | r | amplitude | LVE, mm^2 | shut on p b m, no rules | seeds differ |"


def main(
    clips: Path,
    tracks: Path,
    audio: Path,
    share: Annotated[float, typer.Option(help="The training's validation_share.")] = 0.12,
    lip: Annotated[Path, typer.Option(help="Folder of train-lip.")] = WEIGHTS / "lip",
    most: Annotated[int, typer.Option(help="So many clips at most.")] = 40,
) -> None:
    """Print the table as Markdown."""
    decoder, held = load_decoder(lip), read_held_out(clips, tracks, audio, share)[:most]
    spoken = [flite(voice, text) for voice in FLITE_VOICES for text in TEXTS[::2]]
    rows = [HEAD, "|---|---|---|---|---|---|---|"]
    for steps, guidance in track(list(itertools.product(STEPS, GUIDANCE)), "Sampling"):
        draws = [
            Draw(
                seed=seed, steps=steps, speech_guidance=guidance, emotion_guidance=guidance,
                close_lips=False,
            )
            for seed in range(2)
        ]  # fmt: skip
        first, second = ([follow(one, decoder, None, draw) for one in held] for draw in draws)
        told = summary(first)
        shut = tally(Lips(decoder, None), spoken, draw=draws[0]).shut
        pairs = zip(first, second, strict=True)
        differ = [np.std(a.opening - b.opening) / np.std(a.opening) for a, b in pairs]
        rows.append(
            f"| {steps} | {guidance:g} | {told['r']:.3f} | {told['ratio']:.2f} | "
            f"{told['lve_mm2']:.2f} | {np.mean(shut):.0%} | {np.mean(differ):.2f} |"
        )
    Console().print("\n".join(rows))


if __name__ == "__main__":
    typer.run(main)
