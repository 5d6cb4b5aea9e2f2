"""Where p, b or m is heard the lips meet, where f or v is they reach the teeth; only there."""

import numpy as np
import pytest

from emotalk_cli.decoders.lips.closures import TEETH_SURE, close_lips, to_teeth, touch_strength
from emotalk_cli.decoders.lips.mouth import Mouth

FACE = Mouth(("jawOpen", "mouthClose", "mouthUpperUpLeft"), (0.03, -0.03, 0.003), 0.001)


def test_strength_peaks_where_the_phone_is() -> None:
    posterior = np.zeros(100, np.float32)
    posterior[40] = 0.9
    strength = touch_strength(posterior, 50.0, 0, 25.0, np.full(50, 0.01, np.float32))
    assert strength[20] == 1
    assert strength[:19].max() == 0 and strength[22:].max() == 0


def test_lips_touch_as_long_as_the_sound_lasts() -> None:
    posterior = np.zeros(100, np.float32)
    posterior[40:47] = 0.9
    strength = touch_strength(posterior, 50.0, 0, 25.0, np.full(50, 0.01, np.float32))
    assert np.all(strength[21:23] == 1) and strength[:19].max() == strength[25:].max() == 0


def test_lips_meet_where_they_are_nearest() -> None:
    posterior = np.zeros(100, np.float32)
    posterior[40] = 0.9
    gap = np.full(50, 0.01, np.float32)
    gap[21] = 0.004
    strength = touch_strength(posterior, 50.0, 0, 25.0, gap)
    assert strength[21] == 1 and strength[20] < 0.5


def test_windows_share_no_peak_and_lose_none() -> None:
    rng = np.random.default_rng(0)
    posterior = np.zeros(400, np.float32)
    posterior[rng.choice(np.arange(4, 390, 8), 20, replace=False)] = 0.9
    gap = np.full(200, 0.01, np.float32)
    parts = [touch_strength(posterior, 50.0, n, 25.0, gap[n : n + 40]) for n in range(0, 200, 40)]
    assert (np.concatenate(parts) == 1).sum() == 20


def test_doubt_does_nothing() -> None:
    posterior = np.full(20, 0.05, np.float32)
    assert touch_strength(posterior, 50.0, 0, 25.0, np.full(10, 0.01, np.float32)).max() == 0


def test_less_certainty_is_asked_of_teeth_than_of_closed_lips() -> None:
    posterior = np.zeros(100, np.float32)
    posterior[40] = 0.14  # as of the f in "before", quickly read
    gap = np.full(50, 0.01, np.float32)
    assert touch_strength(posterior, 50.0, 0, 25.0, gap).max() == 0
    assert touch_strength(posterior, 50.0, 0, 25.0, gap, TEETH_SURE)[20] > 0.9
    posterior[40] = TEETH_SURE[0]
    assert touch_strength(posterior, 50.0, 0, 25.0, gap, TEETH_SURE).max() == 0


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_gap_shrinks_by_the_strength(share: float) -> None:
    open_mouth = np.array([[0.5, 0.1, 0.4]], np.float32)
    closed = close_lips(open_mouth, np.array([share], np.float32), FACE)
    gap = float(FACE.gap(open_mouth)[0]) - FACE.rest_m
    assert float(FACE.gap(closed)[0]) - FACE.rest_m == pytest.approx(gap * (1 - share), abs=1e-5)
    assert closed.min() >= 0 and closed.max() <= 1


def test_closed_lips_stay_as_they_are() -> None:
    pressed = np.array([[0.0, 0.2, 0.0]], np.float32)
    np.testing.assert_array_equal(close_lips(pressed, np.ones(1, np.float32), FACE), pressed)


def test_lower_lip_goes_under_the_teeth() -> None:
    names = ("jawOpen", "mouthClose", "mouthUpperUpLeft", "mouthRollLower")
    face = Mouth(names, (0.03, -0.03, 0.003, 0.0), 0.001)
    open_mouth = np.array([[0.5, 0.1, 0.4, 0.1]] * 3, np.float32)
    made = to_teeth(open_mouth, np.array([0.0, 0.5, 1.0], np.float32), face)
    gap_mm = 1000 * (face.gap(made) - face.rest_m)
    assert gap_mm[0] > 5 and gap_mm[0] > gap_mm[1] > gap_mm[2] and gap_mm[2] < 1
    np.testing.assert_array_equal(made[0], open_mouth[0])
    assert made[2, 3] > 0.4 and 0 < made[2, 2] < 0.4
