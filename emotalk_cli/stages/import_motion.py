"""Import of motion: a FaceTrack, a Live Link Face CSV or a BEAT JSON drives a face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import FaceTrack

if TYPE_CHECKING:
    from emotalk_cli.decoders.motion import Motion
    from emotalk_cli.live_link import Capture

Float = NDArray[np.float32]

SUFFIXES = (store.SUFFIX, ".csv", ".json")
EYE_REST = ("eyeBlink", "eyeSquint", "eyeWide")
"""A track that does not know its resting face has narrow or wide eyes of its own, which are not
put on other eyes; the rest of its face is taken as motion."""
REST_QUANTILE = 0.1
ASKEW_RAD = 0.15
"""A captured head that is turned by more than this throughout was filmed from there: what counts
is its motion around the middle. Postures of emotions are less."""


def read_motion(path: Path, fps: float, progress: Progress = Quiet()) -> Motion:
    """Motion of a file at `fps`: expression (T, E) above rest and head deltas (T, 6).

    The units are those of the default face model, in its order. Raises EmotalkError for a file
    that holds no motion, or that of another face model.
    """
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    if path.suffix.lower() not in SUFFIXES:
        raise EmotalkError(
            f"{path} holds no motion that can be read.",
            "Give a .h5 of generate, fit-3dmm or preprocess, or a Live Link Face .csv.",
        )
    if not path.is_file():
        raise EmotalkError(f"There is no file {path}.", "Check the path of the motion.")
    if path.suffix.lower() == store.SUFFIX:
        return _of_track(path, fps)
    from emotalk_cli.datasets.arkit import read_capture

    capture = read_capture(path)
    for note in capture.notes:
        progress.note(f"{path.name}: {note}")
    return _of_capture(capture, fps, load_default_face_model().expression_names)


def above_rest(track: FaceTrack) -> Float:
    """A track's expression (T, E) without its resting face, as far as that is known."""
    rest = track.rest_expression
    if rest is None:
        seen = track.expression[track.valid] if track.valid.any() else track.expression
        eyes = np.array([name.startswith(EYE_REST) for name in track.expression_names])
        rest = np.where(eyes, np.quantile(seen, REST_QUANTILE, axis=0), 0.0)
    return np.asarray(np.clip(track.expression - rest, 0.0, 1.0), np.float32)


def _of_track(path: Path, fps: float) -> Motion:
    from emotalk_cli.decoders.motion import Motion, pose_delta, resample
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    track = store.read(path, FaceTrack)
    model = load_default_face_model()
    if track.expression_names != model.expression_names:
        raise EmotalkError(
            f"{path} has the units of the face model {track.face_model}, not of the default one.",
            "Give a track of this version, or export it as a Live Link Face CSV first.",
        )
    frames = max(1, round(len(track.expression) * fps / track.fps))
    at = np.arange(frames) * track.fps / fps
    delta = pose_delta(track.head_pose, track.valid, track.rest_pose)
    return Motion(resample(above_rest(track), at), resample(delta, at))


def _of_capture(capture: Capture, fps: float, names: tuple[str, ...]) -> Motion:
    """Motion of a capture, whose 0 is rest by ARKit's definition; its head only turns."""
    from emotalk_cli.decoders.motion import Motion, pose_delta

    expression, _ = capture.at_rate(fps, names)
    pose = np.zeros((len(expression), 6), np.float32)
    pose[:, :3] = capture.head_at_rate(fps)
    if np.linalg.norm(pose[:, :3].mean(axis=0)) > ASKEW_RAD:
        pose = pose_delta(pose)
    return Motion(expression, pose)
