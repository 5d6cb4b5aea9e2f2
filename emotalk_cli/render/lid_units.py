"""The mesh around the eyes: it leaves the lids to the texture, and lets the brows move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.eye_opening import EYES, EyePoints
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import Registered

Float = NDArray[np.float32]

ZONE_M = (0.017, 0.016)
"""Half width and depth (below an eye) of the zone in which the texture moves, not the mesh."""
ZONE_END = 1.7
"""At this multiple of the half width the mesh moves fully."""
LID_FOLLOWS = 0.25
"""How much of the brow's motion the upper lid's margin takes part in."""
BROW_ROOM_SHARE = 0.45
"""A brow comes down to its eye by no more than this share of its height over it."""
MIN_LID_M, MIN_OPENING_M = 0.008, 0.009
BROWS_DOWN = ("browDownLeft", "browDownRight")


def quiet_lids(model: FaceGeometry, registered: Registered) -> Float:
    """The units (E, V, 3) m without what they do to the lids, which the texture shows."""
    corners = model.triangles[model.landmark_triangles]
    weights = model.landmark_barycentric[..., None]
    points = (registered.vertices[corners] * weights).sum(axis=1)
    share = np.ones(len(registered.vertices), np.float32)
    for eye in EYES:
        share = np.minimum(share, _free_of_lids(registered.vertices, points, eye))
    units = np.asarray(registered.units * share[None, :, None], np.float32)
    moves = (units[:, corners] * weights).sum(axis=2)
    for name in BROWS_DOWN:
        if name in model.expression_names:
            number = model.expression_names.index(name)
            units[number] *= min(_brow_room(points, moves[number], eye) for eye in EYES)
    return units


def _brow_room(points: Float, move: Float, eye: EyePoints) -> float:
    """The share of a unit's motion (478, 3) m that leaves a lid to see under the brow."""
    brow, lid = points[list(eye.brow)], points[list(eye.upper)]
    room = (brow[:, 1] - _height_at(lid, brow[:, 0])) * BROW_ROOM_SHARE
    drop = np.maximum(-move[list(eye.brow), 1], 1e-5)
    return float(np.clip((room / drop).min(), 0.2, 1.0))


def _free_of_lids(vertices: Float, points: Float, eye: EyePoints) -> Float:
    """How far each vertex (V, 3) m may follow its units beside an eye, (V,) in 0..1.

    points: (478, 3) m. The brow and what is above it are free, the lower lid is held, and between
    the two the skin is stretched.
    """
    lids = points[[*eye.upper, *eye.lower]]
    middle = lids[:, :2].mean(axis=0)
    beside = np.abs(vertices[:, 0] - middle[0]) / ZONE_M[0]
    x, y = vertices[:, 0], vertices[:, 1]
    low, lid, brow = (_height_at(points[list(ids)], x) for ids in (eye.lower, eye.upper, eye.brow))
    # Beyond the corners the lids are one; the change must stay gentle there too.
    middle_y, half = 0.5 * (lid + low), 0.5 * np.maximum(lid - low, MIN_OPENING_M)
    lid, low = middle_y + half, middle_y - half
    brow = np.maximum(brow, lid + MIN_LID_M)
    above = np.where(
        y < lid,
        LID_FOLLOWS * np.clip((y - low) / (lid - low), 0.0, 1.0),
        LID_FOLLOWS + (1.0 - LID_FOLLOWS) * _ease((y - lid) / (brow - lid)),
    )
    below = _ease((low - y) / ZONE_M[1])
    outside = _ease((beside - 1.0) / (ZONE_END - 1.0))
    free = np.maximum(np.maximum(above, below), outside)
    return f32(np.where(vertices[:, 2] < 0.0, 1.0, free))


def _height_at(line: Float, x: Float) -> Float:
    """The y of a line of points (N, 3) at x (V,)."""
    order = np.argsort(line[:, 0])
    return f32(np.interp(x, line[order, 0], line[order, 1]))


def _ease(value: Float) -> Float:
    t = np.clip(value, 0.0, 1.0)
    return f32(t * t * (3.0 - 2.0 * t))
