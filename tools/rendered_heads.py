"""Heads of the default model whose truth is known, painted, lit and shown to the landmarker."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import project, rotation_matrix, rotation_vector
from emotalk_cli.face3d.fitting.basis import vertex_normals
from emotalk_cli.face3d.fitting.fit import fit_photo
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.render.photo import read_photo
from emotalk_cli.schema import MadeBy
from tools.build_face_model import render
from tools.build_face_model.observe import Photographer, Pose, random_expression

Float = NDArray[np.float32]
Double = NDArray[np.float64]

SIZE_PX = 384
LOOK_AT_M = (0.0, 0.01, 0.03)
FOCAL = 2.6
"""Focal length over the picture's width, so that a head at 0.85 m fills two thirds of it."""
SKIN_PARTS = ("skin", "lips", "scalp")
FACING = (0.15, 0.4)
"""Cosines to the photo's camera between which its colours fade in."""
LIGHT_FLOOR, LIGHT_SHARE = 0.75, 0.5
PAIRED, SINGLE = "Left", ("mouthLeft", "jawLeft")
ANY_SHARE, GAZE_SHARE = 0.5, 0.5
BOTH_SIDES = 0.75
LOOKS = (("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight"))
PITCHES = (("eyeLookUpLeft", "eyeLookUpRight"), ("eyeLookDownLeft", "eyeLookDownRight"))


@dataclasses.dataclass(frozen=True)
class Skin:
    """A person's colours: where each vertex is in a photo (V, 2) px, how well it is seen there
    (V,) in 0..1, the photo (H, W, 3) uint8, and the skin's mean colour (3,).
    """

    place_px: Float
    seen: Float
    photo: NDArray[np.uint8]
    mean: Double


@dataclasses.dataclass(frozen=True)
class Heads:
    """What the photographer needs of the model, in float64."""

    vertices: Double
    triangles: NDArray[np.int64]
    identity: Double
    expression: Double
    parts: NDArray[np.int64]
    eye_centres: Double
    eye_radius: float


class HeadStudio:
    """Pictures of heads of any shape, expression and pose, in a photo's colours or plain ones."""

    size_px = SIZE_PX

    def __init__(self, model: FaceModel, skins: Sequence[Skin] = ()) -> None:
        heads: Any = Heads(
            model.mean_vertices.astype(float),
            model.triangles.astype(np.int64),
            model.identity_basis.astype(float),
            model.expression_basis.astype(float),
            model.triangle_parts.astype(np.int64),
            model.eye_centres_m.astype(float),
            model.eye_radius_m,
        )
        self._model = model
        self._photographer = Photographer(heads)
        self._skins = tuple(skins)
        named = [model.part_names.index(name) for name in SKIN_PARTS]
        self._is_skin = np.isin(model.triangle_parts, named)

    @property
    def camera(self) -> Float:
        """Focal length, centre and size of every picture, (5,) px."""
        size = float(SIZE_PX)
        return np.array([FOCAL * size, size / 2, size / 2, size, size], np.float32)

    def head_pose(self, angles_deg: Sequence[float], distance_m: float) -> Float:
        """Yaw, pitch, roll and distance -> head pose (6,)."""
        turn = render.rotation(*angles_deg)
        middle = turn @ np.asarray(LOOK_AT_M)
        place = [-middle[0], -middle[1], -distance_m]
        return np.array([*rotation_vector(turn), *place], np.float32)

    def take(
        self,
        shape: Float,
        expression: Float,
        angles_deg: Sequence[float],
        distance_m: float,
        colours: int,
    ) -> NDArray[np.uint8]:
        """A picture (SIZE_PX, SIZE_PX, 3) uint8 RGB; `colours` chooses a palette or a skin."""
        vertices = self._model.vertices(shape, expression).astype(float)
        yaw, pitch, roll = angles_deg
        pose = Pose((yaw, pitch, roll), LOOK_AT_M, distance_m, FOCAL)
        taken = self._photographer.picture(vertices, pose, SIZE_PX, colours % 3)
        if not self._skins:
            return taken.rgb
        skin = self._skins[colours % len(self._skins)]
        turned = vertex_normals(vertices.astype(np.float32), self._model.triangles)
        light = self._light(turned @ render.rotation(*angles_deg).T, colours)
        return self._dressed(taken.rgb, taken.index, taken.barycentric, skin, light)

    def _light(self, normals: Double, colours: int) -> Double:
        side = 0.7 if colours % 2 else -0.7
        towards = np.array([side, 0.5, 0.9]) / np.linalg.norm([side, 0.5, 0.9])
        return np.asarray(LIGHT_FLOOR + LIGHT_SHARE * np.maximum(normals @ towards, 0.0))

    def _dressed(
        self,
        rgb: NDArray[np.uint8],
        index: NDArray[np.int32],
        barycentric: Double,
        skin: Skin,
        light: Double,
    ) -> NDArray[np.uint8]:
        import cv2

        rows, columns = np.nonzero((index >= 0) & self._is_skin[index])
        corners = self._model.triangles[index[rows, columns]]
        share = barycentric[rows, columns][..., None]
        place = np.zeros((*index.shape, 2), np.float32)
        place[rows, columns] = (skin.place_px[corners] * share).sum(axis=1)
        seen = (skin.seen[corners][..., None] * share).sum(axis=1)
        lit = (light[corners][..., None] * share).sum(axis=1)
        across, down = (np.ascontiguousarray(place[..., k]) for k in (0, 1))
        border = cv2.BORDER_REPLICATE
        sampled = cv2.remap(skin.photo, across, down, cv2.INTER_LINEAR, borderMode=border)
        sampled = sampled[rows, columns].astype(float)
        colour = (seen * sampled + (1.0 - seen) * skin.mean) * lit
        dressed = rgb.copy()
        dressed[rows, columns] = np.clip(colour, 0, 255).astype(np.uint8)
        return dressed


