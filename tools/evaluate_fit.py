"""Measures the fit: on rendered heads whose truth is known, and on films of real people.

    python -m tools.evaluate_fit --portraits PHOTO... --films FILM... --films FILM...

Known truth: heads of random shape act random expressions and turn within 25 degrees of yaw and 15
of pitch, in the colours of the portraits' people (plain ones without), filmed and shown to the
real landmarker; the fit knows nothing else. Then calm heads are turned from side to side: no unit
should move. Films: how far the fitted landmarks lie from those seen, whether closed lips are
closed, and how steady the fit is. One --films is one person. Prints tables; goals in brackets.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import rotation_matrix, rotation_vector
from emotalk_cli.face3d.face_mesh import FaceMesh
from emotalk_cli.face3d.face_tracking import track_faces
from emotalk_cli.face3d.fitting.fit import fit_identity, fit_photo, fit_sequence
from emotalk_cli.face3d.fitting.points import (
    INNER_CORNERS,
    INNER_LIPS,
    OUTER_LIPS,
    inter_ocular,
    lip_gap,
)
from emotalk_cli.face3d.landmark_error import shown_landmarks
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.media import probe, read_frames
from emotalk_cli.schema import FaceTrack, MadeBy
from tools.rendered_heads import SIZE_PX, HeadStudio, random_face, read_skins

Float = NDArray[np.float32]
Double = NDArray[np.float64]

HEADS, FRAMES, FPS = 40, 48, 25.0
SWEEPS, SWEEP_FRAMES = 6, 51
EXPRESSION_FRAMES, POSE_FRAMES = 8, 12
"""Frames from one expression or pose to the next."""
MAX_TURN_DEG = (25.0, 15.0, 6.0)
DISTANCE_M = (0.7, 1.0)
SHAPE_SD = 0.8
ACTIVE = 0.1
PHOTO_EVERY = 12
"""Every so many frames one is fitted as a photo, too."""
CLOSED = 0.1
"""Share of a film's frames, the most closed ones, in which the gap of the lips is compared."""
REGIONS = {
    "mouth and jaw": ("mouth", "jaw"),
    "brows": ("brow",),
    "gaze": ("eyeLook",),
    "lids": ("eyeBlink", "eyeSquint", "eyeWide"),
    "cheeks and nose": ("cheek", "nose"),
}
LIPS = [*OUTER_LIPS, *INNER_CORNERS, *(i for pair in INNER_LIPS for i in pair)]
MADE_BY = MadeBy("tools.evaluate_fit", "0")


