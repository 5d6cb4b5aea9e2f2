"""Head, blinks, smoothness and variety of one track, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from emotalk_cli.metrics import motion
from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.schema import FaceTrack


def test_jitter_by_hand(surface: FaceSurface, still: FaceTrack) -> None:
    assert motion.Jitter(surface)(still) == 0
    pose = still.head_pose.copy()
    pose[::2, 3] += 0.001  # every other frame 1 mm aside: third differences of 4 mm
    shaking = replace(still, head_pose=pose)
    assert motion.Jitter(surface)(shaking) == pytest.approx(0.004 * 25**3, rel=1e-3)


def test_steady_motion_has_no_jitter(surface: FaceSurface, still: FaceTrack) -> None:
    pose = still.head_pose.copy()
    pose[:, 3] = np.linspace(0, 0.1, 50)
    assert motion.Jitter(surface)(replace(still, head_pose=pose)) == pytest.approx(0, abs=0.02)


def test_head_range_and_speed(surface: FaceSurface, still: FaceTrack) -> None:
    pose = still.head_pose.copy()
    pose[:, 1] = np.radians(np.linspace(-10, 10, 50))
    turning = replace(still, head_pose=pose)
    assert motion.HeadRange(surface)(turning) == pytest.approx(9.7, abs=0.4)
    assert motion.HeadSpeed(surface)(turning) == pytest.approx(20 / 49 * 25, rel=1e-3)
    assert motion.HeadRange(surface)(still) == pytest.approx(0, abs=1e-6)


def test_blinks_are_counted(surface: FaceSurface, still: FaceTrack) -> None:
    expression = still.expression.copy()
    for start in (10, 30):
        expression[start : start + 4, 2:] = np.array([[0.5], [1], [0.9], [0.3]])
    blinking = replace(still, expression=expression)
    assert motion.BlinkRate(surface)(blinking) == pytest.approx(2 / (50 / 25 / 60))
    assert motion.BlinkRate(surface)(still) == 0


def test_a_closed_eye_is_no_blink() -> None:
    level = np.ones(100)
    level[10:60] = 0.1  # two seconds
    assert motion.count_blinks(level, 25) == 0
    level[80:85] = 0.3
    assert motion.count_blinks(level, 25) == 1


def test_diversity_is_the_mean_distance(surface: FaceSurface, still: FaceTrack) -> None:
    assert np.isnan(motion.Diversity(surface)([still]))
    assert motion.Diversity(surface)([still, still]) == 0
    expression = still.expression.copy()
    expression[:, 0] = 1  # three of 468 landmarks move 10 mm
    opened = replace(still, expression=expression)
    assert motion.Diversity(surface)([still, opened]) == pytest.approx(30 / 468, rel=1e-3)
    thirds = motion.Diversity(surface)([still, still, opened])
    assert thirds == pytest.approx(30 / 468 * 2 / 3, rel=1e-3)
