"""One training run from folders of records to a checkpoint with its card."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__
from emotalk_cli.decoders.conditions import all_weights
from emotalk_cli.decoders.denoiser import parameter_count
from emotalk_cli.decoders.groups import output_names
from emotalk_cli.decoders.life import blink_rates
from emotalk_cli.decoders.lips.mouth import Mouth, lip_basis, mouth_of
from emotalk_cli.decoders.spec import GUIDANCE, SAMPLING_STEPS, TEMPERATURE, Network, Spec
from emotalk_cli.decoders.training.card import write_card
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.curves import PICTURE, draw_curves
from emotalk_cli.decoders.training.data import Facts, Take, make_takes, read_records, split
from emotalk_cli.decoders.training.expectation import Expectation, learn_expectation
from emotalk_cli.decoders.training.folder import Task, require_own, task_in
from emotalk_cli.decoders.training.loop import METRICS, Trainer
from emotalk_cli.decoders.training.losses import MotionLoss
from emotalk_cli.decoders.training.windows import SPEECH_SCALE_FLOOR, Windows, statistics
from emotalk_cli.errors import EmotalkError
from emotalk_cli.parts import FaceGeometry
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.safe_files import sha256_of_all
from emotalk_cli.schema import MadeBy, check_seed
from emotalk_cli.store import SUFFIX, as_json

Float = NDArray[np.float32]


def train(
    group: str,
    tracks: Path,
    audio: Path,
    out: Path,
    *,
    model: FaceGeometry,
    config: TrainConfig,
    seed: int,
    resume: bool,
    overwrite: bool,
    progress: Progress,
) -> Path:
    """Train the decoder of a group; `model` is the face model of the tracks.

    Returns `out`, the checkpoint. A finished one made with the same options from the same
    records is left alone, one that was stopped is gone on with; raises StaleOutputError where
    another stands in its place, EmotalkError where `out` holds anything else.
    """
    check_seed(seed)
    if int(os.environ.get("RANK", "0")):
        progress = Quiet()  # of many processes the first one speaks
    require_own(out, (tracks, audio))
    made_by = _made_by(group, tracks, audio, config, seed)
    task = task_in(out, made_by, resume=resume, overwrite=overwrite, progress=progress)
    if task is Task.NOTHING:
        progress.note(f"{out} is finished already.")
        return out
    records = read_records(tracks, audio, progress)
    _check_model(model, records.facts)
    shape = np.zeros(len(next(iter(records.tracks.values())).shape), np.float32)
    mouth = mouth_of(model, shape)
    takes = make_takes(records, group, mouth)
    training, validation = split(takes, config)
    spec = make_spec(group, records.facts, mouth, training, config)
    progress.note(
        f"{len(training)} clips to learn from, {len(validation)} held out; "
        f"{parameter_count(spec):,} parameters."
    )
    trainer = Trainer(
        spec,
        config,
        MotionLoss(spec, config.losses, lip_basis(model, shape)),
        Windows(training, spec, config),
        Windows(training[:1] if config.overfit else validation, spec, config),
        out,
        seed=seed,
        made_by=json.loads(as_json(made_by)),
    )
    figures = trainer.run(progress, resume=task is Task.GO_ON)
    if trainer.is_main:
        draw_curves(out / METRICS, out / PICTURE)
        counts = (len(training), len(validation))
        write_card(out, spec, config, records.facts, counts, figures, seed)
    trainer.end()
    return out


def make_spec(
    group: str, facts: Facts, mouth: Mouth, training: Sequence[Take], config: TrainConfig
) -> Spec:
    """The specification of a decoder for these records, with statistics of what it learns from."""
    others = tuple(name for name in facts.expression_names if name not in mouth.units)
    hears = group != "emo"
    width = len(facts.speech_names) if hears else 0
    speech_mean, speech_scale = np.zeros(0, np.float32), np.ones(0, np.float32)
    if width:
        rows = [heard.speech for take in training for heard in take.heard]
        speech_mean, speech_scale = statistics(rows, SPEECH_SCALE_FLOOR)
    outputs = tuple(output_names(group, mouth.units, others))
    expected = _expectation(group, training, outputs, mouth, config)
    # Guidance sharpens what is drawn; a regression would only exaggerate.
    guidance = GUIDANCE[group] if config.mode == "diffusion" else 1.0
    spec = Spec(
        group=group,
        mode=config.mode,
        face_model=facts.face_model,
        face_model_sha256=facts.face_model_sha256,
        expression_names=facts.expression_names,
        lip_units=mouth.units,
        opening_m=mouth.opening_m,
        rest_m=mouth.rest_m,
        fps=facts.fps,
        encoder=facts.encoder,
        speech_names=facts.speech_names if hears else (),
        speech_mean=_floats(speech_mean),
        speech_scale=_floats(speech_scale),
        speech_rate_hz=facts.rate_hz,
        outputs=outputs,
        output_mean=_floats(expected.mean),
        output_scale=_floats(expected.scale),
        output_emotion=() if group == "lip" else tuple(map(_floats, expected.by_emotion)),
        blinks_per_minute=_blink_rates(outputs, training, facts.fps),
        network=config.network,
        told_emotion=config.tell_emotion,
        steps=SAMPLING_STEPS[group],
        speech_guidance=guidance,
        emotion_guidance=guidance,
        temperature=TEMPERATURE[group],
    )
    if group == "single" and config.match_parameters:
        return dataclasses.replace(spec, network=matched_network(spec))
    return spec


def _expectation(
    group: str,
    training: Sequence[Take],
    outputs: Sequence[str],
    mouth: Mouth,
    config: TrainConfig,
) -> Expectation:
    """What is expected of each output; by emotion only of what no lip decoder makes."""
    lips = outputs if group == "lip" or not config.tell_emotion else mouth.units
    return learn_expectation(
        [take.target for take in training], [take.emotion for take in training], outputs, lips
    )


def _blink_rates(outputs: Sequence[str], training: Sequence[Take], fps: float) -> tuple[float, ...]:
    """Blinks a minute of each emotion, of a group that moves the lids."""
    columns = [n for n, name in enumerate(outputs) if name.startswith("eyeBlink")]
    if not columns:
        return ()
    lids = [take.target[:, columns].mean(axis=1, dtype=np.float64) for take in training]
    return blink_rates(lids, [all_weights(take.emotion) for take in training], fps)


def matched_network(spec: Spec) -> Network:
    """The network of a single decoder: as wide as gives it the parameters of the other two."""
    others = tuple(name for name in spec.expression_names if name not in spec.lip_units)
    wanted = 0
    for group in ("lip", "emo"):
        names = tuple(output_names(group, spec.lip_units, others))
        wanted += parameter_count(dataclasses.replace(spec, group=group, outputs=names))
    widths = range(spec.network.hidden, 2 * spec.network.hidden + 1)
    candidates = [dataclasses.replace(spec.network, hidden=width) for width in widths]
    return min(
        candidates,
        key=lambda network: abs(
            parameter_count(dataclasses.replace(spec, network=network)) - wanted
        ),
    )


def _floats(values: Float) -> tuple[float, ...]:
    """Values (N,) as plain numbers for JSON."""
    return tuple(round(float(value), 7) for value in values)


def _made_by(group: str, tracks: Path, audio: Path, config: TrainConfig, seed: int) -> MadeBy:
    """What the checkpoint is made from: options, seed, and the records' digests."""
    inputs = {"tracks": _digest(tracks), "audio": _digest(audio)}
    return MadeBy(f"train-{group}", __version__, dataclasses.asdict(config), seed, inputs)


def _digest(folder: Path) -> str:
    """One sha256 over the names and contents of all records of a folder."""
    if not folder.is_dir():
        raise EmotalkError(f"There is no folder {folder}.", "Check the path.")
    return sha256_of_all(sorted(folder.glob(f"*{SUFFIX}")))


def _check_model(model: FaceGeometry, facts: Facts) -> None:
    """Raise EmotalkError where tracks were fitted with another face model."""
    if model.sha256 != facts.face_model_sha256:
        raise EmotalkError(
            f"The tracks have the face model '{facts.face_model}' "
            f"({facts.face_model_sha256[:12]}); decoders are trained on '{model.name}' "
            f"({model.sha256[:12]}).",
            "Run `emotalk fit-3dmm` again.",
        )
