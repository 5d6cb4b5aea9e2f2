"""Cuts the head out of MakeHuman's body and names the rings of vertices around mouth and eyes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .source import BaseMesh

COLLAR_HEIGHT_M = 0.575
"""Faces of the body below this height (base mesh, metres) are no part of the head."""
SHOULDER_WIDTH_M = 0.078
"""Faces farther than this from the middle are no part of the head."""
LIP_RINGS = 8
"""Rings of vertices from the mouth cavity's rim (0) outwards. The last one is the upper lip's
vermilion border, the one before it the lower lip's."""
LID_RINGS = 7
"""Rings from the eye socket's rim (0) outwards over the lids."""
SOCKET_RINGS = 3
"""Rings of the eye socket kept behind the lids; the rest is never seen."""


@dataclass(frozen=True)
class Ring:
    """One closed edge loop, split at its two corners; base mesh vertex ids.

    upper and lower run from the subject's right corner to the left one, both corners included.
    """

    upper: NDArray[np.int64]
    lower: NDArray[np.int64]

    @property
    def ids(self) -> NDArray[np.int64]:
        """Every vertex once, in order around the loop."""
        return np.concatenate([self.upper, self.lower[-2:0:-1]])


@dataclass(frozen=True)
class Head:
    """The head's share of the base mesh.

    vertex_ids: (N,) base mesh ids of the skin, cavities and tongue.
    quads: (Q, 4) base mesh ids; labels: (Q,) part of each quad.
    lip_rings: from the cavity's rim outwards. lid_rings: side -> the same from the socket's rim.
    socket_ids: side -> vertices inside the socket's rim.
    """

    vertex_ids: NDArray[np.int64]
    quads: NDArray[np.int64]
    labels: NDArray[np.str_]
    lip_rings: list[Ring]
    lid_rings: dict[str, list[Ring]]
    socket_ids: dict[str, NDArray[np.int64]]


class Edges:
    """Neighbours along the quads' edges."""

    def __init__(self, quads: NDArray[np.int64]) -> None:
        self._next: dict[int, set[int]] = defaultdict(set)
        for quad in quads.tolist():
            for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
                self._next[a].add(b)
                self._next[b].add(a)

    def of(self, vertex: int) -> set[int]:
        """Vertices that share an edge with this one."""
        return self._next[vertex]

    def rings(self, start: Iterable[int], count: int, wall: set[int]) -> list[set[int]]:
        """`count` sets of vertices by growing distance from `start`, never entering `wall`."""
        rings = [set(start)]
        seen = set(start) | wall
        for _ in range(count):
            ring = {n for v in rings[-1] for n in self._next[v]} - seen
            seen |= ring
            rings.append(ring)
        return rings

    def loop(self, members: set[int], first: int) -> list[int]:
        """The members in order around their closed loop, starting at `first`."""
        order = [first]
        while len(order) < len(members):
            ways = [n for n in self._next[order[-1]] if n in members and n not in order]
            if not ways:
                raise ValueError("these vertices form no closed loop")
            order.append(ways[0])
        return order


def cut_head(base: BaseMesh, segments: list[str]) -> Head:
    """Select the head's quads and name its rings.

    segments: body part of each quad of the group `body`.
    """
    vertices = base.vertices
    body = base.groups["body"]
    segment = np.array(segments)
    edges = Edges(body)
    mouth = set(np.unique(body[segment == "mouth_cavity"]).tolist())
    skin = set(np.unique(body[segment == "head"]).tolist())
    lip_sets = edges.rings(mouth & skin, LIP_RINGS - 1, mouth)
    lip_rings = [_split(edges, ring, vertices) for ring in lip_sets]

    corners = base.vertices[body]
    keep = (corners[:, :, 1] > COLLAR_HEIGHT_M).all(axis=1)
    keep &= (np.abs(corners[:, :, 0]) < SHOULDER_WIDTH_M).all(axis=1) | (segment == "head")
    labels = np.full(len(body), "skin", dtype="U16")
    labels[segment == "body"] = "neck"
    labels[segment == "mouth_cavity"] = "mouth_inner"
    upper_border = set(lip_rings[-1].upper[1:-1].tolist())
    labels[_inside(body, set().union(*lip_sets[:-1], upper_border))] = "lips"

    lid_rings, socket_ids = {}, {}
    for side, letter in (("left", "L"), ("right", "R")):
        in_socket = segment == f"eye_cavity.{letter}"
        socket = set(np.unique(body[in_socket]).tolist())
        rim = socket & skin
        lid_sets = edges.rings(rim, LID_RINGS - 1, socket)
        lid_rings[side] = [_split(edges, ring, vertices) for ring in lid_sets]
        kept = set().union(*edges.rings(rim, SOCKET_RINGS, skin - rim))
        keep &= ~in_socket | _inside(body, kept)
        labels[in_socket] = "eye_socket"
        socket_ids[side] = np.array(sorted(kept - rim))

    tongue = base.groups["helper-tongue"]
    quads = np.concatenate([body[keep], tongue])
    labels = np.concatenate([labels[keep], np.full(len(tongue), "tongue")])
    return Head(np.unique(quads), quads, labels, lip_rings, lid_rings, socket_ids)


def _inside(quads: NDArray[np.int64], members: set[int]) -> NDArray[np.bool_]:
    return np.isin(quads, np.array(sorted(members))).all(axis=1)


def _split(edges: Edges, ring: set[int], vertices: NDArray[np.float64]) -> Ring:
    """Order a ring and cut it at its leftmost and rightmost vertices."""
    order = edges.loop(ring, min(ring, key=lambda v: vertices[v, 0]))
    left = int(np.argmax(vertices[order, 0]))
    one = np.array(order[: left + 1])
    other = np.array([order[0], *order[: left - 1 : -1]])
    if vertices[one, 1].mean() < vertices[other, 1].mean():
        one, other = other, one
    return Ring(upper=one, lower=other)
