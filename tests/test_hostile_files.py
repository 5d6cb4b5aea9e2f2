"""Hostile files of every kind are read or refused with words: a small run of `tools.fuzz`."""

from pathlib import Path

import pytest

from tools.fuzz import FAULTS, fuzz
from tools.fuzz_readers import READERS, Reader

INPUTS = 40


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files_are_refused_with_words(reader: Reader) -> None:
    counts = fuzz(reader, INPUTS, seed=1)
    assert sum(counts.values()) == INPUTS
    assert not {kind: counts[kind] for kind in FAULTS if counts[kind]}
    assert counts["refused"] > INPUTS // 4


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_whole_files_are_read(reader: Reader, tmp_path: Path) -> None:
    for path in reader.seeds(tmp_path):
        reader.read(path)
