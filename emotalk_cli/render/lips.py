"""Lips: they meet when they should, and each brings its own edge when they part."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.face_layer import LOWER, UPPER, FaceLayer
from emotalk_cli.render.lip_mixing import mix_lip
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
    Registered,
)
from emotalk_cli.render.texture import Texture

Float = NDArray[np.float32]

COLUMNS = 15
"""Places along the mouth at which the lips' distance is watched."""
CLOSED_SHARE = 0.03
"""A photo's lips this near to each other (over the mouth's width) count as closed."""
SLACK_M = 0.0004
"""How soon the photo's own opening is forgotten when the mouth closes."""
ROUNDING = 12
"""Passes of smoothing along the lips' edges."""
WIDE_M, ARC_SHARE = 0.004, 0.6
"""Units that open a lip's middle by more than the first bring its edge so near to an arc."""
SOFT_M = 0.0008
"""Lips open later than the units say by about this much, where the photo shows them closed."""
REACH_M = 0.010
"""How far from the lip line the correction of the lips' distance reaches."""
LINE_SHARE = 0.020
"""Half width of the dark line between closed lips, over the mouth's width."""
PARTED_SHARE, PARTED_PX = 0.035, 1.6
"""The same for parted lips, whose edges are known less well; they must take no tooth along."""
SKIN_SHARE = 0.30
"""No more than this share of a lip's height is replaced by what is next to it: the rest is skin."""
SEAM_SHARE, SEAM_DARKENING = 0.008, (0.42, 0.58, 0.55)
"""Half width (over the mouth's width) and depth (of red, green, blue) of the line where lips meet
that the photo shows apart."""
OVERLAP_PX = 0.8
"""Such lips overlap by so much as they meet, so that no tooth of the photo shines through."""
WET_DARKENING = 0.30
"""How much darker the inner side of a lip gets, away from its edge."""


def meet_closed_lips(landmarks: Float) -> Float:
    """Landmarks (478, 3) px with the inner lips on one line if the mouth is closed."""
    top, bottom = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    width = float(np.linalg.norm(landmarks[top[-1], :2] - landmarks[top[0], :2]))
    gap = np.linalg.norm(landmarks[top, :2] - landmarks[bottom, :2], axis=1)
    if float(gap[3:-3].mean()) > CLOSED_SHARE * width:
        return landmarks
    joined = landmarks.copy()
    middle = 0.5 * (landmarks[top] + landmarks[bottom])
    joined[top] = middle
    joined[bottom] = middle
    return joined


