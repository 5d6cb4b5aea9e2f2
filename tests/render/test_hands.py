"""Hands at the face move as one piece and are not bent by the jaw."""

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.hands import hands_at_face, weight_of_hands
from emotalk_cli.render.head_layer import make_head_layer
from emotalk_cli.render.matte import read_at
from emotalk_cli.render.registration import register
from tests.render.render_person import Person

CHIN = 152


def hand_below(person: Person, down: float) -> NDArray[np.float32]:
    """A flat hand whose middle finger's tip is `down` eye distances below the chin."""
    eyes_px = np.linalg.norm(person.landmarks[473, :2] - person.landmarks[468, :2])
    finger, joint = np.meshgrid(np.linspace(-0.6, 0.6, 5), np.linspace(1.5, 0.0, 4), indexing="ij")
    joints = np.stack([finger, joint], axis=-1).reshape(-1, 2)
    points = np.concatenate([[[0.0, 2.5]], joints]) + np.array([0.0, down])
    return np.asarray(person.landmarks[CHIN, :2] + points * eyes_px, np.float32)


def test_no_hand_no_weight(person: Person) -> None:
    assert hands_at_face(person.photo, person.landmarks) is None


def test_a_hand_counts_only_at_the_face(person: Person) -> None:
    shape = person.photo.shape[:2]
    touching = hand_below(person, -0.2)
    held = weight_of_hands([touching], person.landmarks, shape)
    assert held is not None
    inside = (touching[:, 0] < shape[1]) & (touching[:, 1] < shape[0])
    assert read_at(held, touching[inside]).min() == 1.0
    assert read_at(held, person.landmarks[[10, 1]]).max() == 0.0  # forehead and nose are free
    assert weight_of_hands([hand_below(person, 1.5)], person.landmarks, shape) is None
    assert weight_of_hands([], person.landmarks, shape) is None


def test_a_hand_moves_as_one(person: Person) -> None:
    height, width = person.photo.shape[:2]
    registered = register(person.model, person.still, person.landmarks[:, :2], 1.0)
    seen = np.flatnonzero(registered.vertices[:, 2] > 0.05)
    held = weight_of_hands([hand_below(person, -0.2)], person.landmarks, (height, width))
    everything = np.ones((height, width), np.float32)
    follows = []
    for hands in (None, held):
        layer = make_head_layer(
            registered,
            seen,
            registered.units,
            size_px=(width, height),
            margin_px=16,
            chin_y_m=float(registered.vertices[seen, 1].min()),
            matte=everything,
            hair=np.zeros_like(everything),
            hands=hands,
        )
        assert held is not None
        on_hand = read_at(held, layer.uv) == 1.0
        follows.append(layer.follow[on_hand])
    assert np.ptp(follows[0]) > 0.5
    assert np.ptp(follows[1]) < 1e-6
    assert np.abs(layer.units[:, on_hand]).max() == 0.0
    assert follows[0].mean() < layer.hand_follow < 1.0
