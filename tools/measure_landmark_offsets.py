"""Measures where real faces carry MediaPipe's landmarks beside the default model's.

    python -m tools.measure_landmark_offsets PHOTO...

Fits every photo, takes what the fit leaves at each landmark, in model space, along the surface,
the same on both sides, over all people; repeats with the offsets found. Writes
`emotalk_cli/assets/landmark_offsets.npz`. Use many people with calm faces seen from the front.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import move, project, rotation_matrix
from emotalk_cli.face3d.default_model import load_default_face_model
from emotalk_cli.face3d.fitting import photo_frames
from emotalk_cli.face3d.fitting_basis import FitBasis, basis_of
from emotalk_cli.face3d.fitting_points import INNER_LIPS, LIDS_LEFT, LIDS_RIGHT, inter_ocular
from emotalk_cli.face3d.landmark_offsets import OFFSETS_PATH, landmark_offsets, tie_digest
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.render.photo import read_photo

ROUNDS = 5
OUTLIER_M = 0.004
PRIOR_PHOTOS = 1.0
"""Offsets are shrunk as if so many photos had none, and much more across the surface."""
NORMAL_PRIOR_PHOTOS = 8.0


@dataclasses.dataclass(frozen=True)
class Photo:
    """Landmarks (478, 3) px of one face and the picture's size, px."""

    landmarks: NDArray[np.float32]
    width_px: int
    height_px: int


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    photos = [p for p in map(_read, parser.parse_args().photos) if p]
    model = load_default_face_model()
    older = basis_of(model)
    basis = dataclasses.replace(older, neutral=older.neutral - landmark_offsets(model))
    mirrored = basis.neutral * np.array([-1.0, 1.0, 1.0], np.float32)
    twin = np.linalg.norm(mirrored[:, None] - basis.neutral[None], axis=-1).argmin(axis=1)
    offset = np.zeros((len(twin), 3))
    for _ in range(ROUNDS):
        moved = dataclasses.replace(basis, neutral=(basis.neutral + offset).astype(np.float32))
        step, share = _left_over(moved, photos, offset)
        offset = offset + step
        offset = (offset + offset[twin] * (-1.0, 1.0, 1.0)) / 2.0
        for upper, lower in INNER_LIPS + LIDS_RIGHT + LIDS_LEFT:
            offset[upper] = offset[lower] = (offset[upper] + offset[lower]) / 2.0
        sys.stdout.write(
            f"{len(photos)} photos: {100 * share:.2f} % of the inter-ocular distance\n"
        )
    np.savez_compressed(OFFSETS_PATH, offset_m=offset.astype(np.float32), tie=tie_digest(model))


def _read(path: Path) -> Photo | None:
    try:
        image = read_photo(path)
        face = require_face(image, path)
    except EmotalkError as error:
        sys.stdout.write(f"left out: {error.problem}\n")
        return None
    return Photo(face.landmarks, image.shape[1], image.shape[0])


def _left_over(
    basis: FitBasis, photos: list[Photo], offset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The step (478, 3) m of the offsets, and the mean error as a share of the eyes' distance."""
    across = basis.normals[:, :, None] * basis.normals[:, None, :]
    prior = NORMAL_PRIOR_PHOTOS * across + PRIOR_PHOTOS * np.eye(3)
    matrix = prior.copy()
    right = -np.einsum("lij,lj->li", prior, offset)
    errors = []
    for photo in photos:
        frames, shape = photo_frames(photo.landmarks, photo.width_px, photo.height_px, basis)
        points = basis.shaped(shape) + np.tensordot(frames.expression[0], basis.deltas, 1)
        gap = photo.landmarks[:, :2] - project(points, frames.head_pose[0], frames.camera)
        errors.append(np.linalg.norm(gap, axis=1).mean() / inter_ocular(photo.landmarks[:, :2]))
        depth = -move(points, frames.head_pose[0])[:, 2]
        gap = gap * (1.0, -1.0) * (depth / frames.camera[0])[:, None]
        turn = rotation_matrix(frames.head_pose[0, :3])
        facing = np.clip((basis.normals @ turn.T)[:, 2] / 0.4, 0.02, 1.0)
        trust = facing / (1.0 + (gap**2).sum(axis=1) / OUTLIER_M**2)
        matrix += trust[:, None, None] * (turn[:2].T @ turn[:2])
        right += trust[:, None] * (gap @ turn[:2])
    return np.linalg.solve(matrix, right[..., None])[..., 0], float(np.mean(errors))


if __name__ == "__main__":
    main()
