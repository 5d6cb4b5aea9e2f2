"""`python -m tools.build_face_model.sheets FOLDER`: pictures to look at, and errors measured on
fresh pictures of people the landmarks were not tied on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from emotalk_cli.face3d.models.default_model import DEFAULT_MODEL_PATH, read_face_model
from emotalk_cli.face3d.models.linear_model import FaceModel

from . import landmarks
from .assemble import RawModel, assemble
from .observe import SIDES, Photographer, Pose, View, photograph
from .source import data_folder

Pictures = list[NDArray[np.uint8]]
FRESH_PICTURES, FRESH_SEED, FRESH_TURN_DEG = 100, 99, 15.0
WIDE, MOUTH, EYE = 2.15, 7.0, 11.0
"""Focal lengths, over the picture's width, for the head, the mouth and one eye."""


def main() -> None:
    """Draw the sheets of the committed asset and report the landmark errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    raw, model = assemble(data_folder()), read_face_model(DEFAULT_MODEL_PATH)
    sheets = Sheets(model, Photographer(raw))
    for name, (pictures, columns) in {
        "neutral": (sheets.neutral(), 3),
        "units": (sheets.units(), 9),
        "identity": (sheets.identity(16), 8),
        "people": (sheets.people(18), 6),
        "mouth": (sheets.mouth(), 4),
        "blink": (sheets.blink(6), 6),
    }.items():
        _grid(pictures, columns).save(folder / f"{name}.png")
    views = photograph(raw, FRESH_PICTURES, FRESH_SEED, FRESH_TURN_DEG)
    _grid([_overlay(model, view) for view in views[:12]], 4).save(folder / "landmarks.png")
    (folder / "errors.txt").write_text(_errors(model, raw, views))


class Sheets:
    """Sets of pictures, one per subject."""

    def __init__(self, model: FaceModel, photographer: Photographer) -> None:
        self._model, self._photographer = model, photographer

    def _take(
        self,
        pose: Pose,
        size_px: int,
        label: str,
        shape: NDArray[np.float32] | None = None,
        **weights: float,
    ) -> NDArray[np.uint8]:
        person = np.zeros(len(self._model.identity_basis), np.float32) if shape is None else shape
        expression = np.zeros(len(self._model.expression_names), np.float32)
        for unit, weight in weights.items():
            expression[self._model.unit_index(unit)] = weight
        vertices = self._model.vertices(person, expression).astype(np.float64)
        image = Image.fromarray(self._photographer.picture(vertices, pose, size_px).rgb)
        ImageDraw.Draw(image).text((4, 4), label, fill=(255, 255, 255))
        return np.asarray(image)

    def neutral(self) -> Pictures:
        """Front, three-quarter and profile."""
        return [self._take(Pose((yaw, 0, 0)), 600, f"{yaw}") for yaw in (0.0, 40.0, 90.0)]

    def units(self) -> Pictures:
        """Every unit at 1."""
        pose = Pose((12, 0, 0), focal=3.2)
        names = self._model.expression_names
        return [self._take(pose, 230, name, **{name: 1.0}) for name in names]

    def identity(self, count: int) -> Pictures:
        """The first components at -2 and +2."""
        steps = 2 * np.eye(len(self._model.identity_basis), dtype=np.float32)[:count]
        return [
            self._take(Pose((20, 0, 0)), 220, f"{k} {2 * sign:+d}", sign * step)
            for k, step in enumerate(steps)
            for sign in (-1, 1)
        ]

    def people(self, count: int) -> Pictures:
        """Random people."""
        rng = np.random.default_rng(0)
        shapes = rng.normal(size=(count, len(self._model.identity_basis))).astype(np.float32)
        return [self._take(Pose((15, 0, 0)), 260, "", shape) for shape in shapes]

    def mouth(self) -> Pictures:
        """The mouth from closed to wide open, and with teeth shown."""
        front = Pose(look_at_m=(0, -0.035, 0.1), focal=MOUTH)
        side = Pose((25, 0, 0), (0, -0.035, 0.1), focal=MOUTH)
        smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}
        grin = smile | {"mouthUpperUpLeft": 0.7, "mouthUpperUpRight": 0.7, "jawOpen": 0.15}
        return [
            *(self._take(front, 400, f"jawOpen {w}", jawOpen=w) for w in (0.0, 0.15, 0.3, 0.6)),
            self._take(side, 400, "jawOpen 1", jawOpen=1.0),
            self._take(side, 400, "jawOpen 1, mouthClose 1", jawOpen=1.0, mouthClose=1.0),
            self._take(side, 400, "smile", **smile),
            self._take(front, 400, "grin", **grin),
            self._take(side, 400, "grin", **grin),
            self._take(front, 400, "mouthFunnel", mouthFunnel=1.0, jawOpen=0.2),
            self._take(side, 400, "mouthPucker", mouthPucker=1.0),
            self._take(front, 400, "tongueOut", tongueOut=1.0, jawOpen=0.5),
        ]

    def blink(self, count: int) -> Pictures:
        """One eye from open to shut, of the mean face and of random people."""
        rng = np.random.default_rng(3)
        size = len(self._model.identity_basis)
        people = np.concatenate([np.zeros((1, size)), rng.normal(size=(count - 1, size))])
        pictures = []
        for person in people.astype(np.float32):
            centre = self._model.eye_centres(person)[SIDES.index("left")]
            pose = Pose(look_at_m=(float(centre[0]), float(centre[1]), 0.09), focal=EYE)
            pictures += [
                self._take(pose, 240, f"{w}", person, eyeBlinkLeft=w) for w in (0.0, 0.5, 1.0)
            ]
        return pictures


def _overlay(model: FaceModel, view: View) -> NDArray[np.uint8]:
    """The landmarker's points in blue, the model's in green."""
    image = Image.fromarray(view.picture).resize((1024, 1024))
    draw = ImageDraw.Draw(image)
    projected = model.at_landmarks(view.vertices_px)
    for points, colour in ((view.seen, (0, 0, 255)), (projected, (0, 255, 0))):
        for x, y in 2 * points:
            draw.ellipse([x - 2, y - 2, x + 2, y + 2], outline=colour)
    return np.asarray(image)


def _errors(model: FaceModel, raw: RawModel, views: list[View]) -> str:
    """Mean and median distance of projected from seen landmarks, % of the eyes' distance."""
    error = np.array(
        [
            np.linalg.norm(model.at_landmarks(v.vertices_px) - v.seen, axis=1) / v.eye_distance_px
            for v in views
        ]
    )
    groups = {
        "all": tuple(range(landmarks.MESH_LANDMARKS)),
        "inner lips": landmarks.INNER_UPPER_LIP + landmarks.INNER_LOWER_LIP,
        "lids": sum(landmarks.LIDS.values(), ()),
        "irises": sum(landmarks.IRISES.values(), ()),
        "face oval": landmarks.FACE_OVAL,
    }
    lines = [f"{len(views)} pictures; % of the distance between the pupils: mean, median"]
    for name, points in groups.items():
        part = 100 * error[:, list(points)]
        lines.append(f"{name}: {part.mean():.2f}, {np.median(part):.2f}")
    explained = np.cumsum(raw.explained)
    lines += [
        f"{k} components explain {100 * explained[k - 1]:.1f} %" for k in (10, 20, 30, 40, 50)
    ]
    return "\n".join(lines) + "\n"


def _grid(pictures: Pictures, columns: int) -> Image.Image:
    blank = np.zeros_like(pictures[0])
    full = pictures + [blank] * (-len(pictures) % columns)
    rows = [np.hstack(full[k : k + columns]) for k in range(0, len(full), columns)]
    return Image.fromarray(np.vstack(rows))


if __name__ == "__main__":
    main()
