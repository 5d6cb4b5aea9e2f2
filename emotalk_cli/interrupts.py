"""Ctrl-C and SIGTERM: this process ends at once, and leaves nothing half-made behind.

A handler that raises unwinds through whatever the main thread does just then; where that holds a
lock (a compiler's, a queue's, an executor's) other threads wait for ever and the process hangs. So
a stop unwinds nothing: it undoes what was registered with `tidied` and leaves.
Source: https://docs.python.org/3/library/signal.html#handlers-and-exceptions
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)
SAME_STOP_S = 1.0
"""Ctrl-C reaches a process twice where both a terminal and a launcher send it."""

_undo: dict[int, Callable[[], object]] = {}


def end_at_once(stops: tuple[signal.Signals, ...] = STOPS, farewell: str = "") -> None:
    """From now on `stops` end this process with exit code 128 + their number.

    For the main thread of a program, not of a library's user. `farewell` goes to stderr. A stop
    that comes when Python itself is ending already changes nothing any more, nor does one that
    our parent had us ignore, as a shell does with Ctrl-C for what it runs in the background.
    """
    stderr = _own_stderr()

    def end(number: int, _frame: FrameType | None) -> None:
        """Undo what is registered, latest first, and leave."""
        for stop in STOPS:
            signal.signal(stop, signal.SIG_IGN)
        for undo in reversed(list(_undo.values())):
            with contextlib.suppress(Exception):
                undo()
        with contextlib.suppress(OSError):
            os.write(stderr, farewell.encode())
        os._exit(128 + number)

    for stop in stops:
        if signal.getsignal(stop) is signal.SIG_IGN:
            continue
        signal.signal(stop, end)
        atexit.register(signal.signal, stop, signal.SIG_IGN)


@functools.cache
def _own_stderr() -> int:
    """A way to stderr of our own: the usual one is closed for moments, to silence libraries."""
    try:
        return os.dup(2)
    except OSError:  # it was closed from the start
        return 2


@contextmanager
def tidied(undo: Callable[[], object]) -> Iterator[None]:
    """`undo` is called when the block ends, in whatever way, and by a stop.

    It may be called twice, and must wait for no lock: the main thread may hold it where a stop
    strikes (`subprocess.Popen.wait` takes one).
    """
    key = id(undo)
    _undo[key] = undo
    try:
        yield
    finally:
        try:
            undo()
        finally:
            del _undo[key]


@contextmanager
def held_back() -> Iterator[None]:
    """A stop that comes during the block, which has to be short, strikes at its end.

    For making something and registering it with `tidied` in one. Only the main thread is ever
    struck, so elsewhere there is nothing to hold back.
    """
    with _noting() as came:
        yield
    if came:
        signal.raise_signal(came[0])


@contextmanager
def noted() -> Iterator[list[signal.Signals]]:
    """A list that a stop fills instead of ending us; one more, a second later, is carried out."""
    with _noting(once=True) as came:
        yield came


def ending(stops: Sequence[signal.Signals]) -> BaseException:
    """What to raise once a stop that was `noted` may be carried out."""
    number = stops[0] if stops else signal.SIGINT  # another process of ours was told
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


@contextmanager
def _noting(*, once: bool = False) -> Iterator[list[signal.Signals]]:
    came: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {stop: signal.getsignal(stop) for stop in STOPS}
    when_s: list[float] = []

    def note(number: int, frame: FrameType | None) -> None:
        """Keep the stop; with `once`, one that comes later is left to what was there before."""
        came.append(signal.Signals(number))
        when_s.append(time.monotonic())
        handler = before[signal.Signals(number)]
        again = when_s[-1] - when_s[0] >= SAME_STOP_S and len(came) > 1
        if once and again and callable(handler):
            handler(number, frame)

    taken = [stop for stop, handler in before.items() if callable(handler)]
    for stop in taken:
        signal.signal(stop, note)
    try:
        yield came
    finally:
        for stop in taken:
            signal.signal(stop, before[stop])
