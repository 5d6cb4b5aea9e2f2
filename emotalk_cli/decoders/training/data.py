"""Takes: tracks and audio features paired by clip, split, and cut into batches of windows."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.conditions import Heard, emotion_input, hear, speech_names
from emotalk_cli.decoders.direction.emotions import emotion_curve
from emotalk_cli.decoders.groups import target
from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.targets import speaker_neutral, take_apart
from emotalk_cli.errors import EmotalkError
from emotalk_cli.progress import Progress
from emotalk_cli.schema import AudioFeatures, FaceTrack, Record
from emotalk_cli.store import SUFFIX, kind_of, read

Float = NDArray[np.float32]

HELD_OUT_SPLITS = ("test", "val", "validation")
MIN_SPEAKERS = 5
MIN_FRAMES = 12
HASH_RANGE = 1000


@dataclass(frozen=True)
class Take:
    """One clip ready to be learned: what was heard (and its variants), what was done.

    `target` (T, D) and `colour` (T, L) in natural units, `emotion` (T, 7), `valid` (T).
    """

    clip_id: str
    speaker: str
    split: str
    heard: tuple[Heard, ...]
    target: Float
    colour: Float
    emotion: Float
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Facts:
    """What all records of a corpus share."""

    face_model: str
    face_model_sha256: str
    expression_names: tuple[str, ...]
    fps: float
    encoder: str
    speech_names: tuple[str, ...]
    rate_hz: float
    speakers: int
    clips: int
    hours: float
    datasets: tuple[str, ...]


@dataclass(frozen=True)
class Records:
    """The records of a corpus, paired: clip id -> track and the audio features heard with it."""

    tracks: dict[str, FaceTrack]
    audio: dict[str, list[AudioFeatures]]
    facts: Facts


def read_records(tracks: Path, audio: Path, progress: Progress) -> Records:
    """Read the FaceTracks of one folder and the AudioFeatures of another, paired by file name.

    `<clip>.h5` in both; `<clip>.<anything>.h5` in `audio` are further recordings of the same clip.
    Raises EmotalkError where nothing pairs or the records do not belong together.
    """
    _refuse_swapped(tracks, audio)
    paths = sorted(tracks.glob(f"*{SUFFIX}"))
    heard = _audio_paths(audio)
    paired = [path for path in paths if path.stem in heard]
    if not paired:
        raise EmotalkError(
            f"No clip has both a track in {tracks} ({len(paths)} found) and audio features in "
            f"{audio} ({len(heard)} clips found).",
            "Run `emotalk fit-3dmm` and `emotalk extract-audio` on the same clips.",
        )
    if len(paired) < len(paths):
        progress.note(f"{len(paths) - len(paired)} tracks have no audio features: left out.")
    progress.task("Reading records", len(paired))
    found: dict[str, FaceTrack] = {}
    sounds: dict[str, list[AudioFeatures]] = {}
    for path in paired:
        found[path.stem] = read(path, FaceTrack)
        sounds[path.stem] = [read(sound, AudioFeatures) for sound in heard[path.stem]]
        progress.advance()
    return Records(found, sounds, _facts(found, sounds))


def make_takes(records: Records, group: str, mouth: Mouth) -> list[Take]:
    """Records -> what the group learns from, clip by clip; too short clips are left out."""
    by_speaker: dict[str, list[FaceTrack]] = {}
    for track in records.tracks.values():
        by_speaker.setdefault(track.labels.speaker, []).append(track)
    neutral = {name: speaker_neutral(tracks, mouth) for name, tracks in by_speaker.items()}
    others = [n for n in records.facts.expression_names if n not in mouth.units]
    takes = []
    for clip_id, track in records.tracks.items():
        heard = tuple(hear(sound) for sound in records.audio[clip_id])
        parts = take_apart(track, mouth, others, neutral[track.labels.speaker])
        frames = min(len(track.expression), int(heard[0].duration_s * track.fps) + 1)
        if frames >= MIN_FRAMES:
            take = Take(
                clip_id=clip_id,
                speaker=track.labels.speaker,
                split=track.labels.split,
                heard=heard,
                target=target(group, parts)[:frames],
                colour=parts.colour[:frames],
                emotion=emotion_input(_emotion_weights(track)[:frames]),
                valid=parts.valid[:frames],
            )
            takes.append(take)
    if not takes:
        raise EmotalkError("No clip is long enough to learn from.", f"{MIN_FRAMES} frames needed.")
    return takes


def is_held_out(name: str, share: float) -> bool:
    """A fixed rule: sha256 of the name, modulo 1000, below the share. The same on any machine."""
    number = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    return number % HASH_RANGE < round(share * HASH_RANGE)


def split(takes: Sequence[Take], config: TrainConfig) -> tuple[list[Take], list[Take]]:
    """Takes to learn from, and takes to validate on: other speakers if there are enough.

    A corpus's own split is kept: clips marked test are used for neither.
    """
    usable = [take for take in takes if take.split != "test"]
    speakers = sorted({take.speaker for take in usable})
    if any(take.split in HELD_OUT_SPLITS for take in usable):
        held = {take.clip_id for take in usable if take.split in HELD_OUT_SPLITS}
    elif config.validation_speakers:
        held = {t.clip_id for t in usable if t.speaker in config.validation_speakers}
    elif config.validation == "speakers" or (
        config.validation == "auto" and len(speakers) >= MIN_SPEAKERS
    ):
        out = _some(speakers, config.validation_share)
        held = {take.clip_id for take in usable if take.speaker in out}
    else:
        held = _some([take.clip_id for take in usable], config.validation_share)
    training = [take for take in usable if take.clip_id not in held]
    validation = [take for take in usable if take.clip_id in held]
    if not training:
        raise EmotalkError("Every clip is held out; none is left to learn from.", "Add clips.")
    return training, validation or training[:1]


def _some(names: Sequence[str], share: float) -> set[str]:
    """The names that the rule holds out, one at least where there are several."""
    held = {name for name in names if is_held_out(name, share)}
    if not held and len(names) > 1:  # few names: the one that the rule ranks first
        held = {min(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())}
    return held


def _emotion_weights(track: FaceTrack) -> Float:
    """Emotion of each frame (T, 8): the track's own, or as the clip is labelled."""
    if track.emotion_weights is not None:
        return track.emotion_weights
    curve = emotion_curve(track.labels.emotion, track.labels.intensity)
    return curve.weights(np.zeros(len(track.expression)))


