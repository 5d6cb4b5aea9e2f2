"""Registration: the fitted mesh is snapped to the photo's landmarks, smoothly over the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.projection import Camera, f32, rotation_matrix
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]

SMOOTHNESS = 0.02
"""Weight of the bending energy of the correction against the landmarks' error."""
STIFFNESS = 0.002
"""Weight of its stretching energy: keeps the correction tame far from all landmarks."""
DECAY = 1e-4
RIGID_PARTS = ("teeth_upper", "teeth_lower", "gums", "tongue", "eye_left", "eye_right")
"""Parts that are shifted as a whole and never bent."""
IRIS_LANDMARKS = slice(468, 478)
CALM_STEPS = 120
CALM_FROM_M, CALM_BACK_M = (0.036, 0.052), 0.02
"""From the first to the second distance from the middle the depth is smoothed more and more; not
so on the back of the head."""
UPPER_INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""MediaPipe's points of the lips' inner edges, from the subject's right corner to the left one."""
UPPER_OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
"""The same for their outer edges."""
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
OVAL_WEIGHT = 0.25
"""MediaPipe's outline slides over the skin, so it is trusted less than the features."""
MOUTH_CORNERS, LIP_MIDDLES, IRISES = (61, 291), (13, 14), (468, 473)
SMILES = ("mouthSmileLeft", "mouthSmileRight")
SMILE_FROM, SMILE_FULL = 0.3, 0.6
"""Smiles this strong are weighed against what a mouth at rest looks like."""
REST_WIDTH = 0.79
"""Width of a mouth at rest over the distance of the irises."""
REST_CORNERS_M = -0.001
"""Height of its corners over the middle of the lip line."""
MAX_SMILE_SCALE = (1.45, 1.25)
"""Most that smiles are scaled, sideways and upwards."""
REST_THIRD = 0.345
"""Height of the upper lip over that from the nose to the chin, at rest."""
NOSE_BASE, CHIN, MAX_LIFT_M = 2, 152, 0.007
UNFOLD_FROM_M, UNFOLD_STEPS = 0.004, 60
"""How far from the lips smiles are spread over the cheeks, and by how many passes."""
CHIN_FROM_M, CHIN_FADE_M, CHIN_SHARE = 0.004, 0.038, 0.6
"""So far below the corners a smile taken back begins to let go of the chin, over this length, by
this share: chins hardly take part in smiles."""


@dataclass(frozen=True)
class Registered:
    """The face model laid onto one photo.

    vertices: (V, 3) m in the head's frame at the photo's expression, corrected to the landmarks.
    units: (E, V, 3) m, what each unit adds. rotation (3, 3), translation (3,): the photo's pose.
    camera: of the picture drawn. photo_xy: (V, 2) px. depth: (V,) m from the camera.
    """

    vertices: Float
    units: Float
    rotation: Float
    translation: Float
    camera: Camera
    photo_xy: Float
    depth: Float


def register(model: FaceGeometry, still: FaceTrack, landmarks: Float, scale: float) -> Registered:
    """Lay the model on a photo; `landmarks` (478, 2) px of the drawn picture, `scale` its size
    over that of the picture that `still` was fitted to.
    """
    camera = Camera.of(still.camera, scale)
    rotation = rotation_matrix(still.head_pose[0, :3])
    translation = still.head_pose[0, 3:]
    units = expression_units(model, still.shape)
    start = model.vertices(still.shape, still.expression[0])
    corners = model.triangles[model.landmark_triangles]
    at_landmarks = (start[corners] * model.landmark_barycentric[..., None]).sum(axis=1)
    in_camera = at_landmarks @ rotation.T + translation
    error_px = landmarks[:, :2] - camera.project(in_camera)
    # Metres in the camera's plane, at each landmark's own depth.
    error = error_px * (-in_camera[:, 2:] / camera.focal_px) * f32([1.0, -1.0])
    correction = _spread(model, corners, error)
    correction = np.concatenate([correction, np.zeros((len(start), 1), np.float32)], axis=1)
    vertices = np.asarray(start + correction @ rotation, np.float32)
    placed = _calm_sides(model, vertices, vertices @ rotation.T + translation)
    vertices = np.asarray((placed - translation) @ rotation, np.float32)
    _scale_smiles(model, vertices, units, still.expression[0])
    return Registered(
        vertices, units, rotation, translation, camera, camera.project(placed), -placed[:, 2]
    )


