"""Completing a picture behind what is taken out of it: patches of what is around grow inwards.

PatchMatch (Barnes et al., SIGGRAPH 2009) finds them, coarse to fine, and overlapping patches vote
for each pixel (Wexler, Shechtman and Irani, PAMI 2007); so walls and frames go on straight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.kernels import kernel, part_of_kernel

Float = NDArray[np.float32]
Int = NDArray[np.int32]
UInt8 = NDArray[np.uint8]

SIZES_PX = (64, 128, 256)
"""Longer side of the pictures worked on, one after the other."""
RADIUS_PX = 2
"""Patches reach so far from their middle."""
ROUNDS, SWEEPS = 2, 3
"""At each size patches are found and vote so often; each search goes over the picture so often."""
SEARCH_SHARE, SEARCH_STEPS = 0.33, 4
"""Patches are looked for so far away, over the longer side, and in so many ever smaller circles."""
FAR_COST = 30.0
"""Cost, in squared levels of colour for each pixel of a patch, of looking a whole search away."""
TRUST_FALL = 0.8
"""What is completed counts less with each pixel, of the smallest picture, from what is known."""
SHARPNESS = 0.02
"""How much less patches count that match worse, over squared levels for each pixel."""
ONE, ZERO = np.float32(1.0), np.float32(0.0)


@dataclass
class _Level:
    """The picture at one size.

    colours: (h, w, 3), the hole's as known so far. inside: (h, w), 1 in the hole. away: (h, w) px
    behind its border. trust: (h, w) in 0..1. usable: (h, w), 1 in the middle of patches that may
    be copied. targets: (N, 2) rows and columns to find patches for. search: px.
    """

    colours: Float
    inside: UInt8
    away: Float
    trust: Float
    usable: UInt8
    targets: Int
    search: float


def complete(image: Float, hole: UInt8, filled: Float, reach_px: float, rim_px: int) -> Float:
    """The image (H, W, 3) with its hole completed up to `reach_px` behind its border.

    hole: (H, W), 1 where nothing is known. filled: (H, W, 3), the image with the hole filled
    smoothly; that is what is left further inside. So far around the hole, `rim_px`, the image
    is given as the patches would continue it, too.
    """
    height, width = hole.shape
    longer = max(height, width)
    result = filled.copy()
    source: Int | None = None
    for side in SIZES_PX:
        scale = min(1.0, side / longer)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        level = _level(hole, filled, size, reach_px * scale)
        if not level.usable.any() or not len(level.targets):
            break
        source = _grown_inwards(level) if source is None else _refined(level, source)
    if source is not None:
        window = np.ones((2 * rim_px + 1, 2 * rim_px + 1), np.uint8)
        _copy(image, hole, cv2.dilate(hole, window), source, result)
    return result


def _level(hole: UInt8, filled: Float, size: tuple[int, int], reach_px: float) -> _Level:
    """The picture at `size` (w, h) with lengths in its own px."""
    colours = cv2.resize(filled, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.0
    inside = inside.astype(np.uint8)
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    trust = TRUST_FALL ** (np.minimum(away, max(size)) * SIZES_PX[0] / max(size))
    window = np.ones((2 * RADIUS_PX + 1, 2 * RADIUS_PX + 1), np.uint8)
    usable = cv2.erode(1 - inside, window, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    wanted = (cv2.dilate(inside, window) > 0) & (away <= reach_px + RADIUS_PX)
    return _Level(
        np.ascontiguousarray(colours, np.float32),
        inside,
        away,
        np.asarray(trust, np.float32),
        usable,
        np.argwhere(wanted).astype(np.int32),
        SEARCH_SHARE * max(size),
    )


def _grown_inwards(level: _Level) -> Int:
    """Sources (h, w, 2), row and column, -1 where there is none: ring after ring from the border.

    Each ring continues what is known and the rings before it, as by Criminisi, Perez and Toyama
    (IEEE TIP 2004).
    """
    source = np.full((*level.usable.shape, 2), -1, np.int32)
    trust = np.where(level.inside > 0, 0.0, level.trust).astype(np.float32)
    y, x = level.targets.T
    rings = np.ceil(level.away[y, x]).astype(int)
    for ring in range(int(rings.max()) + 1):
        here = np.ascontiguousarray(level.targets[rings == ring])
        _search_all(level.colours, trust, level.usable, here, source, int(level.search))
        y, x = here.T
        found = (source[y, x, 0] >= 0) & (level.inside[y, x] > 0)
        y, x = y[found], x[found]
        level.colours[y, x] = level.colours[source[y, x, 0], source[y, x, 1]]
        trust[y, x] = level.trust[y, x]
    return source


def _refined(level: _Level, start: Int) -> Int:
    """Sources (h, w, 2) from those of the coarser picture."""
    random = np.random.default_rng(0)
    source = _start(level, start, random)
    known = level.colours.copy()
    cost = np.zeros(level.inside.shape, np.float32)
    _vote(known, level.inside, level.trust, source, cost, level.colours)
    count = len(level.targets)
    for _ in range(ROUNDS):
        cost[:] = -1.0
        for sweep in range(SWEEPS):
            jumps = random.uniform(-1.0, 1.0, (count, SEARCH_STEPS, 2)).astype(np.float32)
            step = 1 if sweep % 2 == 0 else -1
            order = np.ascontiguousarray(level.targets[::step])
            _search(
                level.colours,
                level.trust,
                level.usable,
                order,
                source,
                cost,
                jumps,
                level.search,
                step,
            )
        _vote(known, level.inside, level.trust, source, cost, level.colours)
    return source


def _start(level: _Level, start: Int, random: np.random.Generator) -> Int:
    """The coarser picture's sources (h, w, 2) at this size, places at random where it has none."""
    shape, targets = np.array(level.usable.shape), level.targets
    y, x = targets.T
    rows, columns = np.nonzero(level.usable)
    pick = random.integers(0, len(rows), len(targets))
    source = np.full((*shape, 2), -1, np.int32)
    source[y, x] = np.stack([rows[pick], columns[pick]], axis=1)
    ratio = np.array(start.shape[:2]) / shape
    at = np.minimum((targets * ratio).astype(int), np.array(start.shape[:2]) - 1)
    coarse = start[at[:, 0], at[:, 1]]
    moved = np.round(targets + (coarse - at) / ratio).astype(int)
    good = (coarse[:, 0] >= 0) & (moved >= 0).all(axis=1) & (moved < shape).all(axis=1)
    good[good] = level.usable[moved[good, 0], moved[good, 1]] > 0
    source[y[good], x[good]] = moved[good]
    return source


