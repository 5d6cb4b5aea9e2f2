"""Live Link Face's CSV: its layout, both ways, over midnight."""

import csv
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.live_link import ANGLES, UNITS, head_angles, read_live_link, write_live_link

REAL_HEADER = (
    "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,"
    "EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,"
    "EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,"
    "JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,"
    "MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,"
    "MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,"
    "BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,"
    "RightEyePitch,RightEyeRoll"
)
"""The first line of files that the app writes."""


def written(path: Path, fps: int = 25, frames: int = 80, start: str = "23:59:58:05") -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.random((frames, 52)).astype(np.float32)
    write_live_link(path, values, np.zeros((frames, 9), np.float32), fps, start)
    return values


def test_layout_is_the_apps(tmp_path: Path) -> None:
    written(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert ",".join(rows[0]) == REAL_HEADER
    assert {len(row) for row in rows} == {63} and rows[1][1] == "61"
    assert [rows[n][0] for n in (1, 2, 21, 46)] == [
        "23:59:58:05.000", "23:59:58:06.000", "23:59:59:00.000", "00:00:00:00.000",
    ]  # fmt: skip


def test_it_has_the_units_of_the_default_face_model() -> None:
    assert sorted(UNITS) == sorted(load_default_face_model().expression_names)


@pytest.mark.parametrize("fps", [24, 25, 30, 60])
def test_what_is_written_is_read(tmp_path: Path, fps: int) -> None:
    values = written(tmp_path / "a.csv", fps)
    capture = read_live_link(tmp_path / "a.csv")
    assert capture.names == UNITS and capture.start == "23:59:58:05.000"
    np.testing.assert_allclose(capture.values, values, atol=1e-6)
    np.testing.assert_allclose(capture.times_s, np.arange(80) / fps, atol=1e-6)
    again, valid = capture.at_rate(fps, UNITS)
    np.testing.assert_allclose(again, values, atol=1e-5)
    assert valid.all()


def test_heads_turn_as_they_did(tmp_path: Path) -> None:
    turns = np.random.default_rng(1).normal(0, 0.3, (50, 3)).astype(np.float32)
    angles = np.zeros((50, len(ANGLES)), np.float32)
    angles[:, :3] = head_angles(turns)
    write_live_link(tmp_path / "a.csv", np.zeros((50, 52), np.float32), angles, 25)
    read = read_live_link(tmp_path / "a.csv").head_at_rate(25)
    np.testing.assert_allclose(read, turns, atol=1e-5)


def test_degrees_are_known_from_radians(tmp_path: Path) -> None:
    for unit, factor in (("rad", 1.0), ("deg", 180 / np.pi)):
        angles = np.zeros((50, len(ANGLES)), np.float32)
        angles[:, 0] = factor * np.linspace(-0.3, 0.3, 50)
        write_live_link(tmp_path / f"{unit}.csv", np.zeros((50, 52), np.float32), angles, 25)
    rad, deg = (read_live_link(tmp_path / f"{n}.csv").head_at_rate(25) for n in ("rad", "deg"))
    np.testing.assert_allclose(deg, rad, atol=1e-5)


def test_signs_of_the_head() -> None:
    left, down, tilt_left = 0.2 * np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], np.float32)
    np.testing.assert_allclose(
        head_angles(np.stack([left, down, tilt_left])), 0.2 * np.eye(3), atol=1e-6
    )


def test_gaps_are_not_valid_and_missing_units_rest(tmp_path: Path) -> None:
    written(tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "b.csv").write_text("\n".join(lines[:20] + lines[50:]))
    values, valid = read_live_link(tmp_path / "b.csv").at_rate(25.0, ("jawOpen", "earWiggle"))
    assert 25 <= (~valid).sum() <= 31
    assert values[:, 0].any() and not values[:, 1].any()


@pytest.mark.parametrize(
    ("fps", "start", "says"),
    [
        (25, "1:2:3", "no time code"),
        (25, "00:00:00:25", "no time code"),
        (25, "24:00:00:00", "no time code"),
        (29, "00:00:00:00", "do not count 29"),
    ],
)
def test_wrong_time_codes(tmp_path: Path, fps: int, start: str, says: str) -> None:
    with pytest.raises(EmotalkError, match=says):
        written(tmp_path / "a.csv", fps, start=start)
    assert not list(tmp_path.iterdir())
