"""The face layer: the front of the model's skin, whose texture is the photo itself."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.projection import f32
from emotalk_cli.render.rasteriser import vertex_normals
from emotalk_cli.render.registration import FACE_OVAL, Registered, part_triangles

Float = NDArray[np.float32]
Int = NDArray[np.int32]

MIN_FACING = 0.22
"""Cosine between skin and viewer below which the photo shows the skin too obliquely to use."""
OVAL_GROWTH = 1.06
FEATHER_SHARE = 0.10
"""Width of the soft border towards the head layer, over the distance of the eyes."""
LIP_REACH_SHARE = 0.45
"""Triangles this near to the lip line (over the mouth's width) read the lips' own textures."""
MAIN, UPPER, LOWER = 0, 1, 2


@dataclass(frozen=True)
class FaceLayer:
    """ids: (N,) model vertices; a vertex stands twice where its triangles read other textures.

    triangles: (F, 3) of these. uv: (N, 2) px in the photo. feather: (N,) weight over the head
    layer. patch: (N,) MAIN, UPPER or LOWER, the texture read. normals: (N, 3) in the photo.
    """

    ids: Int
    triangles: Int
    uv: Float
    feather: Float
    patch: Int
    normals: Float


def make_face_layer(
    model: FaceGeometry, registered: Registered, landmarks: Float, width_px: int, height_px: int
) -> FaceLayer:
    """Choose the visible front of the face and say where in the photo its texture stands."""
    xy = registered.photo_xy
    placed = registered.vertices @ registered.rotation.T + registered.translation
    skin = part_triangles(model, "skin", "lips")
    normals = np.zeros_like(placed)
    vertex_normals(placed, skin, normals)
    lips = part_triangles(model, "lips")
    triangles = _front(xy, placed, normals, skin, lips, landmarks)
    inner = _behind_the_lips(model, triangles)
    eyes_px = float(np.linalg.norm(landmarks[473, :2] - landmarks[468, :2]))
    feather = _feather(xy, triangles, inner, FEATHER_SHARE * eyes_px, width_px, height_px)
    faces = np.concatenate([triangles, inner])
    patch = _patch_of(model, registered, faces)
    # Only one position can be read where the face layer goes over into the head layer.
    patch[(feather[faces] < 1.0).any(axis=1)] = MAIN
    pairs = faces.astype(np.int64) * 3 + patch[:, None]
    unique, inverse = np.unique(pairs, return_inverse=True)
    ids = (unique // 3).astype(np.int32)
    return FaceLayer(
        ids=ids,
        triangles=np.ascontiguousarray(inverse.reshape(-1, 3), np.int32),
        uv=xy[ids],
        feather=feather[ids],
        patch=(unique % 3).astype(np.int32),
        normals=normals[ids],
    )


def _front(xy: Float, placed: Float, normals: Float, skin: Int, lips: Int, landmarks: Float) -> Int:
    """The triangles that face the viewer inside MediaPipe's outline; one connected piece."""
    view = -placed / np.linalg.norm(placed, axis=1, keepdims=True)
    facing = (normals * view).sum(axis=1)
    oval = landmarks[list(FACE_OVAL), :2]
    middle = oval.mean(axis=0)
    oval = ((oval - middle) * OVAL_GROWTH + middle).astype(np.float32)
    inside = np.array([cv2.pointPolygonTest(oval, (float(x), float(y)), False) >= 0 for x, y in xy])
    good = (facing > MIN_FACING) & inside
    # Inside the face, folds (nostrils, lids, lips) may look away; they stay.
    deep = np.array(
        [cv2.pointPolygonTest(oval, (float(x), float(y)), True) for x, y in xy]
    ) > 0.18 * float(np.ptp(oval[:, 0]))
    chosen = skin[(good | (deep & (facing > -0.6)))[skin].all(axis=1)]
    chosen = np.unique(np.concatenate([chosen, lips]), axis=0)
    count = len(xy)
    links = csr_matrix(
        (np.ones(3 * len(chosen)), (chosen.ravel(), np.roll(chosen, 1, axis=1).ravel())),
        (count, count),
    )
    _, piece = connected_components(links, directed=False)
    largest = np.bincount(piece[chosen[:, 0]]).argmax()
    return np.asarray(chosen[piece[chosen[:, 0]] == largest], np.int32)


def _behind_the_lips(model: FaceGeometry, triangles: Int) -> Int:
    """The first ring of the mouth's inside, so that the lips' edges have skin behind them."""
    inside = part_triangles(model, "mouth_inner")
    return np.asarray(inside[np.isin(inside, triangles).any(axis=1)], np.int32)


def _feather(
    xy: Float, triangles: Int, inner: Int, width_px: float, columns: int, rows: int
) -> Float:
    """Weight (V,) that rises from 0 at the layer's border to 1 inside."""
    mask = np.zeros((rows, columns), np.uint8)
    polygons = np.round(xy[np.concatenate([triangles, inner])] * 16).astype(np.int32)
    for polygon in polygons:
        cv2.fillConvexPoly(mask, polygon, 1, shift=4)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, contours, -1, 1, cv2.FILLED)
    padded = np.pad(mask, 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    x = np.clip(xy[:, 0].astype(int), 0, columns - 1)
    y = np.clip(xy[:, 1].astype(int), 0, rows - 1)
    return f32(np.clip((distance[y, x] - 1.5) / width_px, 0.0, 1.0))


def _patch_of(model: FaceGeometry, registered: Registered, faces: Int) -> Int:
    """Which texture each triangle reads: the lips' own near the lips, else the photo."""
    top, bottom = model.contours["lips_inner_upper"], model.contours["lips_inner_lower"]
    opening = registered.units[:, top, 1].mean(axis=1) - registered.units[:, bottom, 1].mean(axis=1)
    # With the mouth open the two lips' inner sides lie clearly apart.
    opened = registered.vertices + 0.6 * registered.units[int(np.argmax(opening))]
    middle = opened[faces].mean(axis=1)
    upper, lower = opened[top], opened[bottom]
    width = float(np.linalg.norm(upper[-1] - upper[0]))
    line = 0.5 * (
        np.interp(middle[:, 0], upper[:, 0], upper[:, 1])
        + np.interp(middle[:, 0], lower[:, 0], lower[:, 1])
    )
    beside = np.maximum(0.0, np.abs(middle[:, 0] - upper[:, 0].mean()) - 0.5 * width)
    away = np.hypot(middle[:, 1] - line, beside)
    near = (away < LIP_REACH_SHARE * width) & (beside < 0.25 * width)
    side = np.where(middle[:, 1] > line, UPPER, LOWER)
    return np.where(near, side, MAIN).astype(np.int32)
