"""The portrait renderer: one photo, moved by a face model's coefficients."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.backdrop import background
from emotalk_cli.render.eyes import Eyes
from emotalk_cli.render.face_layer import LOWER, MAIN, UPPER, FaceLayer, make_face_layer
from emotalk_cli.render.folds import SmileFolds
from emotalk_cli.render.framing import Framed, resized
from emotalk_cli.render.glasses import LOWER_LIDS, free_of_glasses, wears_glasses
from emotalk_cli.render.hair import calm_under_hair, free_of_hair, hair_over_face
from emotalk_cli.render.hands import hands_at_face
from emotalk_cli.render.head_layer import HeadLayer, make_head_layer
from emotalk_cli.render.hidden_lips import free_of_cover, lips_seen
from emotalk_cli.render.lid_units import quiet_lids
from emotalk_cli.render.light import estimate_light, light_ratio
from emotalk_cli.render.lips import LipSeal, LipTextures, meet_closed_lips, round_lips
from emotalk_cli.render.matte import person_matte, read_at
from emotalk_cli.render.mouth import Mouth
from emotalk_cli.render.mouth_colours import mouth_colours
from emotalk_cli.render.projection import f32, rotation_matrix, rotation_vector
from emotalk_cli.render.rasteriser import (
    FAR,
    NOWHERE,
    compose,
    draw_attributes,
    place_points,
    soften_folds,
    vertex_normals,
)
from emotalk_cli.render.registration import CHIN, FACE_OVAL, NOSE_BASE, part_triangles, register
from emotalk_cli.render.seen_mouth import SeenMouth
from emotalk_cli.render.texture import make_texture
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

THREADS = 2
LIPS_MIDDLE = 13
PATCH_MARGIN_PX = 4
SIDE_M = 0.04
"""So far from the middle begin the sides of the face."""
SOFT_FACING = 0.3
"""Cosine between skin and viewer at which the sides begin to go over into the head layer."""
SEEN_GAP_PX = 2.0
"""Lips further apart than this in the photo show something of the mouth's inside."""
NO_DEPTH = np.zeros((0, 0), np.float32)