@part_of_kernel
def _distance(
    image: Any, trust: Any, y: Any, x: Any, v: Any, u: Any, radius: Any, best: Any
) -> Any:
    """Mean squared difference of the patches around (y, x) and (v, u), or more than `best`."""
    total, weights = np.float32(0.0), np.float32(0.0)
    low, high = max(-radius, -y), min(radius, image.shape[0] - 1 - y)
    left, right = max(-radius, -x), min(radius, image.shape[1] - 1 - x)
    for i in range(low, high + 1):
        for j in range(left, right + 1):
            weights += trust[y + i, x + j]
    limit = best * weights
    for i in range(low, high + 1):
        for j in range(left, right + 1):
            red = image[y + i, x + j, 0] - image[v + i, u + j, 0]
            green = image[y + i, x + j, 1] - image[v + i, u + j, 1]
            blue = image[y + i, x + j, 2] - image[v + i, u + j, 2]
            total += trust[y + i, x + j] * (red * red + green * green + blue * blue)
        if total > limit:
            break
    return total / weights


@kernel
def _search_all(
    image: Float, trust: Float, usable: UInt8, targets: Int, source: Int, reach: int
) -> None:
    """The best of all usable places not further than `reach` from each target (N, 2), written to
    source (h, w, 2).
    """
    height, width = usable.shape
    dearness = np.float32(FAR_COST / (reach * reach))
    for n in range(targets.shape[0]):
        y, x = targets[n, 0], targets[n, 1]
        best = np.float32(1e12)
        for v in range(max(0, y - reach), min(height, y + reach + 1)):
            for u in range(max(0, x - reach), min(width, x + reach + 1)):
                far = np.float32(dearness * ((v - y) ** 2 + (u - x) ** 2))
                if usable[v, u] == 0 or far >= best:
                    continue
                found = _distance(image, trust, y, x, v, u, RADIUS_PX, best - far) + far
                if found < best:
                    best = found
                    source[y, x, 0], source[y, x, 1] = v, u


