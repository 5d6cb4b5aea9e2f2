"""Measures what MediaPipe's landmarker makes of the default model's heads.

    python -m tools.measure_landmark_offsets PHOTO...

Heads of random shape, expression and pose are rendered in the colours of the people in the photos
(every fifth in plain ones) and shown to the landmarker. What it sees beside the truth is explained,
by least squares, by a fixed offset, by slides with the head's turn, and by offsets with each unit
and each shape; all alike on both sides of the face. What is left within pictures of one person is
kept as its principal components. Writes `emotalk_cli/assets/landmark_offsets.npz`. The photos: calm
faces, seen from the front; keep some people back for `tools.evaluate_fit`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import move, project, rotation_matrix, yaw_pitch_roll
from emotalk_cli.face3d.face_mesh import FaceMesh
from emotalk_cli.face3d.fitting.basis import lips_closed
from emotalk_cli.face3d.fitting.eyes import MIDDLE, SHUT_SHARE
from emotalk_cli.face3d.fitting.landmark_offsets import (
    OFFSETS_PATH,
    SLIDE_TERMS,
    LandmarkOffsets,
    turn_terms,
    write_offsets,
)
from emotalk_cli.face3d.fitting.points import (
    INNER_CORNERS,
    INNER_LIPS,
    LIDS_LEFT,
    LIDS_RIGHT,
    OUTER_LIPS,
)
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.models.linear_model import FaceModel
from tools.rendered_heads import HeadStudio, random_face, read_skins

Float = NDArray[np.float32]
Double = NDArray[np.float64]

VIEWS = 5000
PLAIN_EVERY = 5
PEOPLE, PICTURES = 60, 14
"""Of so many people so many pictures are taken to see how the landmarker errs within one person."""
SHAPE_SD = 0.8
MAX_TURN_DEG = (30.0, 18.0, 6.0)
DISTANCE_M = (0.65, 1.0)
PRIOR_VIEWS = 5.0
DEPTH_PRIOR_VIEWS = 100.0
"""Responses are shrunk as if so many views at full strength had shown none."""
MODES = 30
MODE_NOISE_M = 0.0005
"""Least error of one landmark besides the modes."""
LIPS_NEAR_M, LIPS_SHARE = 0.02, 0.35
"""On the lips, modes count by this share, fully from this distance on: what the lips do is heard,
and is to be followed."""
MIRROR = np.array([-1.0, 1.0, 1.0])
MIRROR_TURNS = np.array([[1, -1], [-1, 1], [-1, 1], [-1, 1], [1, -1]])[:, None]
"""Seen in a mirror, slides (5, 1, 2) point to the other side, and yaw turns the other way."""


@dataclasses.dataclass(frozen=True)
class Views:
    """What was rendered and seen: shape (N, S), expression (N, E), head_pose (N, 6), landmarks
    (N, 478, 2) px, plain (N,) whether without a photo's skin, camera (5,).
    """

    shape: Float
    expression: Float
    head_pose: Float
    landmarks: Float
    plain: NDArray[np.bool_]
    camera: Float


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--views", type=int, default=VIEWS)
    parser.add_argument("-o", "--out", type=Path, default=OFFSETS_PATH)
    args = parser.parse_args()
    model = load_default_face_model()
    skins, notes = read_skins(args.photos, model)
    for note in notes:
        sys.stdout.write(f"left out: {note}\n")
    studio, plain = HeadStudio(model, skins), HeadStudio(model)
    measure = Measure(model)
    views = _photograph(studio, plain, model, args.views, seed=7, pictures=1)
    found = measure.response(views)
    sys.stdout.write(
        f"{len(views.shape)} views: {_rms_mm(measure.left(views, found)):.2f} mm left\n"
    )
    people = _photograph(studio, studio, model, PEOPLE * PICTURES, seed=900, pictures=PICTURES)
    modes = measure.modes(measure.left(people, found), people)
    write_offsets(dataclasses.replace(found, modes_m=modes), model, args.out)


def _photograph(
    studio: HeadStudio,
    plain: HeadStudio,
    model: FaceModel,
    count: int,
    *,
    seed: int,
    pictures: int,
) -> Views:
    """Show `count` random heads to the landmarker, each person in so many pictures."""
    rng, mesh = np.random.default_rng(seed), FaceMesh(static=True)
    rows = []
    shape, distance, colours = np.zeros(0, np.float32), 0.0, 0
    for number in range(count):
        if number % pictures == 0:
            shape = (SHAPE_SD * rng.normal(size=len(model.identity_basis))).astype(np.float32)
            distance, colours = rng.uniform(*DISTANCE_M), int(rng.integers(100))
        expression = random_face(rng, model.expression_names)
        angles = [rng.uniform(-most, most) for most in MAX_TURN_DEG]
        bare = number % PLAIN_EVERY == 0 and plain is not studio
        seen = mesh((plain if bare else studio).take(shape, expression, angles, distance, colours))
        if seen:
            pose = studio.head_pose(angles, distance)
            rows.append((shape, expression, pose, seen[0][:, :2], bare))
    shapes, expressions, poses, landmarks, bares = (np.array(c) for c in zip(*rows, strict=True))
    return Views(shapes, expressions, poses, landmarks, bares, studio.camera)


class Measure:
    """The model's landmarks as they are, and what explains how they are seen."""

    def __init__(self, model: FaceModel) -> None:
        bare, self._units = model.landmark_bases(np.zeros(len(model.identity_basis), np.float32))
        self._twin = np.linalg.norm((bare * MIRROR)[:, None] - bare[None], axis=-1).argmin(axis=1)
        self._neutral = lips_closed(bare)
        self._identity = lips_closed(model.at_landmarks(model.identity_basis))
        names = [
            name.replace("Left", "?").replace("Right", "Left") for name in model.expression_names
        ]
        self._twin_unit = [
            model.expression_names.index(name.replace("?", "Right")) for name in names
        ]

    def landmarks(self, shape: Float, expression: Float) -> Float:
        """Landmarks (..., 478, 3) m of shapes (..., S) and expressions (..., E) as they are."""
        moved = np.tensordot(shape, self._identity, 1) + np.tensordot(expression, self._units, 1)
        return np.asarray(self._neutral + moved, np.float32)

    def response(self, views: Views) -> LandmarkOffsets:
        """Offsets, slides and responses (without modes) that explain the views best."""
        rows, error = self._rows(views), _upright(self._error_m(views), views.head_pose)
        units, shapes = views.expression.shape[1], views.shape.shape[1]
        body = 2 + units + shapes
        prior = np.tile([PRIOR_VIEWS, PRIOR_VIEWS, DEPTH_PRIOR_VIEWS], body)
        prior[:6] = [1.0, 1.0, DEPTH_PRIOR_VIEWS / PRIOR_VIEWS] * 2
        prior = np.append(prior, np.full(2 * SLIDE_TERMS, PRIOR_VIEWS))
        design = rows.reshape(-1, rows.shape[-1]).astype(np.float64)
        seen = error.transpose(0, 2, 1).reshape(len(design), -1)
        found = np.linalg.solve(design.T @ design + np.diag(prior), design.T @ seen)
        points = found.shape[1]
        offsets = found[: 3 * body].reshape(body, 3, points).transpose(0, 2, 1)
        slide = found[3 * body :].reshape(SLIDE_TERMS, 2, points).transpose(0, 2, 1)
        return self._symmetric(offsets[0], offsets[2 : 2 + units], offsets[2 + units :], slide)

    def left(self, views: Views, found: LandmarkOffsets) -> Double:
        """What is unexplained, (N, 478, 2) m to the right and up of an upright head."""
        error = _upright(self._error_m(views), views.head_pose)
        offset = found.offset_m + np.tensordot(views.expression, found.unit_m, 1)
        offset = offset + np.tensordot(views.shape, found.identity_m, 1)
        turn = rotation_matrix(views.head_pose[:, :3])[:, :2]
        shown = _upright(np.einsum("nxy,nly->nlx", turn, offset), views.head_pose)
        slid = np.tensordot(turn_terms(views.head_pose), found.slide_m, 1)
        return np.asarray(error - shown - slid, np.float64)

    def modes(self, left: Double, views: Views) -> Float:
        """Principal components (K, 478, 3) m of what is left within each person's pictures."""
        groups = np.unique(views.shape, axis=0, return_inverse=True)[1].ravel()
        within = np.concatenate(
            [left[groups == g] - left[groups == g].mean(axis=0) for g in set(groups)]
        )
        within = within * np.sqrt(PICTURES / (PICTURES - 1))
        both = np.concatenate([within, within[:, self._twin] * MIRROR[:2]]).reshape(
            2 * len(within), -1
        )
        covariance = both.T @ both / len(both)
        values, vectors = np.linalg.eigh(covariance)
        modes = (vectors[:, -MODES:] * np.sqrt(values[-MODES:])).T[::-1]
        rest = (np.diag(covariance) - (modes**2).sum(axis=0)).reshape(-1, 2).mean(axis=1)
        weight = np.repeat(1.0 / np.maximum(rest, MODE_NOISE_M**2), 2)
        rigid = self._rigid()
        gain = np.linalg.solve(rigid * weight @ rigid.T, rigid * weight @ modes.T)
        flat = (modes - gain.T @ rigid).reshape(MODES, -1, 2) * self._mode_share()[:, None]
        return np.concatenate([flat, np.zeros_like(flat[..., :1])], axis=-1).astype(np.float32)

    def _error_m(self, views: Views) -> Double:
        """Where landmarks were seen beside where they are, (N, 478, 2) m right and up."""
        errors = []
        for k, pose in enumerate(views.head_pose):
            neutral = self._neutral + np.tensordot(views.shape[k], self._identity, 1)
            points = self.landmarks(views.shape[k], views.expression[k])
            seen = _lids_set_right(views.landmarks[k], project(neutral, pose, views.camera))
            depth = -move(points, pose)[:, 2:]
            gap = seen - project(points, pose, views.camera)
            errors.append(gap * (1.0, -1.0) * depth / views.camera[0])
        return np.array(errors)

    def _rows(self, views: Views) -> Float:
        """Rows (N, 2, C): offsets of photos' and of plain skins, units, shapes, slides."""
        turn = rotation_matrix(views.head_pose[:, :3])[:, :2]
        upright = _upright(turn.transpose(0, 2, 1), views.head_pose).transpose(0, 2, 1)
        skins = np.stack([~views.plain, views.plain], axis=1)
        strength = np.concatenate([skins, views.expression, views.shape], axis=1)
        body = (strength[:, None, :, None] * upright[:, :, None]).reshape(len(turn), 2, -1)
        terms = turn_terms(views.head_pose)
        slides = (terms[:, None, :, None] * np.eye(2)[None, :, None]).reshape(len(turn), 2, -1)
        return np.concatenate([body, slides], axis=2).astype(np.float32)

    def _symmetric(
        self, offset: Double, unit: Double, identity: Double, slide: Double
    ) -> LandmarkOffsets:
        """The same on both sides of the face."""
        twin = self._twin
        # How mirrored shapes are mixed of the model's own.
        flat = self._identity.reshape(len(identity), -1).T
        turned = (self._identity[:, twin] * MIRROR).reshape(len(identity), -1).T
        mix = np.linalg.lstsq(flat, turned, rcond=None)[0]
        mirrored = np.einsum("jlx,jk->klx", identity[:, twin] * MIRROR, mix)
        halves = (
            lips_closed((offset + offset[twin] * MIRROR) / 2.0),
            (unit + unit[self._twin_unit][:, twin] * MIRROR) / 2.0,
            lips_closed((identity + mirrored) / 2.0),
            (slide + slide[:, twin] * MIRROR_TURNS) / 2.0,
        )
        single = (np.asarray(half, np.float32) for half in halves)
        return LandmarkOffsets(*single, np.zeros((0, len(twin), 3), np.float32))

    def _rigid(self) -> Double:
        """How the head's turns, shifts and growth move the points, (6, 956)."""
        x, y, z = self._neutral.T.astype(np.float64)
        none, one = np.zeros_like(x), np.ones_like(x)
        pairs = ((none, -z), (z, none), (-y, x), (one, none), (none, one), (x, y))
        return np.stack([np.stack(pair, axis=-1) for pair in pairs]).reshape(len(pairs), -1)

    def _mode_share(self) -> Double:
        lips = self._neutral[[*OUTER_LIPS, *INNER_CORNERS, *(i for p in INNER_LIPS for i in p)]]
        away = np.linalg.norm(self._neutral[:, None] - lips[None], axis=-1).min(axis=1)
        return np.asarray(np.clip(away / LIPS_NEAR_M, LIPS_SHARE, 1.0), np.float64)


