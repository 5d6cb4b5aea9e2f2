"""Remarks about many clips: each kind once, all of them in notes.csv."""

import csv
from pathlib import Path

from emotalk_cli.remarks import gathered, write_remarks


def test_one_of_a_kind_is_told_as_it_is() -> None:
    assert gathered([("a", "too dark.")]) == ["a: too dark."]
    assert gathered([]) == []


def test_numbers_names_and_paths_make_no_kind() -> None:
    remarks = [(f"s1_c{n}", f"/x y/s1/c{n}.mp4: {n} % of s1_c{n} is dark.") for n in range(9)]
    remarks.insert(4, ("other", "it is silent"))
    first, second = gathered(remarks)
    assert first == (
        "s1_c0: /x y/s1/c0.mp4: 0 % of s1_c0 is dark. The same of 8 more: s1_c1, s1_c2, s1_c3, ..."
    )
    assert second == "other: it is silent"


def test_other_words_make_another_kind() -> None:
    remarks = [("a", "the face is small"), ("b", "the face is blurred"), ("c", "the face is small")]
    lines = gathered(remarks)
    assert lines == ["a: the face is small. The same of 1 more: c", "b: the face is blurred"]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_the_list_holds_them_all_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    write_remarks([("a", "dark, very"), ("b", "small")], tmp_path, ["a", "b", "c"])
    assert rows_of(path) == [["a", "dark, very"], ["b", "small"]]
    write_remarks([("b", "blurred")], tmp_path, ["b"])  # a was there already
    assert rows_of(path) == [["a", "dark, very"], ["b", "blurred"]]
    write_remarks([], tmp_path, ["a", "b"])  # made again, and all is well now
    assert not path.exists()
    write_remarks([("a", "dark")], tmp_path, ["a"], "2/3")
    assert rows_of(tmp_path / "notes-2of3.csv") == [["a", "dark"]]


def test_a_list_of_others_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_bytes(b"x\xff,y\n1,2\n")
    write_remarks([("a", "dark")], tmp_path, ["a"])
    assert rows_of(tmp_path / "notes.csv") == [["a", "dark"]]