def _scale_smiles(model: FaceGeometry, vertices: Float, units: Float, still: Float) -> None:
    """Scale, in place, what the smile units do, so that a photo's smile can be taken back.

    From one smiling photo nobody can tell a wide mouth from a wide smile; what is wider or higher
    than a mouth at rest usually is counts as smile. vertices: (V, 3) m at the expression `still`
    (E,); units: (E, V, 3) m.
    """
    smiles = [model.expression_names.index(n) for n in SMILES if n in model.expression_names]
    if not smiles or float(still[smiles].mean()) <= SMILE_FROM:
        return
    share = (float(still[smiles].mean()) - SMILE_FROM) / (SMILE_FULL - SMILE_FROM)
    ids = [*MOUTH_CORNERS, *LIP_MIDDLES, *IRISES]
    corners = model.triangles[model.landmark_triangles[ids]]
    weights = model.landmark_barycentric[ids][..., None]

    def mouth(points: Float) -> Float:
        """Width and height of the corners, and the distance of the irises."""
        at = (points[corners] * weights).sum(axis=1)
        width = at[1, 0] - at[0, 0]
        return f32([width, at[:2, 1].mean() - at[2:4, 1].mean(), at[5, 0] - at[4, 0]])

    now = mouth(vertices)
    at_rest = mouth(vertices - np.tensordot(still, units, 1))
    smile = mouth(np.tensordot(still[smiles], units[smiles], 1))
    too_wide = at_rest[0] - REST_WIDTH * at_rest[2]
    too_high = at_rest[1] - REST_CORNERS_M
    for axis, excess in enumerate((too_wide, too_high)):
        limit = MAX_SMILE_SCALE[axis] - 1.0
        more = float(np.clip(excess / max(float(smile[axis]), 1e-3), 0.0, limit))
        units[smiles, :, axis] *= 1.0 + min(1.0, share) * more
    _unfold(model, vertices, units, smiles, min(1.0, share))
    _lift_mouth(model, vertices, units, still, smiles, min(1.0, share))
    corner_y = float((vertices[corners] * weights).sum(axis=1)[:2, 1].mean() + at_rest[1] - now[1])
    chin = np.clip((corner_y - CHIN_FROM_M - vertices[:, 1]) / CHIN_FADE_M, 0.0, 1.0)
    chin = chin * chin * (3.0 - 2.0 * chin)
    units[smiles] *= (1.0 - min(1.0, share) * CHIN_SHARE * chin)[:, None]


def _unfold(
    model: FaceGeometry, vertices: Float, units: Float, smiles: list[int], share: float
) -> None:
    """Spread what smiles do to the cheeks, so that skin is not drawn out along their folds."""
    laplacian = _laplacian(part_triangles(model, "skin", "lips"), len(vertices))
    degree = laplacian.diagonal()
    corners = model.triangles[model.landmark_triangles[list(UPPER_OUTER_LIP + LOWER_OUTER_LIP)]]
    rim = vertices[np.unique(corners)]
    away = np.linalg.norm(vertices[:, None] - rim[None], axis=2).min(axis=1)
    mobile = np.clip((away - UNFOLD_FROM_M) / UNFOLD_FROM_M, 0.0, 1.0) * (degree > 0)
    mobile[np.unique(part_triangles(model, "lips"))] = 0.0
    step = 0.5 * share * mobile / np.maximum(degree, 1.0)
    for k in smiles:
        field = units[k].astype(np.float64)
        for _ in range(UNFOLD_STEPS):
            field -= step[:, None] * (laplacian @ field)
        units[k] = field


