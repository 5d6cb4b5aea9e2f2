"""The mouth's inside: teeth, tongue and depth, drawn between the lips."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.projection import f32
from emotalk_cli.render.rasteriser import draw_textured
from emotalk_cli.render.registration import SMILES, Registered, part_triangles
from emotalk_cli.render.seen_mouth import SeenMouth, own_teeth
from emotalk_cli.render.teeth import Arch, make_arch, moved_arch, spanning_arch
from emotalk_cli.render.tongue import Tongue, make_tongue

Float = NDArray[np.float32]

SUPERSAMPLING, LARGE_PX = 2, 110
"""Mouths are drawn finer than the picture and scaled down, but for those as wide as this."""
MOUTH_WIDTH_M = 0.0490
"""Width of a mouth at rest to which teeth of the usual size belong."""
SIZES = (0.85, 1.15)
UPPER_EDGE_M = f32([0.0, -0.0021, -0.0055])
LOWER_EDGE_M = f32([0.0, 0.0012, -0.0080])
"""Where the front teeth's edges stand from the middle of closed lips: upper teeth show a little
under a relaxed upper lip; lower teeth stand behind them."""
MAX_LOWERED_M, LEAST_SMILE = 0.004, 0.3
"""Upper teeth are set lower by no more than this, and fully from this sum of both smiles on."""
CORNER_TEETH = 0.04
"""Back teeth end no further from the corners of the mouth than this share of its width."""
JAW_SHARE = 0.89
"""How far lower teeth go down with the lower lip as the jaw opens."""
MOST_LOWER_M = 0.0034
"""More of the lower teeth is never seen over the lower lip."""
LOWER_LIGHT = f32([0.98, 0.94, 0.89])
"""Lower teeth against upper ones, warmer: no lip throws a shadow on them."""
DEEP = 0.34
"""Light on the depth of the mouth."""
WALL, WALL_M = 0.62, 0.008
"""Light on the cheeks' inner sides, and how far from the mouth's corners they go into depth."""
CORNER_SHADOW, CORNER_M = 0.40, 0.005
"""Depth and reach of the shadow that the corners of the mouth throw on what lies behind them."""
NARROW_LIGHT, OPEN_FULLY_M = 0.84, 0.010
"""Share of the light that a slit lets in, and how far apart lips let in all."""
TONGUE_IN_SLIT, TONGUE_LIT_M = 0.55, 0.018
"""The same for the tongue, which lies deeper."""
LIP_SHADOW, SHADOW_M = 0.46, 0.0020
"""Depth and size of the shadow that the upper lip throws on what lies behind it."""
SPREAD_LIGHT, SPREAD_SHADES = 2.2, (0.4, 1.2)
"""How fast these shades get weaker as the mouth gets wider than at rest, and their bounds."""
LIT_SHARE = 0.45
"""Share of these shades where the photo shows the teeth lit."""
WET_M, WET_LIGHT = 0.0012, 0.80
"""The lower lip's inner side is seen so far in, in a share of the lips' light."""
UPPER_LAYER = 2
SLIT_PX, SLIT_DARK = 1.2, 0.22
"""An opening as narrow as this is dark, down to a share of the light behind the lips."""


class Mouth:
    """Draws what is seen between the lips.

    points: (M, 3) m at the photo's expression, in the head's frame; units: (E, M, 3) m, what each
    unit adds.
    """

    def __init__(
        self,
        model: FaceGeometry,
        registered: Registered,
        still: Float,
        colours: dict[str, Float],
        seen: SeenMouth | None,
    ) -> None:
        """still: (E,) the photo's expression. colours: RGB of "tooth", "gum", "tongue", "lip"
        and "depth" in the photo's light. seen: what the photo shows of the mouth's inside.
        """
        neutral = registered.vertices - np.tensordot(still, registered.units, 1)
        lips = neutral[model.contours["lips_inner_upper"]]
        scale = float(np.clip(np.ptp(lips[:, 0]) / MOUTH_WIDTH_M, *SIZES))
        middle = 0.5 * (lips[len(lips) // 2] + neutral[model.contours["lips_inner_lower"]].mean(0))
        middle[:2] = [0.5 * (lips[0, 0] + lips[-1, 0]), lips[len(lips) // 2, 1]]
        middle[2] = lips[len(lips) // 2, 2]
        px_per_m = registered.camera.focal_px / float(registered.depth.min())
        large = px_per_m * float(np.ptp(lips[:, 0])) > LARGE_PX
        self._finer = 1 if large else SUPERSAMPLING
        px_per_m *= self._finer
        tooth, gum = colours["tooth"], colours["gum"]
        upper = make_arch(middle + UPPER_EDGE_M * scale, scale, px_per_m, tooth, gum, upper=True)
        if seen is not None and seen.shows_teeth:
            upper = _own_upper(upper, registered, colours, seen)
        else:
            left, right = registered.photo_xy[model.contours["lips_inner_upper"][[0, -1]], 0]
            inside = CORNER_TEETH * (right - left)
            project = partial(_project, registered)
            upper = spanning_arch(upper, project, left + inside, right - inside)
        lower_edge = middle + LOWER_EDGE_M * scale
        lower = make_arch(
            lower_edge, scale, px_per_m, tooth * LOWER_LIGHT, gum * LOWER_LIGHT, upper=False
        )
        tongue = make_tongue(lower_edge, scale, colours["tongue"], tooth)
        tongue_units, lower_units = _jaw_units(model, registered, neutral, tongue, lower)
        below = float(upper.edge_m[1]) - float(middle[1] + UPPER_EDGE_M[1] * scale)
        upper_units = _smiling_teeth(model, still, np.clip(below, 0.0, MAX_LOWERED_M), upper)
        self.units = np.concatenate([tongue_units, lower_units, upper_units], axis=1)
        upper = moved_arch(upper, -np.tensordot(still, upper_units[:, 0], 1))
        self._layers: tuple[Arch | Tongue, ...] = (tongue, lower, upper)
        self._ends = np.cumsum([len(part.points) for part in self._layers])
        points = np.concatenate([part.points for part in self._layers])
        points = points + np.tensordot(still, self.units, 1)
        self.points = f32(points)
        self._tip = int(np.argmax(tongue.front + tongue.points[:, 2]))
        self._teeth_front = int(len(tongue.points) + np.argmax(lower.points[:, 2]))
        columns = len(lower.points) // 2
        self._lower_edge = len(tongue.points) + columns + columns // 2
        self._deep = colours["depth"] * DEEP
        self._wall = colours["depth"] * WALL - self._deep
        self._wet = colours["lip"] * WET_LIGHT
        self._seen = seen
        self._width_m = float(np.ptp(lips[:, 0]))
        self._shades = LIT_SHARE if seen is not None and seen.shows_teeth else 1.0

    def draw(
        self,
        out: NDArray[np.uint8],
        placed: Float,
        xy: Float,
        upper: Float,
        lower: Float,
        gaps: Float,
        frame_xy: Float,
        px_per_m: float,
    ) -> None:
        """Draw into `out` (H, W, 3) between the lips' edges upper, lower (N, 2) px.

        placed (M, 3) m in camera space and xy (M, 2) px: the points, moved. gaps: (COLUMNS,) m,
        the lips' distances. frame_xy: (3, 2) px, the frame of what the photo shows, moved.
        """
        outline = np.concatenate([upper, lower[::-1]])
        height, width = out.shape[:2]
        x0, y0 = (int(v) for v in np.floor(np.maximum(outline.min(axis=0) - 3, 0)))
        x1, y1 = (int(v) for v in np.ceil(np.minimum(outline.max(axis=0) + 3, [width, height])))
        if x1 - x0 < 4 or y1 - y0 < 2:
            return
        n = self._finer
        box, origin = (x1 - x0, y1 - y0), f32([x0, y0])
        mask = np.zeros((box[1] * n, box[0] * n), np.uint8)
        polygon = np.round((outline - origin) * (n * 16) - 8).astype(np.int32)
        cv2.fillPoly(mask, [polygon], 255, cv2.LINE_AA, shift=4)
        if not mask.any():
            return
        open_m = float(gaps[len(gaps) // 2 - 2 : len(gaps) // 2 + 3].mean())
        wider = float(np.linalg.norm(upper[-1] - upper[0])) / px_per_m / self._width_m - 1.0
        shades = self._shades * float(np.clip(1.0 - SPREAD_LIGHT * wider, *SPREAD_SHADES))
        light = mouth_light(mask, open_m, px_per_m * n, shades)
        picture = self._scene(mask, light, placed, (xy - origin) * n, open_m, px_per_m * n)
        small = cv2.resize(picture, box, interpolation=cv2.INTER_AREA)
        cover = cv2.resize(mask, box, interpolation=cv2.INTER_AREA).astype(np.float32)
        cover *= f32(1 / 255)
        cover *= self._parted(outline, origin, box, gaps * px_per_m)
        slit = _slit_light(cover)
        rest = 0.0
        if self._seen is not None:
            rest = self._seen.lay_over(small, frame_xy - origin, outline - origin, px_per_m)
        small *= (slit + rest * (1.0 - slit))[..., None]
        cover = cover[..., None]
        target = out[y0:y1, x0:x1]
        target[:] = (target + cover * (small - target) + 0.5).astype(np.uint8)

    def _scene(
        self,
        mask: NDArray[np.uint8],
        light: Float,
        placed: Float,
        xy: Float,
        open_m: float,
        px_per_m: float,
    ) -> Float:
        """The inside of the mouth (h, w, 3) under the light (h, w) that the lips (mask) let in."""
        picture = np.empty((*mask.shape, 3), np.float32)
        picture[:] = self._deep
        walls = np.exp(-_from_corners(mask) / (WALL_M * px_per_m))
        picture += walls[:, None] * self._wall
        share = min(1.0, open_m / TONGUE_LIT_M)
        lights = [TONGUE_IN_SLIT + (1.0 - TONGUE_IN_SLIT) * share, 1.0, 1.0]
        lowered = self._lowered(mask, xy, px_per_m)
        order = [0, 1, 2]
        if placed[self._tip, 2] > placed[self._teeth_front, 2]:
            order = [1, 0, 2]
            lights[0] = 1.0
        for k in order:
            part, end = self._layers[k], self._ends[k]
            at = np.ascontiguousarray(xy[end - len(part.points) : end], np.float32)
            if k < UPPER_LAYER:
                at[:, 1] += lowered
            draw_textured(at, part.triangles, part.uv, part.texture, lights[k], picture)
        picture *= light[..., None]
        self._draw_wet(picture, mask, px_per_m)
        return picture

    def _lowered(self, mask: NDArray[np.uint8], xy: Float, px_per_m: float) -> float:
        """How much lower (px) tongue and lower teeth are drawn, behind the lower lip."""
        edge = xy[self._lower_edge]
        column = int(np.clip(edge[0], 0, mask.shape[1] - 1))
        open_rows = np.flatnonzero(mask[:, column])
        lip = float(open_rows[-1]) if len(open_rows) else float(edge[1])
        excess = (lip - float(edge[1])) / px_per_m - MOST_LOWER_M
        return max(0.0, excess) * px_per_m

    def _draw_wet(self, picture: Float, mask: NDArray[np.uint8], px_per_m: float) -> None:
        """The lower lip's inner side, seen from above along its edge."""
        reach = max(1, round(WET_M * px_per_m))
        above = np.zeros(mask.shape, np.float32)
        above[:-reach] = mask[reach:]
        soft = cv2.GaussianBlur(above, (0, 0), 0.5 * reach)
        soft *= f32(-1 / 255)
        soft += 1.0
        picture += (soft * soft)[..., None] * (self._wet - picture)

    @staticmethod
    def _parted(outline: Float, origin: Float, box: tuple[int, int], gaps_px: Float) -> Float:
        """How far the lips are parted at each column (1, w): nothing is seen where they meet."""
        x = outline[:, 0]
        across = (np.arange(box[0]) + 0.5 + origin[0] - x.min()) / max(float(np.ptp(x)), 1.0)
        at = np.linspace(0.0, 1.0, len(gaps_px))
        return f32(np.clip(np.interp(across, at, gaps_px) / SLIT_PX, 0.0, 1.0))[None]


