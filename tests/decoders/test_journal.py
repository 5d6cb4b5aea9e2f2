"""The journal keeps what a resumed run keeps, and tells TensorBoard where that is installed."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from emotalk_cli.decoders.training.journal import Journal, best_validation, is_journal, read_journal


def test_a_resumed_journal_drops_what_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    first = Journal(path, 0)
    for step in (1, 2, 3, 4):
        first.add(step, {"loss": 1 / step, "validation": 5 - step, "unheard_of": 1})
    again = Journal(path, 2)
    again.add(3, {"loss": 9, "validation": 9})
    rows = read_journal(path)
    assert [(row["step"], row["loss"]) for row in rows] == [("1", "1"), ("2", "0.5"), ("3", "9")]
    assert is_journal(path) and best_validation(path)["validation"] == 3


def test_a_silent_journal_writes_nothing(tmp_path: Path) -> None:
    Journal(tmp_path / "metrics.csv", 0, writes=False).add(1, {"loss": 1})
    assert not list(tmp_path.iterdir())


def test_tensorboard_is_told_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            assert Path(folder) == tmp_path / "tensorboard" and purge_step == 0

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told.append((name, value, step))

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    Journal(tmp_path / "metrics.csv", 0).add(7, {"loss": 0.5, "opening_r": 0.9})
    assert told == [("loss", 0.5, 7), ("opening_r", 0.9, 7)]
