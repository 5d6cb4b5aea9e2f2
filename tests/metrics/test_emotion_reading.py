"""The reader of emotions: learns what is there, keeps it, refuses what does not fit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.emotion_reading import (
    confusion,
    load_reader,
    save_reader,
    statistics_of,
    train_reader,
)
from emotalk_cli.schema import FaceTrack, Labels


def acted(still: FaceTrack, emotion: str, strength: float, seed: int) -> FaceTrack:
    """Happy raises the brow, sad closes the left eye, neutral does neither."""
    rng = np.random.default_rng(seed)
    expression = 0.1 * rng.random(still.expression.shape).astype(np.float32)
    expression[:, 0] = rng.random(len(expression))  # the jaw tells nothing
    if emotion == "happy":
        expression[:, 1] += strength
    if emotion == "sad":
        expression[:, 2] += strength
    return replace(still, expression=expression.clip(0, 1), labels=Labels(emotion=emotion))


@pytest.fixture
def tracks(still: FaceTrack) -> list[FaceTrack]:
    names = ("happy", "neutral", "sad")
    return [acted(still, names[n % 3], 0.3 + 0.5 * (n % 2), n) for n in range(60)]


def test_it_reads_faces_it_never_saw(still: FaceTrack, tracks: list[FaceTrack]) -> None:
    reader = train_reader(tracks, "a test")
    for n, emotion in enumerate(("happy", "neutral", "sad")):
        track = acted(still, emotion, 0.4, 100 + n)
        assert reader.read(track) == emotion
        assert reader.probabilities(track).sum() == pytest.approx(1)


def test_statistics_look_at_valid_frames_alone(still: FaceTrack) -> None:
    expression = still.expression.copy()
    expression[25:] = 1
    valid = np.arange(50) < 25
    found = statistics_of(replace(still, expression=expression, valid=valid))
    assert found.shape == (3 * expression.shape[1],) and not found.any()


def test_logistic_regression_agrees_with_sklearn(tracks: list[FaceTrack]) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    reader = train_reader(tracks)
    rows = np.array([(statistics_of(t) - reader.mean) / reader.scale for t in tracks])
    labels = [track.labels.emotion for track in tracks]
    theirs = linear.LogisticRegression(C=1.0, max_iter=5000, tol=1e-8).fit(rows, labels)
    ours = np.array([reader.probabilities(track) for track in tracks])
    np.testing.assert_allclose(ours, theirs.predict_proba(rows), atol=0.01)


def test_it_comes_back_from_its_file(tracks: list[FaceTrack], tmp_path: Path) -> None:
    reader = train_reader(tracks, "a test")
    again = load_reader(save_reader(reader, tmp_path / "r.json"))
    assert again.learned_from == "a test"
    for track in tracks[:6]:
        np.testing.assert_allclose(
            again.probabilities(track), reader.probabilities(track), atol=1e-3
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "other"}, "no emotion reader"),
        ({"bias": [0.0]}, "damaged: bias"),
        ({"weights": "x"}, "no emotion reader"),
    ],
)
def test_other_files_are_refused(
    change: dict[str, object], message: str, tracks: list[FaceTrack], tmp_path: Path
) -> None:
    path = save_reader(train_reader(tracks), tmp_path / "r.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(EmotalkError, match=message):
        load_reader(path)
    with pytest.raises(EmotalkError, match="Cannot read"):
        load_reader(tmp_path / "none.json")


def test_what_cannot_be_read_is_refused(still: FaceTrack, tracks: list[FaceTrack]) -> None:
    with pytest.raises(EmotalkError, match="1 emotion"):
        train_reader([track for track in tracks if track.labels.emotion == "happy"])
    other = replace(still, expression_names=("a", "b", "c", "d"))
    with pytest.raises(EmotalkError, match="knows 4 units"):
        train_reader(tracks).read(other)


def test_confusion_by_hand() -> None:
    table = confusion(["a", "a", "b"], ["a", "b", "b"], ("a", "b"))
    np.testing.assert_array_equal(table, [[1, 1], [0, 1]])
