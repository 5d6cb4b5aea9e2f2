"""Breathing: how often, how deep, and what it moves."""

import numpy as np
import pytest

from emotalk_cli.render.body import LIFT_M, breathing, lifted
from emotalk_cli.render.portrait import PortraitRenderer
from tests.render.render_person import Person

SIZE_PX = 256


@pytest.mark.parametrize("seed", range(5))
def test_breath_is_slow_and_starts_at_the_photo(seed: int) -> None:
    breath = breathing(3000, 25.0, seed)
    assert breath[0] == 0.0
    assert breath.min() >= 0.0
    assert breath.max() <= 1.0
    peaks = (breath[1:-1] > breath[:-2]) & (breath[1:-1] >= breath[2:]) & (breath[1:-1] > 0.4)
    assert 22 <= peaks.sum() <= 38  # 12 to 18 a minute, each a little uneven, in two minutes
    assert np.abs(np.diff(breath)).max() < 0.06


def test_breath_follows_the_seed_and_the_clock() -> None:
    assert np.array_equal(breathing(100, 25.0, 1), breathing(100, 25.0, 1))
    assert not np.array_equal(breathing(100, 25.0, 1), breathing(100, 25.0, 2))
    assert np.allclose(breathing(100, 25.0, 1), breathing(200, 50.0, 1)[::2], atol=1e-6)


def test_shoulders_rise_and_the_face_does_not() -> None:
    chin_y_m = -0.09
    points = np.float32([[0, 0, 0.1], [0, chin_y_m, 0.1], [0.12, -0.22, 0.0], [0, -0.5, 0.0]])
    lift = lifted(points, chin_y_m)
    assert np.abs(lift[[0, 1, 3]]).max() < 1e-7
    assert lift[2, 1] == pytest.approx(LIFT_M, rel=0.05)
    assert lift[2, 0] > 0.0


def test_a_breath_moves_the_shoulders_by_about_a_pixel(person: Person) -> None:
    drawn = PortraitRenderer(
        person.photo, person.landmarks, person.still, person.model, size_px=SIZE_PX
    )
    still = person.still.expression[0], person.still.head_pose[0]
    out = drawn.frame(*still, 0.0).copy()
    full = drawn.frame(*still, 1.0).copy()
    changed = np.abs(full.astype(int) - out).mean(axis=2)
    chin_y = int(person.landmarks[152, 1] * SIZE_PX / person.photo.shape[1])
    assert changed[: chin_y - 20].max() <= 1.0
    assert changed[-8:].max() > 2.0
    camera = person.still.camera[0] * SIZE_PX / person.photo.shape[1]
    assert 512 / SIZE_PX * LIFT_M * camera / -person.still.head_pose[0, 5] < 1.5
    assert np.array_equal(drawn.frame(*still, 0.0), out)
