"""The cells of an experiment: a decoder trained; a system with one seed performed and scored."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotalk_cli import __version__, safe_files, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.metrics.base import HIGHER, NEITHER
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy, ScoreRow, Scores
from emotalk_cli.stages.experiment_metrics import KEPT, READ, SCORED
from emotalk_cli.stages.experiment_records import AUDIO, TRACKS

if TYPE_CHECKING:
    from emotalk_cli.decoders.checkpoint import Decoder
    from emotalk_cli.metrics.surface import FaceSurface

STAGE = "experiment"
MEASURES = "measures.h5"


@dataclass(frozen=True)
class TrainCell:
    """One decoder to be trained with one seed."""

    name: str
    group: str
    seed: int
    records: Path
    out: Path
    config: Path

    @property
    def clip_id(self) -> str:
        """Name of the cell."""
        return f"training {self.name}, seed {self.seed}"


@dataclass(frozen=True)
class PlayCell:
    """One system with one seed, to be performed on the test sets and scored."""

    system: str
    seed: int
    decoders: tuple[Path, ...]
    draw: Mapping[str, Any]
    shuffled: bool
    sets: Mapping[str, Path]
    reader: Path
    out: Path

    @property
    def clip_id(self) -> str:
        """Name of the cell."""
        return f"performing {self.system}, seed {self.seed}"


def train_cell(cell: TrainCell) -> None:
    """Train one decoder by its ordinary stage, which leaves alone what is finished."""
    from emotalk_cli.stages.train_emo import train_emo
    from emotalk_cli.stages.train_lip import train_lip
    from emotalk_cli.stages.train_single import train_single

    stage = {"lip": train_lip, "emo": train_emo, "single": train_single}[cell.group]
    tracks, audio = cell.records / TRACKS, cell.records / AUDIO
    with _nothing_to_overwrite():
        stage(tracks, audio, cell.out, config=cell.config, seed=cell.seed)


def play_cell(cell: PlayCell) -> None:
    """Perform every test clip, score it by the ordinary stage, and measure what needs two takes."""
    from emotalk_cli.decoders.checkpoint import load_decoder
    from emotalk_cli.stages.score import score

    made_by = _made_by(cell)
    with _nothing_to_overwrite():
        if store.is_done(cell.out / MEASURES, made_by):
            return
    decoders = [load_decoder(path) for path in cell.decoders]
    for name, records in cell.sets.items():
        made = cell.out / name / "tracks"
        sounds = _sounds(records, cell.shuffled)
        for path, sound in sounds.items():
            track = store.read(records / TRACKS / path, FaceTrack)
            performed = perform(decoders, track, sound, cell.draw, cell.seed)
            store.write(dataclasses.replace(performed, made_by=made_by), made / path)
        scores = cell.out / name / "scores"
        score(made, records / TRACKS, scores, metrics=SCORED, overwrite=True)
    rows = [*_readings(cell), *_kept(cell, decoders)]
    store.write(Scores(made_by=made_by, rows=tuple(rows)), cell.out / MEASURES)


@contextlib.contextmanager
def _nothing_to_overwrite() -> Iterator[None]:
    """An experiment has no --overwrite, which what stands in its way would advise."""
    try:
        yield
    except StaleOutputError as error:
        raise EmotalkError(error.problem) from error


def perform(
    decoders: Sequence[Decoder],
    like: FaceTrack,
    sound: AudioFeatures,
    draw: Mapping[str, Any],
    seed: int,
    *,
    neutral: bool = False,
) -> FaceTrack:
    """What decoders make of a sound with the emotion of a track (or none), as long as that track.

    Without decoders the face is still. The rest of the face and the camera are the track's.
    """
    from emotalk_cli.decoders.direction.emotions import EMOTIONS, NEUTRAL
    from emotalk_cli.decoders.motion import add_pose
    from emotalk_cli.decoders.sampling import Draw, sample_motion

    frames = len(like.expression)
    assert like.rest_pose is not None and like.emotion_weights is not None
    expression = np.zeros_like(like.expression)
    delta = np.zeros((frames, 6), np.float32)
    if decoders:
        weights = like.emotion_weights
        if neutral:
            weights = np.zeros((frames, len(EMOTIONS)), np.float32)
            weights[:, NEUTRAL] = 1
        lip, emo = decoders[0], decoders[1] if len(decoders) > 1 else None
        chosen = Draw(seed=seed, **draw)
        motion = sample_motion(lip, emo, sound, weights, frames=frames, fps=like.fps, draw=chosen)
        expression, delta = motion.expression, motion.head_pose_delta
    return dataclasses.replace(
        like,
        expression=expression,
        head_pose=add_pose(like.rest_pose, delta),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
    )


def _sounds(records: Path, shuffled: bool) -> dict[str, AudioFeatures]:
    """File name -> what is heard with it; shuffled: the next clip's sound instead of its own."""
    names = sorted(path.name for path in (records / TRACKS).glob(f"*{store.SUFFIX}"))
    heard = names[1:] + names[:1] if shuffled else names
    return {
        name: store.read(records / AUDIO / other, AudioFeatures)
        for name, other in zip(names, heard, strict=True)
    }