def _lift_mouth(
    model: FaceGeometry,
    vertices: Float,
    units: Float,
    still: Float,
    smiles: list[int],
    share: float,
) -> None:
    """Let smiles, taken back, leave the mouth no lower than mouths are between nose and chin."""
    ids = [NOSE_BASE, CHIN, *LIP_MIDDLES]
    corners = model.triangles[model.landmark_triangles[ids]]
    at_rest = vertices - np.tensordot(still, units, 1)
    rest = (at_rest[corners] * model.landmark_barycentric[ids][..., None]).sum(axis=1)[:, 1]
    nose, chin, lips = float(rest[0]), float(rest[1]), float(rest[2:].mean())
    lift = float(np.clip(nose - lips - REST_THIRD * (nose - chin), 0.0, MAX_LIFT_M)) * share
    y = at_rest[:, 1]
    above = np.clip((nose - y) / max(nose - lips, 1e-3), 0.0, 1.0)
    below = np.clip((y - chin) / max(lips - chin, 1e-3), 0.0, 1.0)
    weight = np.minimum(above, below) * (vertices[:, 2] > CALM_BACK_M)
    weight = weight * weight * (3.0 - 2.0 * weight)
    rigid = np.unique(part_triangles(model, *RIGID_PARTS))
    weight[rigid] = 0.0
    units[smiles, :, 1] -= lift * weight / float(still[smiles].sum())


def _calm_sides(model: FaceGeometry, vertices: Float, placed: Float) -> Float:
    """Camera positions (V, 3) whose depth is smooth at the sides of the face.

    There hair often hangs over the skin; it must not wave over eye sockets and temples as the head
    turns. The points move along their lines of sight, so the photo looks the same.
    """
    skin = part_triangles(model, "skin")
    laplacian = _laplacian(skin, len(vertices))
    degree = laplacian.diagonal()
    mobile = degree > 0
    depth = placed[:, 2].astype(np.float64)
    smooth = depth.copy()
    for _ in range(CALM_STEPS):
        step = laplacian @ smooth
        smooth[mobile] -= 0.5 * step[mobile] / degree[mobile]
    low, high = CALM_FROM_M
    share = np.clip((np.abs(vertices[:, 0]) - low) / (high - low), 0.0, 1.0) * mobile
    share *= np.clip((vertices[:, 2] - CALM_BACK_M) / CALM_BACK_M, 0.0, 1.0)
    factor = 1.0 + share * (smooth / depth - 1.0)
    return np.asarray(placed * factor[:, None], np.float32)


def expression_units(model: FaceGeometry, shape: Float) -> Float:
    """What each unit adds to the vertices, (E, V, 3) m."""
    count = len(model.expression_names)
    neutral = model.vertices(shape, np.zeros(count, np.float32))
    return np.asarray(model.vertices(shape, np.eye(count, dtype=np.float32)) - neutral, np.float32)


def part_triangles(model: FaceGeometry, *parts: str) -> NDArray[np.int32]:
    """Triangles (N, 3) of the named parts; parts that the model lacks count as empty."""
    wanted = [k for k, name in enumerate(model.part_names) if name in parts]
    return model.triangles[np.isin(model.triangle_parts, wanted)]


def _spread(model: FaceGeometry, corners: NDArray[np.int32], error: Float) -> Float:
    """The smoothest field (V, 2) over the mesh that takes the landmarks' errors (478, 2) away."""
    count = int(model.triangles.max()) + 1
    rigid = np.unique(part_triangles(model, *RIGID_PARTS))
    weight = np.ones(len(error), np.float32)
    weight[list(FACE_OVAL)] = OVAL_WEIGHT
    weight[IRIS_LANDMARKS] = 0.0
    rows = np.repeat(np.arange(len(error)), 3)
    places = sparse.csr_matrix(
        (model.landmark_barycentric.ravel(), (rows, corners.ravel())), (len(error), count)
    )
    laplacian = _laplacian(model.triangles, count)
    weights = sparse.diags(weight)
    system = (
        places.T @ weights @ places
        + SMOOTHNESS * laplacian.T @ laplacian
        + STIFFNESS * laplacian
        + DECAY * sparse.identity(count)
    )
    field = splu(system.tocsc()).solve(np.asarray(places.T @ weights @ error, np.float64))
    lips = list(UPPER_INNER_LIP)
    field[rigid] = error[lips].mean(axis=0)
    return np.asarray(field, np.float32)


def _laplacian(triangles: NDArray[np.int32], count: int) -> sparse.csr_matrix:
    """The graph Laplacian (V, V) of the mesh's edges."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    i, j = pairs.T
    ones = np.ones(len(pairs))
    adjacency = sparse.csr_matrix((ones, (i, j)), (count, count))
    adjacency = adjacency + adjacency.T
    return sparse.diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency
