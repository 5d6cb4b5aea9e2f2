"""Measures where MediaPipe puts its landmarks on real faces beside the default model's.

    python -m tools.measure_landmark_offsets PHOTO...

First the slides: heads of the model are rendered in many poses, and what the landmarker sees there
is compared with where the points are. Then the offsets: every photo is fitted, and what the fit
leaves at each landmark, in model space, along the surface, the same on both sides, is averaged over
all people; repeated with the offsets found. Writes `emotalk_cli/assets/landmark_offsets.npz`. Use
many people with calm faces seen from the front.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import move, project, rotation_matrix, rotation_vector
from emotalk_cli.face3d.default_model import load_default_face_model
from emotalk_cli.face3d.fitting import photo_frames
from emotalk_cli.face3d.fitting_basis import FitBasis, basis_of
from emotalk_cli.face3d.fitting_points import INNER_LIPS, LIDS_LEFT, LIDS_RIGHT, inter_ocular
from emotalk_cli.face3d.landmark_offsets import OFFSETS_PATH, LandmarkOffsets, tie_digest
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.face3d.linear_model import FaceModel
from emotalk_cli.render.photo import read_photo
from tools.build_face_model import render
from tools.build_face_model.observe import IMAGE_PX, Photographer, Pose, random_expression

Double = NDArray[np.float64]

ROUNDS = 5
OUTLIER_M = 0.004
PRIOR_PHOTOS = 1.0
"""Offsets are shrunk as if so many photos had none, and much more across the surface."""
NORMAL_PRIOR_PHOTOS = 8.0
VIEWS = 500
SHAPE_SD = 0.8
MAX_YAW_DEG, MAX_PITCH_DEG = 32.0, 20.0
WRONG_M = 0.006
"""Pictures where half of the landmarks are farther off than this show no slide but a failure."""
PITCH_SHARE = 0.5
"""Of the slide with pitch, real heads show about half: necks, hair and light differ more."""


@dataclasses.dataclass(frozen=True)
class Photo:
    """Landmarks (478, 3) px of one face and the picture's size, px."""

    landmarks: NDArray[np.float32]
    width_px: int
    height_px: int


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


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    photos = [p for p in map(_read, parser.parse_args().photos) if p]
    model = load_default_face_model()
    mean_shape = np.zeros(len(model.identity_basis), np.float32)
    bare = model.landmark_bases(mean_shape)[0]
    mirrored = bare * np.array([-1.0, 1.0, 1.0], np.float32)
    twin = np.linalg.norm(mirrored[:, None] - bare[None], axis=-1).argmin(axis=1)
    slide = _slides(model)
    # Seen in a mirror, yaw turns the other way and right is left.
    slide = (slide + slide[:, twin] * np.array([[[1.0, -1.0]], [[-1.0, 1.0]]])) / 2.0
    slide = slide.astype(np.float32)
    found = LandmarkOffsets(np.zeros_like(bare), slide)
    basis = dataclasses.replace(basis_of(model), neutral=bare, offsets=found)
    offset = np.zeros(bare.shape)
    for upper, lower in INNER_LIPS:  # of the neutral face: closed lips are one line
        bare[upper] = bare[lower] = (bare[upper] + bare[lower]) / 2.0
    for _ in range(ROUNDS):
        moved = dataclasses.replace(basis, neutral=(bare + offset).astype(np.float32))
        step, share = _left_over(moved, photos, offset)
        offset = offset + step
        offset = (offset + offset[twin] * (-1.0, 1.0, 1.0)) / 2.0
        for upper, lower in INNER_LIPS + LIDS_RIGHT + LIDS_LEFT:
            offset[upper] = offset[lower] = (offset[upper] + offset[lower]) / 2.0
        sys.stdout.write(f"{len(photos)} photos: {100 * share:.2f} % of the eyes' distance\n")
    np.savez_compressed(
        OFFSETS_PATH, offset_m=offset.astype(np.float32), slide_m=slide, tie=tie_digest(model)
    )


def _read(path: Path) -> Photo | None:
    try:
        image = read_photo(path)
        face = require_face(image, path)
    except EmotalkError as error:
        sys.stdout.write(f"left out: {error.problem}\n")
        return None
    return Photo(face.landmarks, image.shape[1], image.shape[0])


def _left_over(basis: FitBasis, photos: list[Photo], offset: Double) -> tuple[Double, float]:
    """The step (478, 3) m of the offsets, and the mean error as a share of the eyes' distance."""
    across = basis.normals[:, :, None] * basis.normals[:, None, :]
    prior = NORMAL_PRIOR_PHOTOS * across + PRIOR_PHOTOS * np.eye(3)
    matrix = prior.copy()
    right = -np.einsum("lij,lj->li", prior, offset)
    errors = []
    for photo in photos:
        frames, shape = photo_frames(photo.landmarks, photo.width_px, photo.height_px, basis)
        points = basis.shaped(shape) + np.tensordot(frames.expression[0], basis.deltas, 1)
        gap = frames.observed[0] - project(points, frames.head_pose[0], frames.camera)
        errors.append(np.linalg.norm(gap, axis=1).mean() / inter_ocular(photo.landmarks[:, :2]))
        depth = -move(points, frames.head_pose[0])[:, 2]
        gap = gap * (1.0, -1.0) * (depth / frames.camera[0])[:, None]
        turn = rotation_matrix(frames.head_pose[0, :3])
        facing = np.clip((basis.normals @ turn.T)[:, 2] / 0.4, 0.02, 1.0)
        trust = facing / (1.0 + (gap**2).sum(axis=1) / OUTLIER_M**2)
        matrix += trust[:, None, None] * (turn[:2].T @ turn[:2])
        right += trust[:, None] * (gap @ turn[:2])
    return np.linalg.solve(matrix, right[..., None])[..., 0], float(np.mean(errors))


def _slides(model: FaceModel) -> Double:
    """Slides (2, 478, 2) m per radian of yaw and pitch, over many rendered heads."""
    heads: Any = Heads(
        model.mean_vertices.astype(float),
        model.triangles.astype(np.int64),
        model.identity_basis.astype(float),
        model.expression_basis.astype(float),
        model.triangle_parts.astype(np.int64),
        model.eye_centres_m.astype(float),
        model.eye_radius_m,
    )
    photographer = Photographer(heads)
    rng = np.random.default_rng(0)
    turns, errors = [], []
    for number in range(VIEWS):
        shape = SHAPE_SD * rng.normal(size=len(heads.identity))
        expression = random_expression(rng, rng.choice(["neutral", "neutral", "speech", "emotion"]))
        yaw, pitch = rng.uniform(-MAX_YAW_DEG, MAX_YAW_DEG), rng.uniform(-1, 1) * MAX_PITCH_DEG
        pose = Pose(angles_deg=(yaw, pitch, 0.0), distance_m=rng.uniform(0.6, 1.0))
        view = photographer.view(shape, expression, pose, number % 3)
        if view is None:
            continue
        error = _error_m(model, shape, expression, pose, view.seen)
        if np.median(np.linalg.norm(error, axis=-1)) < WRONG_M:
            turns.append((1.0, *np.radians([yaw, pitch])))
            errors.append(error.ravel())
    found = np.linalg.lstsq(np.array(turns), np.array(errors), rcond=None)[0]
    sys.stdout.write(f"slides measured on {len(turns)} of {VIEWS} renderings\n")
    return found[1:].reshape(2, -1, 2) * np.array([1.0, PITCH_SHARE])[:, None, None]


def _error_m(
    model: FaceModel, shape: Double, expression: Double, pose: Pose, seen: Double
) -> Double:
    """Where landmarks were seen (478, 2) px beside where they are, (478, 2) m right and up."""
    turn = render.rotation(*pose.angles_deg)
    middle = turn @ np.asarray(pose.look_at_m)
    place = np.array([*rotation_vector(turn), -middle[0], -middle[1], -pose.distance_m])
    focal_px, half = pose.focal * IMAGE_PX, IMAGE_PX / 2
    camera = np.array([focal_px, half, half, IMAGE_PX, IMAGE_PX], np.float32)
    points = model.landmarks(shape.astype(np.float32), expression.astype(np.float32))
    depth = -move(points, place)[:, 2:]
    return (seen - project(points, place, camera)) * (1.0, -1.0) * depth / focal_px


if __name__ == "__main__":
    main()
