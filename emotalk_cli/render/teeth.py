"""Rows of teeth: two dental arches as strips in space, and what is painted on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]
Int = NDArray[np.int32]

UPPER_TEETH = (
    (8.6, 10.4, 0.0), (6.8, 9.2, 0.7), (7.8, 10.0, 0.1), (7.1, 8.6, 0.7), (6.7, 8.2, 1.0),
    (10.2, 7.8, 1.3), (9.8, 7.4, 1.6),
)  # fmt: skip
LOWER_TEETH = (
    (5.2, 8.6, 0.0), (5.8, 9.0, 0.0), (6.8, 10.0, -0.3), (7.0, 8.8, 0.2), (7.0, 8.2, 0.4),
    (11.0, 7.6, 0.6), (10.5, 7.2, 0.6),
)  # fmt: skip
"""Width, height of the crown, and how far its edge stands back from the row's, mm, from the middle
outwards; usual sizes of adult teeth."""
UPPER_ARCH_M, LOWER_ARCH_M = (0.0275, 0.040), (0.0250, 0.037)
"""Half width and depth of the ellipses that the fronts of the teeth follow."""
GUM_M = 0.009
"""The gum is painted so far beyond the crowns."""
LEAN = 0.25
"""How far the teeth lean outwards, over their height: roots stand further back."""
COLUMNS = 41
GAP_M, GAP_LIGHT = 0.00026, 0.86
"""Half width of the line between two teeth, and the light in it."""
CORNER_M = 0.0009
"""Radius of a front tooth's lower corners."""
CUSP_M = 0.0013
PAPILLA_M = 0.0022
"""Between two teeth the gum comes down by this much."""
MOST_WIDENED = 0.35
"""Back teeth are set further apart than usual by up to this share."""
SIDE_FADE_M = (0.019, 0.013)
"""Light falls to 1/e so far behind the upper and lower front teeth: cheeks and lips keep it out."""
SIDE_LEAST = 0.10


@dataclass(frozen=True)
class Arch:
    """A strip along a row of teeth: columns from the subject's right to the left, two rows.

    points: (2 * COLUMNS, 3) m, first the row at the roots, then the row beyond the edges.
    triangles: (F, 3), from the back of the mouth to its front. uv: (2 * COLUMNS, 2) px in the
    texture. texture: (h, w, 4) RGB times alpha, alpha, 0..255. along_m: (w,) how far from the
    middle; below_m: (h,) m below (upper row) or above (lower row) the edge of the middle teeth,
    which stands at edge_m (3,) m.
    """

    points: Float
    triangles: Int
    uv: Float
    texture: Float
    along_m: Float
    below_m: Float
    edge_m: Float


def make_arch(
    middle: Float, scale: float, px_per_m: float, tooth: Float, gum: Float, *, upper: bool
) -> Arch:
    """An arch whose middle teeth's edge stands at `middle` (3,) m.

    scale: size over usual. px_per_m: of the texture. tooth, gum: RGB (3,).
    """
    teeth = np.asarray(UPPER_TEETH if upper else LOWER_TEETH, np.float32) * (1e-3 * scale)
    half = float(teeth[:, 0].sum())
    root, tip = float(teeth[:, 1].max()) + GUM_M * scale, 0.0015 * scale
    columns = max(2 * COLUMNS, round(2 * half * px_per_m))
    rows = max(8, round((root + tip) * px_per_m))
    along = f32((np.arange(columns) + 0.5) / columns * 2 * half - half)
    above = f32(root - (np.arange(rows) + 0.5) / rows * (root + tip))
    t = np.linspace(-half, half, COLUMNS)
    x, z = _ellipse(t, UPPER_ARCH_M if upper else LOWER_ARCH_M, scale)
    away = 1.0 if upper else -1.0
    normal = np.gradient(np.stack([x, z], 1), t, axis=0)
    normal = np.stack([-normal[:, 1], normal[:, 0]], 1)
    strips = []
    for height in (root, -tip):
        lean = -LEAN * height
        strips.append(
            np.stack([x + lean * normal[:, 0], x * 0 + away * height, z + lean * normal[:, 1]], 1)
        )
    points = f32(np.concatenate(strips) + middle)
    u = (t + half) / (2 * half) * columns
    uv = f32(np.stack([np.tile(u, 2), np.repeat([0.0, rows], COLUMNS)], 1))
    colours, alpha = _paint(along, above, teeth, tooth, gum, scale)
    light = _side_light(z, SIDE_FADE_M[0 if upper else 1] * scale)
    light = f32(np.interp(along, t, light))
    colours *= light[None, :, None]
    if not upper:
        # The jaw turns: its back teeth stay up, in the dark behind the corners of the mouth.
        alpha *= np.clip((light - 0.62) / 0.3, 0.0, 1.0)
    texture = np.concatenate([colours * alpha[..., None], 255.0 * alpha[..., None]], axis=2)
    return Arch(points, _strip_triangles(np.abs(t)), uv, f32(texture), along, above, f32(middle))


def repaint(arch: Arch, texture: Float) -> Arch:
    """The same arch with another texture (h, w, 4)."""
    return replace(arch, texture=np.ascontiguousarray(texture, np.float32))


