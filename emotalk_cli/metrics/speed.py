"""How fast a system makes its videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from emotalk_cli.metrics.base import HIGHER, Described


@dataclass(frozen=True)
class MakingTime:
    """Length of one video and the time that it took, both in s and above 0.

    `workers`: so many videos were made side by side in that run.
    """

    video_s: float
    elapsed_s: float
    workers: int = 1


class Speed(Described):
    """Length of a video over the time that `generate --manifest` took for it, from reading the
    inputs to the finished file; above 1 it is made faster than it plays. It belongs to the machine
    and the number of workers of that run; the first video of each worker loads the models too.
    """

    name = "speed"
    unit = "x real time"
    better = HIGHER
    family: ClassVar[str] = "Speed"

    def __call__(self, times: Sequence[MakingTime]) -> float:
        """Of all samples of one clip together (one time or more)."""
        return sum(time.video_s for time in times) / sum(time.elapsed_s for time in times)