@dataclasses.dataclass(frozen=True)
class Film:
    """A head's truth and what the landmarker saw: shape (S,), expression (T, E), head_pose (T, 6),
    landmarks (T, 478, 3) px, valid (T,).
    """

    shape: Float
    expression: Float
    head_pose: Float
    landmarks: Float
    valid: NDArray[np.bool_]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--portraits", nargs="*", type=Path, default=[], help="for their colours")
    parser.add_argument(
        "--films", nargs="+", type=Path, action="append", default=[], help="of one person"
    )
    parser.add_argument("--heads", type=int, default=HEADS)
    parser.add_argument("--units", action="store_true", help="a line for each unit, too")
    parser.add_argument("--sheet", type=Path, help="write a picture of the rendered heads")
    args = parser.parse_args()
    model = load_default_face_model()
    skins, notes = read_skins(args.portraits, model)
    for note in notes:
        say(f"left out: {note}")
    studio = HeadStudio(model, skins)
    if args.sheet:
        write_sheet(args.sheet, studio, model)
    if args.heads:
        films = act(studio, model, args.heads)
        known_truth(films, studio, model, args.units)
        yaw_sweep(studio, model)
    for paths in args.films:
        real_films(paths, model)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def act(studio: HeadStudio, model: FaceModel, heads: int) -> list[Film]:
    """Film random people with random expressions and poses."""
    rng, mesh = np.random.default_rng(100), FaceMesh(static=True)
    films = []
    for head in range(heads):
        shape = (SHAPE_SD * rng.normal(size=len(model.identity_basis))).astype(np.float32)
        calm = np.zeros(len(model.expression_names), np.float32)
        others = FRAMES // EXPRESSION_FRAMES + 1
        keys = [calm, *(random_face(rng, model.expression_names) for _ in range(others))]
        turns = rng.uniform(-1, 1, (FRAMES // POSE_FRAMES + 2, 3)) * MAX_TURN_DEG
        distance = rng.uniform(*DISTANCE_M)
        moments = np.arange(FRAMES)
        expression = eased(np.array(keys), moments / EXPRESSION_FRAMES)
        angles = eased(turns, moments / POSE_FRAMES)
        films.append(film(studio, mesh, shape, expression, angles, distance, head))
    return films


def eased(keys: NDArray[np.floating], moments: Double) -> Float:
    """Values (T, ...) that go from key to key (K, ...) and rest at each; moments in keys."""
    first = moments.astype(int)
    share = (0.5 - 0.5 * np.cos(np.pi * (moments - first)))[:, None]
    return np.asarray((1 - share) * keys[first] + share * keys[first + 1], np.float32)


def film(
    studio: HeadStudio,
    mesh: FaceMesh,
    shape: Float,
    expression: Float,
    angles_deg: Float,
    distance_m: float,
    colours: int,
) -> Film:
    """Film one head; expression (T, E), yaw, pitch and roll (T, 3)."""
    rows, poses = [], []
    for weights, angles in zip(expression, angles_deg, strict=True):
        seen = mesh(studio.take(shape, weights, angles, distance_m, colours))
        rows.append(seen[0] if seen else None)
        poses.append(studio.head_pose(angles, distance_m))
    valid = np.array([row is not None for row in rows])
    blank = np.zeros((478, 3), np.float32)
    landmarks = np.array([blank if row is None else row for row in rows])
    return Film(shape, expression, np.array(poses), landmarks, valid)


def known_truth(films: Sequence[Film], studio: HeadStudio, model: FaceModel, units: bool) -> None:
    """Compare fits with the truth: films, some frames as photos, and the solver alone."""
    fits = [fit_film(f, f.landmarks, model) for f in films]
    seen = sum(int(f.valid.sum()) for f in films)
    say(f"\nKnown truth: {len(films)} heads, {seen} of {len(films) * FRAMES} frames seen")
    say("                          landmarker  exact landmarks  goal")
    exact = [f for f in films[:10]]
    exact_fits = [fit_film(f, exact_landmarks(f, studio, model), model) for f in exact]
    real, solver = truth_scores(films, fits, model), truth_scores(exact, exact_fits, model)
    goals = {"active units' error": ".07", "inactive units": ".04", "pose, degrees": "1.5"}
    goals["vertices, % of eyes"] = "3"
    for name, value in real.items():
        say(f"{name:26s}{value:10.3f}  {solver[name]:15.3f}  {goals.get(name, '')}")
    photo_scores(films, model)
    if units:
        unit_lines(films, fits, model)


def fit_film(film: Film, landmarks: Float, model: FaceModel) -> FaceTrack:
    """Fit a film by its own frames alone."""
    return fit_sequence(landmarks, film.valid, SIZE_PX, SIZE_PX, FPS, model, made_by=MADE_BY)


def exact_landmarks(film: Film, studio: HeadStudio, model: FaceModel) -> Float:
    """Landmarks (T, 478, 3) px of the truth as the fit expects the landmarker to show them."""
    frames = len(film.expression)
    truth = FaceTrack(
        made_by=MADE_BY,
        shape=film.shape,
        expression=film.expression,
        head_pose=film.head_pose,
        camera=studio.camera,
        residual_px=np.zeros(frames, np.float32),
        valid=film.valid,
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=tuple(model.expression_names),
        fps=FPS,
    )
    shown = shown_landmarks(truth, model, photo=False)
    return np.concatenate([shown, film.landmarks[..., 2:]], axis=-1).astype(np.float32)


def truth_scores(
    films: Sequence[Film], fits: Sequence[FaceTrack], model: FaceModel
) -> dict[str, float]:
    """Name -> value of each score over all frames in which the face was seen."""
    found = np.concatenate([t.expression[f.valid] for f, t in zip(films, fits, strict=True)])
    true = np.concatenate([f.expression[f.valid] for f in films])
    active = true > ACTIVE
    scores = {
        "active units' error": float(np.abs(found - true)[active].mean()),
        "inactive units": float(found[true == 0].mean()),
        "share of active shown": float((found * true)[active].sum() / (true[active] ** 2).sum()),
    }
    for region, parts in REGIONS.items():
        columns = [
            i
            for i, name in enumerate(model.expression_names)
            if name.startswith(parts) and active[:, i].any()
        ]
        scores[f"correlation, {region}"] = float(
            np.mean([correlation(found[:, i], true[:, i]) for i in columns])
        )
    pose, vertices, left = [], [], []
    for one, track in zip(films, fits, strict=True):
        seen = one.valid
        pose.append(turn_error_deg(track.head_pose[seen], one.head_pose[seen]))
        vertices.append(vertex_error(one, track, model))
        eyes = inter_ocular(one.landmarks[seen][..., :2])
        left.append(track.residual_px[seen] / eyes)
    scores["pose, degrees"] = float(np.concatenate(pose).mean())
    scores["vertices, % of eyes"] = 100 * float(np.mean(vertices))
    scores["landmarks, % of eyes"] = 100 * float(np.concatenate(left).mean())
    return scores


def correlation(found: Float, true: Float) -> float:
    """Pearson's correlation; 0 where nothing was found."""
    if found.std() < 1e-6 or true.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(found, true)[0, 1])


def turn_error_deg(found: Float, true: Float) -> Float:
    """Angle (T,) between head poses (T, 6)."""
    between = np.swapaxes(rotation_matrix(true[:, :3]), 1, 2) @ rotation_matrix(found[:, :3])
    return np.asarray(np.degrees(np.linalg.norm(rotation_vector(between), axis=-1)))


def vertex_error(film: Film, track: FaceTrack, model: FaceModel) -> float:
    """Mean distance of the face's vertices after alignment, over that of the eyeballs."""
    face = np.unique(model.triangles[model.landmark_triangles])
    centres = model.eye_centres(film.shape)
    errors = []
    for t in np.flatnonzero(film.valid)[::6]:
        true = model.vertices(film.shape, film.expression[t])[face]
        found = aligned(model.vertices(track.shape, track.expression[t])[face], true)
        errors.append(np.linalg.norm(found - true, axis=1).mean())
    return float(np.mean(errors) / np.linalg.norm(centres[0] - centres[1]))


def aligned(points: Float, to: Float) -> Double:
    """Points (N, 3) moved, turned and scaled onto others (Umeyama 1991)."""
    middle, goal = points.mean(axis=0), to.mean(axis=0)
    u, s, vt = np.linalg.svd((to - goal).T @ (points - middle))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * sign).sum() / ((points - middle) ** 2).sum()
    return np.asarray(scale * (points - middle) @ (u * sign @ vt).T + goal)


