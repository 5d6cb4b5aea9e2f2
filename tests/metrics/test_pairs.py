"""Which files pair, and what happens to names, samples and missing ones."""

from pathlib import Path

import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.pairs import find_clips, pair_up, system_names


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_pairs_by_path_and_lists_what_is_missing(tmp_path: Path) -> None:
    made = touch(tmp_path / "made", "M003/a.h5", "M003/b.h5", "extra.h5", "notes.txt", ".tmp-x.h5")
    real = touch(tmp_path / "real", "M003/a.h5", "M003/b.h5", "M003/c.h5")
    found = pair_up(made, real)
    assert [pair.clip_id for pair in found.pairs] == ["M003/a", "M003/b"]
    assert found.only_predicted == ("extra",) and found.only_reference == ("M003/c",)
    notes = "\n".join(found.notes("made"))
    assert "Missing in made (1): M003/c" in notes and "extra" in notes


def test_flat_names_find_nested_ones(tmp_path: Path) -> None:
    made = touch(tmp_path / "made", "a.h5", "b.h5")
    real = touch(tmp_path / "real", "s1/a.h5", "s2/b.h5", "s1/b.h5")
    found = pair_up(made, real)
    assert [pair.clip_id for pair in found.pairs] == ["a"]  # b is ambiguous


def test_seeds_are_samples_of_one_clip(tmp_path: Path) -> None:
    made = touch(tmp_path / "made", "a.seed1.h5", "a.seed22.h5")
    real = touch(tmp_path / "real", "a.h5")
    (pair,) = pair_up(made, real).pairs
    assert [path.name for path in pair.predicted] == ["a.seed1.h5", "a.seed22.h5"]


def test_the_kind_that_both_have_is_taken(tmp_path: Path) -> None:
    made = touch(tmp_path / "made", "a.mp4", "a.h5")
    videos = touch(tmp_path / "videos", "a.mp4")
    records = touch(tmp_path / "records", "a.h5", "a.mp4")
    assert pair_up(made, videos).pairs[0].predicted[0].suffix == ".mp4"
    assert pair_up(made, records).pairs[0].predicted[0].suffix == ".h5"


def test_two_files_pair_whatever_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "out.h5", "truth.h5")
    (pair,) = pair_up(tmp_path / "out.h5", tmp_path / "truth.h5").pairs
    assert (pair.clip_id, pair.reference.name) == ("out", "truth.h5")


def test_strangers_are_refused(tmp_path: Path) -> None:
    made, real = touch(tmp_path / "made", "a.h5", "x.h5"), touch(tmp_path / "real", "b.h5", "c.h5")
    with pytest.raises(EmotalkError, match="No clip of"):
        pair_up(made, real)
    with pytest.raises(EmotalkError, match="neither records"):
        find_clips(touch(tmp_path / "text", "a.txt"))
    with pytest.raises(EmotalkError, match="There is no file"):
        find_clips(tmp_path / "nowhere")


def test_systems_get_the_shortest_telling_name(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("x/lip", "y/lip", "y/single"))
    assert system_names([one, other]) == ["lip", "single"]
    assert system_names([one, two]) == ["x/lip", "y/lip"]
    with pytest.raises(EmotalkError, match="twice"):
        system_names([one, one])
