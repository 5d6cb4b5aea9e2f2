"""What the tests of training share: loss curves, whole runs compared, and steps that break."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emotalk_cli.decoders.tensors import load_tensors
from emotalk_cli.decoders.training.journal import read_journal
from emotalk_cli.decoders.training.loop import Trainer


def losses(folder: Path) -> list[str]:
    return [row["loss"] for row in read_journal(folder / "metrics.csv") if row["loss"]]


def assert_same_run(one: Path, other: Path) -> None:
    assert losses(one) == losses(other)
    states = [load_tensors(folder / "last" / "state.safetensors") for folder in (one, other)]
    assert states[0].keys() == states[1].keys()
    assert all(states[0][name].equal(states[1][name]) for name in states[0])


def kill() -> None:
    raise KeyboardInterrupt  # past the handler of Ctrl-C: nothing more is saved


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@contextmanager
def broken_at(
    step: int, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Something happens in the middle of a step, after its batch is cut."""
    unbroken = Trainer._noise

    def broken(self: Trainer, *arguments: Any) -> Any:
        if self._state.step == step:
            happens()
        return unbroken(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_noise", broken)
        yield
