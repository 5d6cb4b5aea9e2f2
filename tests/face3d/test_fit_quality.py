"""Warnings of a bad fit name the reason."""

import dataclasses

import numpy as np

from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.fitting.basis import basis_of
from emotalk_cli.face3d.fitting.fit import fit_sequence
from emotalk_cli.face3d.fitting.quality import FitQuality, fit_quality, fit_warnings
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.schema import MadeBy

GOOD = FitQuality(residual=0.012, unsteady=0.01, lost=0.0, yaw_deg=5.0, eyes_px=60.0, photo=False)


def test_a_good_fit_is_not_spoken_of() -> None:
    assert fit_warnings(GOOD) == ()
    assert fit_warnings(dataclasses.replace(GOOD, residual=0.023, photo=True), 0.2) == ()


def test_each_reason_is_named() -> None:
    bad = dataclasses.replace(GOOD, residual=0.05)
    reasons = {
        "turned by 50": fit_warnings(dataclasses.replace(bad, yaw_deg=50.0)),
        "small, 12 px": fit_warnings(dataclasses.replace(bad, eyes_px=12.0)),
        "is blurred": fit_warnings(bad, 0.05),
        "may hide the face.": fit_warnings(bad, 0.3),
        "hide the face, or the picture": fit_warnings(bad),
        "hides a part": fit_warnings(dataclasses.replace(GOOD, unsteady=0.04), 0.3),
        "lost in 40%": fit_warnings(dataclasses.replace(GOOD, lost=0.4)),
    }
    for words, notes in reasons.items():
        assert len(notes) == 1, words
        assert words in notes[0]
    assert "5.0%" in fit_warnings(bad)[0]


def test_quality_is_measured_on_the_frames_with_a_face() -> None:
    model = load_default_face_model()
    basis = basis_of(model)
    frames = 40
    pose = np.tile(np.array([0, 0.2, 0, 0, 0, -0.7], np.float32), (frames, 1))
    camera = np.array([768, 320, 240, 640, 480], np.float32)
    points = np.tile(basis.neutral, (frames, 1, 1))
    seen = project(points, pose, camera) + basis.offsets.slide_px(pose, camera)
    landmarks = np.concatenate([seen, -points[..., 2:] * 1000], axis=-1).astype(np.float32)
    valid = np.ones(frames, bool)
    valid[10:15] = False
    landmarks[~valid] = 5.0
    track = fit_sequence(landmarks, valid, 640, 480, 25.0, model, made_by=MadeBy("test", "0"))
    quality = fit_quality(landmarks, track)
    assert quality.lost == 0.125
    assert quality.residual < 0.01
    assert quality.unsteady < 1e-3
    assert abs(quality.yaw_deg - np.degrees(0.2)) < 2
    assert not quality.photo
    assert fit_warnings(quality) == ()
    rng = np.random.default_rng(0)
    shaken = landmarks + rng.normal(size=landmarks.shape).astype(np.float32) * 3
    assert "hides a part" in fit_warnings(fit_quality(shaken, track), 0.3)[0]
