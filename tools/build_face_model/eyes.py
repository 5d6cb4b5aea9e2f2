"""Eyeballs: a sphere with rings at pupil and iris, turned by the gaze units; lids that shut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .head import Ring
from .layout import Part

SECTORS = 32
"""Vertices around each ring; a multiple of 4, so that the iris has its four landmark points."""
IRIS_RING_START = 1 + 2 * SECTORS
"""First vertex of the iris's rim among an eyeball's vertices."""
IRIS_TO_EYE = 0.40
"""Radius of the iris over that of the eyeball."""
PUPIL_TO_IRIS = 0.4
BACK_ANGLE_DEG = 125.0
"""The eyeball is built from the pupil's centre back to this angle; the rest is never seen."""
WHITE_RINGS = 7
GAZE_DEG = {"Up": 25.0, "Down": 28.0, "In": 30.0, "Out": 30.0}
"""Turn of the eyeball at weight 1 of each gaze unit."""
CORNER_SHIFT_M, CORNER_REACH_M = 0.0021, 0.0065
"""How far the inner corners of the eyes are drawn towards the nose, and how far that reaches."""
SHUT_LINE_LIFT = 0.35
"""Where shut lids meet: on the way from the lower margin (0) to the line between the corners (1).
The lower lid rises as far; a shut eye's line is flatter than an open eye's lower margin."""
UPPER_FOLLOWS = (1.0, 1.0, 1.0, 1.0, 0.98, 0.94, 0.88)
LOWER_FOLLOWS = (1.0, 1.0, 1.0, 0.95, 0.8, 0.6, 0.4)
"""How far each ring of a lid goes with its margin in a blink. The rim goes as a whole."""
FOLD_SHARE = 0.8
"""Skin above the rings moves as the source has it, but by no more than this share of the margin's
travel: the source lets the fold hang over the lashes."""
OPEN_LID_CLEARANCE_M = 0.0006
"""Lids of neutral faces stay this far outside the eyeball, so that mixtures of them do too."""
LID_CLEARANCE_M = 0.0002
"""Closed lids stay at least this far outside the eyeball."""