def mouth_light(mask: NDArray[np.uint8], open_m: float, px_per_m: float, shades: float) -> Float:
    """Light (h, w) on teeth behind lips open where `mask` is 255; least under the upper.

    shades: how deep the shades are, over usual.
    """
    radius = max(1.0, SHADOW_M * px_per_m)
    wide = cv2.GaussianBlur(mask, (0, 0), 0.7 * radius).astype(np.float32)
    down = max(1, round(0.6 * radius))
    light = np.zeros_like(wide)
    light[down:] = wide[:-down]
    light *= f32(1 / 255)
    through = 1.0 - shades * (1.0 - NARROW_LIGHT) * max(0.0, 1.0 - open_m / OPEN_FULLY_M)
    depth = shades * LIP_SHADOW
    aside = _from_corners(mask) / (CORNER_M * px_per_m)
    corners = 1.0 - min(1.0, shades) * CORNER_SHADOW * np.exp(-aside)
    return f32(through * corners * np.clip(1.0 - depth + 1.1 * depth * light, 0.0, 1.0))


def _from_corners(mask: NDArray[np.uint8]) -> Float:
    """How far (w,) px each column of a mouth (h, w) lies from its nearer corner."""
    open_at = np.flatnonzero(mask.any(axis=0))
    x = np.arange(mask.shape[1], dtype=np.float32)
    return f32(np.maximum(np.minimum(x - open_at[0], open_at[-1] - x), 0.0))


