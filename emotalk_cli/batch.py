"""One function over many clips: in this process, in local ones, on a Dask cluster, or one shard.

A clip that fails is listed and the others are done. A worker that is killed is replaced and its
clip tried once more. Ctrl-C and the death of the main process end every worker at once.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol, TypeVar

from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import end_at_once, held_back, tidied
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.safe_files import atomic_path

J = TypeVar("J", bound="Job")

ATTEMPTS = 2  # how often a clip may kill its worker
STOP_S = 1.5  # what a worker gets to clean up before it is killed
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
PR_SET_PDEATHSIG = 1  # from Linux's prctl.h


class Job(Protocol):
    """One clip's work: a small dataclass that can be pickled."""

    @property
    def clip_id(self) -> str:
        """Name of the clip, for lists and messages."""
        ...


@dataclass(frozen=True)
class Failure:
    """A clip that a stage could not do, and why."""

    clip: str
    stage: str
    reason: str


@dataclass(frozen=True)
class _Outcome:
    value: Any = None
    reason: str = ""


def run_jobs(
    function: Callable[[J], Any],
    jobs: Sequence[J],
    *,
    stage: str,
    workers: int = 1,
    cluster: str | None = None,
    shard: str | None = None,
    on_done: Callable[[J, Any], None] | None = None,
    progress: Progress = Quiet(),
) -> list[Failure]:
    """Call `function(job)` for every job; returns what failed, in the order of the jobs.

    `workers` local processes (1: this process), or the Dask cluster at `cluster`
    (tcp://HOST:PORT); `shard` "i/n" takes the i-th of n equal parts of the jobs, i from 1.
    `function` must be importable (no lambda) and its value small; `on_done(job, value)` is called
    here for each job that ended well. Raises EmotalkError for options that make no sense.
    """
    jobs = shard_of(jobs, shard)
    progress.task(stage, len(jobs))
    if cluster:
        outcomes = _on_cluster(function, jobs, cluster)
    elif workers > 1 and len(jobs) > 1:
        outcomes = _in_processes(function, jobs, min(workers, len(jobs)))
    elif workers >= 1:
        outcomes = _in_this_process(function, jobs)
    else:
        raise EmotalkError(f"--workers {workers} makes no sense.", "Give 1 or more.")
    failures: dict[int, Failure] = {}
    with contextlib.closing(outcomes):
        for index, outcome in outcomes:
            if outcome.reason:
                failures[index] = Failure(jobs[index].clip_id, stage, outcome.reason)
            elif on_done is not None:
                on_done(jobs[index], outcome.value)
            progress.advance()
    return [failures[index] for index in sorted(failures)]


def shard_of(jobs: Sequence[J], shard: str | None) -> list[J]:
    """Every n-th job from the i-th on, for `shard` "i/n" with i from 1 to n; None: all."""
    if shard is None:
        return list(jobs)
    first, slash, count = shard.partition("/")
    if not (slash and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise EmotalkError(
            f"--shard {shard} makes no sense.", "Give i/n with i from 1 to n, such as 3/8."
        )
    return list(jobs[int(first) - 1 :: int(count)])


def shard_name(name: str, shard: str | None) -> str:
    """File name `name` for one shard: lists.csv -> lists-3of8.csv."""
    if shard is None:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{shard.replace('/', 'of')}{dot}{suffix}"


def write_failures(
    failures: Sequence[Failure], folder: Path, shard: str | None = None
) -> Path | None:
    """Write failures.csv into `folder`, or remove an old one where nothing failed."""
    path = folder / shard_name("failures.csv", shard)
    if not failures:
        path.unlink(missing_ok=True)
        return None
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("clip", "stage", "reason"))
        writer.writerows((f.clip, f.stage, f.reason) for f in failures)
    return path


def _attempt(function: Callable[[Any], Any], job: Any) -> _Outcome:
    try:
        return _Outcome(function(job))
    except EmotalkError as error:
        return _Outcome(reason=" ".join(str(error).split()))
    except MemoryError:
        return _Outcome(reason="Not enough memory.")
    except Exception as error:  # noqa: BLE001 - one bad clip must not stop the others
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return _Outcome(reason=f"Unexpected error in {place}: {text}. Please report it.")


