"""One capture by ARKit becomes one FaceTrack, as fit-3dmm would write it."""

from __future__ import annotations

from typing import Any

import numpy as np

from emotalk_cli import __version__, safe_files, store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import FaceTrack, MadeBy
from emotalk_cli.stages.clip_making import STAGE, ClipDone, ClipJob, refuse_wrong
from emotalk_cli.stages.track_making import load_face_model

DISTANCE_M = 0.7
CAMERA = (1400.0, 512.0, 512.0, 1024.0, 1024.0)  # focal length, centre and size in px


def options_of(job: ClipJob) -> dict[str, Any]:
    """What decides about the record beside its inputs."""
    return {"fps": job.options.fps, "labels": job.source.labels}


def make_track(job: ClipJob) -> ClipDone:
    """Make the FaceTrack of one capture, unless it is there already.

    The head stands still before the camera and has the mean shape: a capture says neither.
    """
    from emotalk_cli.datasets.arkit import read_capture

    source, fps = job.source, job.options.fps
    refuse_wrong(source)
    if source.sound is None:
        raise EmotalkError(f"There is no {source.missing_sound} beside {source.path}.")
    model = load_face_model("default")
    inputs = {
        "capture": safe_files.sha256_of(source.path),
        "sound": safe_files.sha256_of(source.sound),
        "face_model": model.sha256,
    }
    made_by = MadeBy(STAGE, __version__, options_of(job), inputs=inputs)
    skipped = store.is_done(job.path, made_by, overwrite=job.overwrite)
    notes: tuple[str, ...] = ()
    if not skipped:
        capture = read_capture(source.path)
        notes = capture.notes
        expression, valid = capture.at_rate(fps, model.expression_names)
        pose = np.tile(np.array([0, 0, 0, 0, 0, -DISTANCE_M], np.float32), (len(valid), 1))
        track = FaceTrack(
            made_by=made_by,
            shape=np.zeros(len(model.identity_basis), np.float32),
            expression=expression,
            head_pose=pose,
            camera=np.array(CAMERA, np.float32),
            residual_px=np.zeros(len(valid), np.float32),
            valid=valid,
            face_model=model.name,
            face_model_sha256=model.sha256,
            expression_names=model.expression_names,
            fps=fps,
            labels=source.labels,
        )
        store.write(track, job.path)
    frames = store.array_shape(job.path, "expression")[0]
    return ClipDone(frames, frames / fps, safe_files.sha256_of(job.path), skipped, notes)
