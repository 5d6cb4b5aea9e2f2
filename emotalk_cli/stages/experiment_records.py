"""The clips of an experiment: a corpus, or records of one, become training and test sets."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotalk_cli import __version__, safe_files, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.progress import Progress
from emotalk_cli.schema import AudioFeatures, FaceTrack, Float, Labels, MadeBy
from emotalk_cli.stages.experiment_plan import DataPlan

if TYPE_CHECKING:
    from emotalk_cli.decoders.direction.emotions import EmotionCurve
    from emotalk_cli.decoders.lips.mouth import Mouth

STAGE = "experiment"
TRACKS, AUDIO = "tracks", "audio"
TRAIN = "train"
CAMERA = (1100.0, 256.0, 256.0, 512.0, 512.0)
REST = (0.0, 0.0, 0.0, 0.0, 0.0, -0.75)
"""Camera (px) and head pose (rad, m) that all clips are given, so that motion alone counts."""
MIN_SPEAKERS = 5
DONE = "records.json"
SETS_FOLDER = "sets"
CORPUS, UNSEEN_CORPUS, CLIPS = "corpus", "unseen_corpus", "clips"
NEXT_STEP = (
    "Choose another folder with -o for a new experiment, or take the change back to go on with "
    "this one."
)


@dataclass(frozen=True)
class Sets:
    """Where the clips lie, what was done to them and how they were divided, in words."""

    root: Path
    acted: bool
    by: str
    counts: dict[str, int]
    speakers: dict[str, int]

    def folder(self, name: str) -> Path:
        """The folder of a set, with tracks/ and audio/."""
        return self.root / name

    def has(self, name: str) -> bool:
        """Whether a set has clips."""
        return self.counts.get(name, 0) > 0


@dataclass(frozen=True)
class _Clip:
    """One clip with its plain features and all its recordings."""

    track: FaceTrack
    features: AudioFeatures
    sounds: tuple[Path, ...]
    set: str
    role: tuple[str, int] = ("", 0)


def prepare(
    data: Path,
    unseen: Path | None,
    plan: DataPlan,
    out: Path,
    *,
    workers: int,
    progress: Progress,
) -> Sets:
    """Make the sets train, neutral, emotional and unseen below `out`; what is done is kept.

    data, unseen: each a corpus that `preprocess` knows, or a folder with the records of one in
    tracks/ and audio/. Every clip is put relative to its speaker's face at rest and seen by the
    same camera; of test clips none is in train.
    """
    home = records_of(data, out / CORPUS, plan, workers, progress)
    away = records_of(unseen, out / UNSEEN_CORPUS, plan, workers, progress) if unseen else None
    made_by = _made_by(home, away, plan)
    root = out / SETS_FOLDER
    before = _finished(root, made_by)
    if before:
        return before
    shutil.rmtree(root, ignore_errors=True)
    clips, by, acted = _divided(home, plan, progress)
    if away:
        strangers, _, _ = _read(away, progress)
        clips += [dataclasses.replace(clip, set="unseen") for clip in strangers]
    _write_sets(clips, acted, root, made_by, progress)
    sets = _counted(root, acted, by)
    content = {"made_by": json.loads(store.as_json(made_by)), "acted": acted, "by": by}
    (root / DONE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return sets


def records_of(data: Path, out: Path, plan: DataPlan, workers: int, progress: Progress) -> Path:
    """A folder with tracks/ and audio/: `data` itself, or `out`, made by the ordinary stages."""
    from emotalk_cli.stages.extract_audio import extract_audio
    from emotalk_cli.stages.fit_3dmm import fit_3dmm
    from emotalk_cli.stages.preprocess import preprocess

    if has_records(data):
        return data
    clips = out / CLIPS
    try:
        preprocess(data, clips, keep_frames=False, workers=workers, progress=progress)
    except StaleOutputError as error:
        raise EmotalkError(error.problem, NEXT_STEP) from error
    fit_3dmm(clips, out / TRACKS, workers=workers, progress=progress)
    extract_audio(
        clips,
        out / AUDIO,
        encoder=plan.encoder,
        augment=plan.augment,
        workers=workers,
        progress=progress,
    )
    return out


def refuse_other(place: Path, before: Any, made_by: MadeBy) -> None:
    """Raise EmotalkError if `place` was made otherwise; an experiment overwrites nothing."""
    try:
        store.refuse_other(place, before, made_by)
    except StaleOutputError as error:
        raise EmotalkError(error.problem, NEXT_STEP) from error


def has_records(data: Path) -> bool:
    """Whether `data` holds ready records, and no corpus to make them of."""
    return (data / TRACKS).is_dir() and (data / AUDIO).is_dir()


def _made_by(home: Path, away: Path | None, plan: DataPlan) -> MadeBy:
    inputs = {}
    for name, folder in (("data", home), ("unseen", away)):
        if folder is not None:
            records = sorted(folder.glob(f"*/*{store.SUFFIX}"))
            inputs[name] = safe_files.sha256_of_all(records)
    return MadeBy(STAGE, __version__, dataclasses.asdict(plan), inputs=inputs)


def _finished(root: Path, made_by: MadeBy) -> Sets | None:
    """The sets that an earlier run finished from the same clips; refuses those of others."""
    if not (root / DONE).is_file():
        return None
    content = json.loads((root / DONE).read_text(encoding="utf-8"))
    refuse_other(root, content["made_by"], made_by)
    return _counted(root, bool(content["acted"]), str(content["by"]))


def _counted(root: Path, acted: bool, by: str) -> Sets:
    counts, speakers = {}, {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        paths = list((folder / TRACKS).glob(f"*{store.SUFFIX}"))
        counts[folder.name] = len(paths)
        labels = (store.read_field(path, FaceTrack, "labels") for path in paths)
        speakers[folder.name] = len({one.speaker for one in labels})
    return Sets(root, acted, by, counts, speakers)


def _divided(home: Path, plan: DataPlan, progress: Progress) -> tuple[list[_Clip], str, bool]:
    """All clips of the corpus with their sets and roles, by what it was divided, if acted."""
    from emotalk_cli.decoders.direction.emotions import EMOTIONS, LEVELS

    clips, speakers, emotions = _read(home, progress, plan.augment, plan.limit)
    acted = plan.acted is True or (plan.acted == "auto" and len(emotions - {""}) < 2)
    by = "speakers" if len(speakers) >= MIN_SPEAKERS else "clips"
    own = any(clip.track.labels.split == "test" for clip in clips)
    order = sorted(clips, key=lambda c: hashlib.sha256(_name(c).encode()).hexdigest())
    cycle = ("neutral", *EMOTIONS)
    told = [name for name in EMOTIONS if name != "neutral"]
    keys = {_key(clip, by) for clip in clips}
    tested = set() if own else _some(keys, plan.test_share, "")
    validated = _some(keys - tested, plan.validation_share, "validation ")
    placed, tests = [], 0
    for number, clip in enumerate(order):
        labels, key = clip.track.labels, _key(clip, by)
        test = labels.split == "test" or key in tested
        valid = labels.split == "val" or key in validated
        split = "test" if test else "val" if valid else TRAIN
        track = dataclasses.replace(clip.track, labels=dataclasses.replace(labels, split=split))
        role = (labels.emotion or "neutral", 0)
        name = TRAIN
        if test:
            name = "neutral" if role[0] == "neutral" else "emotional"
            tests += 1
        if acted:
            names = told if test else cycle
            turn = tests if test else number
            role = (names[turn % len(names)], turn // len(names) % LEVELS + 1)
        placed.append(dataclasses.replace(clip, track=track, set=name, role=role))
    if tests in (0, len(placed)):
        raise EmotalkError(
            f"{tests} of {len(placed)} clips are held out for the test.",
            "An experiment needs several clips, or change data.test_share.",
        )
    return placed, "the corpus's own split" if own else by, acted


def _name(clip: _Clip) -> str:
    return clip.track.labels.clip_id


def _key(clip: _Clip, by: str) -> str:
    """What of a clip decides on which side it falls."""
    return clip.track.labels.speaker if by == "speakers" else _name(clip)


def _some(keys: set[str], share: float, salt: str) -> set[str]:
    """A fixed share of the keys, the same on any machine; of several at least one."""
    from emotalk_cli.decoders.training.data import is_held_out

    chosen = {key for key in keys if is_held_out(salt + key, share)}
    if not chosen and len(keys) > 1 and share > 0:
        chosen = {min(keys, key=lambda key: hashlib.sha256((salt + key).encode()).hexdigest())}
    return chosen


def _read(
    folder: Path, progress: Progress, augment: int = 0, limit: int = 0
) -> tuple[list[_Clip], set[str], set[str]]:
    """The paired records of a folder, their speakers and emotions."""
    paths = sorted((folder / TRACKS).glob(f"*{store.SUFFIX}"))
    paths = [path for path in paths if (folder / AUDIO / path.name).is_file()]
    if not paths:
        raise EmotalkError(
            f"No clip has both a track and audio features in {folder}.",
            "Run `emotalk fit-3dmm` and `emotalk extract-audio` into its tracks/ and audio/.",
        )
    paths = paths[: limit or None]
    progress.task("Reading records", len(paths))
    clips = []
    for path in paths:
        plain = folder / AUDIO / path.name
        more = sorted((folder / AUDIO).glob(f"{path.stem}.*{store.SUFFIX}"))
        track = store.read(path, FaceTrack)
        labels = dataclasses.replace(track.labels, clip_id=path.stem)
        track = dataclasses.replace(track, labels=labels)
        sounds = (plain, *[sound for sound in more if sound != plain][:augment])
        clips.append(_Clip(track, store.read(plain, AudioFeatures), sounds, TRAIN))
        progress.advance()
    found = [clip.track.labels for clip in clips]
    return clips, {one.speaker for one in found}, {one.emotion for one in found}


def _write_sets(
    clips: Sequence[_Clip], acted: bool, root: Path, made_by: MadeBy, progress: Progress
) -> None:
    """Write every clip into its set; an acted test clip into neutral and into emotional."""
    from emotalk_cli.decoders.lips.mouth import mouth_of
    from emotalk_cli.decoders.training.targets import speaker_neutral
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    model = load_default_face_model()
    mouth = mouth_of(model, np.zeros(len(model.identity_basis), np.float32))
    by_speaker: dict[str, list[FaceTrack]] = {}
    for clip in clips:
        by_speaker.setdefault(clip.track.labels.speaker, []).append(clip.track)
    rest = {name: speaker_neutral(tracks, mouth) for name, tracks in by_speaker.items()}
    progress.task("Making the sets", len(clips))
    for clip in clips:
        own = rest[clip.track.labels.speaker]
        acts = acted and clip.set != "unseen"
        role = clip.role if acts else None
        if acts and clip.track.labels.split == "test":
            _write(clip, "neutral", _performed(clip, ("neutral", 0), own, mouth), root, made_by)
            _write(clip, "emotional", _performed(clip, clip.role, own, mouth), root, made_by)
        else:
            _write(clip, clip.set, _performed(clip, role, own, mouth), root, made_by)
        progress.advance()


def _performed(clip: _Clip, role: tuple[str, int] | None, rest: Float, mouth: Mouth) -> FaceTrack:
    """The clip relative to its speaker's rest; with a role, an emotion acted over it."""
    from emotalk_cli.decoders.acting.acting_over import act_over, rested
    from emotalk_cli.decoders.direction.emotions import emotion_curve, level_intensity
    from emotalk_cli.decoders.motion import add_pose
    from emotalk_cli.decoders.training.targets import take_apart

    track, names = clip.track, clip.track.expression_names
    others = [name for name in names if name not in mouth.units]
    parts = take_apart(track, mouth, others, rest)
    labels = track.labels
    if role is None:
        motion = rested(parts, names, mouth)
        curve: EmotionCurve = emotion_curve(labels.emotion, labels.intensity)
    else:
        emotion, level = role
        intensity = level_intensity(level) if level else 1.0
        curve = emotion_curve(emotion, intensity)
        seed = hashlib.sha256(f"{labels.clip_id} {emotion}".encode()).digest()[:8]
        rng = np.random.default_rng(int.from_bytes(seed, "big"))
        motion = act_over(parts, names, mouth, clip.features, curve, track.fps, rng)
        labels = dataclasses.replace(labels, emotion=emotion, intensity=intensity)
    frames = len(track.expression)
    place = np.array(REST, np.float32)
    return dataclasses.replace(
        track,
        expression=motion.expression,
        head_pose=add_pose(place, motion.head_pose_delta),
        camera=np.array(CAMERA, np.float32),
        rest_pose=place,
        rest_expression=None,
        emotion_weights=curve.weights(np.arange(frames) / track.fps),
        labels=labels,
    )


def _write(clip: _Clip, name: str, track: FaceTrack, root: Path, made_by: MadeBy) -> None:
    labels: Labels = track.labels
    if name != TRAIN and labels.split != "test":
        track = dataclasses.replace(track, labels=dataclasses.replace(labels, split="test"))
    target = root / name / AUDIO / f"{labels.clip_id}{store.SUFFIX}"
    target.parent.mkdir(parents=True, exist_ok=True)
    sounds = clip.sounds if name == TRAIN else clip.sounds[:1]
    for sound in sounds:
        _share(sound, target.with_name(sound.name))
    track = dataclasses.replace(track, made_by=made_by)
    store.write(track, root / name / TRACKS / f"{labels.clip_id}{store.SUFFIX}")


def _share(source: Path, target: Path) -> None:
    """The same file under another name: a link where the disk allows one, else a copy."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
