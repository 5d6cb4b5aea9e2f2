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


def test_blocks_on_several_threads_make_one_recording() -> None:
    sound = np.random.default_rng(0).standard_normal(HOP * 3000 + 7).astype(np.float32)

    def encode(waveform: np.ndarray) -> np.ndarray:
        rows = row_count(len(waveform))
        padded = np.pad(waveform, (0, rows * HOP - len(waveform)))
        return padded.reshape(rows, HOP)[:, :3]

    whole = encode(sound)
    for threads in (1, 3):
        np.testing.assert_array_equal(in_blocks(sound, encode, 3, threads=threads), whole)


def test_a_recording_is_surrounded_by_silence() -> None:
    seen = []

    def encode(waveform: np.ndarray) -> np.ndarray:
        seen.append(waveform)
        return np.zeros((row_count(len(waveform)), 1), np.float32)

    in_blocks(np.ones(HOP * 20, np.float32), encode, 1)
    assert len(seen) == 1 and not seen[0][: HOP * 15].any() and not seen[0][-HOP * 15 :].any()
    assert seen[0][HOP * 15 : HOP * 35].all()
