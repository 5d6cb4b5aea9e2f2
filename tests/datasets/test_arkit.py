"""Captured motion without pictures: Live Link Face and BEAT become FaceTracks."""

import csv
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.datasets.arkit import read_capture
from emotalk_cli.datasets.catalogue import detect_dataset, find_clips
from emotalk_cli.errors import EmotalkError
from emotalk_cli.live_link import ANGLES, UNITS, write_live_link
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.import_motion import read_motion
from emotalk_cli.stages.preprocess import preprocess
from tests.stages.corpus_help import Heard, rows_of


def jaw(seconds: float) -> float:
    return 0.5 + 0.4 * np.sin(2 * np.pi * seconds)


def write_wav(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(64000))


def live_link(path: Path, frames: int = 120, start: int = 23 * 3600 + 59 * 60 + 59) -> Path:
    """A capture at 60 frames a second that passes midnight; frames 40 to 59 show no face."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Timecode", "BlendShapeCount", "EyeBlinkLeft", "JawOpen", "HeadYaw"])
        for k in range(frames):
            moment = (start + k // 60) % 86400
            hours, rest = divmod(moment, 3600)
            code = f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}:{k % 60:02d}.500"
            lost = 40 <= k < 60
            writer.writerow([code, 0] if lost else [code, 61, 0.25, f"{jaw(k / 60):.5f}", 12.0])
    return path


def beat(path: Path) -> Path:
    frames = [
        {"weights": [jaw(k / 60), 0.1], "time": k / 60 + 0.016, "rotation": []} for k in range(120)
    ]
    path.write_text(json.dumps({"names": ["jawOpen", "mouthPucker"], "frames": frames}))
    return path


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    root = tmp_path / "captures"
    root.mkdir()
    live_link(root / "Take_1_iPhone_cal.csv")
    live_link(root / "Take_1_iPhone_raw.csv")
    write_wav(root / "Take_1_iPhone.wav")
    beat(root / "2_scott_0_9_9.json")
    write_wav(root / "2_scott_0_9_9.wav")
    beat(root / "2_scott_0_8_8.json")
    return root


def test_they_are_found_with_their_sound(captures: Path) -> None:
    assert detect_dataset(captures) == "arkit"
    clips = {c.labels.clip_id: c for c in find_clips(captures)}
    assert set(clips) == {"Take_1_iPhone", "2_scott_0_9_9", "2_scott_0_8_8"}
    assert clips["Take_1_iPhone"].sound == captures / "Take_1_iPhone.wav"
    assert clips["2_scott_0_9_9"].labels.speaker == "scott"
    assert clips["2_scott_0_8_8"].missing_sound == "2_scott_0_8_8.wav"


@pytest.mark.parametrize("name", ["Take_1_iPhone_cal.csv", "2_scott_0_9_9.json"])
def test_values_come_at_their_moments(captures: Path, name: str) -> None:
    values, valid = read_capture(captures / name).at_rate(25.0, ("tongueOut", "jawOpen"))
    assert values.shape == (50, 2)
    assert values[:, 0].max() == 0
    expected = [jaw(k / 25) for k in range(50)]
    assert np.abs(values[valid, 1] - np.array(expected)[valid]).max() < 0.01
    lost = np.flatnonzero(~valid) / 25
    assert lost.size == 0 or (lost.min() > 0.6 and lost.max() < 1.01 and lost.size >= 8)
    assert (lost.size > 0) == name.startswith("Take")


def test_they_become_tracks(captures: Path, tmp_path: Path) -> None:
    done = preprocess(captures, tmp_path / "tracks")
    assert done.made == 2
    assert "no 2_scott_0_8_8.wav" in done.failures[0].reason
    track = store.read(tmp_path / "tracks" / "2_scott_0_9_9.h5", FaceTrack)
    unit = track.expression_names.index("jawOpen")
    assert track.expression[10, unit] == pytest.approx(jaw(0.4), abs=0.01)
    assert track.labels.speaker == "scott"
    assert preprocess(captures, tmp_path / "tracks").skipped == 2


def whole(path: Path, **cells: str) -> Path:
    """A capture of all columns, 100 frames, whose jaw opens evenly; `cells` replace frame 50's."""
    values = np.full((100, len(UNITS)), 0.25, np.float32)
    values[:, UNITS.index("jawOpen")] = np.linspace(0, 0.99, 100)
    angles = np.full((100, len(ANGLES)), 0.1, np.float32)
    write_live_link(path, values, angles, 25)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    for name, text in cells.items():
        rows[51][rows[0].index(name)] = text
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize("text", ["nan", "", "99", "-7", "inf", "x"])
def test_a_wrong_cell_is_counted_and_filled(text: str, tmp_path: Path) -> None:
    assert read_capture(whole(tmp_path / "a.csv")).notes == ()
    found = read_capture(whole(tmp_path / "b.csv", JawOpen=text))
    (note,) = found.notes
    assert note.startswith("1 of 5200 values") and "the first in jawOpen at 2.00 s" in note
    jaw_at = found.values[:, found.names.index("jawOpen")]
    np.testing.assert_allclose(jaw_at, np.linspace(0, 0.99, 100), atol=1e-5)


