"""Lips behind hair: found where one side has the lips' red and the other has not."""

import cv2
import numpy as np

from emotalk_cli.render.hidden_lips import free_of_cover, lips_seen
from emotalk_cli.render.lips import COLUMNS
from emotalk_cli.render.registration import LOWER_INNER_LIP, LOWER_OUTER_LIP, UPPER_OUTER_LIP
from tests.render.render_person import Person


def painted(person: Person, *, covered: bool) -> tuple[np.ndarray, np.ndarray]:
    """The photo with red lips, the subject's left half of them under blond hair or not."""
    photo, points = person.photo.copy(), np.ascontiguousarray(person.landmarks[:, :2])
    lips = np.concatenate([points[list(UPPER_OUTER_LIP)], points[list(LOWER_OUTER_LIP)][::-1]])
    cv2.fillPoly(photo, [np.round(lips).astype(np.int32)], (190, 50, 60))
    if covered:
        x, y = points[14].astype(int)
        photo[y - 40 : y + 60, x + 8 : x + 90] = (205, 185, 150)
    return photo, points


def test_uncovered_lips_are_seen(person: Person) -> None:
    for photo, points in (painted(person, covered=False), (person.photo, person.landmarks[:, :2])):
        assert (lips_seen(photo, points) == 1.0).all()


def test_the_covered_half_is_found_and_held(person: Person) -> None:
    photo, points = painted(person, covered=True)
    seen = lips_seen(photo, points)
    assert seen.shape == (COLUMNS,)
    assert (seen[: COLUMNS // 2 - 1] == 1.0).all()
    assert (seen[COLUMNS // 2 + 3 :] == 0.0).all()
    at = person.model.at_landmarks(
        person.model.vertices(person.still.shape, np.zeros_like(person.still.expression[0]))
    )
    free = free_of_cover(at, at[list(LOWER_INNER_LIP)], seen)
    assert free[61] > 0.9
    assert free[308] < 0.1
    assert free[10] > 0.99
