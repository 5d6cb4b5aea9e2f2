"""The language of emotion: what is understood, what is refused, how keys become curves."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotalk_cli.decoders.direction.emotions import (
    EMOTIONS,
    NEUTRAL,
    SYNONYMS,
    emotion_curve,
    emotion_index,
    level_intensity,
    parse_emotion,
)
from emotalk_cli.errors import EmotalkError


def row(**weights: float) -> np.ndarray:
    result = np.zeros(8, np.float32)
    for name, weight in weights.items():
        result[EMOTIONS.index(name)] = weight
    return result


def at(text: str, time_s: float, intensity: float = 1.0) -> np.ndarray:
    return parse_emotion(text, intensity).weights([time_s])[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("happy", row(happy=1)),
        ("Joy", row(happy=1)),
        ("anger:60%", row(angry=0.6, neutral=0.4)),
        ("sad:level_2", row(sad=2 / 3, neutral=1 / 3)),
        ("sad:Level2", row(sad=2 / 3, neutral=1 / 3)),
        ("sad:level-1", row(sad=1 / 3, neutral=2 / 3)),
        ("happy:0.6,surprised:0.3", row(happy=0.6, surprised=0.3, neutral=0.1)),
        ("happy + surprised", row(happy=0.5, surprised=0.5)),
        ("happy:1,sad:1", row(happy=0.5, sad=0.5)),
        ("neutral", row(neutral=1)),
        ("va:0.81,0.51", row(happy=1)),
        ("va: -0.63 , -0.27", row(sad=1)),
        ("VA:+0.4/+0.67", row(surprised=1)),
        ("va:0,0", row(neutral=1)),
        ("va:0.81,0.51 + sad:1", row(happy=0.5, sad=0.5)),
    ],
)
def test_one_key(text: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(at(text, 1.0), expected, atol=1e-6)


def test_intensity_scales_all_but_neutral() -> None:
    np.testing.assert_allclose(at("fear:0.5", 0, 0.5), row(fear=0.25, neutral=0.75), atol=1e-6)
    np.testing.assert_allclose(at("neutral", 0, 0.2), row(neutral=1), atol=1e-6)


def test_timeline_crosses_half_at_the_key() -> None:
    text = "0 neutral, 2.5 happy:0.8, 6s sad:0.5"
    np.testing.assert_allclose(at(text, 2.5), row(happy=0.4, neutral=0.6), atol=1e-6)
    np.testing.assert_allclose(at(text, 4.0), row(happy=0.8, neutral=0.2), atol=1e-6)
    np.testing.assert_allclose(at(text, 60.0), row(sad=0.5, neutral=0.5), atol=1e-6)


def test_a_mix_inside_a_timeline() -> None:
    text = "1 happy:0.6, surprised:0.3, 5 sad"
    np.testing.assert_allclose(at(text, 0.0), row(neutral=1), atol=1e-6)
    np.testing.assert_allclose(at(text, 3), row(happy=0.6, surprised=0.3, neutral=0.1), atol=1e-6)


def test_changes_are_smooth_even_between_near_keys() -> None:
    times = np.arange(0, 4, 1 / 25)
    weights = parse_emotion("0 neutral, 1 happy, 1.3 sad, 3 fear").weights(times)
    assert np.abs(weights.sum(1) - 1).max() < 1e-5
    assert np.abs(np.diff(weights, axis=0)).max() < 0.3
    assert weights[:, EMOTIONS.index("happy")].max() > 0.9


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(EMOTIONS)), min_size=1, max_size=6))
def test_weights_stay_on_the_simplex(keys: list[tuple[float, str]]) -> None:
    rounded = {round(time, 2): name for time, name in keys}
    text = ", ".join(f"{time:.2f} {name}" for time, name in rounded.items())
    weights = parse_emotion(text).weights(np.linspace(0, 110, 500))
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hapy", "Did you mean happy"),
        ("surprized:0.5", "Did you mean surprised"),
        ("0 neutral, 2 hapy:0.8", "Did you mean happy"),
        ("autoo", "Did you mean auto"),
        ("happy 0.6", "as in happy:0.6"),
        ("happy=level_2", "as in happy:0.6"),
        ("0 neutral, 1m sad", "times are in seconds"),
        ("disgust and anger", "as in disgust:0.6,anger:0.3"),
        ("0 neutral 2 happy", "by commas"),
        ("0:neutral,2:happy", "A space follows a time"),
        ("happy:0,6", "a point"),
        ("xyzzy", "Known: angry, contempt"),
        ("", "empty"),
        ("2.5", "No emotion stands"),
        ("happy:2", "strength"),
        ("happy:nan", "strength"),
        ("happy:auto:auto", "strength"),
        ("happy:", "strength"),
        ("va:0.5", "valence and arousal"),
        ("va:2,0", "outside -1 to 1"),
        ("happy:level_4", "level 4"),
        ("1 happy, 1 sad", "repeat"),
        ("nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_what_is_not_understood_is_named(text: str, says: str) -> None:
    with pytest.raises(EmotalkError, match=says):
        parse_emotion(text)


@pytest.mark.parametrize("intensity", [-0.1, 1.1, float("nan")])
def test_intensity_out_of_range(intensity: float) -> None:
    with pytest.raises(EmotalkError, match="intensity"):
        parse_emotion("happy", intensity)


@pytest.mark.parametrize(
    "yaml",
    [
        "0: neutral\n2.5: happy:0.6,surprised:0.3\n",
        "- {time: 0, emotion: neutral}\n- {time: 2.5, emotion: {joy: 0.6, surprised: 0.3}}\n",
    ],
)
def test_yaml_says_the_same(tmp_path: Path, yaml: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(yaml)
    same = parse_emotion("0 neutral, 2.5 happy:0.6+surprised:0.3")
    np.testing.assert_allclose(parse_emotion(str(path)).keys, same.keys, atol=1e-6)


@pytest.mark.parametrize("yaml", ["", "7", "a: happy", "1: 3", "x: [", "true: happy", "- happy"])
def test_wrong_yaml(tmp_path: Path, yaml: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(yaml)
    with pytest.raises(EmotalkError, match=r"keys\.yaml"):
        parse_emotion(str(path))


def test_names_and_levels() -> None:
    assert all(emotion_index(word) == EMOTIONS.index(name) for word, name in SYNONYMS.items())
    assert [round(level_intensity(n), 2) for n in (1, 2, 3)] == [0.33, 0.67, 1.0]
    assert emotion_curve("", 1.0).keys[0, NEUTRAL] == 1


def test_auto_is_as_strong_as_the_voice() -> None:
    curve = parse_emotion("0 happy:auto, 5 sad:0.5")
    assert curve.follows_voice and not parse_emotion("happy:0.5").follows_voice
    voice = np.array([0.0, 0.25, 1.0])
    np.testing.assert_allclose(
        curve.weights([1.0, 1.0, 1.0], voice),
        [row(neutral=1), row(happy=0.25, neutral=0.75), row(happy=1)],
        atol=1e-6,
    )
    np.testing.assert_allclose(curve.weights([9.0], [0.0])[0], row(sad=0.5, neutral=0.5), atol=1e-6)


def test_auto_alone_in_mixes_and_scaled() -> None:
    alone = parse_emotion("auto").weights([0.0], [1.0])[0]
    assert alone[EMOTIONS.index("happy")] > 0.3 and alone[EMOTIONS.index("surprised")] > 0.1
    mixed = parse_emotion("happy:0.6:auto, sad:0.3", 0.5)
    np.testing.assert_allclose(
        mixed.weights([0], [1.0])[0], row(happy=0.3, sad=0.15, neutral=0.55), atol=1e-6
    )
    np.testing.assert_allclose(mixed.weights([0], [0.0])[0], row(sad=0.15, neutral=0.85), atol=1e-6)


def test_a_timeline_of_valence_and_arousal() -> None:
    curve = parse_emotion("0 va:0,0, 3 va:0.81,0.51, 6 happy:auto")
    np.testing.assert_allclose(curve.weights([4.5])[0], row(happy=1), atol=1e-6)
    assert len(curve.times_s) == 3


def test_yaml_knows_auto_and_pairs(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("0: {happy: auto}\n2: {va: [-0.63, -0.27]}\n4: va:0.81,0.51\n6: sad:0.4:auto\n")
    curve = parse_emotion(str(path))
    np.testing.assert_allclose(
        curve.weights([0.0], [0.5])[0], row(happy=0.5, neutral=0.5), atol=1e-6
    )
    np.testing.assert_allclose(curve.weights([3.0])[0], row(sad=1), atol=1e-6)
    np.testing.assert_allclose(curve.weights([5.0])[0], row(happy=1), atol=1e-6)
    np.testing.assert_allclose(curve.weights([9.0], [0.0])[0], row(neutral=1), atol=1e-6)


WORDS = (
    "happy",
    "sad",
    "auto",
    "va",
    ":",
    ",",
    "+",
    "0.5",
    "-1",
    "/",
    " ",
    "s",
    "level_2",
    "%",
    "nan",
)


@given(st.lists(st.sampled_from(WORDS), max_size=9).map("".join))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        curve = parse_emotion(text)
    except EmotalkError as error:
        assert error.problem and error.next_step
        return
    weights = curve.weights([0.0, 1.0, 100.0], [0.0, 0.5, 1.0])
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