class LipSeal:
    """Keeps the drawn lips' distance in step with what the expression says.

    The fit leaves an error in the lips' distance. It belongs to the photo's expression alone: as
    the model's lips close, so must the drawn ones, exactly.
    """

    def __init__(
        self,
        model: FaceGeometry,
        registered: Registered,
        face: FaceLayer,
        units: Float,
        still: Float,
        neutral: Float,
    ) -> None:
        """units: (E, V, 3) m, how the lips are moved. still: (E,) the photo's expression. neutral:
        (V, 3) m the model's own neutral face.
        """
        top, bottom = model.contours["lips_inner_upper"], model.contours["lips_inner_lower"]
        above = _columns(registered.vertices[top])
        below = _columns(registered.vertices[bottom])
        own = above @ neutral[top, 1] - below @ neutral[bottom, 1]
        self._units = np.asarray(
            units[:, top, 1] @ above.T - units[:, bottom, 1] @ below.T, np.float32
        )
        self._own = own.astype(np.float32)
        self._still = self._own + still @ self._units
        self.photo_m = np.maximum(
            above @ registered.vertices[top, 1] - below @ registered.vertices[bottom, 1], 0.0
        )
        self._drawn = (
            above @ registered.vertices[top, 1] - below @ registered.vertices[bottom, 1]
        ).astype(np.float32)
        px_m = float(registered.depth[top[len(top) // 2]]) / registered.camera.focal_px
        self._overlap = OVERLAP_PX * px_m * np.clip(self.photo_m / SOFT_M - 1.0, 0.0, 1.0)
        self.moved, self._share = _shares(registered, face, top, bottom)

    def gaps(self, expression: Float) -> Float:
        """The lips' distance (COLUMNS,) m from the right corner to the left one."""
        own = self._own + expression @ self._units
        rest = np.maximum(self._still, 0.0)
        fade = np.clip((np.maximum(own, 0.0) + SLACK_M) / (rest + SLACK_M), 0.0, 1.0)
        gap = np.maximum(0.0, np.maximum(own, 0.0) + (self.photo_m - rest) * fade)
        # Lips are soft: a fraction of a millimetre between their bones leaves them closed.
        soft = SOFT_M * np.maximum(0.0, 1.0 - self.photo_m / SOFT_M)
        return f32(gap * gap / (gap + soft + 1e-9))

    def correct(self, points: Float, expression: Float, gaps: Float) -> None:
        """Move the face layer's points (N, 3) so that the lips stand `gaps` apart."""
        drawn = self._drawn + (self._own + expression @ self._units - self._still)
        overlap = self._overlap * np.clip(1.0 - gaps / SOFT_M, 0.0, 1.0)
        points[self.moved, 1] += self._share @ f32(gaps - overlap - drawn)


def _columns(line: Float) -> Float:
    """Weights (COLUMNS, N) that read a lip's edge (N, 3) at even shares of its width."""
    at = np.maximum.accumulate(line[:, 0] - line[0, 0]) / (line[-1, 0] - line[0, 0])
    share = np.linspace(0.0, 1.0, COLUMNS)
    return np.stack([np.interp(share, at, row) for row in np.eye(len(line))], 1).astype(np.float32)


def _shares(
    registered: Registered, face: FaceLayer, top: NDArray[np.int32], bottom: NDArray[np.int32]
) -> tuple[NDArray[np.int64], Float]:
    """Which points of the face layer move with the seal, and how much: (M,), (M, COLUMNS)."""
    points = registered.vertices[face.ids]
    moved = np.flatnonzero(face.patch != 0)
    upper, lower = registered.vertices[top], registered.vertices[bottom]
    width = upper[-1, 0] - upper[0, 0]
    at = np.clip((points[moved, 0] - upper[0, 0]) / width, 0.0, 1.0)
    share = np.linspace(0.0, 1.0, COLUMNS)
    columns = np.stack([np.interp(at, share, row) for row in np.eye(COLUMNS)], 1)
    is_upper = face.patch[moved] == UPPER
    line = np.where(
        is_upper,
        np.interp(points[moved, 0], upper[:, 0], upper[:, 1]),
        np.interp(points[moved, 0], lower[:, 0], lower[:, 1]),
    )
    beside = np.abs(points[moved, 0] - np.clip(points[moved, 0], upper[0, 0], upper[-1, 0]))
    away = np.hypot(points[moved, 1] - line, beside)
    strength = 0.5 * np.exp(-0.5 * (away / REACH_M) ** 2) * np.where(is_upper, 1.0, -1.0)
    return moved, np.asarray(columns * strength[:, None], np.float32)


def round_lips(units: Float, model: FaceGeometry, registered: Registered, face: FaceLayer) -> None:
    """Round off, in place, kinks that single units put into the lips' edges.

    units: (E, V, 3) m of all the model's vertices, as the face layer moves them.
    """
    top, bottom = model.contours["lips_inner_upper"], model.contours["lips_inner_lower"]
    moved, share = _shares(registered, face, top, bottom)
    ids, first = np.unique(face.ids[moved], return_index=True)
    is_upper = face.patch[moved][first] == UPPER
    for line, mine in ((top, is_upper), (bottom, ~is_upper)):
        raw = np.einsum("kn,enc->ekc", _columns(registered.vertices[line]), units[:, line])
        smooth = raw.copy()
        for _ in range(ROUNDING):
            smooth[:, 1:-1] = 0.25 * (smooth[:, :-2] + 2.0 * smooth[:, 1:-1] + smooth[:, 2:])
        _curve_wide_openings(smooth)
        spread = 2.0 * np.abs(share[first[mine]])
        units[:, ids[mine]] += np.einsum("mk,ekc->emc", spread, smooth - raw)


def _curve_wide_openings(moves: Float) -> None:
    """Bring edges that units open wide, (E, COLUMNS, 3) m, nearer to arcs, in place: no corner in
    their middle.
    """
    share = np.linspace(0.0, 1.0, COLUMNS)
    ends = moves[:, :1, 1] + share * (moves[:, -1:, 1] - moves[:, :1, 1])
    bulge = moves[:, :, 1] - ends
    middle = bulge[:, COLUMNS // 2]
    arc = np.sqrt(1.0 - (2.0 * share - 1.0) ** 2)
    wide = np.abs(middle) > WIDE_M
    moves[wide, :, 1] += ARC_SHARE * (middle[wide, None] * arc - bulge[wide])


class LipTextures:
    """The two lips' own textures: behind the photo's lip line each lip goes on with its colours,
    and the dark line between closed lips fades out of them where the lips part.
    """

    def __init__(
        self, texture: Texture, upper_px: Float, lower_px: Float, landmarks: Float
    ) -> None:
        """upper_px, lower_px: (N, 2) the inner edges in the photo from corner to corner.

        landmarks: (478, 2) px.
        """
        self._texture = texture
        x0, y0, x1, y1 = texture.box
        self._photo = texture.window(texture.box).copy()
        axis = upper_px[-1] - upper_px[0]
        self.width_px = float(np.linalg.norm(axis))
        along = axis / self.width_px
        up = f32([along[1], -along[0]])
        grid = np.stack(np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5), -1)
        local = (grid - upper_px[0]).astype(np.float32)
        s, n = local @ along, local @ up
        self._column = f32(np.clip(s / self.width_px, 0.0, 1.0))
        inside = np.clip(8.0 * np.minimum(s, self.width_px - s) / self.width_px, 0.0, 1.0)
        gap = _mean_gap(upper_px, lower_px, along, up)
        parted = gap > CLOSED_SHARE * self.width_px
        share, least = (PARTED_SHARE, PARTED_PX) if parted else (LINE_SHARE, 0.0)
        half_line = max(share * self.width_px, least)
        self._layers = []
        for number, inner, outer in (
            (UPPER, upper_px, landmarks[list(UPPER_OUTER_LIP)]),
            (LOWER, lower_px, landmarks[list(LOWER_OUTER_LIP)]),
        ):
            edge, border = inner - upper_px[0], outer - upper_px[0]
            line = np.interp(s, edge @ along, edge @ up)
            height = np.abs(line - np.interp(s, border @ along, border @ up))
            half = np.minimum(half_line, np.maximum(SKIN_SHARE * height, 1.0))
            self._layers.append(self._open_layer(number, line, half, height, up, n, inside))
        self._last = np.full(COLUMNS, -1.0, np.float32)
        self._states = np.zeros((4, COLUMNS), np.float32)

    def _open_layer(
        self,
        number: int,
        line: Float,
        half: Float,
        height: Float,
        up: Float,
        n: Float,
        inside: Float,
    ) -> tuple[int, Float, Float]:
        """(patch, colours of the open lip, weights (h, w, 3) as `mix_lip` takes them).

        line, half, height: (h, w) px, the lip's edge, the half width of what is replaced, and the
        lip's height.
        """
        sign = 1.0 if number == UPPER else -1.0
        beyond = (line - n) * sign
        reach = np.minimum(half + np.abs(beyond + half), np.maximum(0.75 * height, half))
        source = np.where(beyond > -half, line + sign * reach, n) - n
        rows, columns = n.shape
        x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
        lip = cv2.remap(
            self._photo,
            (x + source * up[0]).astype(np.float32),
            (y + source * up[1]).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        deep = np.clip(beyond / (6.0 * half), 0.0, 1.0)
        lip[..., :3] *= (1.0 - WET_DARKENING * deep)[..., None]
        weight = np.clip((beyond + 1.3 * half) / half, 0.0, 1.0) * inside
        past = np.clip((beyond - 0.2 * half) / half, 0.0, 1.0)
        away = beyond / max(SEAM_SHARE * self.width_px, 1.0)
        seam = np.exp(-0.5 * away * away) * inside
        return number, lip, f32(np.stack([weight, past, seam], axis=-1))

    def update(self, gaps_px: Float, photo_gaps_px: Float, *, skin_changed: bool) -> None:
        """Show the lips for the given distances (COLUMNS,) px, now and in the photo.

        skin_changed: whether the texture around them is not as it was at the last call.
        """
        if float(np.abs(gaps_px - self._last).max()) < 0.05 and not skin_changed:
            return
        self._last = gaps_px.copy()
        fade = max(1.0, 0.03 * self.width_px)
        np.clip((gaps_px - photo_gaps_px) / fade, 0.0, 1.0, out=self._states[0])
        np.clip((photo_gaps_px - gaps_px) / fade, 0.0, 1.0, out=self._states[1])
        np.clip(photo_gaps_px / fade - 0.5, 0.0, 1.0, out=self._states[2])
        np.clip(1.0 - gaps_px / fade, 0.0, 1.0, out=self._states[3])
        skin = self._texture.window(self._texture.box)
        for number, lip, weights in self._layers:
            out = self._texture.patch(number)
            mix_lip(skin, lip, weights, self._column, self._states, f32(SEAM_DARKENING), out)


def _mean_gap(upper: Float, lower: Float, along: Float, up: Float) -> float:
    """Mean distance (px) of two edges (N, 2), (M, 2) between their common corners."""
    s = np.linspace(0.1, 0.9, COLUMNS) * float((upper[-1] - upper[0]) @ along)
    above, below = upper - upper[0], lower - upper[0]
    top = np.interp(s, above @ along, above @ up)
    return float((top - np.interp(s, below @ along, below @ up)).mean())