def read_skin(path: Path, model: FaceModel) -> Skin:
    """The colours of the person in a photo, laid on the model where the fit sees it.

    Raises EmotalkError where the photo shows no face.
    """
    photo = read_photo(path)
    face = require_face(photo, path)
    height, width = photo.shape[:2]
    track = fit_photo(face.landmarks, width, height, model, made_by=MadeBy("tools", "0"))
    vertices = model.vertices(track.shape, track.expression[0])
    place = project(vertices, track.head_pose[0], track.camera)
    turned = vertex_normals(vertices, model.triangles) @ rotation_matrix(track.head_pose[0, :3]).T
    low, high = FACING
    seen = np.clip((turned[:, 2] - low) / (high - low), 0.0, 1.0).astype(np.float32)
    cheeks = place[seen > 0.99].astype(int)
    inside = ((cheeks >= 0) & (cheeks < (width, height))).all(axis=1)
    mean = np.median(photo[cheeks[inside, 1], cheeks[inside, 0]], axis=0)
    return Skin(place, seen, photo, mean.astype(float))


def read_skins(paths: Sequence[Path], model: FaceModel) -> tuple[list[Skin], list[str]]:
    """The skins of all photos that show a face, and what is to be said of the others."""
    skins, notes = [], []
    for path in paths:
        try:
            skins.append(read_skin(path, model))
        except EmotalkError as error:
            notes.append(error.problem)
    return skins, notes


def random_face(rng: np.random.Generator, names: Sequence[str]) -> Float:
    """Weights (E,) of a random expression.

    Half of them are plausible faces (calm, speaking, emotional, blinking), half are one to four
    units of any kind but the tongue, which the landmarker does not see; half of all look somewhere.
    """
    place = {name: i for i, name in enumerate(names)}
    if rng.random() < ANY_SHARE:
        found = _any_units(rng, place)
    else:
        kind = rng.choice(["neutral", "speech", "speech", "emotion", "emotion", "blink"])
        found = random_expression(rng, kind).astype(np.float32)
    if rng.random() < GAZE_SHARE:
        for options in (LOOKS, PITCHES):
            value = rng.uniform(0.0, 0.8)
            for name in options[int(rng.integers(2))]:
                found[place[name]] = value
    return found


def _any_units(rng: np.random.Generator, place: dict[str, int]) -> Float:
    found = np.zeros(len(place), np.float32)
    stems = [n for n in place if "Look" not in n and n not in ("tongueOut", "mouthClose")]
    stems = [n for n in stems if not n.endswith("Right") or n in ("mouthRight", "jawRight")]
    for name in rng.choice(stems, int(rng.integers(1, 5)), replace=False):
        value = rng.uniform(0.2, 1.0)
        found[place[name]] = value
        if name.endswith(PAIRED) and name not in SINGLE:
            twin = place[name.removesuffix(PAIRED) + "Right"]
            if rng.random() < BOTH_SIDES:
                found[twin] = value
            elif rng.random() < 0.5:
                found[place[name]], found[twin] = 0.0, value
    if found[place["jawOpen"]] > 0 and rng.random() < 0.3:
        found[place["mouthClose"]] = rng.uniform(0.2, 1.0) * found[place["jawOpen"]]
    return found
