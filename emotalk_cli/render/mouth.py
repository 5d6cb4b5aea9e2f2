"""The mouth's inside: teeth, gums, tongue and depth, drawn from geometry behind the lips."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.projection import f32
from emotalk_cli.render.rasteriser import FAR, draw_attributes, vertex_normals
from emotalk_cli.render.registration import Registered, part_triangles

Float = NDArray[np.float32]

PARTS = ("mouth_inner", "gums", "tongue", "teeth_upper", "teeth_lower")
SUPERSAMPLING = 2
DEPTH_FADE_M = {"mouth_inner": 0.012, "gums": 0.018, "tongue": 0.016, "teeth": 0.030}
"""How far behind the lips light falls to 1/e on each part."""
DEEPEST = {"mouth_inner": 0.55, "tongue": 0.38}
DEEPEST_ELSEWHERE = 0.25
"""Light that is left in the depth: beside the tongue there is no black hole."""
LIP_DEPTH_M = 0.007
"""Front teeth stand so far behind the lips' edges."""
BEHIND_LIPS = 0.55
"""Brightness of the lips' wet inner side where they stand off from the mouth's inside."""
LOWER_TEETH = f32([0.92, 0.87, 0.82])
"""Lower teeth against upper ones: in the lips' shade, lit by what the tongue reflects."""
OVERBITE_M = 0.0045
"""Lower teeth and tongue stand so much lower than the model has them: lower lips mostly cover
them."""
AMBIENT, DIFFUSE = 0.70, 0.38
LIGHT_DIRECTION = f32([0.0, 0.35, 0.94])
OPEN_FULLY_M = 0.016
"""Lips this far apart let all the light in."""
NARROW_LIGHT = 0.80
"""Share of the light that a narrow slit lets in."""
SHADOW_M = 0.0024
"""Size of the shadow that the lips throw on what lies behind them."""
WET_REACH_M = 0.008
"""The inner side of the lips goes over from their colour into the mouth's within this."""
SLIT_PX, SLIT_DARK = 1.2, 0.22
"""An opening as narrow as this is dark, down to a share of the light behind the lips."""
SAME_MOUTH_M = 0.0025
"""With the lips' distances changed by this much, only teeth are kept of what the photo shows."""
DARK_SHARE, LIGHT_SHARE = 0.35, 0.6
"""Brightness over that of the teeth from which on a pixel counts as tooth, or gum."""
TOOTH_SHARE = 0.6
"""Share of the brightness expected of teeth below which what the photo shows are none."""
MIN_TOOTH_PX = 12
LUMINANCE = f32([0.299, 0.587, 0.114])