def _readings(cell: PlayCell) -> list[ScoreRow]:
    """Whether the reader finds each clip's emotion in its coefficients."""
    from emotalk_cli.metrics.emotion_reading import load_reader

    reader = load_reader(cell.reader)
    rows = []
    for name in cell.sets:
        for path in sorted((cell.out / name / "tracks").glob(f"*{store.SUFFIX}")):
            track = store.read(path, FaceTrack)
            if track.labels.emotion in reader.emotions:
                right = reader.read(track) == track.labels.emotion
                rows.append(_row(cell, track, f"{name}: {READ}", float(right)))
    return rows


def _kept(cell: PlayCell, decoders: Sequence[Decoder]) -> list[ScoreRow]:
    """How far the lips of an emotional take follow those of a neutral one: r of the openings."""
    if "emotional" not in cell.sets or not decoders:
        return []
    records = cell.sets["emotional"]
    rows, surface = [], _surface()
    for path, sound in _sounds(records, cell.shuffled).items():
        made = store.read(cell.out / "emotional" / "tracks" / path, FaceTrack)
        plain = perform(decoders, made, sound, cell.draw, cell.seed, neutral=True)
        r = _agreement(surface, made, plain)
        if np.isfinite(r):
            rows.append(_row(cell, made, f"emotional: {KEPT}", r))
    return rows


def _agreement(surface: FaceSurface, one: FaceTrack, other: FaceTrack) -> float:
    from emotalk_cli.metrics.opening import pearson

    return pearson(surface.mouth_opening_mm(one), surface.mouth_opening_mm(other))


def reference_rows(sets: Mapping[str, Path], reader: Path) -> list[ScoreRow]:
    """The same two measures of the references themselves: what a perfect system would reach."""
    from emotalk_cli.metrics.emotion_reading import load_reader

    known, rows, surface = load_reader(reader), [], _surface()
    for name, records in sets.items():
        for path in sorted((records / TRACKS).glob(f"*{store.SUFFIX}")):
            track = store.read(path, FaceTrack)
            right = known.read(track) == track.labels.emotion
            rows.append(_reference_row(track, f"{name}: {READ}", float(right)))
            other = sets.get("neutral", records) / TRACKS / path.name
            if name == "emotional" and other.is_file():
                r = _agreement(surface, track, store.read(other, FaceTrack))
                rows.append(_reference_row(track, f"{name}: {KEPT}", r))
    return rows


@functools.cache
def _surface() -> FaceSurface:
    """The surface of the default face model, made once per process."""
    from emotalk_cli.face3d.models.default_model import load_default_face_model
    from emotalk_cli.metrics.surface import FaceSurface

    model = load_default_face_model()
    return FaceSurface(model, len(model.identity_basis))


def _row(cell: PlayCell, track: FaceTrack, metric: str, value: float) -> ScoreRow:
    return dataclasses.replace(_reference_row(track, metric, value), system=cell.system)


def _reference_row(track: FaceTrack, metric: str, value: float) -> ScoreRow:
    labels = track.labels
    better = HIGHER if metric.endswith(READ) else NEITHER  # a deaf face keeps its lips best
    return ScoreRow(
        "reference", labels.clip_id, metric, value, "", better, labels.speaker, labels.emotion
    )


def _made_by(cell: PlayCell) -> MadeBy:
    """Everything a performance depends on."""
    from emotalk_cli.decoders.checkpoint import WEIGHTS

    inputs = {
        f"decoder {n}": safe_files.sha256_of(p / WEIGHTS) for n, p in enumerate(cell.decoders)
    }
    inputs["reader"] = safe_files.sha256_of(cell.reader)
    for name, records in cell.sets.items():
        tracks = sorted((records / TRACKS).glob(f"*{store.SUFFIX}"))
        inputs[name] = safe_files.sha256_of_all(tracks)
    return MadeBy(STAGE, __version__, play_options(cell.draw, cell.shuffled), cell.seed, inputs)


def play_options(draw: Mapping[str, Any], shuffled: bool) -> dict[str, Any]:
    """What a plan decides about a performance beside its decoders."""
    return {"draw": dict(draw), "shuffled": shuffled, "metrics": list(SCORED)}
