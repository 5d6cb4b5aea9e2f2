"""One recording + decoders -> the motion of one person's face, a FaceTrack."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import parts, store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.progress import Progress
from emotalk_cli.schema import AudioFeatures, FaceTrack, Labels, MadeBy
from emotalk_cli.stages.video_options import LONG_S, MAX_S, VideoOptions

if TYPE_CHECKING:
    from emotalk_cli.decoders.checkpoint import Decoder
    from emotalk_cli.decoders.direction.direction import Direction
    from emotalk_cli.decoders.motion import Motion

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
"""The default checkpoints, `lip` and `emo`."""
KEPT_DECODERS = 4
"""So many stay loaded for the next video of a batch."""

Decoders = tuple["Decoder", "Decoder | None"]


def listen(
    audio: Path, options: VideoOptions, made_by: MadeBy, progress: Progress
) -> AudioFeatures:
    """The features of a recording that the lip decoder was trained on.

    Raises EmotalkError for a recording that cannot be used, or is longer than `options` allow.
    """
    from emotalk_cli.audio.features import extract_features
    from emotalk_cli.audio.waveform import load_waveform
    from emotalk_cli.decoders.checkpoint import read_spec

    spec, _ = read_spec(options.lip_decoder or WEIGHTS / "lip")
    _check_length(audio, options)
    waveform = load_waveform(audio, progress)
    return extract_features(
        waveform, parts.make(parts.SPEECH_ENCODERS, spec.encoder), made_by=made_by
    )


def _check_length(audio: Path, options: VideoOptions) -> None:
    """Refuse what would take hours, before it is decoded."""
    from emotalk_cli.media import probe

    duration_s = probe(audio).duration_s or 0.0
    if duration_s > MAX_S:
        raise EmotalkError(
            f"{audio} lasts {duration_s / 3600:.1f} hours; {MAX_S / 3600:.0f} are the most.",
            "Cut it into parts.",
        )
    if duration_s > LONG_S and not options.long:
        raise EmotalkError(
            f"{audio} lasts {duration_s / 60:.0f} min.",
            f"Add --long for recordings over {LONG_S / 60:.0f} min.",
        )


def load_decoders(lip_decoder: Path | None, emo_decoder: Path | None) -> Decoders:
    """The lip decoder (or a single one, which needs no other) and the emotion decoder."""
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    lip = _loaded(lip_decoder or WEIGHTS / "lip")
    model = load_default_face_model()
    if lip.spec.face_model_sha256 != model.sha256:
        raise EmotalkError(
            f"The lip decoder was trained on another face model ({lip.spec.face_model}, "
            f"{lip.spec.face_model_sha256[:12]}) than the one here ({model.sha256[:12]}).",
            "Run `emotalk fit-3dmm` and `emotalk train-lip` again with this version.",
        )
    if lip.spec.group == "single" and emo_decoder is None:
        return lip, None
    return lip, _loaded(emo_decoder or WEIGHTS / "emo")


def _loaded(folder: Path) -> Decoder:
    """A decoder, read again only where its weights have changed since."""
    weights = folder / "model.safetensors"
    return _read_decoder(folder, weights.stat().st_mtime_ns if weights.is_file() else 0)


@lru_cache(maxsize=KEPT_DECODERS)
def _read_decoder(folder: Path, changed_ns: int) -> Decoder:
    from emotalk_cli.decoders.checkpoint import load_decoder

    del changed_ns  # only tells one state of the folder from another
    return load_decoder(folder)


def direction_of(options: VideoOptions) -> Direction:
    """What the options ask of the performance; EmotalkError where that makes no sense."""
    from emotalk_cli.decoders.direction.direction import Direction, parse_gaze
    from emotalk_cli.decoders.direction.emotions import parse_emotion
    from emotalk_cli.decoders.direction.style import read_style

    return Direction(
        emotion=parse_emotion(options.emotion, options.intensity),
        upper_strength=options.upper_strength,
        lower_strength=options.lower_strength,
        head_motion=options.head_motion,
        blink_rate=options.blink_rate,
        gaze=parse_gaze(options.gaze),
        pose=store.read(options.pose, FaceTrack) if options.pose else None,
        style=read_style(_default_track(options.style)) if options.style else None,
    )


def _default_track(path: Path) -> FaceTrack:
    """The track in a file, which must have the units of the default face model."""
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    track = store.read(path, FaceTrack)
    if track.expression_names != load_default_face_model().expression_names:
        raise EmotalkError(
            f"{path} has the units of the face model {track.face_model}, not of the default one.",
            "Run `emotalk fit-3dmm` on its clip without --face-model.",
        )
    return track


def perform(
    features: AudioFeatures,
    still: FaceTrack,
    decoders: Decoders,
    direction: Direction,
    fps: float,
    seed: int,
) -> tuple[Motion, NDArray[np.float32]]:
    """What the decoders make of speech and direction: motion, and the emotion weights (T, 8)."""
    from emotalk_cli.decoders.direction.direction import weights_of
    from emotalk_cli.decoders.lips.mouth import mouth_of
    from emotalk_cli.decoders.sampling import Draw, sample_motion
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    frames = max(1, round(features.duration_s * fps))
    weights = weights_of(direction, features, np.arange(frames) / fps)
    motion = sample_motion(
        *decoders,
        features,
        weights,
        frames=frames,
        fps=fps,
        draw=Draw(seed=seed),
        mouth=mouth_of(load_default_face_model(), still.shape),
    )
    return motion, weights


def on_face(
    motion: Motion,
    weights: NDArray[np.float32] | None,
    features: AudioFeatures | None,
    still: FaceTrack,
    direction: Direction,
    fps: float,
    made_by: MadeBy,
) -> FaceTrack:
    """The motion as directed, added to how the face of `still` rests: the track of one video."""
    from emotalk_cli.decoders.direction.direction import direct
    from emotalk_cli.decoders.lips.mouth import mouth_of
    from emotalk_cli.decoders.motion import add_pose
    from emotalk_cli.face3d.models.default_model import load_default_face_model
    from emotalk_cli.face3d.rest import resting_expression

    model = load_default_face_model()
    motion = direct(
        motion,
        direction,
        features,
        fps=fps,
        seed=made_by.seed or 0,
        units=model.expression_names,
        mouth=mouth_of(model, still.shape),
        photo=still,
    )
    rest = resting_expression(still.expression[0], still.shape, model)
    frames = len(motion.expression)
    expression = (motion.expression + rest).astype(np.float32, copy=False)
    return replace(
        still,
        expression=np.clip(expression, 0.0, 1.0, out=expression),
        head_pose=add_pose(still.head_pose[0], motion.head_pose_delta),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        emotion_weights=weights,
        rest_pose=still.head_pose[0],
        rest_expression=rest,
        fps=fps,
        made_by=made_by,
        labels=Labels(clip_id="generated"),
    )
