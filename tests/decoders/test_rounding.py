"""Where a round sound is heard the lips purse, and the jaw keeps their gap."""

import numpy as np

from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.lips.rounding import ROUND_UNITS, round_lips, rounding_strength

FACE = Mouth(
    ("jawOpen", "mouthPucker", "mouthFunnel", "mouthStretchLeft"), (0.03, 0.0, 0.012, 0.0), 0.001
)


def test_lips_round_before_and_after_the_sound() -> None:
    posterior = np.zeros(100, np.float32)
    posterior[40:50] = 1
    strength = rounding_strength(posterior, 50.0, 0, 50, 25.0)
    assert strength[21:24].min() > 0.9
    assert 0.1 < strength[19] < strength[20] and strength[:18].max() == 0 == strength[27:].max()
    parts = [rounding_strength(posterior, 50.0, n, 10, 25.0) for n in range(0, 50, 10)]
    np.testing.assert_array_equal(np.concatenate(parts), strength)


def test_round_lips_purse_and_keep_their_gap() -> None:
    mouth = np.array([[0.3, 0.05, 0.0, 0.4]] * 3, np.float32)
    made = round_lips(mouth, np.array([0.0, 0.5, 1.0], np.float32), FACE)
    np.testing.assert_array_equal(made[0], mouth[0])
    assert made[0, 1] < made[1, 1] < made[2, 1] == np.float32(ROUND_UNITS["mouthPucker"])
    assert made[2, 3] < made[1, 3] < made[0, 3]
    np.testing.assert_allclose(FACE.gap(made), FACE.gap(mouth), atol=1e-6)


def test_rounder_lips_stay() -> None:
    pursed = np.array([[0.3, 0.9, 0.5, 0.0]], np.float32)
    np.testing.assert_allclose(round_lips(pursed, np.ones(1, np.float32), FACE), pursed, atol=1e-6)