def moved_arch(arch: Arch, by: Float) -> Arch:
    """The same arch elsewhere; by: (3,) m."""
    return replace(arch, points=f32(arch.points + by), edge_m=f32(arch.edge_m + by))


def spanning_arch(
    arch: Arch, project: Callable[[Float], Float], left_px: float, right_px: float
) -> Arch:
    """The arch, its back teeth so far apart that in the picture it spans from left to right.

    project: points (N, 3) m -> (N, 2) px.
    """
    aside = arch.points[:, 0] - arch.edge_m[0]
    further = aside * (aside / np.abs(aside).max()) ** 2
    for share in np.linspace(0.0, MOST_WIDENED, 9):
        points = arch.points.copy()
        points[:, 0] += share * further
        x = project(points)[:, 0]
        if x.min() <= left_px and x.max() >= right_px:
            break
    return replace(arch, points=points)


def texel_points(arch: Arch, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Float:
    """Where texels (N,), (N,) of the texture stand in space, (N, 3) m."""
    height, width = arch.texture.shape[:2]
    at = (columns + 0.5) / width * (COLUMNS - 1)
    left = np.clip(at.astype(int), 0, COLUMNS - 2)
    share = f32(at - left)[:, None]
    down = f32((rows + 0.5) / height)[:, None]
    top, bottom = arch.points[:COLUMNS], arch.points[COLUMNS:]
    up = top[left] + share * (top[left + 1] - top[left])
    low = bottom[left] + share * (bottom[left + 1] - bottom[left])
    return f32(up + down * (low - up))


def _ellipse(t: Float, size: tuple[float, float], scale: float) -> tuple[Float, Float]:
    """Sideways and depth (N,) m at lengths t (N,) m along the arch, from its foremost point."""
    angle = np.linspace(0.0, 0.5 * np.pi, 400)
    x, z = size[0] * scale * np.sin(angle), -size[1] * scale * (1.0 - np.cos(angle))
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])
    return f32(np.sign(t) * np.interp(np.abs(t), length, x)), f32(np.interp(np.abs(t), length, z))


def _side_light(z: Float, fade_m: float) -> Float:
    light = np.exp(-((np.maximum(-z - 0.15 * fade_m, 0.0) / fade_m) ** 1.3))
    return f32(SIDE_LEAST + (1.0 - SIDE_LEAST) * light)


def _strip_triangles(away: Float) -> Int:
    """Triangles between the two rows of columns, those furthest from the middle first."""
    k = np.arange(COLUMNS - 1)
    order = k[np.argsort(-(away[:-1] + away[1:]), kind="stable")]
    a, b, c, d = order, order + 1, order + 1 + COLUMNS, order + COLUMNS
    faces = np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1)
    return np.ascontiguousarray(faces.reshape(-1, 3), np.int32)


def _paint(
    along: Float, above: Float, teeth: Float, tooth: Float, gum: Float, scale: float
) -> tuple[Float, Float]:
    """Colours (h, w, 3) and coverage (h, w) of a row of teeth, fully lit."""
    ends = np.concatenate([[0.0], np.cumsum(teeth[:, 0])])
    at = np.abs(along)
    number = np.clip(np.searchsorted(ends, at, side="right") - 1, 0, len(teeth) - 1)
    width, crown, back = teeth[number, 0], teeth[number, 1], teeth[number, 2]
    a = f32((at - ends[number]) / width * 2.0 - 1.0)
    aside = 0.5 * width * (1.0 - np.abs(a))
    corner = np.maximum(CORNER_M * scale - aside, 0.0)
    rounded = CORNER_M * scale - np.sqrt(np.maximum((CORNER_M * scale) ** 2 - corner**2, 0.0))
    pointed = CUSP_M * scale * np.abs(a) ** 1.5
    edge = back + np.where(number < 2, rounded, np.where(number == 2, pointed, 0.7 * rounded))
    neck = back + crown - PAPILLA_M * scale * a * a
    y = above[:, None]
    px = float(above[0] - above[1])
    alpha = np.clip((y - edge) / px + 0.5, 0.0, 1.0)
    flesh = np.clip((y - neck) / max(2.0 * px, 3e-4 * scale) + 0.5, 0.0, 1.0)[..., None]
    height = np.clip((y - edge) / crown, 0.0, 1.0)
    between = 1.0 - (1.0 - GAP_LIGHT) * np.exp(-((aside / (GAP_M * scale + 0.4 * px)) ** 2))
    body = between * (1.0 - 0.06 * a**4 - 0.03 * a) * (1.0 - 0.07 * height)
    # Enamel lets light through at the edge and shows the warmer dentine towards the gum.
    warm = f32([0.02, -0.015, -0.075]) * (height - 0.35)[..., None]
    glass = (0.10 * np.exp(-((y - edge) / (0.0009 * scale))))[..., None] * f32([1.0, 0.85, 0.6])
    canine = np.where(number == 2, 0.955, np.where(number > 2, 0.975, 1.0))
    enamel = tooth * (body * canine)[..., None] * (1.0 + warm - glass)
    rise = np.clip((y - neck) / (GUM_M * scale), 0.0, 1.0)[..., None]
    gums = gum * (1.06 - 0.35 * rise) * (1.0 - 0.10 * (a * a)[None, :, None])
    return f32(enamel + flesh * (gums - enamel)), f32(alpha)
