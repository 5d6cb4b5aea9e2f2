"""Train the packaged reader of emotions: `python -m tools.train_emotion_reader TRACKS [OUT]`.

TRACKS: a folder of labelled FaceTracks relative to the speaker's rest, such as sets/train/tracks of
an experiment. Resting faces are added at random, so that people who rest otherwise are read too.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from emotalk_cli import store
from emotalk_cli.metrics.emotion_reading import save_reader, train_reader
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.score import READER

RESTS = 3
"""Each track is learned from with so many resting faces."""
REST_SHARE, REST_SIZE, REST_MOST = 0.3, 0.08, 0.3
"""Share of the units that rest above 0, how far on average, and at most."""
TEST_SHARE = 5  # every fifth track is tested on


def with_rest(track: FaceTrack, rng: np.random.Generator) -> FaceTrack:
    """The track of somebody whose face rests otherwise."""
    units = track.expression.shape[1]
    rest = rng.exponential(REST_SIZE, units) * (rng.random(units) < REST_SHARE)
    moved = np.clip(track.expression + np.minimum(rest, REST_MOST), 0, 1)
    return replace(track, expression=moved.astype(np.float32))


def main(
    tracks: Path,
    out: Annotated[Path, typer.Argument()] = READER,
    source: Annotated[str, typer.Option(help="What they are, for the file.")] = "",
) -> None:
    """Train on four fifths of the tracks, tell how many of the others are read right."""
    rng = np.random.default_rng(0)
    found = [store.read(path, FaceTrack) for path in sorted(tracks.glob("*.h5"))]
    tests = [with_rest(track, rng) for track in found[::TEST_SHARE]]
    learned = [track for n, track in enumerate(found) if n % TEST_SHARE]
    reader = train_reader([with_rest(t, rng) for t in learned for _ in range(RESTS)], source)
    right = np.mean([reader.read(track) == track.labels.emotion for track in tests])
    save_reader(reader, out)
    Console().print(f"{len(learned)} tracks learned, {right:.1%} of {len(tests)} others read right")


if __name__ == "__main__":
    typer.run(main)
