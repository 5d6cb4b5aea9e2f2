"""Valence and arousal: named emotions lie where they should, and all between is smooth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotalk_cli.decoders.direction.valence import PLEASURE_AROUSAL, valence_arousal_shares
from emotalk_cli.errors import EmotalkError


@pytest.mark.parametrize("emotion", PLEASURE_AROUSAL)
def test_at_its_own_place_an_emotion_is_alone_and_full(emotion: str) -> None:
    shares = valence_arousal_shares(*PLEASURE_AROUSAL[emotion])
    assert shares[emotion] == pytest.approx(1, abs=1e-6)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-6)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_shares_never_exceed_one(valence: float, arousal: float) -> None:
    shares = valence_arousal_shares(valence, arousal)
    assert all(0 < share <= 1 + 1e-9 for share in shares.values())
    assert sum(shares.values()) <= 1 + 1e-9


def test_the_quadrants_have_their_emotions_and_the_centre_has_none() -> None:
    assert set(valence_arousal_shares(0.8, 0.5)) <= {"happy", "surprised"}
    assert set(valence_arousal_shares(-0.5, 0.7)) <= {"angry", "fear", "surprised"}
    assert set(valence_arousal_shares(-0.7, -0.3)) == {"sad"}
    assert not valence_arousal_shares(0, 0) and not valence_arousal_shares(0.6, -0.6)


def test_strength_grows_with_the_distance_from_the_centre() -> None:
    total = [sum(valence_arousal_shares(0.8 * r, 0.5 * r).values()) for r in np.linspace(0, 1, 9)]
    assert (np.diff(total) > 0).all()


def test_neighbouring_points_have_neighbouring_shares() -> None:
    angles = np.radians(np.arange(0, 360, 1.0))
    rows = [valence_arousal_shares(0.6 * np.cos(a), 0.6 * np.sin(a)) for a in angles]
    table = np.array([[row.get(name, 0) for name in PLEASURE_AROUSAL] for row in rows])
    steps = np.abs(np.diff(np.concatenate([table, table[:1]]), axis=0)).max(axis=1)
    assert steps.max() < 0.2  # anger and fear are only 6 degrees apart


@pytest.mark.parametrize("pair", [(1.1, 0), (0, -2), (float("nan"), 0)])
def test_out_of_range(pair: tuple[float, float]) -> None:
    with pytest.raises(EmotalkError, match="outside -1 to 1"):
        valence_arousal_shares(*pair)