@kernel
def _search(
    image: Float,
    trust: Float,
    usable: UInt8,
    targets: Int,
    source: Int,
    cost: Float,
    jumps: Float,
    reach: float,
    step: int,
) -> None:
    """One sweep of PatchMatch over the targets (N, 2), in the direction `step`.

    Improves source (h, w, 2) and cost (h, w) in place; a cost below 0 is not known yet. jumps:
    (N, K, 2) random numbers in -1..1.
    """
    height, width = usable.shape
    radius = RADIUS_PX
    dearness = np.float32(FAR_COST / (reach * reach))
    for n in range(targets.shape[0]):
        y, x = targets[n, 0], targets[n, 1]
        best_v, best_u = source[y, x, 0], source[y, x, 1]
        best = cost[y, x]
        if best < ZERO:
            far = np.float32((best_v - y) ** 2 + (best_u - x) ** 2)
            best = _distance(image, trust, y, x, best_v, best_u, radius, np.float32(1e12))
            best += dearness * far
        size = reach
        for k in range(2 + jumps.shape[1]):
            if k == 0:
                if x - step < 0 or x - step >= width or source[y, x - step, 0] < 0:
                    continue
                v, u = source[y, x - step, 0], source[y, x - step, 1] + step
            elif k == 1:
                if y - step < 0 or y - step >= height or source[y - step, x, 0] < 0:
                    continue
                v, u = source[y - step, x, 0] + step, source[y - step, x, 1]
            else:
                v = best_v + int(size * jumps[n, k - 2, 0])
                u = best_u + int(size * jumps[n, k - 2, 1])
                size *= 0.4
            if v < 0 or v >= height or u < 0 or u >= width or usable[v, u] == 0:
                continue
            far = dearness * np.float32((v - y) ** 2 + (u - x) ** 2)
            if far >= best:
                continue
            found = _distance(image, trust, y, x, v, u, radius, best - far) + far
            if found < best:
                best, best_v, best_u = found, v, u
        source[y, x, 0], source[y, x, 1] = best_v, best_u
        cost[y, x] = best


@kernel
def _vote(known: Float, inside: UInt8, trust: Float, source: Int, cost: Float, out: Float) -> None:
    """Let the patches over each pixel inside the hole say its colour; fills `out` (h, w, 3)."""
    height, width = inside.shape
    radius = RADIUS_PX
    for y in range(height):
        for x in range(width):
            if inside[y, x] == 0:
                continue
            red, green, blue = ZERO, ZERO, ZERO
            total = ZERO
            for i in range(max(-radius, -y), min(radius, height - 1 - y) + 1):
                for j in range(max(-radius, -x), min(radius, width - 1 - x) + 1):
                    v, u = source[y + i, x + j, 0], source[y + i, x + j, 1]
                    if v < 0:
                        continue
                    weight = trust[y + i, x + j] / (
                        ONE + np.float32(SHARPNESS) * cost[y + i, x + j]
                    )
                    red += weight * known[v - i, u - j, 0]
                    green += weight * known[v - i, u - j, 1]
                    blue += weight * known[v - i, u - j, 2]
                    total += weight
            if total > ZERO:
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = red / total, green / total, blue / total


@kernel
def _copy(image: Float, hole: UInt8, wanted: UInt8, source: Int, out: Float) -> None:
    """Lay over the wanted (H, W) pixels of `out` (H, W, 3) what the patches around each of them
    were found to be: the four nearest middles in source (h, w, 2) say from where in the image.
    """
    height, width = hole.shape
    rows, columns = source.shape[0], source.shape[1]
    down, across = height / rows, width / columns
    for y in range(height):
        low = math.floor((y + 0.5) / down - 0.5)
        t = (y + 0.5) / down - 0.5 - low
        for x in range(width):
            if wanted[y, x] == 0:
                continue
            left = math.floor((x + 0.5) / across - 0.5)
            s = (x + 0.5) / across - 0.5 - left
            red, green, blue, total = ZERO, ZERO, ZERO, ZERO
            for i in range(2):
                for j in range(2):
                    a, b = min(max(low + i, 0), rows - 1), min(max(left + j, 0), columns - 1)
                    if source[a, b, 0] < 0:
                        continue
                    v = round(y + (source[a, b, 0] - a) * down)
                    u = round(x + (source[a, b, 1] - b) * across)
                    if v < 0 or v >= height or u < 0 or u >= width or hole[v, u]:
                        continue
                    weight = np.float32((t if i else 1.0 - t) * (s if j else 1.0 - s))
                    red += weight * image[v, u, 0]
                    green += weight * image[v, u, 1]
                    blue += weight * image[v, u, 2]
                    total += weight
            if total > ZERO:
                share = min(ONE, np.float32(4.0) * total)
                for k in range(3):
                    colour = (red, green, blue)[k] / total
                    out[y, x, k] += share * (colour - out[y, x, k])
