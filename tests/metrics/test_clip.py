"""One clip scored: a perfect row on itself, and a ladder of damage that each metric must climb."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.clip import ScoredClip, Side, score_clip
from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.metrics.timing import cut_track, on_same_face, track_at_rate
from emotalk_cli.schema import FaceTrack, Labels

Damage = Callable[[FaceTrack, float], FaceTrack]


def side(track: FaceTrack, surface: FaceSurface) -> Side:
    return Side(track.labels, len(track.valid), track.fps, track=track, surface=surface)


def scored(made: FaceTrack, real: FaceTrack, surface: FaceSurface) -> ScoredClip:
    return score_clip(
        "made", "a", [side(made, surface)], side(real, surface), None, lambda name: True
    )


def values(clip: ScoredClip, system: str = "made") -> dict[str, float]:
    return {row.metric: row.value for row in clip.rows if row.system == system}


def late(track: FaceTrack, frames: float) -> FaceTrack:
    at = np.clip(np.arange(len(track.expression)) - int(frames), 0, None)
    return replace(track, expression=track.expression[at])


def damped(track: FaceTrack, share: float) -> FaceTrack:
    expression = track.expression.copy()
    mean = expression[:, 0].mean()
    expression[:, 0] = mean + (1 - share) * (expression[:, 0] - mean)
    return replace(track, expression=expression)


def noisy(track: FaceTrack, size: float) -> FaceTrack:
    noise = np.random.default_rng(7).standard_normal(track.expression.shape)
    expression = np.clip(track.expression + size * noise, 0, 1).astype(np.float32)
    return replace(track, expression=expression)


def frozen_brows(track: FaceTrack, share: float) -> FaceTrack:
    expression = track.expression.copy()
    expression[:, 1] *= 1 - share
    return replace(track, expression=expression)


@pytest.mark.parametrize(
    ("damage", "steps", "metric", "sign"),
    [
        (late, [0, 1, 2, 3, 4, 5], "|lip lag|", 1),
        (late, [0, 1, 2, 3], "lip r", -1),
        (late, [0, 1, 2, 3], "LVE", 1),
        (late, [0, 1, 2, 3], "M-LMD", 1),
        (damped, [0, 0.2, 0.4, 0.6, 0.8], "lip amplitude", -1),
        (damped, [0, 0.2, 0.4, 0.6, 0.8], "MOD", 1),
        (damped, [0, 0.2, 0.4, 0.6, 0.8], "LVE", 1),
        (noisy, [0, 0.02, 0.05, 0.1, 0.2], "jitter", 1),
        (noisy, [0, 0.02, 0.05, 0.1, 0.2], "MVE", 1),
        (noisy, [0, 0.02, 0.05, 0.1, 0.2], "F-LVD", 1),
        (noisy, [0, 0.02, 0.05, 0.1, 0.2], "expression error, brow", 1),
        (frozen_brows, [0, 0.3, 0.6, 0.9], "FDD", 1),
        (frozen_brows, [0, 0.3, 0.6, 0.9], "EVE", 1),
    ],
)
def test_more_damage_scores_worse(
    damage: Damage,
    steps: list[float],
    metric: str,
    sign: int,
    surface: FaceSurface,
    talking: FaceTrack,
) -> None:
    found = [values(scored(damage(talking, step), talking, surface))[metric] for step in steps]
    assert (np.diff(found) * sign > 0).all(), found


def test_itself_is_perfect(surface: FaceSurface, talking: FaceTrack) -> None:
    clip = scored(talking, talking, surface)
    found, own = values(clip), values(clip, "reference")
    for name in ("LVE", "EVE", "MVE", "FDD", "MOD", "M-LMD", "F-LMD", "M-LVD", "|lip lag|"):
        assert found[name] == pytest.approx(0, abs=1e-5), name
    for name in ("lip r", "lip amplitude", "lip closures kept"):
        assert found[name] == pytest.approx(1), name
    assert own and all(found[name] == pytest.approx(value) for name, value in own.items())
    assert not clip.notes


def test_another_persons_shape_is_no_error(surface: FaceSurface, talking: FaceTrack) -> None:
    bigger = replace(talking, shape=np.array([0.3], np.float32))
    assert values(scored(bigger, talking, surface))["LVE"] == pytest.approx(0, abs=1e-6)


def test_own_head_motion_does_not_move_the_landmarks(
    surface: FaceSurface, talking: FaceTrack
) -> None:
    pose = talking.head_pose.copy()
    pose[:, 1] = 0.3
    found = values(scored(replace(talking, head_pose=pose), talking, surface))
    assert found["F-LMD"] == pytest.approx(0, abs=1e-5)
    assert found["head rotation error"] == pytest.approx(np.degrees(0.3), rel=1e-3)


def test_lengths_and_rates_are_brought_together(surface: FaceSurface, talking: FaceTrack) -> None:
    double = track_at_rate(talking, 50.0)
    assert len(double.valid) == 99
    np.testing.assert_allclose(double.expression[::2], talking.expression, atol=1e-6)
    made, real = on_same_face(double, talking)
    assert made.fps == real.fps and len(made.valid) == len(real.valid) == 50
    clip = scored(double, talking, surface)
    assert values(clip)["LVE"] == pytest.approx(0, abs=1e-6)
    assert len(clip.notes) == 1 and "50 frames a second" in clip.notes[0]


def test_a_shorter_prediction_is_noted(surface: FaceSurface, talking: FaceTrack) -> None:
    short = replace(
        talking,
        expression=talking.expression[:40],
        head_pose=talking.head_pose[:40],
        residual_px=talking.residual_px[:40],
        valid=talking.valid[:40],
    )
    clip = scored(short, talking, surface)
    assert "40 predicted frames against 50" in clip.notes[0]
    assert len(clip.drawn.reference.values) == 40


def test_samples_are_averaged_and_their_variety_measured(
    surface: FaceSurface, talking: FaceTrack
) -> None:
    real, wrong = side(talking, surface), side(damped(talking, 0.5), surface)
    clip = score_clip("made", "a", [real, wrong], real, None, lambda name: True)
    assert values(clip)["lip amplitude"] == pytest.approx(0.75, rel=1e-4)
    assert values(clip)["diversity"] > 0


def test_labels_and_selection(surface: FaceSurface, talking: FaceTrack) -> None:
    labelled = replace(talking, labels=Labels(speaker="M003", emotion="sad"))
    clip = score_clip(
        "made", "a", [side(talking, surface)], side(labelled, surface), None, {"LVE"}.__contains__
    )
    (row,) = clip.rows
    assert (row.metric, row.speaker, row.emotion, row.better) == ("LVE", "M003", "sad", "lower")


def test_landmarks_alone_are_enough(surface: FaceSurface, talking: FaceTrack) -> None:
    whole = side(talking, surface)
    seen = Side(Labels(), 50, 25.0, landmarks=whole.aligned())
    clip = score_clip("made", "a", [whole], seen, None, lambda name: True)
    found = values(clip)
    assert found["M-LMD"] == pytest.approx(0, abs=1e-4) and found["lip r"] == pytest.approx(1)
    assert "LVE" not in found and found["MOD on crop"] == pytest.approx(0, abs=1e-4)


def test_a_still_face_scores_no_correlation(surface: FaceSurface, talking: FaceTrack) -> None:
    rest: NDArray[np.float32] = np.zeros_like(talking.expression)
    found = values(scored(replace(talking, expression=rest), talking, surface))
    assert found["lip r"] == 0 and found["lip amplitude"] == pytest.approx(0, abs=1e-6)
    assert "lip lag" not in found


def test_an_empty_side_is_refused(surface: FaceSurface, talking: FaceTrack) -> None:
    with pytest.raises(EmotalkError, match="no frame"):
        scored(cut_track(talking, 0), talking, surface)
