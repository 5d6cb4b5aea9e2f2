"""What witnesses say of many clips: one distance for all, one matrix for each."""

import numpy as np
import pytest

from emotalk_cli.metrics.clip import Drawn, ScoredClip
from emotalk_cli.metrics.opening import MouthOpening
from emotalk_cli.metrics.spread import confusions, spread_rows
from emotalk_cli.metrics.witnesses import Reading, Testimony

CURVE = MouthOpening(np.zeros(3, np.float32), np.ones(3, bool), "mm", 25.0)
METRIC = "emotion in pictures"


def clip(system: str, clip_id: str, said: Testimony) -> ScoredClip:
    return ScoredClip((), Drawn(system, clip_id, CURVE, CURVE), (), (said,))


def features(move: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(seed).normal(size=(5, 2)).astype(np.float32)
    return rows + np.float32(move), rows


def test_the_distance_is_that_of_all_clips_together() -> None:
    said = [Testimony(features={"FD-EffLite0": features(3, n)}) for n in range(4)]
    rows = spread_rows([clip("a", f"c{n}", one) for n, one in enumerate(said)])
    (row,) = rows
    assert (row.system, row.clip_id, row.metric, row.better) == ("a", "", "FD-EffLite0", "lower")
    assert row.value == pytest.approx(18, rel=1e-4)  # moved by 3 in two directions
    assert not spread_rows([clip("a", "c", Testimony())])


def test_the_reference_is_counted_once() -> None:
    def said(read: str) -> Testimony:
        real = (Reading(METRIC, "happy", "happy"),)
        return Testimony(predicted=(Reading(METRIC, "happy", read),), reference=real)

    scored = [clip("a", "c0", said("sad")), clip("b", "c0", said("happy"))]
    found = {one.system: one for one in confusions(scored)}
    assert found["reference"].counts == ((1,),) and found["b"].counts == ((1,),)
    assert found["a"].emotions == ("happy", "sad") and found["a"].counts == ((0, 1), (0, 0))
