"""Stage export: a FaceTrack becomes a file that animators' programs open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, live_link, safe_files, store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.import_motion import above_rest

Float = NDArray[np.float32]

FORMATS = {".csv": "Live Link Face CSV", ".glb": "glTF 2.0"}
OTHER_CLOCK_HZ = 60
"""A track whose frame rate time codes do not know is written at this one."""


@dataclass(frozen=True)
class Exported:
    """What was written: the file, its format in words, frames and their rate."""

    path: Path
    format: str
    frames: int
    fps: float


def export_motion(
    track: Path,
    out: Path,
    *,
    timecode: str = live_link.MIDNIGHT,
    overwrite: bool = False,
) -> Exported:
    """Write the motion of `track` (a FaceTrack) to `out`, by its suffix.

    .csv: the 52 ARKit units in Live Link Face's layout, without the person's own resting face,
    with the angles of head and eyes; the first row has `timecode` (hh:mm:ss:frame). .glb: the
    person's head as glTF 2.0 with the units as morph targets, the motion as animation. Raises
    EmotalkError for another suffix, a track of another face model, and where `out` exists and
    `overwrite` is not set.
    """
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    if out.suffix.lower() not in FORMATS:
        known = ", ".join(f"{suffix} ({name})" for suffix, name in FORMATS.items())
        raise EmotalkError(f"Motion cannot be written as {out.name}.", f"Known: {known}.")
    if out.exists() and not overwrite:
        raise EmotalkError(f"{out} exists already.", "Add --overwrite, or give another name.")
    record = store.read(track, FaceTrack)
    model = load_default_face_model()
    if record.expression_names != model.expression_names:
        raise EmotalkError(
            f"{track} has the units of the face model {record.face_model}, not ARKit's 52.",
            "Only motion of the default face model can be exported.",
        )
    safe_files.require_writable(out)
    if out.suffix.lower() == ".csv":
        return _write_csv(record, out, timecode)
    return _write_glb(record, out)


def _write_csv(track: FaceTrack, out: Path, timecode: str) -> Exported:
    from emotalk_cli.decoders.motion import pose_delta, resample

    fps = int(track.fps) if track.fps in live_link.CLOCKS_HZ else OTHER_CLOCK_HZ
    frames = max(1, round(len(track.expression) * fps / track.fps))
    at = np.arange(frames) * track.fps / fps
    order = [track.expression_names.index(name) for name in live_link.UNITS]
    expression = resample(above_rest(track), at)
    delta = resample(pose_delta(track.head_pose, track.valid, track.rest_pose), at)
    angles = np.concatenate(
        [live_link.head_angles(delta[:, :3]), _eye_angles(expression, track.expression_names)],
        axis=1,
    )
    live_link.write_live_link(out, expression[:, order], angles, fps, timecode)
    return Exported(out, FORMATS[".csv"], frames, float(fps))


def _write_glb(track: FaceTrack, out: Path) -> Exported:
    from emotalk_cli.decoders.motion import pose_delta
    from emotalk_cli.face3d.gltf import write_glb
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    delta = pose_delta(track.head_pose, track.valid, track.rest_pose)
    # The head is set upright, so its eyes look ahead and not where they did in a turned photo.
    looks = [n for n, name in enumerate(track.expression_names) if name.startswith("eyeLook")]
    expression = track.expression.copy()
    expression[:, looks] = above_rest(track)[:, looks]
    write_glb(
        out,
        load_default_face_model(),
        track.shape,
        expression,
        delta,
        track.fps,
        f"emotalk {__version__}",
    )
    return Exported(out, FORMATS[".glb"], len(track.expression), track.fps)


def _eye_angles(expression: Float, names: tuple[str, ...]) -> Float:
    """Yaw, pitch, roll (T, 6) rad of the left and of the right eye in the head."""
    from emotalk_cli.decoders.acting.gaze import (
        DOWN_DEG_PER_UNIT,
        UP_DEG_PER_UNIT,
        YAW_DEG_PER_UNIT,
    )

    def unit(name: str) -> Float:
        return expression[:, names.index(name)]

    columns = []
    for side, outward in (("Left", 1), ("Right", -1)):
        yaw = outward * YAW_DEG_PER_UNIT * (unit(f"eyeLookOut{side}") - unit(f"eyeLookIn{side}"))
        down = DOWN_DEG_PER_UNIT * unit(f"eyeLookDown{side}")
        pitch = down - UP_DEG_PER_UNIT * unit(f"eyeLookUp{side}")
        columns += [yaw, pitch, np.zeros_like(yaw)]
    return np.asarray(np.radians(np.stack(columns, axis=1)), np.float32)