def _lids_set_right(seen: Float, open_px: Float) -> Float:
    """Landmarks (478, 2) px with lids that shut, knowing where those of the open eyes would be."""
    right = seen.copy()
    for upper, lower in (np.array(LIDS_RIGHT).T, np.array(LIDS_LEFT).T):
        gap = seen[upper] - seen[lower]
        height, whole = (
            float(np.linalg.norm(g[MIDDLE], axis=-1).mean())
            for g in (gap, open_px[upper] - open_px[lower])
        )
        openness = max(height / whole, 1e-6)
        shut = max((openness - SHUT_SHARE) / (1.0 - SHUT_SHARE), 0.0)
        right[upper] = seen[lower] + min(shut / openness, 1.0) * gap
    return right


def _upright(vectors: NDArray[np.floating], head_pose: Float) -> Double:
    """Vectors (N, P, 2) right and up in the picture -> to the right and up of an upright head."""
    roll = yaw_pitch_roll(head_pose)[:, 2].astype(np.float64)
    cosine, sine = np.cos(roll)[:, None], np.sin(roll)[:, None]
    right, up = vectors[..., 0], vectors[..., 1]
    return np.stack([cosine * right + sine * up, cosine * up - sine * right], axis=-1)


def _rms_mm(error: Double) -> float:
    return float(1e3 * np.sqrt((error**2).mean()))


if __name__ == "__main__":
    main()
