"""Numba kernels that draw triangles with depth and read textures; all work on bands of rows.

Every kernel takes the rows [row0, row1) that it may touch, so that threads share a picture without
locks. Positions are in continuous pixel coordinates: (0, 0) is the top-left corner of the top-left
pixel, whose centre is (0.5, 0.5).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.kernels import kernel, part_of_kernel

FAR = np.float32(1e30)
NOWHERE = np.float32(-1e9)
"""Marks in a map that no triangle covers a pixel."""
ZERO, HALF, ONE, TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
THREE, FOUR, FIVE = np.float32(3.0), np.float32(4.0), np.float32(5.0)
SIX = np.float32(6.0)
FOLD = np.float32(4.0)
"""Texture positions of neighbours further apart than this, px, belong to different parts."""
WHITE, SURE = np.float32(255.0), np.float32(0.999)
# A bare 0.5 is a double, and one double makes all that touches it double.
_EDGE = -1e-4
"""Barycentric slack: neighbours overlap by a hair, so that no crack shows between them."""


@kernel
def draw_attributes(
    xy: NDArray[np.float32],
    depth: NDArray[np.float32],
    triangles: NDArray[np.int32],
    attributes: NDArray[np.float32],
    out: NDArray[np.float32],
    nearest: NDArray[np.float32],
    row0: int,
    row1: int,
) -> None:
    """Draw triangles (F, 3) of vertices (V, 2) px into `out` (H, W, A), interpolating (V, A).

    depth (V,): distance from the viewer; `nearest` (H, W) is the depth buffer, FAR where empty. A
    buffer with no rows switches the depth test off: later triangles lie on top.
    """
    width = out.shape[1]
    count = attributes.shape[1]
    tested = nearest.shape[0] > 0
    for f in range(triangles.shape[0]):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax, ay = xy[a, 0], xy[a, 1]
        bx, by = xy[b, 0], xy[b, 1]
        cx, cy = xy[c, 0], xy[c, 1]
        y_low = max(row0, math.ceil(min(ay, by, cy) - 0.501))
        y_high = min(row1 - 1, math.floor(max(ay, by, cy) - 0.499))
        x_low = max(0, math.ceil(min(ax, bx, cx) - 0.501))
        x_high = min(width - 1, math.floor(max(ax, bx, cx) - 0.499))
        if y_high < y_low or x_high < x_low:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        inverse = 1.0 / area
        step_b, step_c = (cy - ay) * inverse, (ay - by) * inverse
        for y in range(y_low, y_high + 1):
            py = y + 0.5 - ay
            px = x_low + 0.5 - ax
            wb = (px * (cy - ay) - py * (cx - ax)) * inverse
            wc = (py * (bx - ax) - px * (by - ay)) * inverse
            for x in range(x_low, x_high + 1):
                wa = 1.0 - wb - wc
                if wa >= _EDGE and wb >= _EDGE and wc >= _EDGE:
                    hidden = False
                    if tested:
                        z = wa * depth[a] + wb * depth[b] + wc * depth[c]
                        hidden = z >= nearest[y, x]
                        if not hidden:
                            nearest[y, x] = z
                    if not hidden:
                        for k in range(count):
                            out[y, x, k] = (
                                wa * attributes[a, k]
                                + wb * attributes[b, k]
                                + wc * attributes[c, k]
                            )
                wb += step_b
                wc += step_c


@part_of_kernel
def _blend_texel(texture: Any, u: Any, v: Any, light: Any, out: Any, y: Any, x: Any) -> None:
    """Lay the texture's colour at (u, v) px over one pixel."""
    u = min(max(u - 0.5, 0.0), texture.shape[1] - 1.001)
    v = min(max(v - 0.5, 0.0), texture.shape[0] - 1.001)
    i, j = int(u), int(v)
    s, t = u - i, v - j
    w00, w10, w01, w11 = (1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t
    p00, p10, p01, p11 = texture[j, i], texture[j, i + 1], texture[j + 1, i], texture[j + 1, i + 1]
    through = 1.0 - (w00 * p00[3] + w10 * p10[3] + w01 * p01[3] + w11 * p11[3]) / 255.0
    for k in range(3):
        colour = w00 * p00[k] + w10 * p10[k] + w01 * p01[k] + w11 * p11[k]
        out[y, x, k] = out[y, x, k] * through + light * colour


@kernel
def draw_textured(
    xy: NDArray[np.float32],
    triangles: NDArray[np.int32],
    uv: NDArray[np.float32],
    texture: NDArray[np.float32],
    light: float,
    out: NDArray[np.float32],
) -> None:
    """Lay triangles (F, 3) of vertices (V, 2) px over `out` (H, W, 3), later ones on top.

    uv (V, 2): positions in `texture` (h, w, 4), RGB times alpha, alpha, 0..255, read bilinearly;
    its colours are multiplied by `light`.
    """
    height, width = out.shape[0], out.shape[1]
    for f in range(triangles.shape[0]):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax, ay = xy[a, 0], xy[a, 1]
        bx, by = xy[b, 0], xy[b, 1]
        cx, cy = xy[c, 0], xy[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        y_low = max(0, math.ceil(min(ay, by, cy) - 0.5))
        y_high = min(height - 1, math.ceil(max(ay, by, cy) - 1.5))
        x_low = max(0, math.ceil(min(ax, bx, cx) - 0.5))
        x_high = min(width - 1, math.ceil(max(ax, bx, cx) - 1.5))
        for y in range(y_low, y_high + 1):
            py = y + 0.5 - ay
            for x in range(x_low, x_high + 1):
                px = x + 0.5 - ax
                wb = (px * (cy - ay) - py * (cx - ax)) / area
                wc = (py * (bx - ax) - px * (by - ay)) / area
                wa = 1.0 - wb - wc
                if wa < _EDGE or wb < _EDGE or wc < _EDGE:
                    continue
                u = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
                v = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
                _blend_texel(texture, u, v, light, out, y, x)


@kernel
def vertex_normals(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], out: NDArray[np.float32]
) -> None:
    """Unit normals (V, 3) of vertices (V, 3): area-weighted means over their triangles (F, 3)."""
    out[:] = 0.0
    for f in range(triangles.shape[0]):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for v in range(out.shape[0]):
        length = math.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + 1e-20
        for k in range(3):
            out[v, k] /= length


@part_of_kernel
def _cubic(t: Any) -> tuple[Any, Any, Any, Any]:
    """Catmull-Rom weights of the four samples around a point t in 0..1 past the second."""
    t2 = t * t
    t3 = t2 * t
    return (
        HALF * (TWO * t2 - t - t3),
        HALF * (TWO - FIVE * t2 + THREE * t3),
        HALF * (t + FOUR * t2 - THREE * t3),
        HALF * (t3 - t2),
    )


@part_of_kernel
def _byte(value: Any) -> Any:
    return np.uint8(min(max(value + HALF, ZERO), WHITE))


@kernel
def compose(
    far_map: NDArray[np.float32],
    near_map: NDArray[np.float32],
    texture: NDArray[np.float32],
    plate: NDArray[np.uint8],
    out: NDArray[np.uint8],
    row0: int,
    row1: int,
) -> None:
    """Read the texture where the two maps point and lay it over the plate.

    far_map (H, W, 2): texture position u, v of the head layer, NOWHERE where there is none.
    near_map (H, W, 4): u, v, light and weight of the face layer over the head layer. Afterwards
    far_map is where each pixel was read.
    texture (Ht, Wt, 4): RGB times alpha, alpha, 0..255. plate, out: (H, W, 3).
    """
    high_u, high_v = np.float32(texture.shape[1] - 3.01), np.float32(texture.shape[0] - 3.01)
    one = np.uint64(1)
    for y in range(row0, row1):
        for x in range(out.shape[1]):
            weight = near_map[y, x, 3]
            u, v = far_map[y, x, 0], far_map[y, x, 1]
            light = ONE
            if weight > ZERO:
                if weight >= SURE or u == NOWHERE:
                    u, v = near_map[y, x, 0], near_map[y, x, 1]
                else:
                    u += weight * (near_map[y, x, 0] - u)
                    v += weight * (near_map[y, x, 1] - v)
                far_map[y, x, 0], far_map[y, x, 1] = u, v
                light = near_map[y, x, 2]
            elif u == NOWHERE:
                for k in range(3):
                    out[y, x, k] = plate[y, x, k]
                continue
            u = min(max(u - HALF, ONE), high_u)
            v = min(max(v - HALF, ONE), high_v)
            iu, iv = np.int32(u), np.int32(v)
            a0, a1, a2, a3 = _cubic(u - np.float32(iu))
            b = _cubic(v - np.float32(iv))
            # Unsigned indices spare the test for negative ones.
            c0 = np.uint64(iu) - one
            c1, c2, c3 = c0 + one, c0 + one + one, c0 + one + one + one
            row = np.uint64(iv) - one
            red, green, blue, alpha = ZERO, ZERO, ZERO, ZERO
            for j in range(4):
                w0, w1, w2, w3 = b[j] * a0, b[j] * a1, b[j] * a2, b[j] * a3
                t = texture[row + np.uint64(j)]
                red += w0 * t[c0, 0] + w1 * t[c1, 0] + w2 * t[c2, 0] + w3 * t[c3, 0]
                green += w0 * t[c0, 1] + w1 * t[c1, 1] + w2 * t[c2, 1] + w3 * t[c3, 1]
                blue += w0 * t[c0, 2] + w1 * t[c1, 2] + w2 * t[c2, 2] + w3 * t[c3, 2]
                alpha += w0 * t[c0, 3] + w1 * t[c1, 3] + w2 * t[c2, 3] + w3 * t[c3, 3]
            through = max(ZERO, ONE - alpha / WHITE)
            out[y, x, 0] = _byte(red * light + through * np.float32(plate[y, x, 0]))
            out[y, x, 1] = _byte(green * light + through * np.float32(plate[y, x, 1]))
            out[y, x, 2] = _byte(blue * light + through * np.float32(plate[y, x, 2]))


@kernel
def soften_folds(
    position: NDArray[np.float32],
    near_map: NDArray[np.float32],
    out: NDArray[np.uint8],
    row0: int,
    row1: int,
) -> None:
    """Smooth the edges where the head hides a part of itself, as `compose` drew them.

    There the texture position (H, W, 2) jumps from one pixel to the next. Inside the face layer,
    where near_map (H, W, 4) has full weight, a jump is none: there two of its textures meet.
    """
    for y in range(row0 + 1, row1 - 1):
        for x in range(1, out.shape[1] - 1):
            u, v = position[y, x, 0], position[y, x, 1]
            if u == NOWHERE:
                continue
            face = near_map[y, x, 3] >= SURE
            edge = False
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                u2 = position[y + dy, x + dx, 0]
                away = abs(u - u2) + abs(v - position[y + dy, x + dx, 1])
                if away > FOLD and u2 != NOWHERE:
                    edge = edge or not (face and near_map[y + dy, x + dx, 3] >= SURE)
            if edge:
                for k in range(3):
                    across = np.float32(out[y, x - 1, k]) + np.float32(out[y, x + 1, k])
                    along = np.float32(out[y - 1, x, k]) + np.float32(out[y + 1, x, k])
                    middle = TWO * np.float32(out[y, x, k])
                    out[y, x, k] = _byte((middle + across + along) / SIX)


@kernel
def place_points(
    points: NDArray[np.float32],
    follow: NDArray[np.float32],
    turn: NDArray[np.float32],
    rotation: NDArray[np.float32],
    translation: NDArray[np.float32],
    shift: NDArray[np.float32],
    camera: NDArray[np.float32],
    placed: NDArray[np.float32],
    xy: NDArray[np.float32],
) -> None:
    """Move points (N, 3) with the head and project them.

    A point moves from rotation (3, 3), translation (3,) by the share `follow` (N,) in 0..1 of the
    rotation vector `turn` (3,) and of `shift` (3,). camera (3,): focal length, centre x, centre y,
    px. Fills placed (N, 3) in camera space and xy (N, 2) px.
    """
    angle = math.sqrt(turn[0] ** 2 + turn[1] ** 2 + turn[2] ** 2)
    scale = 1.0 / max(angle, 1e-9)
    kx, ky, kz = turn[0] * scale, turn[1] * scale, turn[2] * scale
    for i in range(points.shape[0]):
        a, b, c = points[i, 0], points[i, 1], points[i, 2]
        x = rotation[0, 0] * a + rotation[0, 1] * b + rotation[0, 2] * c
        y = rotation[1, 0] * a + rotation[1, 1] * b + rotation[1, 2] * c
        z = rotation[2, 0] * a + rotation[2, 1] * b + rotation[2, 2] * c
        w = follow[i]
        sine, cosine = math.sin(w * angle), math.cos(w * angle)
        along = (kx * x + ky * y + kz * z) * (1.0 - cosine)
        px = x * cosine + (ky * z - kz * y) * sine + kx * along + translation[0] + w * shift[0]
        py = y * cosine + (kz * x - kx * z) * sine + ky * along + translation[1] + w * shift[1]
        pz = z * cosine + (kx * y - ky * x) * sine + kz * along + translation[2] + w * shift[2]
        depth = max(-pz, 1e-3)
        placed[i, 0], placed[i, 1], placed[i, 2] = px, py, pz
        xy[i, 0] = camera[1] + camera[0] * px / depth
        xy[i, 1] = camera[2] - camera[0] * py / depth