def _own_upper(
    arch: Arch, registered: Registered, colours: dict[str, Float], seen: SeenMouth
) -> Arch:
    """The arch as the photo shows that person's teeth."""
    front = float(registered.depth.min())
    px_per_m = registered.camera.focal_px / front
    open_m = float(seen.mask.sum(axis=0).max()) / 255 / px_per_m
    light = mouth_light(seen.mask, open_m, px_per_m, LIT_SHARE)

    project = partial(_project, registered)
    return own_teeth(arch, seen, colours["tooth"], colours["lip"], light, project)


def _project(registered: Registered, points: Float) -> Float:
    """Points (N, 3) m in the head's frame -> (N, 2) px in the photo."""
    return registered.camera.project(points @ registered.rotation.T + registered.translation)


def _smiling_teeth(model: FaceGeometry, still: Float, below_m: float, upper: Arch) -> Float:
    """Units (E, M, 3) m that set the upper teeth lower as the photo's smile is taken back.

    How high a smile has raised the lip is known less well than how much of the teeth a lip at
    rest lets be seen.
    """
    units = np.zeros((len(still), len(upper.points), 3), np.float32)
    smiles = [model.expression_names.index(n) for n in SMILES if n in model.expression_names]
    total = float(still[smiles].sum())
    if total > 0.0:
        units[smiles, :, 1] = below_m / max(total, LEAST_SMILE)
    return units


