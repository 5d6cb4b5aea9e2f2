"""Curves of the mouth's opening: known shifts, sizes and closures are found again."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from emotalk_cli.metrics import opening
from emotalk_cli.metrics.opening import MouthOpening
from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.schema import FaceTrack


def curve(values: object, unit: str = "mm") -> MouthOpening:
    array = np.asarray(values, np.float32)
    return MouthOpening(array, np.ones(len(array), bool), unit, 25.0)


@pytest.fixture
def speech() -> MouthOpening:
    rng = np.random.default_rng(1)
    return curve(np.convolve(rng.standard_normal(110), np.hanning(7), "valid")[:100] + 5)


def test_the_opening_is_the_height_between_the_lips(surface: FaceSurface, still: FaceTrack) -> None:
    expression = still.expression.copy()
    expression[:, 0] = np.linspace(0, 1, 50)
    opened = replace(still, expression=expression)
    grown = surface.mouth_opening_mm(opened) - surface.mouth_opening_mm(still)
    np.testing.assert_allclose(grown, np.linspace(0, 10, 50), atol=1e-3)


def test_perfect_row_on_itself(speech: MouthOpening) -> None:
    measured = {m.name: m()(speech, speech) for m in opening.OPENING_METRICS}
    assert measured["MOD"] == 0 and measured["lip lag"] == 0
    assert measured["lip r"] == pytest.approx(1) and measured["lip amplitude"] == pytest.approx(1)
    assert measured["lip closures kept"] == 1


def test_mod_by_hand() -> None:
    assert opening.MouthOpeningDifference()(curve([1, 2, 6]), curve([1, 4, 2])) == pytest.approx(2)


def test_correlation_agrees_with_scipy(speech: MouthOpening) -> None:
    noisy = curve(speech.values + np.random.default_rng(2).standard_normal(100))
    expected = stats.pearsonr(noisy.values, speech.values).statistic
    assert opening.LipCorrelation()(noisy, speech) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shift", [-5, -1, 0, 1, 4])
def test_a_known_shift_is_the_lag(speech: MouthOpening, shift: int) -> None:
    late = curve(np.roll(speech.values, shift))
    assert opening.LipLag()(late, speech) == shift
    assert opening.AbsoluteLipLag()(late, speech) == abs(shift)
    assert opening.LipCorrelationAtLag()(late, speech) == pytest.approx(1, abs=1e-5)


def test_damped_lips_show_in_the_amplitude_alone(speech: MouthOpening) -> None:
    damped = curve(5 + 0.4 * (speech.values - 5))
    assert opening.LipAmplitude()(damped, speech) == pytest.approx(0.4, rel=1e-4)
    assert opening.LipCorrelation()(damped, speech) == pytest.approx(1)


def test_a_still_mouth_knows_nothing(speech: MouthOpening) -> None:
    flat = curve(np.full(100, 5.0))
    assert opening.LipCorrelation()(flat, speech) == 0
    assert np.isnan(opening.LipLag()(flat, speech))
    assert np.isnan(opening.LipCorrelation()(speech, flat))
    assert np.isnan(opening.LipAmplitude()(speech, flat))


def test_closures_are_counted_one_by_one() -> None:
    real = np.full(40, 10.0)
    real[[5, 6, 20, 30]] = 0  # three closures
    made = np.full(40, 10.0)
    made[[7, 30]] = 0  # the first within two frames, the second missed, the third exact
    kept = opening.LipClosure()(curve(made), curve(real))
    assert kept == pytest.approx(2 / 3)


def test_lost_frames_do_not_count(speech: MouthOpening) -> None:
    spoiled = speech.values.copy()
    spoiled[40:50] = 100
    valid = speech.valid.copy()
    valid[40:50] = False
    made = replace(speech, values=spoiled, valid=valid)
    assert opening.LipCorrelation()(made, speech) == pytest.approx(1)
    assert opening.LipLag()(made, speech) == 0
    assert opening.MouthOpeningDifference()(made, speech) == 0


def test_lengths_go_with_curves_of_their_unit() -> None:
    assert opening.MouthOpeningDifference.suits(curve([1]))
    assert not opening.MouthOpeningDifference.suits(curve([1], "px"))
    assert opening.LipCorrelation.suits(curve([1], "px"))
