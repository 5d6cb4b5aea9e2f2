"""What the photo shows of the mouth's inside, above all that person's own upper teeth."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.projection import f32
from emotalk_cli.render.teeth import Arch, moved_arch, repaint, spanning_arch, texel_points

Float = NDArray[np.float32]

SAME_MOUTH_M = 0.0016
"""With a lip's edge moved by this much, nothing is kept of the photo's picture but teeth, which the
arch of the upper teeth then carries."""
DARK_SHARE, LIGHT_SHARE = 0.42, 0.62
"""Brightness over that of the teeth from which on a pixel counts as tooth, or gum."""
TOOTH_SHARE = 0.6
"""Share of the brightness expected of teeth below which what the photo shows are none."""
MIN_TOOTH_PX = 12
LEAST_LIT = 0.65
"""Teeth are expected with no less of the light, however dark an open mouth is."""
REDDER = 0.035
"""Share of red in lips over that in teeth, at least, where it can tell the two apart."""
LUMINANCE = f32([0.299, 0.587, 0.114])
TOP_M = 0.0035
"""Upper teeth begin no further under the upper lip than this; else it is the lower row."""
BREAK_M = 0.0004
"""Dark lines this thin do not end a tooth."""
UNDER_M = 0.0007
"""So much must be seen below teeth for their edges to be known."""
MAX_SHIFT_M = 0.005
MIDDLE_M = 0.018
"""The arch is set in height by the teeth so near to the middle."""
GRAZING = 0.4
"""Of teeth seen more obliquely than this (over the middle's width in the picture) the photo shows
too little."""
MIN_SEEN_M = 0.008
"""Less than this much of the row seen tells nothing about it."""
MAX_STEP_M, SMOOTH_M = 0.0016, 0.0010
"""Edges of single teeth differ from the painted ones by no more, and are smoothed by so much."""
RIM_PX = 1.2
"""So much of the photo at the teeth's edges is not theirs alone."""
RATIO = (0.45, 2.6)
"""Bounds of the light that seen teeth lend to those beside them."""
HUE = 1.04
"""Channels of it differ by no more: where gums are painted, teeth would lend them green."""
MIN_LIGHT = 0.6


class SeenMouth:
    """The inside of the mouth that the photo shows."""

    def __init__(self, photo: NDArray[np.uint8], upper: Float, lower: Float) -> None:
        """upper, lower: (N, 2) px, the lips' edges in the photo (H, W, 3)."""
        outline = np.concatenate([upper, lower[::-1]])
        height, width = photo.shape[:2]
        x0, y0 = (int(v) for v in np.floor(np.maximum(outline.min(axis=0) - 4, 0)))
        x1, y1 = (int(v) for v in np.ceil(np.minimum(outline.max(axis=0) + 4, [width, height])))
        self.colours = photo[y0:y1, x0:x1].astype(np.float32)
        inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
        polygon = np.round((outline - [x0, y0]) * 16 - 8).astype(np.int32)
        cv2.fillPoly(inside, [polygon], 255, cv2.LINE_AA, shift=4)
        self.mask = inside
        self._inside = cv2.dilate(inside, np.ones((3, 3), np.uint8)).astype(np.float32) / 255
        core = cv2.erode((inside > 250).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        level = self.colours @ LUMINANCE
        self._bright = float(np.quantile(level[core], 0.9)) if core.any() else 1.0
        chosen = core & (level > 0.75 * self._bright)
        self._brightest = self.colours[chosen] if chosen.sum() > MIN_TOOTH_PX else None
        self._outline = f32(outline - [x0, y0])
        self.frame_px = f32([[x0, y0], [x1, y0], [x0, y1]])
        self.shows_teeth = False

    def tooth_like(self, expected: Float) -> Float:
        """RGB (3,) of the teeth: the photo's own, or nearly `expected` where it shows none.

        What is much darker than teeth would be in this light is tongue or shade.
        """
        tooth = None if self._brightest is None else np.median(self._brightest, axis=0)
        if tooth is None:
            return expected
        share = float(tooth @ LUMINANCE) / max(float(expected @ LUMINANCE), 1.0)
        if share < TOOTH_SHARE:
            # No tooth, but it tells how much of the light comes in.
            return f32(expected * max(np.sqrt(share), LEAST_LIT))
        self.shows_teeth = True
        return np.asarray(tooth, np.float32)

    def tooth_map(self, tooth: Float, lip: Float) -> Float:
        """How much each pixel (h, w) is tooth, 0..1, by its light and by how little red it is."""
        level = self.colours @ LUMINANCE
        light = (level / self._bright - DARK_SHARE) / (LIGHT_SHARE - DARK_SHARE)
        found = np.clip(light, 0.0, 1.0)
        red_tooth, red_lip = (float(c[0] / max(float(c.sum()), 1.0)) for c in (tooth, lip))
        if red_lip - red_tooth > REDDER:
            red = self.colours[..., 0] / np.maximum(self.colours.sum(axis=2), 1.0)
            between = 0.45 * red_tooth + 0.55 * red_lip
            found *= np.clip(1.0 - (red - between) / (0.5 * REDDER), 0.0, 1.0)
        soft = cv2.GaussianBlur((self.mask > 250).astype(np.float32), (0, 0), 0.8)
        return f32(found * np.clip(2.0 * soft - 1.0, 0.0, 1.0))

    def lay_over(self, picture: Float, frame_xy: Float, outline: Float, px_per_m: float) -> float:
        """Lay it over `picture` (h, w, 3) where its frame (3, 2) px stands now.

        outline: (2 N, 2) px, the lips' edges now. Returns 1 where the mouth is as in the photo,
        less where it is not.
        """
        height, width = self._inside.shape
        corners = f32([[0, 0], [width, 0], [0, height]])
        sides = (frame_xy[1:] - frame_xy[0]) / f32([[width], [height]])
        change = np.abs(frame_xy[0] + self._outline @ sides - outline).max() / px_per_m
        rest = max(0.0, 1.0 - float(change) / SAME_MOUTH_M)
        if rest == 0.0:
            return rest
        # warpAffine counts from pixel centres.
        move = cv2.getAffineTransform(corners - 0.5, np.asarray(frame_xy - 0.5, np.float32))
        size = (picture.shape[1], picture.shape[0])
        moved = cv2.warpAffine(
            self.colours, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        weight = cv2.warpAffine(self._inside, move, size, flags=cv2.INTER_LINEAR)[..., None]
        picture += (rest * weight) * (np.clip(moved, 0, 255) - picture)
        return rest


def own_teeth(
    arch: Arch,
    seen: SeenMouth,
    tooth: Float,
    lip: Float,
    light: Float,
    project: Callable[[Float], Float],
) -> Arch:
    """The upper teeth's arch at the height of the teeth in the photo, carrying their picture.

    tooth, lip: RGB (3,). light: (h, w) that falls on them there, as the mouth is drawn. project:
    points (N, 3) m in the head's frame -> (N, 2) px in the photo.
    """
    found = seen.tooth_map(tooth, lip)
    columns = seen.frame_px[0, 0] + np.flatnonzero((found > 0.5).sum(axis=0) > 1)
    if len(columns):
        arch = spanning_arch(arch, project, float(columns[0]) + 1, float(columns[-1]))
    rows = _Rows.of(arch, seen, found, project)
    if rows.length_m < MIN_SEEN_M:
        return arch
    shift = rows.shift_m()
    arch = moved_arch(arch, f32([0.0, shift, 0.0]))
    rows = _Rows.of(arch, seen, found, project)
    return repaint(arch, _paint_seen(arch, seen, rows, light))


class _Rows:
    """The photo's teeth column by column of an arch's texture."""

    def __init__(self, arch: Arch, xy: Float, tooth: Float, inside: Float) -> None:
        self.xy = xy
        self._arch = arch
        self._px_m = float(arch.below_m[0] - arch.below_m[1])
        columns = tooth.shape[1]
        step = float(np.linalg.norm(xy[1:, :] - xy[:-1, :], axis=-1).mean())
        self._rim = max(1, round(RIM_PX / step))
        self.weight = np.zeros_like(tooth)
        self.edge = np.full(columns, np.nan, np.float32)
        self._bottom = np.full(columns, np.nan, np.float32)
        width = np.gradient(xy[..., 0].mean(axis=0))
        width *= np.sign(width[columns // 2])
        # Behind where the row turns away nearer teeth hide it.
        grazing = np.flatnonzero(width <= GRAZING * width.max())
        start = int(max(grazing[grazing < columns // 2], default=-1)) + 1
        end = int(min(grazing[grazing >= columns // 2], default=columns))
        for k in range(start, end):
            self._read(k, np.flatnonzero(inside[:, k] > 0.5), tooth[:, k])
        self.length_m = float(np.isfinite(self._bottom).sum()) * abs(
            float(arch.along_m[1] - arch.along_m[0])
        )

    @classmethod
    def of(
        cls, arch: Arch, seen: SeenMouth, found: Float, project: Callable[[Float], Float]
    ) -> _Rows:
        """Look where the arch's texels stand in the photo."""
        height, width = arch.texture.shape[:2]
        row, column = (a.ravel() for a in np.mgrid[:height, :width])
        xy = project(texel_points(arch, column, row)) - seen.frame_px[0]
        xy = f32(xy.reshape(height, width, 2) - 0.5)
        tooth = cv2.remap(found, xy[..., 0], xy[..., 1], cv2.INTER_LINEAR)
        inside = cv2.remap(
            seen.mask.astype(np.float32) / 255, xy[..., 0], xy[..., 1], cv2.INTER_LINEAR
        )
        return cls(arch, xy, f32(tooth), f32(inside))

    def _read(self, k: int, visible: NDArray[np.int64], tooth: Float) -> None:
        """Find the teeth's run of rows in one column, if it is the upper teeth's."""
        hits = visible[tooth[visible] > 0.5]
        if not len(hits) or (hits[0] - visible[0]) * self._px_m > TOP_M:
            return
        steps = np.diff(hits) * self._px_m
        ends = np.flatnonzero(steps > BREAK_M + 1.01 * self._px_m)
        last = int(hits[ends[0]] if len(ends) else hits[-1])
        self._bottom[k] = last + 1
        if (visible[-1] - last) * self._px_m > UNDER_M:
            self.edge[k] = last + 1
        # The pixel at the edge is half lip or depth.
        end = max(int(hits[0]) + 1, last + 1 - self._rim)
        self.weight[hits[0] : end, k] = tooth[hits[0] : end]

    def painted_edge(self) -> Float:
        """The row at which each column's painted tooth ends; its corners are smoothed, for the
        photo's teeth stand elsewhere, where it shows any.
        """
        painted = (self._arch.texture[..., 3] / 255.0).sum(axis=0)
        smooth = SMOOTH_M / self._px_m if np.isfinite(self.edge).any() else 0.0
        return f32(gaussian_filter1d(painted, smooth) if smooth else painted)

    def offset(self) -> Float:
        """How many rows lower than painted each column's tooth ends, smoothly."""
        painted = self.painted_edge()
        known = np.flatnonzero(np.isfinite(self.edge))
        if not len(known):
            return np.zeros_like(painted)
        limit = MAX_STEP_M / self._px_m
        found = np.clip((self.edge - painted)[known], -limit, limit)
        reach = max(1, round(SMOOTH_M / self._px_m))
        found = median_filter(found, size=2 * reach + 1, mode="nearest")
        offset = np.interp(np.arange(len(painted)), known, found)
        return f32(gaussian_filter1d(offset, 0.5 * reach))

    def shift_m(self) -> float:
        """How much higher than painted the teeth stand, m."""
        painted = self.painted_edge()
        near = np.abs(self._arch.along_m) < MIDDLE_M
        known = near & np.isfinite(self.edge)
        if known.sum() * 2 > (near & np.isfinite(self._bottom)).sum():
            rows = float(np.median((painted - self.edge)[known]))
        else:
            # The lower lip covers the edges: they are somewhere below it.
            covered = near & np.isfinite(self._bottom)
            rows = float((painted - self._bottom)[covered].min()) if covered.any() else 0.0
            rows = min(rows, 0.0)
        return float(np.clip(rows * self._px_m, -MAX_SHIFT_M, MAX_SHIFT_M))


def _paint_seen(arch: Arch, seen: SeenMouth, rows: _Rows, light: Float) -> Float:
    """The arch's texture (h, w, 4) with the teeth that the photo shows, and others like them."""
    alpha = arch.texture[..., 3] / 255.0
    painted = arch.texture[..., :3] / np.maximum(alpha, 1e-3)[..., None]
    # A texel's colour where the painted tooth ends is that of its column.
    painted = fill_smoothly(f32(painted), f32((alpha > 0.5).astype(np.float32)))
    lit = seen.colours / np.maximum(light, MIN_LIGHT)[..., None]
    own = cv2.remap(f32(lit), rows.xy[..., 0], rows.xy[..., 1], cv2.INTER_CUBIC)
    weight = cv2.GaussianBlur(rows.weight, (0, 0), 0.7) * rows.weight
    level = (own @ LUMINANCE)[..., None] / np.maximum(painted @ LUMINANCE, 1.0)[..., None]
    level = np.clip(level, *RATIO)
    ratio = np.clip(own / np.maximum(painted, 1.0), level / HUE, level * HUE)
    ratio = fill_smoothly(f32(ratio), f32(weight > 0.8) + 1e-6)
    picture = painted * ratio
    picture += weight[..., None] * (own - picture)
    edge = rows.painted_edge() + rows.offset()
    here = np.arange(len(arch.below_m))[:, None] + 0.5
    alpha = np.clip(edge - here + 0.5, 0.0, 1.0)
    picture = np.clip(picture, 0.0, 255.0)
    return f32(np.concatenate([picture * alpha[..., None], 255.0 * alpha[..., None]], axis=2))