class PortraitRenderer:
    """Draws the person of a photo with other expressions and head poses.

    At the photo's own coefficients the frame is the photo. The fitted mesh, snapped to the
    landmarks, carries the photo as its texture; a grid carries the rest of the head; the
    background stands still.
    """

    def __init__(
        self,
        photo: UInt8,
        landmarks: Float,
        still: FaceTrack,
        model: FaceGeometry,
        *,
        size_px: int | None = None,
        threads: int = THREADS,
    ) -> None:
        """photo: (H, W, 3) uint8 RGB. landmarks: (478, 2 or 3) px in it. still: the fit of that
        photo (T = 1). size_px: longer side of the frames, even; at most the photo's own.
        """
        framed = resized(Framed(photo, landmarks, still), size_px)
        self._photo, still = framed.photo, framed.still
        self.height_px, self.width_px = self._photo.shape[:2]
        self._model = model
        self._still = still.expression[0].astype(np.float32)
        points = meet_closed_lips(framed.landmarks[:, :2].astype(np.float32))
        self._registered = register(model, still, points, 1.0)
        self._head_pose = still.head_pose[0].astype(np.float32)
        self._rows = _bands(self.height_px, threads)
        self._pool = ThreadPoolExecutor(max(1, threads - 1))
        self._build(points, still)

    def _build(self, landmarks: Float, still: FaceTrack) -> None:
        matte = person_matte(self._photo, _face_mask(self._photo, landmarks))
        hair = None if matte is None else hair_over_face(self._photo, matte, landmarks)
        if hair is not None:
            self._registered = calm_under_hair(self._registered, hair)
        model, registered = self._model, self._registered
        units = quiet_lids(model, registered)
        if wears_glasses(self._photo, landmarks):
            eyes = model.triangles[model.landmark_triangles[list(LOWER_LIDS)]]
            eyes_y = float(registered.vertices[eyes, 1].mean())
            units *= free_of_glasses(registered.vertices, eyes_y)[:, None]
        self._lips_seen = lips_seen(self._photo, landmarks)
        if self._lips_seen.min() < 1.0:
            line = registered.vertices[model.contours["lips_inner_upper"]]
            units *= free_of_cover(registered.vertices, line, self._lips_seen)[:, None]
        self._face = make_face_layer(model, registered, landmarks, self.width_px, self.height_px)
        hands = hands_at_face(self._photo, landmarks)
        self._held = np.zeros(len(units[0]), np.float32)
        if hands is not None:
            self._held = read_at(hands, registered.photo_xy)
            units *= (1.0 - self._held)[:, None]
        if hair is not None:
            units *= free_of_hair(hair, registered, *self._heights(NOSE_BASE, LIPS_MIDDLE))[:, None]
        round_lips(units, model, registered, self._face)
        ground = background(self._photo, matte) if matte is not None else self._photo
        box = _patch_box(self._face, self.width_px, self.height_px)
        self._texture = make_texture(self._photo, ground, matte, box)
        self._head = self._make_head(units, matte, hair, hands)
        self._plate = _still_plate(self._photo, ground, self._head)
        self._eyes = Eyes(
            model, registered, self._texture, landmarks, self._still, still.shape, hair
        )
        self._folds = SmileFolds(model, self._texture, landmarks, self._still)
        self._make_lips(units, still, landmarks)
        self._seen_mouth = self._find_seen_mouth()
        colours = mouth_colours(self._photo, landmarks)
        if self._seen_mouth:
            colours["tooth"] = self._seen_mouth.tooth_like(colours["tooth"])
        self._mouth = Mouth(model, registered, self._still, colours, self._seen_mouth)
        self._join(units)
        self._light = self._estimate_light()

    def _make_head(
        self, units: Float, matte: Float | None, hair: Float | None, hands: Float | None
    ) -> HeadLayer:
        r, face = self._registered, self._face
        seen = np.unique(face.ids[face.feather > 0.0])
        return make_head_layer(
            r,
            seen,
            units,
            size_px=(self.width_px, self.height_px),
            margin_px=self._texture.margin_px,
            chin_y_m=self._heights(CHIN)[0],
            matte=matte,
            hair=hair,
            hands=hands,
        )

    def _heights(self, *landmarks: int) -> list[float]:
        """Where some landmarks are, m above the head's origin."""
        corners = self._model.triangles[self._model.landmark_triangles[list(landmarks)]]
        return [float(y) for y in self._registered.vertices[corners, 1].mean(axis=1)]

    def _make_lips(self, units: Float, still: FaceTrack, landmarks: Float) -> None:
        model, r, face = self._model, self._registered, self._face
        neutral = model.vertices(still.shape, np.zeros_like(self._still))
        self._seal = LipSeal(model, r, face, units, self._still, neutral)
        top, bottom = model.contours["lips_inner_upper"], model.contours["lips_inner_lower"]
        self._lip_textures = LipTextures(
            self._texture, r.photo_xy[top], r.photo_xy[bottom], landmarks
        )
        self._upper_edge = _find(face, top, UPPER)
        self._lower_edge = _find(face, bottom, LOWER)
        middle = r.depth[top[len(top) // 2]]
        self._px_per_m = r.camera.focal_px / float(middle)

    def _find_seen_mouth(self) -> SeenMouth | None:
        """The inside of the photo's mouth, if its lips are apart."""
        if float(self._seal.photo_m.max()) * self._px_per_m < SEEN_GAP_PX:
            return None
        r, contours = self._registered, self._model.contours
        upper, lower = (r.photo_xy[contours[f"lips_inner_{lip}"]] for lip in ("upper", "lower"))
        return SeenMouth(self._photo, upper, lower)

    def _mouth_frame(self) -> Float:
        """The corners (3, 3) m of what the photo shows of the mouth, in the head's frame."""
        r = self._registered
        if self._seen_mouth is None:
            return np.zeros((3, 3), np.float32)
        teeth = np.unique(part_triangles(self._model, "teeth_upper"))
        front = r.depth[teeth[np.argmax(r.vertices[teeth, 2])]]
        corners = r.camera.unproject(self._seen_mouth.frame_px, np.full(3, front, np.float32))
        return np.asarray((corners - r.translation) @ r.rotation, np.float32)

    def _join(self, units: Float) -> None:
        """Put the points of all layers in one array, so that one product moves them all."""
        r, face, head, mouth = self._registered, self._face, self._head, self._mouth
        self._ends = np.cumsum([0, len(face.ids), len(head.points), len(mouth.points), 3])
        rigid = np.zeros((len(units), 3, 3), np.float32)
        base = [r.vertices[face.ids], head.points, mouth.points, self._mouth_frame()]
        base = np.concatenate(base)
        moves = [units[:, face.ids], head.units, mouth.units, rigid]
        moves = np.concatenate(moves, axis=1)
        count = len(base)
        self._base = np.ascontiguousarray(base.reshape(-1), np.float32)
        self._units = np.ascontiguousarray(moves.reshape(len(moves), -1), np.float32)
        self._follow = np.ones(count, np.float32)
        self._follow[: self._ends[1]] -= (1.0 - head.hand_follow) * self._held[face.ids]
        self._follow[self._ends[1] : self._ends[2]] = head.follow
        self._placed = np.zeros((count, 3), np.float32)
        self._xy = np.zeros((count, 2), np.float32)
        self._camera = f32([r.camera.focal_px, r.camera.centre_x_px, r.camera.centre_y_px])
        self._far_uv = np.ascontiguousarray(head.uv + self._texture.corners[0], np.float32)
        near = np.zeros((len(face.ids), 4), np.float32)
        near[:, :2] = face.uv + self._texture.corners[face.patch]
        near[:, 2], near[:, 3] = 1.0, face.feather
        self._near = near
        aside = np.abs(r.vertices[face.ids, 0]) > SIDE_M
        self._sides = np.flatnonzero(aside & (face.patch == MAIN))
        self._skin_ids, skin = np.unique(face.ids[face.triangles], return_inverse=True)
        self._skin_triangles = np.ascontiguousarray(skin.reshape(-1, 3), np.int32)
        self._skin_of = np.searchsorted(self._skin_ids, face.ids)
        self._skin_from = np.zeros(len(self._skin_ids), np.int64)
        self._skin_from[self._skin_of] = np.arange(len(face.ids))
        self._skin_normals = np.zeros((len(self._skin_ids), 3), np.float32)
        shape = (self.height_px, self.width_px)
        self._far_map = np.full((*shape, 2), NOWHERE, np.float32)
        self._near_map = np.zeros((*shape, 4), np.float32)
        self._nearest = np.full(shape, FAR, np.float32)
        self._out = self._plate.copy()

    def _estimate_light(self) -> Float:
        r, face = self._registered, self._face
        start = self._base.reshape(-1, 3)[: self._ends[1]]
        placed = start @ r.rotation.T + r.translation
        self._normals_before = self._normals_of(placed.astype(np.float32)).copy()
        xy = np.clip(face.uv.astype(int), 0, [self.width_px - 1, self.height_px - 1])
        smooth = cv2.blur(self._photo, (9, 9))
        seen = (face.feather > 0.5) & (face.patch == 0)
        return estimate_light(
            smooth[xy[seen, 1], xy[seen, 0]].astype(np.float32), self._normals_before[seen]
        )

    def _normals_of(self, placed: Float) -> Float:
        skin = np.ascontiguousarray(placed[self._skin_from])
        vertex_normals(skin, self._skin_triangles, self._skin_normals)
        return np.asarray(self._skin_normals[self._skin_of])

    def frame(self, expression: Float, head_pose: Float, breath: float = 0.0) -> UInt8:
        """Expression (E,) in 0..1, head pose (6,) rad, m, breath in 0..1 -> (H, W, 3) uint8 RGB,
        reused by the next call.
        """
        expression = np.asarray(expression, np.float32)
        gaps = self._place(expression, np.asarray(head_pose, np.float32), breath)
        placed = self._placed[: self._ends[1]]
        normals = self._normals_of(placed)
        ratio = light_ratio(self._light, self._normals_before, normals)
        self._near[:, 2] = 1.0 + (ratio - 1.0) * self._face.feather
        self._near[self._sides, 3] = self._side_weight(placed, normals)
        changed = self._folds.update(expression)
        photo_gaps = self._seal.photo_m * self._lips_seen * self._px_per_m
        self._lip_textures.update(gaps * self._px_per_m, photo_gaps, skin_changed=changed)
        self._eyes.update(expression)
        waiting = [self._pool.submit(self._draw, *rows) for rows in self._rows[1:]]
        self._draw(*self._rows[0])
        for task in waiting:
            task.result()
        self._draw_mouth(gaps)
        return self._out

    def _side_weight(self, placed: Float, normals: Float) -> Float:
        """The weight of the face's sides: where they turn away, their edge goes over softly."""
        view = placed[self._sides]
        facing = -(normals[self._sides] * view).sum(axis=1) / np.linalg.norm(view, axis=1)
        soft = np.clip(facing / SOFT_FACING, 0.0, 1.0)
        return np.asarray(self._face.feather[self._sides] * soft, np.float32)

    def _place(self, expression: Float, head_pose: Float, breath: float) -> Float:
        """Move all points; returns the lips' distances (COLUMNS,) m."""
        r = self._registered
        change = expression - self._still
        active = np.flatnonzero(np.abs(change) > 1e-4)
        points = self._base + change[active] @ self._units[active]
        points = points.reshape(-1, 3)
        if breath:
            points[self._ends[1] : self._ends[2]] += np.float32(breath) * self._head.breath
        gaps = self._seal.gaps(expression)
        self._seal.correct(points[: self._ends[1]], expression, gaps)
        turn = rotation_vector(rotation_matrix(head_pose[:3]) @ r.rotation.T)
        shift = head_pose[3:] - r.translation
        place_points(
            points,
            self._follow,
            turn,
            r.rotation,
            r.translation,
            shift,
            self._camera,
            self._placed,
            self._xy,
        )
        return gaps * self._lips_seen

    def _draw(self, row0: int, row1: int) -> None:
        a, b = self._ends[1], self._ends[2]
        self._far_map[row0:row1] = NOWHERE
        self._near_map[row0:row1, :, 3] = 0.0
        self._nearest[row0:row1] = FAR
        depth = -self._placed[:, 2]
        draw_attributes(
            self._xy[a:b],
            depth[a:b],
            self._head.triangles,
            self._far_uv,
            self._far_map,
            self._nearest,
            row0,
            row1,
        )
        self._nearest[row0:row1] = FAR
        draw_attributes(
            self._xy[:a],
            depth[:a],
            self._face.triangles,
            self._near,
            self._near_map,
            self._nearest,
            row0,
            row1,
        )
        compose(
            self._far_map,
            self._near_map,
            self._texture.pixels,
            self._plate,
            self._out,
            row0,
            row1,
        )
        soften_folds(self._far_map, self._near_map, self._out, row0, row1)

    def _draw_mouth(self, gaps: Float) -> None:
        upper, lower = self._xy[self._upper_edge], self._xy[self._lower_edge]
        a, b = self._ends[2], self._ends[3]
        self._mouth.draw(
            self._out,
            self._placed[a:b],
            self._xy[a:b],
            upper,
            lower,
            gaps,
            self._xy[b:],
            self._px_per_m,
        )


def _bands(height: int, threads: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, height, threads + 1).round().astype(int)
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _face_mask(photo: UInt8, landmarks: Float) -> NDArray[np.bool_]:
    mask = np.zeros(photo.shape[:2], np.uint8)
    oval = landmarks[list(FACE_OVAL), :2]
    cv2.fillPoly(mask, [np.round(oval).astype(np.int32)], 1)
    return mask > 0


def _patch_box(face: FaceLayer, width: int, height: int) -> tuple[int, int, int, int]:
    """The box (x0, y0, x1, y1) px of the photo that the lips' own textures must cover."""
    xy = face.uv[face.patch != MAIN]
    low = np.floor(xy.min(axis=0)).astype(int) - PATCH_MARGIN_PX
    high = np.ceil(xy.max(axis=0)).astype(int) + PATCH_MARGIN_PX
    return (
        max(0, int(low[0])),
        max(0, int(low[1])),
        min(width, int(high[0])),
        min(height, int(high[1])),
    )


def _find(face: FaceLayer, ids: NDArray[np.int32], patch: int) -> NDArray[np.int64]:
    """Where the face layer holds the model's vertices `ids` for one of the textures."""
    places = {
        (int(v), int(p)): k for k, (v, p) in enumerate(zip(face.ids, face.patch, strict=True))
    }
    other = UPPER + LOWER - patch
    return np.array([places.get((int(v), patch), places.get((int(v), other), 0)) for v in ids])


def _still_plate(photo: UInt8, ground: UInt8, head: HeadLayer) -> UInt8:
    """What stands behind the moving layers: the background, and the photo where nothing moves."""
    covered = np.full((*photo.shape[:2], 1), NOWHERE, np.float32)
    draw_attributes(
        head.uv, head.uv[:, 0], head.triangles, head.uv[:, :1], covered, NO_DEPTH, 0, len(photo)
    )
    moving = cv2.erode((covered[..., 0] > NOWHERE).astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.where(moving[..., None] > 0, ground, photo).astype(np.uint8)