def photo_scores(films: Sequence[Film], model: FaceModel) -> None:
    """Fit some frames one by one, as photos."""
    found, true, turns = [], [], []
    for one in films:
        for t in np.flatnonzero(one.valid)[::PHOTO_EVERY]:
            track = fit_photo(one.landmarks[t], SIZE_PX, SIZE_PX, model, made_by=MADE_BY)
            found.append(track.expression[0])
            true.append(one.expression[t])
            turns.append(turn_error_deg(track.head_pose, one.head_pose[t : t + 1])[0])
    fits, truth = np.array(found), np.array(true)
    active = np.abs(fits - truth)[truth > ACTIVE].mean()
    inactive = fits[truth == 0].mean()
    say(
        f"as single photos ({len(found)}): active {active:.3f}, inactive {inactive:.3f}, "
        f"pose {np.mean(turns):.2f} degrees"
    )


def unit_lines(films: Sequence[Film], fits: Sequence[FaceTrack], model: FaceModel) -> None:
    """One line for each unit."""
    found = np.concatenate([t.expression[f.valid] for f, t in zip(films, fits, strict=True)])
    true = np.concatenate([f.expression[f.valid] for f in films])
    say("\nunit                 frames  error  shown  correlation  when inactive")
    for i, name in enumerate(model.expression_names):
        on = true[:, i] > ACTIVE
        if on.any():
            error = np.abs(found - true)[on, i].mean()
            shown = (found * true)[on, i].sum() / (true[on, i] ** 2).sum()
            false = found[true[:, i] == 0, i].mean()
            link = correlation(found[:, i], true[:, i])
            say(f"{name:20s} {on.sum():6d} {error:6.2f} {shown:6.2f} {link:12.2f} {false:14.3f}")


