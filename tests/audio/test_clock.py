"""The clock: every row once, centred at its moment, and blocks that nobody can hear."""

import numpy as np
import pytest

from emotalk_cli.audio.clock import HOP, blocks, frames_around, in_blocks, row_count


@pytest.mark.parametrize("samples", [1, 319, 320, 16000, 16000 * 61 + 7])
def test_blocks_take_every_row_once(samples: int) -> None:
    rows = [row for first, last in blocks(samples) for row in range(first, last)]
    assert rows == list(range(row_count(samples)))


def test_frames_are_centred_and_silent_outside() -> None:
    ramp = np.arange(1, 1001, dtype=np.float32)
    frames = frames_around(ramp, 0, 4, 640)
    assert frames.shape == (4, 640)
    assert (frames[0, :320] == 0).all() and frames[0, 320] == 1
    assert [frame[320] for frame in frames] == [1, 321, 641, 961]
    assert (frames[3, 320 + 40 :] == 0).all()


def test_blocks_change_nothing_of_what_is_local() -> None:
    sound = np.random.default_rng(0).normal(size=16000 * 25 + 123).astype(np.float32)

    def loudness(part: np.ndarray) -> np.ndarray:
        return np.abs(frames_around(part, 0, row_count(len(part)), HOP)).mean(axis=1)[:, None]

    assert np.array_equal(in_blocks(sound, loudness, 1), loudness(sound))
