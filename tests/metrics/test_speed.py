"""Speed: a video's length over the time it took."""

import pytest

from emotalk_cli.metrics.evaluate import describe_making
from emotalk_cli.metrics.speed import MakingTime, Speed


def test_twice_as_fast_as_it_plays() -> None:
    assert Speed()([MakingTime(video_s=6.0, elapsed_s=3.0)]) == 2


def test_samples_of_one_clip_count_by_their_time() -> None:
    assert Speed()([MakingTime(6.0, 3.0), MakingTime(6.0, 9.0)]) == 1


def test_no_time_gives_no_number() -> None:
    assert describe_making([], lambda name: True) == []
    assert describe_making([MakingTime(1.0, 1.0)], lambda name: name != "speed") == []


def test_more_is_better() -> None:
    (value,) = describe_making([MakingTime(1.0, 4.0)], lambda name: True)
    assert (value.metric, value.unit, value.better) == ("speed", "x real time", "higher")
    assert value.value == pytest.approx(0.25)