def _refuse_swapped(tracks: Path, audio: Path) -> None:
    """Raise EmotalkError where each folder holds what the other should."""
    if _first_kind(tracks) is AudioFeatures and _first_kind(audio) is FaceTrack:
        raise EmotalkError(
            f"{tracks} holds audio features and {audio} face tracks: they are swapped.",
            f"Give the tracks first: {audio} {tracks}",
        )


def _first_kind(folder: Path) -> type[Record] | None:
    """Which records a folder holds, by its first; None where there is none that can be read."""
    first = next(iter(sorted(folder.glob(f"*{SUFFIX}"))), None)
    with contextlib.suppress(EmotalkError):
        return kind_of(first) if first else None
    return None


def _audio_paths(folder: Path) -> dict[str, list[Path]]:
    """Clip id -> its recordings, the plain one first; a clip without a plain one is left out."""
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    plain = {path.stem for path in paths}
    found: dict[str, list[Path]] = {}
    for path in sorted(paths, key=lambda path: len(path.stem)):
        clip = path.stem
        owner, dot, _ = clip.rpartition(".")
        found.setdefault(owner if dot and owner in plain else clip, []).append(path)
    return found


def _facts(tracks: dict[str, FaceTrack], sounds: dict[str, list[AudioFeatures]]) -> Facts:
    """What all records share; raises EmotalkError naming the first that differs."""
    first = next(iter(tracks.values()))
    sound = next(iter(sounds.values()))[0]
    for clip_id, track in tracks.items():
        for name in ("face_model_sha256", "expression_names", "fps"):
            _same(clip_id, name, getattr(track, name), getattr(first, name), "fit-3dmm")
        if len(track.shape) != len(first.shape):
            _same(clip_id, "the number of shapes", len(track.shape), len(first.shape), "fit-3dmm")
        for other in sounds[clip_id]:
            for name in ("encoder", "speech_names", "rate_hz"):
                _same(clip_id, name, getattr(other, name), getattr(sound, name), "extract-audio")
    seconds = sum(len(track.expression) / track.fps for track in tracks.values())
    return Facts(
        face_model=first.face_model,
        face_model_sha256=first.face_model_sha256,
        expression_names=first.expression_names,
        fps=first.fps,
        encoder=sound.encoder,
        speech_names=speech_names(sound),
        rate_hz=sound.rate_hz,
        speakers=len({track.labels.speaker for track in tracks.values()}),
        clips=len(tracks),
        hours=seconds / 3600,
        datasets=tuple(sorted({track.labels.dataset for track in tracks.values()} - {""})),
    )


def _same(clip_id: str, name: str, found: object, expected: object, stage: str) -> None:
    """Raise EmotalkError unless the two are equal."""
    if found != expected:
        raise EmotalkError(
            f"The records do not belong together: {name} of {clip_id} is {str(found)[:60]}, of "
            f"others {str(expected)[:60]}.",
            f"Make them all with the same options of `emotalk {stage}`.",
        )
