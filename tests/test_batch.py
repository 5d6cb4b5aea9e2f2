"""Many jobs: every one is done or listed, whatever happens to the workers."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from emotalk_cli.batch import Failure, run_jobs, shard_name, shard_of, write_failures
from emotalk_cli.errors import EmotalkError


@dataclass(frozen=True)
class Sum:
    clip_id: str
    value: int
    folder: Path


def double(job: Sum) -> int:
    if job.value == 3:
        raise EmotalkError("three is bad", "Take four.")
    if job.value == 4:
        raise ZeroDivisionError("oh")
    return 2 * job.value


def double_or_die(job: Sum) -> int:
    """Value 1 kills its worker the first time, value 2 each time."""
    mark = job.folder / job.clip_id
    if job.value == 2 or (job.value == 1 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return double(job)


def jobs(folder: Path, count: int) -> list[Sum]:
    return [Sum(f"c{n}", n, folder) for n in range(count)]


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_job_never_stops_the_rest(tmp_path: Path, workers: int) -> None:
    results: dict[str, int] = {}
    failures = run_jobs(
        double,
        jobs(tmp_path, 8),
        stage="test",
        workers=workers,
        on_done=lambda job, value: results.update({job.clip_id: value}),
    )
    assert results == {f"c{n}": 2 * n for n in (0, 1, 2, 5, 6, 7)}
    assert failures[0] == Failure("c3", "test", "three is bad Take four.")
    assert failures[1].reason.startswith("Unexpected error in test_batch.py:")
    assert "ZeroDivisionError: oh" in failures[1].reason


def test_killed_workers_are_replaced(tmp_path: Path) -> None:
    results: dict[str, int] = {}
    failures = run_jobs(
        double_or_die,
        [job for job in jobs(tmp_path, 8) if job.value not in (3, 4)],
        stage="test",
        workers=2,
        on_done=lambda job, value: results.update({job.clip_id: value}),
    )
    assert results == {f"c{n}": 2 * n for n in (0, 1, 5, 6, 7)}
    assert [f.clip for f in failures] == ["c2"]
    assert "ended its worker 2 times" in failures[0].reason


def test_shards_are_disjoint_and_complete(tmp_path: Path) -> None:
    everything = jobs(tmp_path, 10)
    parts = [shard_of(everything, f"{i}/3") for i in (1, 2, 3)]
    assert sorted(job.value for part in parts for job in part) == list(range(10))
    assert shard_of(everything, None) == everything
    assert shard_name("failures.csv", "2/3") == "failures-2of3.csv"
    for wrong in ("0/3", "4/3", "1", "a/b", "1/0"):
        with pytest.raises(EmotalkError, match="makes no sense"):
            shard_of(everything, wrong)


def test_failures_csv_comes_and_goes(tmp_path: Path) -> None:
    path = write_failures([Failure("a", "test", 'it said "no", twice')], tmp_path)
    assert path is not None
    assert path.read_text().splitlines() == [
        "clip,stage,reason", 'a,test,"it said ""no"", twice"',
    ]  # fmt: skip
    assert write_failures([], tmp_path) is None
    assert not path.exists()


def test_wrong_options() -> None:
    with pytest.raises(EmotalkError, match="--workers 0"):
        run_jobs(double, [], stage="test", workers=0)


SLOW = """
import sys, time
from dataclasses import dataclass
from emotalk_cli.batch import run_jobs

@dataclass(frozen=True)
class Nap:
    clip_id: str

def nap(job):
    print("napping", flush=True)
    time.sleep(60)

if __name__ == "__main__":
    run_jobs(nap, [Nap(str(n)) for n in range(4)], stage="nap", workers=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_main_process(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    began = time.monotonic()
    process.send_signal(number)
    process.wait(30)
    process.stdout.read()  # ends when the last process that could write to it has ended
    assert time.monotonic() - began < 30  # of a nap's 60
