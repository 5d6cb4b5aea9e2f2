"""Draws a fitted mesh over pictures of the person, see-through, to look at a fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.projection import Camera, f32, rotation_matrix
from emotalk_cli.render.rasteriser import FAR, draw_attributes, vertex_normals
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]

COLOUR = (120, 190, 255)
OPACITY = 0.7
LIGHT = (-0.35, 0.45, 0.82)
AMBIENT, DIFFUSE = 0.3, 0.75


class MeshOverlay:
    """Lays the mesh of a track over pictures that show part of its source, enlarged."""

    def __init__(self, track: FaceTrack, model: FaceGeometry) -> None:
        self._track, self._model = track, model
        self._triangles = np.ascontiguousarray(model.triangles, np.int32)

    def vertices(self, index: int) -> Float:
        """The mesh (V, 3) m of frame `index`, in the camera's space."""
        track = self._track
        points = self._model.vertices(track.shape, track.expression[index])
        pose = track.head_pose[index]
        return np.ascontiguousarray(points @ rotation_matrix(pose[:3]).T + pose[3:], np.float32)

    def draw(
        self, picture: NDArray[np.uint8], index: int, origin_px: Float, scale: float
    ) -> NDArray[np.uint8]:
        """The picture (H, W, 3) uint8 with the mesh of frame `index` over it.

        origin_px (2,): where its top left corner lies in the source picture; scale: how many of
        its pixels one of the source's is.
        """
        placed = self.vertices(index)
        normals = np.zeros_like(placed)
        vertex_normals(placed, self._triangles, normals)
        light = f32(LIGHT) / np.linalg.norm(LIGHT)
        shade = AMBIENT + DIFFUSE * np.maximum(normals @ light, 0.0)
        attributes = np.stack([shade, np.ones_like(shade)], axis=1).astype(np.float32)
        height, width = picture.shape[:2]
        drawn = np.zeros((height, width, 2), np.float32)
        nearest = np.full((height, width), FAR, np.float32)
        xy = (Camera.of(self._track.camera, 1.0).project(placed) - origin_px) * scale
        draw_attributes(
            f32(xy), -placed[:, 2], self._triangles, attributes, drawn, nearest, 0, height
        )
        cover = OPACITY * drawn[..., 1:]
        mesh = drawn[..., :1] * f32(COLOUR)
        mixed = picture * (1.0 - cover) + mesh * cover
        return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)
