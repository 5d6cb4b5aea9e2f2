"""The face of a track as points in millimetres, and which of them are lips or upper face."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]
Index = NDArray[np.intp]

MM_PER_M = 1000.0
FACE_LANDMARKS = 468  # the ten after them lie on the irises
FACE_REACH_M = 0.012  # the landmarks of the cheeks lie about 2 cm apart
MIN_LANDMARKS_OF_SKIN = 5  # a part of the mesh with fewer holds strays
CACHED_TRACKS = 4
BELOW_EYES = (230, 450)  # MediaPipe points on the lower edge of either orbit
# Four rings of MediaPipe points, from the vermilion border to the inner edge of the lips.
LIP_LANDMARKS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408),
    *(62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
)
# The three middle pairs of points on the inner edges of the lips.
UPPER_LIP = (82, 13, 312)
LOWER_LIP = (87, 14, 317)


class FaceSurface:
    """Points of one linear face model, by region.

    A vertex of the skin belongs to the face if a MediaPipe landmark of the neutral face lies
    within 12 mm, to the lips if the nearest of all landmarks is one of the 80 on the lips, and
    to the upper face (eyes and forehead) if it lies above the lower edge of the orbits. This
    holds for every model that carries the landmarks, so its metrics mean the same on all.
    """

    face: Index
    lips: Index
    upper: Index

    def __init__(self, geometry: FaceGeometry, shape_size: int) -> None:
        """`shape_size` is the number of the model's identity coefficients."""
        self.geometry = geometry
        self._cache: dict[tuple[str, int], tuple[FaceTrack, Float]] = {}
        self.face, self.lips, self.upper = _regions(geometry, shape_size)

    def vertices_mm(self, track: FaceTrack) -> Float:
        """Vertices (T, V, 3) in mm without head pose; the array is shared, do not write to it."""
        return self._cached("vertices", track)

    def landmarks_mm(self, track: FaceTrack) -> Float:
        """Landmarks (T, 478, 3) in mm without head pose; the array is shared."""
        return self._cached("landmarks", track)

    def neutral_mm(self, track: FaceTrack) -> Float:
        """Vertices (V, 3) in mm of the track's neutral face."""
        rest = np.zeros(track.expression.shape[1], np.float32)
        return self.geometry.vertices(track.shape, rest) * np.float32(MM_PER_M)

    def mouth_opening_mm(self, track: FaceTrack) -> Float:
        """Height (T,) in mm between the inner edges of the lips, below zero where pressed.

        The mean of the three middle pairs of inner-lip landmarks, in the head's own space.
        """
        height = self.landmarks_mm(track)[..., 1]
        return np.asarray((height[:, UPPER_LIP] - height[:, LOWER_LIP]).mean(-1), np.float32)

    def _cached(self, kind: str, track: FaceTrack) -> Float:
        key = (kind, id(track))
        if key not in self._cache:
            if len(self._cache) >= CACHED_TRACKS:
                self._cache.pop(next(iter(self._cache)))
            points: Any = getattr(self.geometry, kind)(track.shape, track.expression)
            # The track is kept beside its points so that its id is not given away.
            self._cache[key] = (track, points * np.float32(MM_PER_M))
        return self._cache[key][1]


def _regions(geometry: FaceGeometry, shape_size: int) -> tuple[Index, Index, Index]:
    from scipy.spatial import cKDTree

    shape = np.zeros(shape_size, np.float32)
    rest = np.zeros(len(geometry.expression_names), np.float32)
    vertices = geometry.vertices(shape, rest)
    landmarks = geometry.landmarks(shape, rest)
    skin = _skin_vertices(geometry)
    distance, nearest = cKDTree(landmarks[:FACE_LANDMARKS]).query(vertices[skin])
    face = skin[distance <= FACE_REACH_M]
    lips = skin[np.isin(nearest, LIP_LANDMARKS) & (distance <= FACE_REACH_M)]
    upper = face[vertices[face, 1] > landmarks[list(BELOW_EYES), 1].mean()]
    return face, lips, upper


def _skin_vertices(geometry: FaceGeometry) -> Index:
    """Vertices of the parts of the mesh on which the landmarks of the face lie."""
    parts = geometry.triangle_parts[geometry.landmark_triangles[:FACE_LANDMARKS]]
    names, counts = np.unique(parts, return_counts=True)
    skin = np.isin(geometry.triangle_parts, names[counts >= MIN_LANDMARKS_OF_SKIN])
    return np.asarray(np.unique(geometry.triangles[skin]), np.intp)
