"""video_times.csv: rows that fit their videos count, and nothing else does."""

from pathlib import Path

import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.speed import MakingTime
from emotalk_cli.stages.video_times import COLUMNS, TimesFile, files_of_times, read_times


def video(folder: Path, name: str, content: bytes = b"one") -> Path:
    path = folder / f"{name}.mp4"
    path.write_bytes(content)
    return path


def test_what_is_added_is_read(tmp_path: Path) -> None:
    one, two = video(tmp_path, 'a,"b'), video(tmp_path, "c")
    times = TimesFile.begin(tmp_path, None, workers=2)
    times.add(one, 3.0, 1.5)
    times.add(two, 2.0, 4.0)
    found = {one: MakingTime(3.0, 1.5, 2), two: MakingTime(2.0, 4.0, 2)}
    assert read_times(tmp_path) == found
    assert read_times(one) == found  # a file's times lie beside it


def test_shards_have_files_of_their_own(tmp_path: Path) -> None:
    for number in (1, 2):
        TimesFile.begin(tmp_path, f"{number}/2", 1).add(video(tmp_path, str(number)), 1.0, 1.0)
    names = [path.name for path in files_of_times(tmp_path)]
    assert names == ["video_times-1of2.csv", "video_times-2of2.csv"]
    assert len(read_times(tmp_path)) == 2


def test_another_video_under_the_name_was_not_timed(tmp_path: Path) -> None:
    TimesFile.begin(tmp_path, None, 1).add(video(tmp_path, "a"), 3.0, 1.5)
    video(tmp_path, "a", b"another")
    assert read_times(tmp_path) == {}


def test_the_last_time_of_a_video_counts(tmp_path: Path) -> None:
    times = TimesFile.begin(tmp_path, None, 1)
    times.add(video(tmp_path, "a"), 3.0, 1.5)
    times.add(video(tmp_path, "a", b"made again"), 3.0, 1.0)
    assert read_times(tmp_path) == {tmp_path / "a.mp4": MakingTime(3.0, 1.0)}


def test_a_run_goes_on_after_a_kill(tmp_path: Path) -> None:
    kept, lost = video(tmp_path, "kept"), video(tmp_path, "lost")
    times = TimesFile.begin(tmp_path, None, 1)
    times.add(kept, 3.0, 1.5)
    times.add(lost, 3.0, 1.5)
    lost.unlink()
    with times.path.open("a") as file:
        file.write("half,3.0")  # no end of line: what comes next must not join it
    TimesFile.begin(tmp_path, None, 1).add(video(tmp_path, "new"), 2.0, 1.0)
    assert set(read_times(tmp_path)) == {kept, tmp_path / "new.mp4"}
    assert "half" not in times.path.read_text() and "lost" not in times.path.read_text()


@pytest.mark.parametrize(
    "row",
    [
        *("a,nan,1,1,{}", "a,1,0,1,{}", "a,1,-1,1,{}", "a,1,x,1,{}", "a,1,1,0,{}", "a,1,1,1.5,{}"),
        *("../a,1,1,1,{}", "a\0,1,1,1,{}", "é" * 200 + ",1,1,1,{}", "a,1,1," + "9" * 5000 + ",{}"),
    ],
    ids=range(10),
)
def test_rows_that_make_no_sense_are_left_out(row: str, tmp_path: Path) -> None:
    times = TimesFile.begin(tmp_path, None, 1)
    times.add(video(tmp_path, "a"), 1.0, 1.0)
    sha256 = times.path.read_text().split(",")[-1].strip()
    times.path.write_text(",".join(COLUMNS) + "\n" + row.format(sha256) + "\n")
    assert read_times(tmp_path) == {}


def test_files_of_others_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "video_times.csv").write_bytes(b"a;b\n\xff\n")
    video(tmp_path, "a")
    assert read_times(tmp_path) == {}


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "video_times.csv").symlink_to("/dev/full")
    with pytest.raises(EmotalkError, match="No space left"):
        TimesFile(tmp_path / "video_times.csv", 1).add(video(tmp_path, "a"), 1.0, 1.0)