def _in_this_process(
    function: Callable[[Any], Any], jobs: Sequence[Any]
) -> Generator[tuple[int, _Outcome], None, None]:
    for index, job in enumerate(jobs):
        yield index, _attempt(function, job)


class _Worker:
    """A local process that does one job after another."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, os.getpid()), daemon=True)
        resource_tracker.ensure_running()  # it would undo what makes the worker deaf
        with _one_thread(), held_back(), _deaf_to_ctrl_c():
            self.process.start()
        other.close()
        self.job: tuple[int, int] | None = None
        with contextlib.suppress(OSError):  # it may be dead already; `wait` will tell
            self.pipe.send(function)

    def give(self, index: int, attempt: int, job: Any) -> None:
        self.job = (index, attempt)
        with contextlib.suppress(OSError):
            self.pipe.send(job)

    def stop(self) -> None:
        self.process.terminate()

    def end(self) -> None:
        """Wait for the process to end, and kill it where it does not."""
        self.process.join(STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def _in_processes(
    function: Callable[[Any], Any], jobs: Sequence[Any], count: int
) -> Generator[tuple[int, _Outcome], None, None]:
    waiting = deque((index, 1) for index in range(len(jobs)))
    workers: list[_Worker] = []
    with tidied(lambda: _end_all(workers)):
        workers.extend(_Worker(function) for _ in range(count))
        for worker in workers:
            _next_job(worker, waiting, jobs)
        while busy := [worker for worker in workers if worker.job is not None]:
            ready = set(wait([worker.pipe for worker in busy]))
            for worker in [w for w in busy if w.pipe in ready]:
                assert worker.job is not None
                index, attempt = worker.job
                outcome = _receive(worker.pipe)
                if outcome is None:
                    workers.remove(worker)
                    worker.end()
                    code = worker.process.exitcode
                    worker = _Worker(function)
                    workers.append(worker)
                    if attempt < ATTEMPTS:
                        waiting.appendleft((index, attempt + 1))
                    else:
                        yield (
                            index,
                            _Outcome(reason=f"It ended its worker {attempt} times ({code})."),
                        )
                else:
                    yield index, outcome
                _next_job(worker, waiting, jobs)


def _end_all(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.end()


def _next_job(worker: _Worker, waiting: deque[tuple[int, int]], jobs: Sequence[Any]) -> None:
    worker.job = None
    if waiting:
        index, attempt = waiting.popleft()
        worker.give(index, attempt, jobs[index])


def _receive(pipe: Connection[Any, Any]) -> _Outcome | None:
    """The worker's answer, or None where it died."""
    try:
        answer = pipe.recv()
    except (EOFError, OSError):
        return None
    return answer if isinstance(answer, _Outcome) else None


def _serve(pipe: Connection[Any, Any], parent: int) -> None:
    """Main function of a local worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_at_once((signal.SIGTERM,))
    _die_with_parent(parent)
    with contextlib.suppress(EOFError, OSError):
        function = pipe.recv()
        while True:
            pipe.send(_attempt(function, pipe.recv()))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started in the block compute with one thread: there is one of them per core."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A terminal's Ctrl-C does not reach processes started in the block: the main one decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_with_parent(parent: int) -> None:
    """Linux: be killed when the main process dies. Elsewhere the current clip is finished first."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


_ONE_AT_A_TIME = threading.Lock()


def _attempt_alone(function: Callable[[Any], Any], job: Any) -> _Outcome:
    """One job at a time per process, however many threads a Dask worker has."""
    with _ONE_AT_A_TIME:
        return _attempt(function, job)


def _on_cluster(
    function: Callable[[Any], Any], jobs: Sequence[Any], address: str
) -> Generator[tuple[int, _Outcome], None, None]:
    import distributed

    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EmotalkError(
            f"There is no Dask scheduler at {address}: {error}.",
            "Start one (`dask scheduler`) and give its address as tcp://HOST:PORT.",
        ) from error
    with client:
        attempt = functools.partial(_attempt_alone, function)
        futures = client.map(attempt, list(jobs), pure=False, retries=ATTEMPTS - 1)
        numbers = {future.key: index for index, future in enumerate(futures)}
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                fault = future.exception()
                outcome = _Outcome(reason=f"The cluster gave up: {fault}.") if fault else None
                yield numbers[future.key], outcome or future.result()
                future.release()
        finally:
            client.cancel(futures)