def fit_sphere(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Centre (3,) and radius of the least-squares sphere of (N, 3) points."""
    system = np.c_[2 * points, np.ones(len(points))]
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + (solution[:3] ** 2).sum()))


def make_eyeball(centre: NDArray[np.float64], radius: float, label: str) -> Part:
    """An eyeball looking along +z. Vertex 0 is the pupil's centre; then ring after ring, each
    starting at the subject's left and running counter-clockwise seen from the front.
    """
    iris = np.arcsin(IRIS_TO_EYE)
    angles = np.concatenate(
        [
            np.arcsin([IRIS_TO_EYE * PUPIL_TO_IRIS, IRIS_TO_EYE * 0.7]),
            [iris],
            iris
            + (np.deg2rad(BACK_ANGLE_DEG) - iris) * np.arange(1, WHITE_RINGS + 1) / WHITE_RINGS,
        ]
    )
    turn = 2 * np.pi * np.arange(SECTORS) / SECTORS
    around = np.stack([np.cos(turn), np.sin(turn), np.zeros(SECTORS)], axis=1)
    rings = [np.sin(a) * around + [0, 0, np.cos(a)] for a in angles]
    points = np.concatenate([[[0.0, 0.0, 1.0]], *rings])
    here = np.arange(SECTORS)
    after = (here + 1) % SECTORS
    triangles = [np.stack([np.zeros_like(here), 1 + here, 1 + after], axis=1)]
    for k in range(len(rings) - 1):
        a, b = 1 + k * SECTORS, 1 + (k + 1) * SECTORS
        triangles.append(np.stack([a + here, b + here, b + after], axis=1))
        triangles.append(np.stack([a + here, b + after, a + after], axis=1))
    joined = np.concatenate(triangles)
    return Part(centre + radius * points, joined, np.full(len(joined), label))


def gaze_offsets(
    vertices: NDArray[np.float64], centre: NDArray[np.float64], unit: str
) -> NDArray[np.float64]:
    """(V, 3) offsets of one eyeball for the unit `eyeLook<direction><side>` at weight 1."""
    side = "Left" if unit.endswith("Left") else "Right"
    direction = unit.removeprefix("eyeLook").removesuffix(side)
    angle = np.deg2rad(GAZE_DEG[direction])
    if direction in ("Up", "Down"):
        angle = -angle if direction == "Up" else angle
        turn = np.array(
            [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
        )
    else:
        to_left = (direction == "Out") == (side == "Left")
        angle = angle if to_left else -angle
        turn = np.array(
            [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        )
    return (vertices - centre) @ (turn - np.eye(3)).T


def source_gaze_deg(
    offsets: NDArray[np.float64], eyeball: NDArray[np.float64], centre: NDArray[np.float64]
) -> float:
    """How far the source's gaze unit turns its own eyeball, in degrees."""
    before = eyeball - centre
    u, _, vt = np.linalg.svd(before.T @ (before + offsets))
    return float(np.rad2deg(np.arccos(np.clip((np.trace(vt.T @ u.T) - 1) / 2, -1, 1))))


def widen_inner_corners(
    vertices: NDArray[np.float64], rings: dict[str, list[Ring]], members: NDArray[np.int64]
) -> None:
    """Draw the inner corners of both eyes (V, 3) towards the nose, in place.

    MakeHuman's eyes are short: over the pupils' distance they measure .41 from corner to corner,
    people's .46 (Farkas, "Anthropometry of the Head and Face", 1994). members: vertices that move.
    """
    for side, to_nose in (("left", -1.0), ("right", 1.0)):
        margin = rings[side][1].upper
        corner = vertices[margin[0 if side == "left" else -1]].copy()
        away = np.linalg.norm(vertices[members] - corner, axis=1)
        fade = np.exp(-((away / CORNER_REACH_M) ** 2))
        vertices[members, 0] += to_nose * CORNER_SHIFT_M * fade


def clear_lids(
    vertices: NDArray[np.float64],
    rings: list[Ring],
    centre: NDArray[np.float64],
    radius: float,
) -> None:
    """Move lid vertices of a neutral face (V, 3), in place, to outside its eyeball.

    rings: lid rings from the socket's rim outwards; ring 1 is the margin that is seen.
    """
    for ring in rings[1:]:
        spot = vertices[ring.ids] - centre
        distance = np.linalg.norm(spot, axis=1, keepdims=True)
        lack = np.maximum(radius + OPEN_LID_CLEARANCE_M - distance, 0.0)
        vertices[ring.ids] += spot / distance * lack


def close_lids(
    offsets: NDArray[np.float64],
    vertices: NDArray[np.float64],
    rings: list[Ring],
    centre: NDArray[np.float64],
    radius: float,
) -> NDArray[np.float64]:
    """The blink's (V, 3) offsets, changed so that the margins meet and cover the eyeball.

    rings: lid rings from the socket's rim outwards; ring 1 is the margin that is seen.
    """
    margin = rings[1]
    low = vertices[margin.lower]
    share = np.interp(low[:, 0], low[[0, -1], 0], [0.0, 1.0])[:, None]
    chord = low[:1] + share * (low[-1:] - low[:1])
    line = low.copy()
    line[:, 1] += SHUT_LINE_LIFT * (chord - low)[:, 1]
    top = vertices[margin.upper]
    place = np.interp(top[:, 0], np.maximum.accumulate(line[:, 0]), np.arange(len(line)))
    meet = np.stack([np.interp(place, np.arange(len(line)), line[:, k]) for k in range(3)], axis=1)
    travel = np.interp(vertices[:, 0], top[:, 0], np.linalg.norm(meet - top, axis=1), 0.0, 0.0)
    length = np.maximum(np.linalg.norm(offsets, axis=1), 1e-12)
    shut = offsets * np.minimum(1.0, FOLD_SHARE * travel / length)[:, None]
    _move(shut, rings, "lower", line - low, LOWER_FOLLOWS)
    _move(shut, rings, "upper", meet - top, UPPER_FOLLOWS)
    return _push_out(shut, vertices, rings[1:], centre, radius)


def _move(
    offsets: NDArray[np.float64],
    rings: list[Ring],
    lid: str,
    move: NDArray[np.float64],
    shares: tuple[float, ...],
) -> None:
    """Let the lid's rings go with the margin's move, column by column, each by its share; the
    corners stay.
    """
    at = np.linspace(0, 1, len(move))
    for ring, share in zip(rings, shares, strict=True):
        ids = getattr(ring, lid)
        where = np.linspace(0, 1, len(ids))
        for axis in range(3):
            offsets[ids, axis] = share * np.interp(where, at, move[:, axis])
        offsets[ids[[0, -1]]] = 0.0


def _push_out(
    offsets: NDArray[np.float64],
    vertices: NDArray[np.float64],
    rings: list[Ring],
    centre: NDArray[np.float64],
    radius: float,
) -> NDArray[np.float64]:
    """Move lid vertices outwards until the way there, halfway included, clears the eyeball."""
    cleared = offsets.copy()
    least = radius + LID_CLEARANCE_M
    for ring in rings:
        ids = ring.ids
        for weight in (1.0, 0.75, 0.5):
            spot = vertices[ids] + weight * cleared[ids] - centre
            distance = np.linalg.norm(spot, axis=1, keepdims=True)
            moving = np.linalg.norm(offsets[ids], axis=1, keepdims=True) > 0.0005
            lack = np.where(moving, np.maximum(least - distance, 0.0), 0.0)
            cleared[ids] += spot / distance * lack / weight
    return cleared
