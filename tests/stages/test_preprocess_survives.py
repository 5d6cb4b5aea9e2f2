"""Damaged inputs, kills at any moment and lost cluster workers cost no record.

The kills are repeated 4 times; EMOTALK_LONG_TESTS=1 in the environment makes that 30.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from emotalk_cli.stages.preprocess import preprocess
from tests.stages.corpus_help import (
    assert_same_output,
    cut,
    end_session,
    leftovers,
    rows_of,
    session_of,
    start,
)

KILLS = 30 if os.environ.get("EMOTALK_LONG_TESTS") == "1" else 4
CLIPS = 16
SECONDS = 1.2
WAIT_S = 60.0
CROP = ("--crop-size", "64")


def wait_until(holds: Callable[[], object], *, pause_s: float = 0.05) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(pause_s)


@pytest.fixture(scope="module")
def corpus(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short pieces of real clips."""
    folder = tmp_path_factory.mktemp("corpus") / "s1"
    for source in sorted((shared_data / "grid_s1").glob("*.mp4"))[:CLIPS]:
        cut(source, folder / source.name, SECONDS)
    return folder


@pytest.fixture(scope="module")
def undisturbed(corpus: Path) -> Path:
    out = corpus.parent / "undisturbed"
    done = preprocess(corpus, out, crop_size_px=64, workers=2)
    assert (done.made, done.failures) == (CLIPS, ())
    return out


def assert_readable(folder: Path) -> int:
    """Every record is whole: all its arrays can be read. Returns how many there are."""
    records = list(folder.glob("*.h5"))
    for path in records:
        with h5py.File(path) as file:
            assert all(file[name][...].size for name in file), path
    return len(records)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    return [pid for pid, line in session_of(process).items() if "spawn_main" in line]


def kill_at_a_moment(
    process: subprocess.Popen[bytes], out: Path, chance: random.Random, *, worker: bool
) -> bool:
    """`kill -9` of the main process or a worker, half of them just as a file is written."""
    wait_until(lambda: process.poll() is not None or len(workers_of(process)) == 2)
    if chance.random() < 0.5:
        before = names_in(out)
        wait_until(
            lambda: process.poll() is not None or names_in(out) - before,
            pause_s=0.0005,
        )
        time.sleep(chance.uniform(0, 0.01))
    else:
        time.sleep(chance.uniform(0, 3))
    victims = workers_of(process) if worker else [process.pid]
    if process.poll() is not None or not victims:
        return False
    os.kill(chance.choice(victims), signal.SIGKILL)
    return True


@pytest.mark.slow
def test_kills_cost_nothing(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Main process and workers in turn, 4 times; 30 times with EMOTALK_LONG_TESTS=1."""
    out, spool, log = tmp_path / "out", tmp_path / "spool", tmp_path / "log"
    spool.mkdir()
    command = ("emotalk_cli", "preprocess", corpus, "-o", out, "-j", "2", *CROP)
    chance = random.Random()
    hits = 0
    for round_number in range(KILLS):
        worker = round_number % 2 == 1
        process = start(*command, spool=spool, log=log)
        try:
            hit = kill_at_a_moment(process, out, chance, worker=worker)
            hits += hit
            code = process.wait(WAIT_S)
            assert code == (-signal.SIGKILL if hit and not worker else 0), log.read_text()
            wait_until(lambda p=process: not session_of(p))  # neither workers nor ffmpeg
        finally:
            end_session(process)
        if assert_readable(out) == CLIPS and round_number < KILLS - 1:
            assert_same_output(out, undisturbed, manifest="")
            for path in out.glob("*.h5"):
                path.unlink()
    assert hits >= KILLS // 2
    last = start(*command, spool=spool, log=log)
    try:
        assert last.wait(WAIT_S) == 0, log.read_text()
    finally:
        end_session(last)
    assert_same_output(out, undisturbed)
    assert not leftovers(out, spool)
    assert "Traceback" not in log.read_text()


def test_shards_together_are_the_whole(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    for part in ("1/2", "2/2"):
        preprocess(corpus, tmp_path, crop_size_px=64, shard=part)
    assert_same_output(tmp_path, undisturbed, manifest="")
    parts = [rows_of(tmp_path / f"manifest-{i}of2.csv") for i in (1, 2)]
    assert not parts[0].keys() & parts[1].keys()
    assert parts[0] | parts[1] == rows_of(undisturbed / "manifest.csv")


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_does_the_same(
    corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, spool, log = tmp_path / "out", tmp_path / "spool", tmp_path / "log"
    spool.mkdir()
    address = tmp_path / "scheduler.json"
    quiet = ("--no-dashboard", "--scheduler-file", address)
    scheduler = ("dask", "scheduler", "--host", "127.0.0.1", "--port", "0", *quiet)
    worker = ("dask", "worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *quiet)
    started = [start(*scheduler, spool=spool, log=log)]
    try:
        wait_until(address.exists)
        for name in ("one", "two"):
            place = ("--name", name, "--local-directory", tmp_path / name)
            started.append(start(*worker, *place, spool=spool, log=log))
        wait_until(lambda: log.read_text().count("Registered to:") == 2)
        cluster = json.loads(address.read_text())["address"]
        command = ("emotalk_cli", "preprocess", corpus, "-o", out, "--cluster", cluster, *CROP)
        main = start(*command, spool=spool, log=tmp_path / "main.log")
        started.append(main)
        wait_until(lambda: len(list(out.glob("*.h5"))) >= 3, pause_s=0.01)
        os.kill(started[1].pid, signal.SIGKILL)
        assert assert_readable(out) < CLIPS, "the kill came too late"
        assert main.wait(WAIT_S) == 0, (tmp_path / "main.log").read_text()
        assert started[2].poll() is None
    finally:
        for process in reversed(started):
            end_session(process)
    assert_same_output(out, undisturbed, same_layout=False)
    assert not leftovers(out)