def _jaw_units(
    model: FaceGeometry, registered: Registered, neutral: Float, tongue: Tongue, lower: Arch
) -> tuple[Float, Float]:
    """How units move tongue and lower teeth: (E, N, 3), (E, M, 3) m.

    The model's own tongue and lower teeth move by affine maps, which these share.
    """
    found = []
    for part, points in (("tongue", tongue.points), ("teeth_lower", lower.points)):
        ids = np.unique(part_triangles(model, part))
        at = np.concatenate([neutral[ids], np.ones((len(ids), 1))], axis=1)
        moves = registered.units[:, ids]
        maps = np.linalg.lstsq(at, moves.transpose(1, 0, 2).reshape(len(ids), -1), rcond=None)[0]
        here = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ maps
        found.append(f32(here.reshape(len(points), -1, 3).transpose(1, 0, 2)))
    tongue_units, lower_units = found
    if "jawOpen" in model.expression_names:
        # Lower lips open further than jaws alone do in the model; the teeth stay beside them.
        jaw = model.expression_names.index("jawOpen")
        lip = registered.units[jaw, model.contours["lips_inner_lower"], 1].min()
        teeth = lower_units[jaw, np.argmax(lower.points[:, 2]), 1]
        share = float(np.clip(JAW_SHARE * lip / min(float(teeth), -1e-4), 1.0, 1.5))
        lower_units[jaw] *= share
        tongue_units[jaw] *= share
    return tongue_units, lower_units


def _slit_light(cover: Float) -> Float:
    """Light (h, w) between the lips: a slit of a pixel or two is dark, whatever lies behind."""
    near = cv2.GaussianBlur(cover, (0, 0), SLIT_PX)
    return f32(np.clip(2.4 * near - 0.3, SLIT_DARK, 1.0))