class Mouth:
    """Draws what is seen between the lips."""

    def __init__(
        self,
        model: FaceGeometry,
        registered: Registered,
        colours: dict[str, Float],
        seen: SeenMouth | None,
    ) -> None:
        """colours: RGB of "tooth", "gum", "tongue" and "depth" in the photo's light. seen: the
        inside of the mouth as far as the photo shows it.
        """
        faces = [part_triangles(model, part) for part in PARTS]
        joined = np.concatenate(faces)
        self.ids, local = np.unique(joined, return_inverse=True)
        self._triangles = np.ascontiguousarray(local.reshape(-1, 3), np.int32)
        self.points = _lowered_jaw(model, registered, faces)[self.ids]
        self._albedo = np.zeros((len(self.ids), 3), np.float32)
        lips = registered.vertices[model.contours["lips_inner_upper"]]
        # At the corners the opening lies deep; what is near behind it there is lit as well.
        opening = np.interp(self.points[:, 0], lips[:, 0], lips[:, 2])
        behind = opening - LIP_DEPTH_M - self.points[:, 2]
        wet = self._near_lips(model, registered)
        paint = {"mouth_inner": "depth", "gums": "gum", "tongue": "tongue"}
        for part, triangles in zip(PARTS, faces, strict=True):
            here = np.isin(self.ids, triangles)
            fade = DEPTH_FADE_M[part if part in DEPTH_FADE_M else "teeth"]
            light = np.exp(-np.maximum(behind[here], 0.0) / fade)
            deepest = DEEPEST.get(part, DEEPEST_ELSEWHERE)
            light = deepest + (1.0 - deepest) * light
            self._albedo[here] = colours[paint.get(part, "tooth")] * light[:, None]
            if part == "teeth_lower":
                self._albedo[here] *= LOWER_TEETH
            if part == "mouth_inner":
                lip = wet[here][:, None]
                self._albedo[here] += lip * (colours["lip"] - self._albedo[here])
        self._normals = np.zeros((len(self.ids), 3), np.float32)
        self._shaded = np.zeros((len(self.ids), 3), np.float32)
        self._behind_lips = colours["lip"] * BEHIND_LIPS
        self._seen = seen

    def _near_lips(self, model: FaceGeometry, registered: Registered) -> Float:
        """How much each vertex belongs to the lips' wet inner side, 1 at their edges."""
        edges = [model.contours["lips_inner_upper"], model.contours["lips_inner_lower"]]
        seam = registered.vertices[np.concatenate(edges)]
        points = registered.vertices[self.ids]
        away = np.linalg.norm(points[:, None] - seam[None], axis=2).min(axis=1)
        return f32(np.clip(1.0 - away / WET_REACH_M, 0.0, 1.0))

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

        placed (M, 3) m in camera space and xy (M, 2) px: the vertices `ids`, moved. gaps:
        (COLUMNS,) m, the lips' distances. frame_xy: (3, 2) px, the frame of `seen`, moved.
        """
        outline = np.concatenate([upper, lower[::-1]])
        height, width = out.shape[:2]
        x0, y0 = (int(v) for v in np.floor(np.maximum(outline.min(axis=0) - 3, 0)))
        x1, y1 = (int(v) for v in np.ceil(np.minimum(outline.max(axis=0) + 3, [width, height])))
        if x1 - x0 < 4 or y1 - y0 < 2:
            return
        n = SUPERSAMPLING
        size = ((y1 - y0) * n, (x1 - x0) * n)
        origin = f32([x0, y0])
        mask = np.zeros(size, np.uint8)
        polygon = np.round((outline - origin) * (n * 16) - 8).astype(np.int32)
        cv2.fillPoly(mask, [polygon], 255, cv2.LINE_AA, shift=4)
        if not mask.any():
            return
        open_m = float(gaps[len(gaps) // 2 - 2 : len(gaps) // 2 + 3].mean())
        vertex_normals(placed, self._triangles, self._normals)
        facing = np.abs(self._normals @ LIGHT_DIRECTION)
        through = NARROW_LIGHT + (1.0 - NARROW_LIGHT) * min(1.0, open_m / OPEN_FULLY_M)
        light = (AMBIENT + DIFFUSE * facing) * through
        np.multiply(self._albedo, light[:, None], out=self._shaded)
        picture = np.empty((*size, 3), np.float32)
        picture[:] = self._behind_lips
        nearest = np.full(size, FAR, np.float32)
        draw_attributes(
            np.ascontiguousarray((xy - origin) * n),
            -placed[:, 2],
            self._triangles,
            self._shaded,
            picture,
            nearest,
            0,
            size[0],
        )
        picture *= self._shadow(mask, px_per_m * n)[..., None]
        box = (x1 - x0, y1 - y0)
        small = cv2.resize(picture, box, interpolation=cv2.INTER_AREA)
        cover = cv2.resize(mask, box, interpolation=cv2.INTER_AREA).astype(np.float32)
        cover *= f32(1 / 255)
        cover *= self._parted(outline, origin, box, gaps * px_per_m)
        slit = _slit_light(cover)
        rest = 0.0
        if self._seen is not None:
            rest = self._seen.lay_over(small, frame_xy - origin, gaps)
        small *= (slit + rest * (1.0 - slit))[..., None]
        cover = cover[..., None]
        target = out[y0:y1, x0:x1]
        target[:] = (target + cover * (small - target) + 0.5).astype(np.uint8)

    @staticmethod
    def _parted(outline: Float, origin: Float, box: tuple[int, int], gaps_px: Float) -> Float:
        """How far the lips are parted at each column (1, w): nothing is seen where they meet."""
        x = outline[:, 0]
        across = (np.arange(box[0]) + 0.5 + origin[0] - x.min()) / max(float(np.ptp(x)), 1.0)
        at = np.linspace(0.0, 1.0, len(gaps_px))
        return f32(np.clip(np.interp(across, at, gaps_px) / SLIT_PX, 0.0, 1.0))[None]

    def _shadow(self, mask: NDArray[np.uint8], px_per_m: float) -> Float:
        """Light (H, W) behind the lips: little near their edges, least under the upper lip."""
        radius = max(1, round(SHADOW_M * px_per_m))
        wide = cv2.GaussianBlur(mask, (0, 0), radius * 0.8).astype(np.float32) / 255
        down = max(1, radius // 2)
        light = np.empty_like(wide)
        light[down:] = wide[:-down]
        light[:down] = 0.0
        return f32(np.clip(0.5 + 0.75 * light, 0.0, 1.0))


def _lowered_jaw(
    model: FaceGeometry, registered: Registered, faces: list[NDArray[np.int32]]
) -> Float:
    """The vertices (V, 3) m with tongue, lower teeth, and gums that move with them, set lower."""
    points = registered.vertices.copy()
    below = np.unique(faces[PARTS.index("teeth_lower")])
    if "jawOpen" in model.expression_names and len(below):
        jaw = registered.units[model.expression_names.index("jawOpen"), :, 1]
        gums = np.unique(faces[PARTS.index("gums")])
        below = np.union1d(below, gums[jaw[gums] < 0.5 * float(jaw[below].mean())])
    points[np.union1d(below, faces[PARTS.index("tongue")]), 1] -= OVERBITE_M
    return points


class SeenMouth:
    """The inside of the mouth that the photo shows: that person's own teeth, fixed to the skull."""

    def __init__(self, photo: NDArray[np.uint8], upper: Float, lower: Float, gaps: Float) -> None:
        """upper, lower: (N, 2) px, the lips' edges in the photo (H, W, 3). gaps: (COLUMNS,) m."""
        outline = np.concatenate([upper, lower[::-1]])
        height, width = photo.shape[:2]
        x0, y0 = (int(v) for v in np.floor(np.maximum(outline.min(axis=0) - 4, 0)))
        x1, y1 = (int(v) for v in np.ceil(np.minimum(outline.max(axis=0) + 4, [width, height])))
        self._colours = photo[y0:y1, x0:x1].astype(np.float32)
        inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
        polygon = np.round((outline - [x0, y0]) * 16 - 8).astype(np.int32)
        cv2.fillPoly(inside, [polygon], 255, cv2.LINE_AA, shift=4)
        self._inside = cv2.dilate(inside, np.ones((3, 3), np.uint8)).astype(np.float32) / 255
        core = cv2.erode((inside > 250).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        level = self._colours @ LUMINANCE
        bright = float(np.quantile(level[core], 0.9)) if core.any() else 1.0
        chosen = core & (level > 0.75 * bright)
        self._brightest = self._colours[chosen] if chosen.sum() > MIN_TOOTH_PX else None
        light = np.clip((level / bright - DARK_SHARE) / (LIGHT_SHARE - DARK_SHARE), 0.0, 1.0)
        soft = cv2.GaussianBlur((inside > 250).astype(np.float32), (0, 0), 0.8)
        self._tooth = light * np.clip(2.0 * soft - 1.0, 0.0, 1.0)
        self._gaps = gaps
        self.frame_px = f32([[x0, y0], [x1, y0], [x0, y1]])

    def tooth_like(self, expected: Float) -> Float:
        """RGB (3,) of the teeth: the photo's own, or `expected` where it shows none.

        What is much darker than teeth would be in this light is tongue or shade.
        """
        tooth = None if self._brightest is None else np.median(self._brightest, axis=0)
        if tooth is None or float(tooth @ LUMINANCE) < TOOTH_SHARE * float(expected @ LUMINANCE):
            self._tooth[:] = 0.0
            return expected
        return np.asarray(tooth, np.float32)

    def lay_over(self, picture: Float, frame_xy: Float, gaps: Float) -> float:
        """Lay it over `picture` (h, w, 3) where its frame (3, 2) px stands now.

        Returns 1 where the mouth is as in the photo, less where it is not.
        """
        change = float(np.abs(gaps - self._gaps).max())
        rest = max(0.0, 1.0 - change / SAME_MOUTH_M)
        alpha = self._tooth + rest * (self._inside - self._tooth)
        height, width = alpha.shape
        corners = f32([[0, 0], [width, 0], [0, height]])
        # warpAffine counts from pixel centres.
        move = cv2.getAffineTransform(corners - 0.5, np.asarray(frame_xy - 0.5, np.float32))
        size = (picture.shape[1], picture.shape[0])
        moved = cv2.warpAffine(
            self._colours, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        weight = cv2.warpAffine(alpha, move, size, flags=cv2.INTER_LINEAR)[..., None]
        picture += weight * (np.clip(moved, 0, 255) - picture)
        return rest


def _slit_light(cover: Float) -> Float:
    """Light (h, w) between the lips: a slit of a pixel or two is dark, whatever lies behind."""
    near = cv2.GaussianBlur(cover, (0, 0), SLIT_PX)
    return f32(np.clip(2.4 * near - 0.3, SLIT_DARK, 1.0))
