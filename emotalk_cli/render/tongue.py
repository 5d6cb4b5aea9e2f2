"""The tongue: a curved surface between the lower teeth, and what is painted on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]
Int = NDArray[np.int32]

ACROSS, ALONG = 17, 15
HALF_WIDTH_M = (0.0150, 0.0240)
"""At the tip and at the root."""
LENGTH_M = 0.046
TIP_BEHIND_TEETH_M = 0.0035
PROFILE = (
    (0.0, -0.0048), (0.10, -0.0016), (0.3, 0.0026), (0.55, 0.0056), (0.8, 0.0040), (1, -0.006),
)  # fmt: skip
"""Height over the lower teeth's edge at shares of the length, from the tip, m."""
SIDES_DOWN_M, GROOVE_M = 0.0065, 0.0012
LIGHT_FADE_M, DARKEST = 0.021, 0.13
"""Light falls to 1/e so far behind the teeth."""
LIGHT = f32([0.0, 0.62, 0.78])
GRAIN, SHINE = 0.045, 0.21
SOFT_SIDES = 0.16
"""The tongue goes over into the dark on so much of its half width."""
TEXTURE_PX = (96, 128)


@dataclass(frozen=True)
class Tongue:
    """points: (ACROSS * ALONG, 3) m. triangles: (F, 3) from the root to the tip. uv: (.., 2) px in
    the texture (h, w, 4): RGB times alpha, alpha, 0..255. front: (..,) 1 at the tip, 0 at the root.
    """

    points: Float
    triangles: Int
    uv: Float
    texture: Float
    front: Float


def make_tongue(teeth: Float, scale: float, colour: Float, tooth: Float) -> Tongue:
    """A tongue at rest behind the lower teeth, whose edge's middle is `teeth` (3,) m.

    colour, tooth: RGB (3,) of it and of teeth, as which it shines where it is wet.
    """
    u, v = np.meshgrid(np.linspace(-1, 1, ACROSS), np.linspace(0, 1, ALONG))
    points = _surface(u, v, scale) + teeth
    rows, columns = TEXTURE_PX
    uv = np.stack([(u + 1) / 2 * columns, v * rows], -1)
    texture = _paint(scale, colour, tooth)
    return Tongue(
        f32(points.reshape(-1, 3)),
        _triangles(),
        f32(uv.reshape(-1, 2)),
        texture,
        f32(1.0 - v.reshape(-1)),
    )


def _surface(u: Float, v: Float, scale: float) -> Float:
    """Points (..., 3) m at u in -1..1 across and v in 0..1 from tip to root."""
    at, height = np.asarray(PROFILE).T
    tip = np.sqrt(np.clip(1.0 - (1.0 - np.minimum(v / 0.22, 1.0)) ** 2, 0.0, 1.0))
    half = (HALF_WIDTH_M[0] + (HALF_WIDTH_M[1] - HALF_WIDTH_M[0]) * v) * (0.35 + 0.65 * tip)
    smooth = sum(np.interp(v + d, at, height) for d in (-0.06, -0.03, 0.0, 0.03, 0.06)) / 5
    y = smooth - SIDES_DOWN_M * np.abs(u) ** 2.6 - GROOVE_M * np.exp(-((u / 0.16) ** 2))
    z = -TIP_BEHIND_TEETH_M - LENGTH_M * v
    return f32(np.stack([u * half, y, z], -1) * scale)


def _triangles() -> Int:
    quads = []
    for row in range(ALONG - 2, -1, -1):
        a = row * ACROSS + np.arange(ACROSS - 1)
        b, c, d = a + 1, a + 1 + ACROSS, a + ACROSS
        quads.append(np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))
    return np.ascontiguousarray(np.concatenate(quads), np.int32)


def _paint(scale: float, colour: Float, tooth: Float) -> Float:
    rows, columns = TEXTURE_PX
    u, v = np.meshgrid((np.arange(columns) + 0.5) / columns * 2 - 1, (np.arange(rows) + 0.5) / rows)
    at = _surface(u, v, scale)
    normal = np.cross(np.gradient(at, axis=1), np.gradient(at, axis=0))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
    normal *= np.sign(normal[..., 1:2] + 1e-9)
    facing = np.clip(normal @ LIGHT, 0.0, 1.0)
    depth = -at[..., 2] - TIP_BEHIND_TEETH_M * scale
    light = DARKEST + (1.0 - DARKEST) * np.exp(-((depth / (LIGHT_FADE_M * scale)) ** 1.5))
    light *= 1.0 - 0.45 * np.abs(u) ** 3
    noise = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 1.1)
    grain /= float(grain.std())
    wet = np.clip(cv2.GaussianBlur(noise, (0, 0), 3.0) * 9.0 - 0.6, 0.0, 1.0) * facing**4
    shade = (0.52 + 0.62 * facing) * light * (1.0 + GRAIN * grain)
    picture = colour * shade[..., None] + tooth * (SHINE * wet * light**2)[..., None]
    alpha = np.clip((1.0 - np.abs(u)) / SOFT_SIDES, 0.0, 1.0)[..., None]
    return f32(np.concatenate([np.clip(picture, 0, 255), np.full_like(alpha, 255.0)], 2) * alpha)
