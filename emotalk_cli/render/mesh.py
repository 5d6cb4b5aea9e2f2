"""The mesh renderer: the shaded head itself, for geometry and for those who may not use a photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.body import smoothstep
from emotalk_cli.render.framing import Framed, resized
from emotalk_cli.render.projection import Camera, f32, rotation_matrix
from emotalk_cli.render.rasteriser import FAR, draw_attributes, vertex_normals
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]

SUPERSAMPLING = 2
PART_COLOURS = {
    "lips": (196, 132, 124),
    "mouth_inner": (112, 52, 50),
    "teeth_upper": (236, 232, 222),
    "teeth_lower": (236, 232, 222),
    "gums": (190, 104, 104),
    "tongue": (200, 110, 108),
    "eye_left": (240, 240, 240),
    "eye_right": (240, 240, 240),
    "eye_socket": (90, 60, 56),
}
SKIN = (208, 176, 160)
IRIS = (92, 84, 80)
GROUND = (236, 238, 241)
LIGHT = (-0.35, 0.28, 0.9)
AMBIENT, DIFFUSE = 0.36, 0.68
NECK_FADE_M, CHIN_M = (-0.105, -0.065), (0.03, 0.055)
"""The neck's open end goes over into the ground in this range of heights, but not the chin, which
is further forward."""


class ShadedHead:
    """The fitted head with its lit colours, for any rasteriser, in pictures `SUPERSAMPLING` times
    as large as the frames.
    """

    def __init__(
        self,
        photo: NDArray[np.uint8],
        landmarks: Float,
        still: FaceTrack,
        model: FaceGeometry,
        size_px: int | None,
    ) -> None:
        """Take the picture's size from `photo` (H, W, 3), shape and camera from `still` (T = 1)."""
        framed = resized(Framed(photo, landmarks, still), size_px)
        self.height_px, self.width_px = framed.photo.shape[:2]
        self.camera = Camera.of(framed.still.camera, SUPERSAMPLING)
        neutral = model.vertices(still.shape, np.zeros(len(model.expression_names), np.float32))
        basis = model.vertices(still.shape, np.eye(len(model.expression_names), dtype=np.float32))
        self._neutral, self._units = neutral, basis - neutral
        self.triangles = np.ascontiguousarray(model.triangles, np.int32)
        self._colours = _vertex_colours(model, neutral)
        above = smoothstep(*NECK_FADE_M, neutral[:, 1])
        self._seen = np.maximum(above, smoothstep(*CHIN_M, neutral[:, 2]))[:, None]
        self._normals = np.zeros_like(neutral)

    def at(self, expression: Float, head_pose: Float) -> tuple[Float, Float]:
        """Expression (E,) in 0..1, head pose (6,) rad, m -> vertices (V, 3) m in camera space, and
        their colours (V, 3) in 0..255.
        """
        points = self._neutral + np.tensordot(expression, self._units, 1)
        placed = points @ rotation_matrix(head_pose[:3]).T + head_pose[3:]
        placed = np.ascontiguousarray(placed, np.float32)
        vertex_normals(placed, self.triangles, self._normals)
        light = f32(LIGHT) / np.linalg.norm(LIGHT)
        shade = AMBIENT + DIFFUSE * np.maximum(self._normals @ light, 0.0)
        colours = GROUND + self._seen * (self._colours * shade[:, None] - GROUND)
        return placed, np.ascontiguousarray(colours, np.float32)


class MeshRenderer:
    """Draws the face model, smoothly shaded, on a plain ground; same protocol as the portrait."""

    def __init__(
        self,
        photo: NDArray[np.uint8],
        landmarks: Float,
        still: FaceTrack,
        model: FaceGeometry,
        *,
        size_px: int | None = None,
    ) -> None:
        """Take the picture's size from `photo` (H, W, 3), shape and camera from `still` (T = 1).

        size_px: longer side of the frames, at most the photo's.
        """
        self._head = ShadedHead(photo, landmarks, still, model, size_px)
        self.width_px, self.height_px = self._head.width_px, self._head.height_px
        shape = (self.height_px * SUPERSAMPLING, self.width_px * SUPERSAMPLING)
        self._picture = np.zeros((*shape, 3), np.float32)
        self._nearest = np.full(shape, FAR, np.float32)

    def frame(self, expression: Float, head_pose: Float, breath: float = 0.0) -> NDArray[np.uint8]:
        """Expression (E,) in 0..1, head pose (6,) rad, m -> (H, W, 3) uint8 RGB.

        There are no shoulders that `breath` could lift.
        """
        placed, colours = self._head.at(expression, head_pose)
        self._picture[:] = GROUND
        self._nearest[:] = FAR
        draw_attributes(
            self._head.camera.project(placed),
            -placed[:, 2],
            self._head.triangles,
            colours,
            self._picture,
            self._nearest,
            0,
            len(self._picture),
        )
        size = (self.width_px, self.height_px)
        small = cv2.resize(self._picture, size, interpolation=cv2.INTER_AREA)
        return np.asarray(np.clip(small + 0.5, 0, 255), np.uint8)


def _vertex_colours(model: FaceGeometry, neutral: Float) -> Float:
    """A plain colour (V, 3) for each vertex by its part; irises are painted on the eyeballs."""
    colours = np.tile(f32(SKIN), (len(neutral), 1))
    for number, name in enumerate(model.part_names):
        if name in PART_COLOURS:
            ids = np.unique(model.triangles[model.triangle_parts == number])
            colours[ids] = PART_COLOURS[name]
    for number, name in enumerate(model.part_names):
        if name in ("eye_left", "eye_right") and model.iris_radius_m > 0.0:
            ids = np.unique(model.triangles[model.triangle_parts == number])
            front = ids[np.argmax(neutral[ids, 2])]
            away = np.linalg.norm(neutral[ids, :2] - neutral[front, :2], axis=1)
            iris = (away < 1.05 * model.iris_radius_m) & (
                neutral[ids, 2] > neutral[front, 2] - model.eye_radius_m
            )
            colours[ids[iris]] = IRIS
    return colours
