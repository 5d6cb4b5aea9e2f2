"""Glasses are found by their frames, and hold the skin around the eyes still."""

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.glasses import (
    INNER_CORNERS,
    OUTER_CORNERS,
    free_of_glasses,
    wears_glasses,
)
from tests.render.render_person import Person


def with_frames(person: Person, thickness_px: int) -> NDArray[np.uint8]:
    """The photo with round dark frames drawn on it."""
    photo, points = person.photo.copy(), person.landmarks[:, :2]
    width = float(np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]))
    dark = (60, 50, 45)
    for outer, inner in zip(OUTER_CORNERS, INNER_CORNERS, strict=True):
        x, y = 0.5 * (points[outer] + points[inner]) + [0.0, 0.05 * width]
        axes = (int(0.24 * width), int(0.19 * width))
        cv2.ellipse(photo, (int(x), int(y)), axes, 0, 0, 360, dark, thickness_px, cv2.LINE_AA)
    x, y = points[list(INNER_CORNERS)].mean(axis=0)
    half = int(0.06 * width)
    cv2.line(photo, (int(x) - half, int(y)), (int(x) + half, int(y)), dark, thickness_px)
    return photo


def test_frames_are_found_thick_or_thin(person: Person) -> None:
    points = np.ascontiguousarray(person.landmarks[:, :2])
    assert not wears_glasses(person.photo, points)
    for thickness in (1, 2, 4):
        assert wears_glasses(with_frames(person, thickness), points)


def test_skin_under_glasses_is_held_and_the_mouth_is_not() -> None:
    heights = np.float32([0.045, 0.0, -0.02, -0.05])
    vertices = np.stack([0 * heights, heights, 0 * heights + 0.1], axis=1)
    free = free_of_glasses(vertices, 0.0)
    assert free[1] == free[2] == 0.0
    assert free[0] > 0.9
    assert free[3] > 0.9
