"""Closes the lips: both inner edges share one line from corner to corner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .head import Ring

SEAM_RING = 2
"""The ring on which the lips touch, counted from the mouth cavity's rim."""
RING_FOLLOWS = (0.0, 1.0, 1.0, 0.7, 0.4, 0.2, 0.08)
"""How far the rings (0 the cavity's rim) go with the seam when it is closed."""
BEHIND_SEAM_M = (-0.00015, 0.0004)
"""How far the first and the second ring behind the seam keep from it on their own lip's side. The
first ones are pressed together, so that no light falls through the seam."""


class LipSeam:
    """The closing of the lips as a linear map of the vertices, fixed for all faces.

    The upper edge is laid on the lower one: each of its vertices belongs to one place between two
    vertices of the lower edge. As the map is linear, every mixture of closed faces is closed.
    """

    def __init__(self, rings: list[Ring], vertices: NDArray[np.float64]) -> None:
        """rings: lip rings from the cavity's rim outwards. vertices: (V, 3) a neutral face."""
        self.rings = rings
        self.upper = rings[SEAM_RING].upper
        self.lower = rings[SEAM_RING].lower
        self._up_from_low = _between(vertices, self.lower, self.upper)
        self._low_from_up = _between(vertices, self.upper, self.lower)

    def close(self, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        """(V, 3) positions whose seam is shut; the lips around it follow."""
        low = 0.5 * (vertices[self.lower] + self._low_from_up @ vertices[self.upper])
        up = self._up_from_low @ low
        closed = vertices.copy()
        self._drag(closed, "upper", self.upper, up - vertices[self.upper])
        self._drag(closed, "lower", self.lower, low - vertices[self.lower])
        self._set_behind(closed)
        return closed

    def seal(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """(V, 3) offsets of a unit under which closed lips stay closed."""
        low = 0.5 * (offsets[self.lower] + self._low_from_up @ offsets[self.upper])
        up = self._up_from_low @ low
        sealed = offsets.copy()
        self._drag(sealed, "upper", self.upper, up - offsets[self.upper])
        self._drag(sealed, "lower", self.lower, low - offsets[self.lower])
        return sealed

    def gap(self, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) from the lower edge to the upper edge's vertices; y < 0 where they cross."""
        return vertices[self.upper] - self._up_from_low @ vertices[self.lower]

    def _drag(
        self,
        values: NDArray[np.float64],
        lip: str,
        seam: NDArray[np.int64],
        move: NDArray[np.float64],
    ) -> None:
        """Add the seam's move to the lip's rings, column by column, fading outwards."""
        at = _arc(len(seam))
        for ring, share in zip(self.rings, RING_FOLLOWS, strict=False):
            ids = getattr(ring, lip)
            inner = slice(None) if ids is seam else slice(1, -1)
            where = _arc(len(ids))
            for axis in range(3):
                values[ids[inner], axis] += share * np.interp(where, at, move[:, axis])[inner]

    def _set_behind(self, vertices: NDArray[np.float64]) -> None:
        """Keep the rings behind the seam on their own side of it."""
        for lip, sign in (("upper", 1.0), ("lower", -1.0)):
            seam = getattr(self.rings[SEAM_RING], lip)
            behind = reversed(self.rings[:SEAM_RING])
            for gap, ring in zip(BEHIND_SEAM_M, behind, strict=True):
                ids = getattr(ring, lip)
                height = np.interp(_arc(len(ids)), _arc(len(seam)), vertices[seam, 1])
                fade = np.minimum(1.0, 6 * np.minimum(_arc(len(ids)), 1 - _arc(len(ids))))
                vertices[ids, 1] = height + sign * gap * fade


def _arc(count: int) -> NDArray[np.float64]:
    return np.linspace(0.0, 1.0, count)


def _between(
    vertices: NDArray[np.float64], line: NDArray[np.int64], points: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(P, L) weights that place each point, by its share of the width, on the line."""
    x = np.maximum.accumulate(vertices[line, 0])
    place = np.interp(vertices[points, 0], x, np.arange(len(line)))
    return np.stack([np.interp(place, np.arange(len(line)), row) for row in np.eye(len(line))], 1)
