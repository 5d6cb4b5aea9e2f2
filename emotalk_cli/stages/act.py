"""Stage act: voices and the prior of emotions become a corpus for `train-emo`."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emotalk_cli import __version__, safe_files, store
from emotalk_cli.decoders.direction.emotions import (
    EMOTIONS,
    NEUTRAL,
    EmotionCurve,
    emotion_curve,
    emotion_index,
    level_intensity,
    parse_emotion,
)
from emotalk_cli.errors import EmotalkError
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import AudioFeatures, FaceTrack, Float, Labels, MadeBy

if TYPE_CHECKING:
    from emotalk_cli.decoders.motion import Motion
    from emotalk_cli.face3d.models.linear_model import FaceModel

FPS = 25.0
SECONDS = 24.0
"""Least length of a performance: some windows of the decoder."""
TAKES = 6
"""Performances of each emotion at each level, and of changing emotions per emotion."""
MEASURED_SHARE = 0.5
"""Share of the performances that keep a real head's motion where tracks are given."""
KEY_GAP_S = (2.0, 5.0)
LOWEST_STRENGTH = 0.15
MIX_CHANCE = 0.25
CAMERA = (1100.0, 256.0, 256.0, 512.0, 512.0)
DISTANCE_M = 0.75
"""Where the head rests before the camera of the records; nobody looks through it."""


@dataclass(frozen=True)
class _Role:
    """One performance to be made: its name, labels and emotion over time."""

    clip_id: str
    emotion: str
    intensity: float
    changing: bool = False


@dataclass(frozen=True)
class _Voice:
    """One recording's features with the speech cut out, and the motion measured with it."""

    features: AudioFeatures
    motion: Motion | None


