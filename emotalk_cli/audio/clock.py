"""The one clock of all speech features: row n is the moment n / 50 s; long sound goes in blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.large_arrays import roomy
from emotalk_cli.schema import release

Float = NDArray[np.float32]

RATE_HZ = 50.0
HOP = 320  # samples between rows
BLOCK_ROWS = 400  # 8 s of results at a time
CONTEXT_ROWS = 50  # 1 s more on either side, thrown away after use
SILENT_ROWS = 15  # 0.3 s


def row_count(samples: int) -> int:
    """Rows of a recording of `samples` samples: one per 20 ms, the first at 0 s."""
    return samples // HOP + 1


def blocks(samples: int, block: int = BLOCK_ROWS) -> Iterator[tuple[int, int]]:
    """Split the rows of a recording into blocks: first row and row after the last."""
    rows = row_count(samples)
    # A short rest is better heard together with the block before it.
    count = max(1, round(rows / block))
    edges = [rows * i // count for i in range(count + 1)]
    yield from itertools.pairwise(edges)


def walk(waveform: Float, *made: Float) -> Iterator[tuple[int, int]]:
    """The blocks of a waveform (S,), of which no more than one is ever in memory.

    Nor is more of the arrays `made`, row by row, meanwhile.
    """
    for block in blocks(len(waveform)):
        yield block
        for array in (waveform, *made):
            release(array)


def frames_around(waveform: Float, first: int, last: int, length: int) -> Float:
    """Stretches of `length` samples centred on rows first..last-1 -> (last - first, length).

    Before and after the recording there is silence.
    """
    start = first * HOP - length // 2
    stop = (last - 1) * HOP - length // 2 + length
    inside = waveform[max(0, start) : max(0, stop)]
    before = max(0, -start)
    padded = np.pad(inside, (before, max(0, stop - start - before - len(inside))))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::HOP]


def in_blocks(
    waveform: Float, encode: Callable[[Float], Float], columns: int, *, threads: int = 1
) -> Float:
    """Encode a recording of any length block by block -> (N, columns).

    `encode` maps samples to rows of the same clock, counted from its own first sample. It sees
    `CONTEXT_ROWS` more on either side of each block, and silence around the recording, for a
    recogniser misses the first sound of one that starts in the middle of a word. `threads` blocks
    are done at the same time.
    """
    total = row_count(len(waveform))
    out = roomy(total, columns)

    def fill(block: tuple[int, int]) -> None:
        """Encode one block of rows with its context."""
        first, last = block
        start = max(-SILENT_ROWS, first - CONTEXT_ROWS)
        stop = min(total + SILENT_ROWS, last + CONTEXT_ROWS)
        before, after = max(0, -start) * HOP, max(0, stop * HOP - len(waveform))
        inside = waveform[max(0, start) * HOP : stop * HOP]
        rows = encode(np.pad(inside, (before, after)))
        out[first:last] = rows[first - start : last - start]
        release(waveform)
        release(out)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fill, blocks(len(waveform))):
            pass
    return out