def yaw_sweep(studio: HeadStudio, model: FaceModel) -> None:
    """Turn calm heads from side to side: the most that any unit moves."""
    rng, mesh = np.random.default_rng(200), FaceMesh(static=True)
    angles = np.zeros((SWEEP_FRAMES, 3), np.float32)
    angles[:, 0] = np.linspace(-MAX_TURN_DEG[0], MAX_TURN_DEG[0], SWEEP_FRAMES)
    calm = np.zeros((SWEEP_FRAMES, len(model.expression_names)), np.float32)
    say(f"\nYaw sweep of {SWEEPS} calm heads: units that move most (goal .06)")
    for head in range(SWEEPS):
        shape = (SHAPE_SD * rng.normal(size=len(model.identity_basis))).astype(np.float32)
        turned = film(studio, mesh, shape, calm, angles, 0.85, head)
        span = np.ptp(fit_film(turned, turned.landmarks, model).expression, axis=0)
        most = np.argsort(-span)[:3]
        moved = ", ".join(f"{model.expression_names[i]} {span[i]:.2f}" for i in most)
        say(f"  mean unit {span.mean():.3f}; {moved}")


def real_films(paths: Sequence[Path], model: FaceModel) -> None:
    """How well films of one person are explained."""
    seen = [landmarks_of(path) for path in paths]
    person = fit_identity(
        [s[0] for s in seen], [s[2] for s in seen], model, valid=[s[1] for s in seen]
    )
    rows, frames, spent = [], 0, 0.0
    for landmarks, valid, (width, height) in seen:
        start = time.process_time()
        track = fit_sequence(
            landmarks, valid, width, height, FPS, model, identity=person, made_by=MADE_BY
        )
        spent += time.process_time() - start
        frames += len(landmarks)
        shown = shown_landmarks(track, model, photo=False)
        rows.append(film_scores(landmarks[valid, :, :2], shown[valid]))
    table = np.array(rows)
    say(f"\n{paths[0]} ...: {len(paths)} films, {frames} frames; shares of the eyes' distance")
    say(f"  landmarks, median of films' medians {np.median(table[:, 0]):.2f} % (1.5)")
    say(f"  lips                                {np.median(table[:, 1]):.2f} % (1.2)")
    say(f"  lip gap, most closed tenth          {table[:, 2].mean():.2f} % (1.0)")
    say(f"  correlation of the lip gap          {table[:, 3].mean():.3f}")
    say(f"  jitter of the lips over that seen   {table[:, 4].mean():.2f} (0.5)")
    say(f"  {frames / spent:.0f} frames a second of processor time (250)")


def landmarks_of(path: Path) -> tuple[Float, NDArray[np.bool_], tuple[int, int]]:
    """Landmarks (T, 478, 3) px, valid (T,) and the picture's size of a film."""
    info = probe(path)
    landmarks, valid = track_faces(read_frames(path, FPS, info=info))
    return landmarks, valid, (info.width_px, info.height_px)


def film_scores(seen: Float, shown: Float) -> tuple[float, float, float, float, float]:
    """Landmarks (T, 478, 2) px seen and fitted -> median error of all and of the lips and error of
    the lip gap, %; the gap's correlation; jitter as a share of that seen.
    """
    eyes = inter_ocular(seen)
    error = 100 * np.linalg.norm(shown - seen, axis=-1) / eyes[:, None]
    true, found = 100 * lip_gap(seen) / eyes, 100 * lip_gap(shown) / eyes
    closed = true <= np.quantile(true, CLOSED)
    jitter = [float(np.abs(np.diff(x[:, LIPS], 3, axis=0)).mean()) for x in (shown, seen)]
    return (
        float(np.median(error)),
        float(np.median(error[:, LIPS])),
        float(np.abs(found - true)[closed].mean()),
        correlation(found, true),
        jitter[0] / jitter[1],
    )


def write_sheet(path: Path, studio: HeadStudio, model: FaceModel) -> None:
    """A picture of 24 heads with random expressions, to look at."""
    import cv2

    rng = np.random.default_rng(300)
    pictures = []
    for head in range(24):
        shape = (SHAPE_SD * rng.normal(size=len(model.identity_basis))).astype(np.float32)
        angles = rng.uniform(-1, 1, 3) * MAX_TURN_DEG
        weights = random_face(rng, model.expression_names)
        pictures.append(studio.take(shape, weights, angles, 0.85, head))
    rows = [np.hstack(pictures[k : k + 6]) for k in range(0, 24, 6)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()