def act(
    audio: Path,
    out: Path,
    *,
    emotions: Sequence[str] = EMOTIONS,
    levels: Sequence[int] = (1, 2, 3),
    tracks: Path | None = None,
    held_out: float = 0.0,
    takes: int = TAKES,
    limit: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a corpus that shows what the prior knows of emotion: `out`/tracks and `out`/audio.

    `audio`: folder of AudioFeatures; recordings of one speaker are joined to SECONDS. `tracks`:
    folder of neutral FaceTracks of the same recordings, whose head and upper face then move in
    half of the performances. `held_out`: leave out the recordings that a training with this
    `validation_share` holds out, so that they remain unheard. Per emotion: `takes` performances at
    each of `levels`, and as many whose emotion changes on the way. `limit`: at most so many
    performances in all. Mouths hold only what the emotion does to them. Raises EmotalkError
    where there is no voice.
    """
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    told = progress or Quiet()
    model = load_default_face_model()
    voices, digest = _read_voices(audio, tracks, held_out, model, told)
    roles = _roles(emotions, levels, takes)[:limit]
    made_by = MadeBy(
        "act",
        __version__,
        {"emotions": list(emotions), "levels": list(levels), "takes": takes},
        seed,
        digest,
    )
    told.task("Acting", len(roles))
    for role in roles:
        track_path = out / "tracks" / (role.clip_id + store.SUFFIX)
        sound_path = out / "audio" / (role.clip_id + store.SUFFIX)
        done = [
            store.is_done(path, made_by, overwrite=overwrite) for path in (track_path, sound_path)
        ]
        if not all(done):
            track, sound = _perform(role, voices, model, made_by)
            store.write(sound, sound_path)
            store.write(track, track_path)
        told.advance()
    return out


def _roles(emotions: Sequence[str], levels: Sequence[int], takes: int) -> list[_Role]:
    """All performances, so mixed that a limit keeps some of each emotion."""
    names = [EMOTIONS[emotion_index(name)] for name in emotions]
    roles = []
    for take in range(takes):
        for level in levels:
            for name in names:
                strength = level_intensity(level)
                if name == "neutral" and level != levels[0]:
                    continue
                clip_id = f"{name}_{level}_{take:03d}"
                roles.append(_Role(clip_id, name, 1.0 if name == "neutral" else strength))
        roles += [_Role(f"changing_{name}_{take:03d}", name, 1.0, True) for name in names]
    return roles


def _perform(
    role: _Role, voices: dict[str, list[_Voice]], model: FaceModel, made_by: MadeBy
) -> tuple[FaceTrack, AudioFeatures]:
    """One performance, decided by the seed and the role's name alone."""
    from emotalk_cli.decoders.acting.performance import act_face
    from emotalk_cli.decoders.acting.speech_beats import beats_of
    from emotalk_cli.decoders.acting.voice_reel import join
    from emotalk_cli.decoders.motion import add_pose

    name = hashlib.sha256(role.clip_id.encode()).digest()[:8]
    rng = np.random.default_rng((made_by.seed or 0, int.from_bytes(name, "big")))
    speaker = _speaker(voices, rng)
    chosen = _enough(voices[speaker], rng)
    reel = join([(voice.features, voice.motion) for voice in chosen], FPS, made_by, rng)
    frames = int(reel.features.duration_s * FPS)
    times_s = np.arange(frames) / FPS
    curve = _timeline(role, times_s[-1], rng) if role.changing else _steady(role)
    beats = beats_of(reel.features, times_s)
    measured = reel.motion if rng.random() < MEASURED_SHARE else None
    motion = act_face(beats, curve, model.expression_names, rng, measured)
    weights = curve.weights(times_s)
    labels = Labels(role.clip_id, "acted", f"acted-{speaker}", *_strongest(weights))
    rest = np.array([0, 0, 0, 0, 0, -DISTANCE_M], np.float32)
    track = FaceTrack(
        made_by=made_by,
        shape=np.zeros(model.identity_basis.shape[0], np.float32),
        expression=motion.expression,
        head_pose=add_pose(rest, motion.head_pose_delta),
        camera=np.array(CAMERA, np.float32),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        emotion_weights=weights,
        rest_pose=rest,
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=model.expression_names,
        fps=FPS,
        labels=labels,
    )
    return track, dataclasses.replace(reel.features, labels=labels)


def _strongest(weights: Float) -> tuple[str, float]:
    """The emotion that a performance is labelled with, and its strength: the most there is."""
    told = np.delete(np.arange(len(EMOTIONS)), NEUTRAL)
    total = weights[:, told].sum(axis=0)
    if not total.any():
        return EMOTIONS[NEUTRAL], 1.0
    index = int(told[total.argmax()])
    return EMOTIONS[index], float(weights[:, index].max())


def _steady(role: _Role) -> EmotionCurve:
    return emotion_curve(role.emotion, role.intensity)


def _timeline(role: _Role, duration_s: float, rng: np.random.Generator) -> EmotionCurve:
    """An emotion that comes and goes between others, neutral often among them."""
    keys, now, own = [], 0.0, bool(rng.random() < 0.5)
    while now < duration_s:
        name = role.emotion if own else str(rng.choice([*EMOTIONS, "neutral", "neutral"]))
        strength = float(rng.uniform(LOWEST_STRENGTH, 1.0))
        key = f"{now:.2f} {name}:{strength:.2f}"
        if rng.random() < MIX_CHANCE:
            key += f" + {rng.choice(EMOTIONS)}:{float(rng.uniform(0, 1 - strength)):.2f}"
        keys.append(key)
        now += float(rng.uniform(*KEY_GAP_S))
        own = not own
    return parse_emotion(", ".join(keys))


def _speaker(voices: dict[str, list[_Voice]], rng: np.random.Generator) -> str:
    """A speaker, more often one with more to say: by the root of the total duration."""
    names = sorted(voices)
    seconds = [sum(voice.features.duration_s for voice in voices[name]) for name in names]
    share = np.sqrt(seconds)
    return str(rng.choice(names, p=share / share.sum()))


def _enough(voices: list[_Voice], rng: np.random.Generator) -> list[_Voice]:
    """Recordings of one speaker, drawn until there are SECONDS of them."""
    chosen: list[_Voice] = []
    while sum(voice.features.duration_s for voice in chosen) < SECONDS:
        chosen.append(voices[int(rng.integers(len(voices)))])
    return chosen


def _read_voices(
    audio: Path, tracks: Path | None, held_out: float, model: FaceModel, progress: Progress
) -> tuple[dict[str, list[_Voice]], dict[str, str]]:
    """Voices by speaker, and the digest of all files that they come from."""
    from emotalk_cli.decoders.training.data import is_held_out

    names = sorted(path.stem for path in audio.glob(f"*{store.SUFFIX}"))
    paths = [
        audio / (name + store.SUFFIX)
        for name in names
        if not any(is_held_out(clip, held_out) for clip in _clips_of(name))
    ]
    if not names:
        raise EmotalkError(
            f"{audio} holds no audio features.", "Run `emotalk extract-audio` on some speech first."
        )
    if not paths:
        raise EmotalkError(
            f"All {len(names)} recordings in {audio} are held out at the share {held_out:g}.",
            "Give more recordings, or hold out fewer.",
        )
    progress.task("Reading voices", len(paths))
    voices: dict[str, list[_Voice]] = {}
    used = []
    for path in paths:
        used.append(path)
        features = store.read(path, AudioFeatures)
        motion = None
        track_path = _track_of(path, tracks) if tracks else None
        if track_path:
            used.append(track_path)
            motion = _motion(store.read(track_path, FaceTrack), model, track_path)
        voice = _cut(features, motion)
        voices.setdefault(features.labels.speaker or path.stem, []).append(voice)
        progress.advance()
    return voices, {"voices": safe_files.sha256_of_all(used)}


def _clips_of(recording: str) -> list[str]:
    """The clips that a recording may be of: `CLIP.anything` is one more recording of CLIP."""
    return [name for name in (recording, recording.rpartition(".")[0]) if name]


def _track_of(audio: Path, tracks: Path) -> Path | None:
    """The track of a recording, where there is one."""
    found = (tracks / (name + store.SUFFIX) for name in _clips_of(audio.stem))
    return next((path for path in found if path.is_file()), None)


def _cut(features: AudioFeatures, motion: Motion | None) -> _Voice:
    from emotalk_cli.decoders.acting.voice_reel import cut_speech

    cut, moved = cut_speech(features, motion, FPS)
    duration_s = len(cut.energy_db) / cut.rate_hz
    return _Voice(dataclasses.replace(cut, duration_s=duration_s), moved)


def _motion(track: FaceTrack, model: FaceModel, path: Path) -> Motion:
    """The motion of a neutral track relative to its own rest."""
    from emotalk_cli.decoders.motion import Motion, pose_delta, resample

    if track.expression_names != model.expression_names:
        raise EmotalkError(
            f"{path} has the units of the face model {track.face_model}, not of the default one.",
            "Run `emotalk fit-3dmm` on the clips again.",
        )
    at = np.arange(0, len(track.expression) - 1, track.fps / FPS)
    delta = pose_delta(track.head_pose, track.valid, track.rest_pose)
    return Motion(resample(track.expression, at), resample(delta, at))
