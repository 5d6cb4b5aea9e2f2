"""In silence the mouth rests; before and after sound, and in noise, it is free."""

import numpy as np

from emotalk_cli.decoders.lips.silence import AFTER_S, BEFORE_S, IDLE, at_rest, speaking

RATE_HZ = 50.0


def test_rest_surrounds_speech() -> None:
    energy = np.full(200, -70, np.float32)
    energy[80:120] = -20
    share = speaking(energy, -20.0, RATE_HZ, np.ones_like(energy))
    assert np.allclose(share[80:120], 1)
    assert share[0] == 0 and np.all(share[:11] < IDLE)
    assert np.allclose(share[12:60], IDLE) and np.allclose(share[140:], IDLE)
    lead = np.nonzero(share > IDLE + 1e-4)[0]
    early, late = (80 - lead[0]) / RATE_HZ, (lead[-1] - 119) / RATE_HZ
    assert BEFORE_S <= early <= BEFORE_S + 0.1
    assert AFTER_S <= late <= AFTER_S + 0.1


def test_noise_frees_the_mouth() -> None:
    energy = np.random.default_rng(0).uniform(-35, -20, 100).astype(np.float32)
    assert np.allclose(speaking(energy, -20.0, RATE_HZ, np.ones_like(energy)), 1)


def test_music_moves_no_lips() -> None:
    energy, speech = np.full(200, -20, np.float32), np.full(200, 0.02, np.float32)
    speech[100:110] = 0.9
    share = speaking(energy, -20.0, RATE_HZ, speech)
    assert np.all(share[:60] <= IDLE) and np.allclose(share[150:], IDLE)
    assert np.allclose(share[100:110], 1)


def test_under_noise_the_words_alone_tell() -> None:
    energy = np.full(200, -20, np.float32)  # as loud between the words as within
    speech = np.full(200, 0.1, np.float32)
    speech[10:60] = speech[72:100] = 0.9
    share = speaking(energy, -20.0, RATE_HZ, speech)
    assert share[0] == 0, "it begins at rest"
    assert np.allclose(share[13:100], 1), "a dip within a sentence is no pause"
    assert np.allclose(share[100 + round((AFTER_S + 0.1) * RATE_HZ) :], IDLE)


def test_share_scales_the_motion() -> None:
    mouth = np.ones((5, 3), np.float32)
    share = np.linspace(0, 1, 11).astype(np.float32)
    rested = at_rest(mouth, share, RATE_HZ, np.arange(5) / 25)
    np.testing.assert_allclose(rested[:, 0], [0, 0.2, 0.4, 0.6, 0.8], atol=1e-6)
