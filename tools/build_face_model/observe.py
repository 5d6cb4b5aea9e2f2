"""Shows rendered heads to MediaPipe's landmarker and keeps what it saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import render
from .assemble import PART_NAMES, RawModel
from .eyes import IRIS_TO_EYE, PUPIL_TO_IRIS
from .units import ARKIT_UNITS

IMAGE_PX = 512
SIDES = ("left", "right")
PALETTES = (
    {"skin": (0.90, 0.72, 0.62), "lips": (0.76, 0.42, 0.42), "hair": (0.35, 0.24, 0.16)},
    {"skin": (0.78, 0.58, 0.45), "lips": (0.62, 0.34, 0.32), "hair": (0.12, 0.09, 0.07)},
    {"skin": (0.50, 0.34, 0.26), "lips": (0.46, 0.24, 0.24), "hair": (0.06, 0.05, 0.05)},
)
OTHER_COLOURS = {
    "mouth_inner": (0.30, 0.08, 0.08),
    "teeth_upper": (0.93, 0.91, 0.85),
    "teeth_lower": (0.90, 0.88, 0.80),
    "gums": (0.70, 0.35, 0.36),
    "tongue": (0.70, 0.33, 0.33),
    "eye_left": (0.92, 0.92, 0.92),
    "eye_right": (0.92, 0.92, 0.92),
    "eye_socket": (0.72, 0.45, 0.42),
}
IRIS_COLOUR, PUPIL_COLOUR = (0.30, 0.20, 0.12), (0.03, 0.03, 0.03)
BROW_ABOVE_EYE_M, BROW_HALF_HEIGHT_M = 0.0160, 0.0036
"""The brow's inner end stands this far above the eyeball's centre; set so that brows of photos
fitted with the model fall on the same place of the skin."""
BROW_RISE_M, BROW_PEAK, BROW_FALL_M = 0.0060, 0.62, 0.0045
"""Rise of the brow's middle line to its peak, where that is along the brow, and fall behind it."""
BROW_INNER_X_M, BROW_OUTER_X_M = 0.013, 0.052


@dataclass(frozen=True)
class View:
    """One picture's recipe and what the landmarker found in it.

    shape (S,), expression (52,), vertices_px (V, 2) where the vertices are in the picture,
    seen (478, 2) landmarks in px; yaw and pitch in degrees; eye_distance_px between the
    projected eyeball centres; hits (478, 3) mean-face point under each landmark, nan off the head.
    """

    shape: NDArray[np.float64]
    expression: NDArray[np.float64]
    vertices_px: NDArray[np.float32]
    seen: NDArray[np.float64]
    hits: NDArray[np.float64]
    yaw_deg: float
    pitch_deg: float
    eye_distance_px: float
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class Pose:
    """Where the camera stands: yaw, pitch and roll of the head, the point of the model space in
    the picture's middle, the distance, and the focal length over the picture's width.
    """

    angles_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    look_at_m: tuple[float, float, float] = (0.0, 0.01, 0.0)
    distance_m: float = 0.85
    focal: float = 2.15


@dataclass(frozen=True)
class Picture:
    """A rendering: rgb (H, W, 3) uint8, points_px (V, 2), visible triangle (H, W) and its
    barycentrics (H, W, 3).
    """

    rgb: NDArray[np.uint8]
    points_px: NDArray[np.float64]
    index: NDArray[np.int32]
    barycentric: NDArray[np.float64]