@pytest.mark.parametrize("text", ["nan", "99", "x"])
def test_a_wrong_angle_is_counted_and_filled(text: str, tmp_path: Path) -> None:
    found = read_capture(whole(tmp_path / "a.csv", HeadYaw=text))
    assert found.notes[0].startswith("1 angles of head or eyes are impossible")
    np.testing.assert_allclose(found.angles_rad, 0.1, atol=1e-6)


def test_lines_that_are_no_frames_are_counted(tmp_path: Path) -> None:
    path = whole(tmp_path / "a.csv")
    lines = path.read_text().splitlines()
    lines[20:20] = ["garbage", "x,y,z", "00:00:01:0"]
    path.write_text("\n".join(lines))
    found = read_capture(path)
    assert found.notes == ("3 of 103 lines are no frames and left out, such as line 21.",)
    assert len(found.values) == 100


def test_missing_columns_are_listed(tmp_path: Path) -> None:
    path = whole(tmp_path / "a.csv")
    path.write_text(path.read_text().replace("JawOpen", "JawOpn"))
    assert read_capture(path).notes == ("1 of 52 units are missing and stay at rest: jawOpen.",)
    few = read_capture(live_link(tmp_path / "b.csv")).notes
    assert "50 of 52 units are missing" in few[0] and few[0].endswith("eyeWideLeft and 44 more.")


def test_people_are_told_of_faults(tmp_path: Path) -> None:
    root = tmp_path / "captures"
    root.mkdir()
    for name in ("a", "b"):
        whole(root / f"{name}.csv", JawOpen="nan")
        write_wav(root / f"{name}.wav")
    heard = Heard()
    preprocess(root, tmp_path / "tracks", progress=heard)
    assert len(heard.notes) == 1
    assert "1 of 5200 values" in heard.notes[0] and "The same of 1 more: b" in heard.notes[0]
    assert rows_of(tmp_path / "tracks" / "notes.csv").keys() == {"a", "b"}
    alone = Heard()
    read_motion(root / "a.csv", 25.0, alone)
    assert alone.notes[0].startswith("a.csv: 1 of 5200 values")


def test_damaged_captures_are_refused(tmp_path: Path) -> None:
    header = "Timecode,BlendShapeCount,JawOpen\n"
    two = header + "1:2:3:4,1,{0}\n1:2:3:5,1,{0}\n"
    for text, reason in (
        ("", "must name the columns Timecode, .* not nothing"),
        ("a,b\n", "must name the columns Timecode, BlendshapeCount, .* not a, b"),
        (header, "no frame shows a face"),
        (two.format("x"), "no value of any ARKit unit"),
        (two.format("99"), "no value of any ARKit unit"),
        (two.replace("JawOpen", "JawOpn").format("0.5"), "no value of any ARKit unit"),
        (header + "now,1,0.5\n", "line 2 does not have a time code"),
        (header + "1:2:3:4,1,0.5\n", "1 frame.s. with a time of its own"),
        (two.format("0.5") + "1:2:3:6,1,7\n", "1 of 3 values are no numbers from 0 to 1"),
    ):
        path = tmp_path / "a.csv"
        path.write_text(text)
        with pytest.raises(EmotalkError, match=reason):
            read_capture(path)
    (tmp_path / "b.json").write_text('{"names": ["jawOpen"], "frames": [{"weights": [1, 2]}]}')
    with pytest.raises(EmotalkError, match="1 names for 2 weights"):
        read_capture(tmp_path / "b.json")