class Photographer:
    """Renders the model in plausible colours and asks MediaPipe for its landmarks."""

    def __init__(self, model: RawModel) -> None:
        import mediapipe

        self._model = model
        self._triangles = model.triangles.astype(np.int32)
        self._landmarker = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, refine_landmarks=True, max_num_faces=1
        )
        lips = np.zeros(len(model.vertices))
        lips[np.unique(model.triangles[model.parts == PART_NAMES.index("lips")])] = 1.0
        self._lips = lips
        eyes = [model.triangles[model.parts == PART_NAMES.index(f"eye_{s}")] for s in SIDES]
        self._pupils = [int(triangles.min()) for triangles in eyes]

    def picture(
        self, vertices: NDArray[np.float64], pose: Pose, size_px: int = IMAGE_PX, palette: int = 0
    ) -> Picture:
        """Render (V, 3) vertices in a square picture."""
        turn = render.rotation(*pose.angles_deg)
        middle = turn @ np.asarray(pose.look_at_m)
        translation = np.array([-middle[0], -middle[1], -pose.distance_m])
        focal_px, half = pose.focal * size_px, size_px / 2
        points = render.project(vertices, turn, translation, focal_px, (half, half))
        normals = render.vertex_normals(vertices, self._model.triangles) @ turn.T
        index, bary, _ = render.rasterise(points, self._triangles, size_px, size_px)
        rgb = self._paint(index, bary, normals, PALETTES[palette])
        return Picture(rgb, points[:, :2], index, bary)

    def view(
        self,
        shape: NDArray[np.float64],
        expression: NDArray[np.float64],
        pose: Pose,
        palette: int,
    ) -> View | None:
        """Take one picture; None if the landmarker finds no face in it."""
        model = self._model
        vertices = model.vertices + np.tensordot(shape, model.identity, 1)
        vertices = vertices + np.tensordot(expression, model.expression, 1)
        taken = self.picture(vertices, pose, palette=palette)
        found = self._landmarker.process(taken.rgb)
        if not found.multi_face_landmarks:
            return None
        seen = np.array([[p.x, p.y] for p in found.multi_face_landmarks[0].landmark]) * IMAGE_PX
        pupils = taken.points_px[self._pupils]
        return View(
            shape=shape,
            expression=expression,
            vertices_px=taken.points_px.astype(np.float32),
            seen=seen,
            hits=self._hits(taken.index, taken.barycentric, seen),
            yaw_deg=pose.angles_deg[0],
            pitch_deg=pose.angles_deg[1],
            eye_distance_px=float(np.linalg.norm(pupils[0] - pupils[1])),
            picture=taken.rgb,
        )

    def _hits(
        self, index: NDArray[np.int32], bary: NDArray[np.float64], seen: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Mean-face point of the surface under each landmark."""
        column, row = (np.clip(seen[:, k].astype(int), 0, IMAGE_PX - 1) for k in (0, 1))
        triangle = index[row, column]
        corners = self._model.vertices[self._model.triangles[np.maximum(triangle, 0)]]
        points = (corners * bary[row, column][:, :, None]).sum(axis=1)
        points[triangle < 0] = np.nan
        return points

    def _paint(
        self,
        index: NDArray[np.int32],
        bary: NDArray[np.float64],
        normals: NDArray[np.float64],
        palette: dict[str, tuple[float, float, float]],
    ) -> NDArray[np.uint8]:
        """Colours by part, with brows, irises and soft lips, under two lights."""
        model = self._model
        corners = self._triangles[np.maximum(index, 0)]
        rest = (model.vertices[corners] * bary[..., None]).sum(axis=2)
        normal = (normals[corners] * bary[..., None]).sum(axis=2)
        normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
        table = [
            OTHER_COLOURS.get(name, palette["hair"] if name == "scalp" else palette["skin"])
            for name in PART_NAMES
        ]
        part = model.parts[np.maximum(index, 0)]
        colour = np.array(table)[part]
        outside = np.isin(part, [PART_NAMES.index(n) for n in ("skin", "lips")])
        redness = ((self._lips[corners] * bary).sum(axis=2) * outside)[..., None]
        colour = colour * (1 - redness) + np.array(palette["lips"]) * redness
        brow = (self._brow(rest) * (part == PART_NAMES.index("skin")))[..., None]
        colour = colour * (1 - 0.8 * brow) + np.array(palette["hair"]) * 0.8 * brow
        for side, centre in zip(SIDES, model.eye_centres, strict=True):
            on_eye = part == PART_NAMES.index(f"eye_{side}")
            away = np.linalg.norm(rest[..., :2] - centre[:2], axis=2) / model.eye_radius
            front = on_eye & (rest[..., 2] > centre[2])
            colour[front & (away < IRIS_TO_EYE)] = IRIS_COLOUR
            colour[front & (away < IRIS_TO_EYE * PUPIL_TO_IRIS)] = PUPIL_COLOUR
        key = np.array([0.35, 0.55, 0.75]) / np.linalg.norm([0.35, 0.55, 0.75])
        light = 0.35 + 0.3 * np.abs(normal[..., 2]) + 0.4 * np.maximum(normal @ key, 0)
        colour = colour * light[..., None]
        colour[index < 0] = 0.55
        return (np.clip(colour, 0, 1) * 255).astype(np.uint8)

    def _brow(self, rest: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much of a brow, 0..1, each mean-face point (..., 3) carries."""
        x = np.abs(rest[..., 0])
        along = np.clip((x - BROW_INNER_X_M) / (BROW_OUTER_X_M - BROW_INNER_X_M), 0, 1)
        rise = BROW_RISE_M * np.sin(0.5 * np.pi * np.minimum(along / BROW_PEAK, 1.0))
        fall = BROW_FALL_M * np.maximum(along - BROW_PEAK, 0.0) / (1 - BROW_PEAK)
        arc = self._model.eye_centres[0, 1] + BROW_ABOVE_EYE_M + rise - fall
        half_height = BROW_HALF_HEIGHT_M * (1 - 0.55 * along)
        inside = np.clip(1.5 - np.abs(rest[..., 1] - arc) / half_height, 0, 1)
        ends = np.clip((x - BROW_INNER_X_M) / 0.002, 0, 1) * np.clip(
            (BROW_OUTER_X_M - x) / 0.003, 0, 1
        )
        return np.where(rest[..., 2] > 0.04, inside * ends, 0.0)


def random_expression(rng: np.random.Generator, kind: str) -> NDArray[np.float64]:
    """(52,) weights of a plausible face. kind: "neutral", "speech", "emotion" or "blink"."""
    weights = np.zeros(len(ARKIT_UNITS))

    def put(unit: str, value: float) -> None:
        weights[ARKIT_UNITS.index(unit)] = value

    if kind in ("speech", "emotion"):
        put("jawOpen", rng.choice([0.0, rng.uniform(0.05, 0.7)], p=[0.15, 0.85]))
        for unit in rng.choice(("mouthFunnel", "mouthPucker", "mouthShrugUpper"), 1):
            put(unit, rng.uniform(0, 0.6) * (rng.random() < 0.5))
        for stem in ("mouthLowerDown", "mouthUpperUp", "mouthStretch"):
            value = rng.uniform(0, 0.6) * (rng.random() < 0.4)
            put(f"{stem}Left", value)
            put(f"{stem}Right", value)
    if kind == "emotion":
        for stem in rng.choice(
            (
                "mouthSmile",
                "mouthFrown",
                "browDown",
                "browOuterUp",
                "cheekSquint",
                "noseSneer",
                "eyeWide",
                "eyeSquint",
            ),
            3,
            replace=False,
        ):
            value = rng.uniform(0.2, 0.9)
            put(f"{stem}Left", value)
            put(f"{stem}Right", value)
        put("browInnerUp", rng.uniform(0, 0.8) * (rng.random() < 0.5))
    if kind == "blink":
        value = rng.uniform(0.2, 1.0)
        put("eyeBlinkLeft", value)
        put("eyeBlinkRight", value)
    return weights


def photograph(model: RawModel, count: int, seed: int, turn_deg: float = 18.0) -> list[View]:
    """`count` pictures of random people, faces and small poses, without those not detected."""
    rng = np.random.default_rng(seed)
    photographer = Photographer(model)
    views = []
    for k in range(count):
        kind = ("neutral", "speech", "emotion", "speech", "blink")[k % 5]
        view = photographer.view(
            rng.normal(0, 0.8, len(model.identity)),
            random_expression(rng, kind),
            Pose(
                angles_deg=(
                    rng.uniform(-turn_deg, turn_deg),
                    rng.uniform(-0.6, 0.6) * turn_deg,
                    rng.uniform(-6, 6),
                ),
                distance_m=rng.uniform(0.75, 1.0),
            ),
            int(rng.integers(len(PALETTES))),
        )
        if view is not None:
            views.append(view)
    return views
