"""Refinement by the pixels: differentiable drawing, light and albedo, known truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emotalk_cli import parts
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.photometric.appearance import Seen, fit_appearance, harmonics
from emotalk_cli.face3d.photometric.face_patch import FacePatch, Picture
from emotalk_cli.face3d.photometric.refine import _eased, refine
from emotalk_cli.schema import FaceTrack, MadeBy

SIZE = 96
FRAMES = 6
LIGHT = np.zeros((9, 3))
LIGHT[0], LIGHT[1], LIGHT[3] = 0.7, 0.25, 0.35
TRIANGLES = np.array([[0, 2, 1], [1, 2, 3]], np.int32)
XY = np.array([[6.2, 5.1], [24.7, 7.3], [8.4, 25.6], [26.3, 24.9]])
DEPTH = np.array([1.0, 1.1, 1.2, 1.05])
COLOURS = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.4], [0.5, 0.5, 0.9], [0.7, 0.2, 0.1]])


def rasteriser(name: str, triangles: np.ndarray) -> parts.DifferentiableRasteriser:
    module = {"deodr": "trimesh", "pytorch3d": "pytorch3d"}[name]
    pytest.importorskip(module)
    pytest.importorskip(name)
    made: parts.DifferentiableRasteriser = parts.make(
        parts.DIFFERENTIABLE_RASTERISERS, name, triangles
    )
    return made


@pytest.mark.parametrize("name", ["deodr", "pytorch3d"])
def test_errors_are_traced_back_to_colours_and_places(name: str) -> None:
    drawer = rasteriser(name, TRIANGLES)
    ground = np.full((32, 32, 3), 0.3)
    target = drawer.draw(XY + np.array([0.8, -0.5]), DEPTH, COLOURS[::-1].copy(), ground)

    def cost(xy: np.ndarray, colours: np.ndarray) -> float:
        return float(0.5 * ((drawer.draw(xy, DEPTH, colours, ground) - target) ** 2).sum())

    drawn = drawer.draw(XY, DEPTH, COLOURS, ground)
    assert np.abs(drawn[1:4, 1:4] - 0.3).max() < 1e-6, "the ground is seen beside the triangles"
    assert np.abs(drawn[15, 15] - 0.3).max() > 0.1
    by_xy, by_colours = drawer.trace(drawn - target)
    for slopes, which in ((by_colours, 1), (by_xy, 0)):
        for place in ((0, 0), (3, 1), (2, 0)):
            step = 1e-3
            ends = []
            for sign in (1, -1):
                values = [XY.copy(), COLOURS.copy()]
                values[which][place] += sign * step
                ends.append(cost(*values))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert slopes[place] == pytest.approx(slope, rel=0.15, abs=0.02)


def test_tracing_needs_a_picture() -> None:
    with pytest.raises(ValueError, match="drawn"):
        rasteriser("deodr", TRIANGLES).trace(np.zeros((4, 4, 3)))


def test_backends_that_are_missing_say_what_to_install() -> None:
    try:
        import pytorch3d  # noqa: F401
    except ImportError:
        with pytest.raises(EmotalkError, match="PyTorch3D cannot be used") as refusal:
            parts.make(parts.DIFFERENTIABLE_RASTERISERS, "pytorch3d", TRIANGLES)
        assert "deodr" in refusal.value.next_step


def ball(count: int) -> np.ndarray:
    normals = np.random.default_rng(0).normal(size=(count, 3))
    normals[:, 2] = np.abs(normals[:, 2])
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def test_light_and_albedo_are_told_apart() -> None:
    from scipy.sparse import identity

    normals, rng = ball(600), np.random.default_rng(1)
    albedo = np.clip(0.5 + 0.1 * rng.normal(size=(600, 3)), 0.1, 0.9)
    pictures = []
    for _ in range(8):
        colours = albedo * (harmonics(normals) @ LIGHT)
        colours[rng.random(600) < 0.05] = 1.0  # glints
        pictures.append(Seen(colours, normals, np.ones(600)))
    found = fit_appearance(pictures, identity(600).tocsr())
    truth = albedo * (harmonics(normals) @ LIGHT)
    assert np.median(np.abs(found.colours(normals) - truth)) < 0.005
    shades = [harmonics(normals) @ light for light in (found.light, LIGHT)]
    assert np.corrcoef(shades[0][:, 0], shades[1][:, 0])[0, 1] > 0.99


def test_what_is_never_seen_gets_a_colour() -> None:
    from scipy.sparse import identity

    normals = ball(50)
    weights = np.ones(50)
    weights[:5] = 0.0
    seen = Seen(np.tile([0.8, 0.5, 0.4], (50, 1)), normals, weights)
    found = fit_appearance([seen], identity(50).tocsr())
    np.testing.assert_allclose(found.albedo[0], found.albedo.mean(axis=0), atol=0.05)


def track_of(expression: np.ndarray) -> FaceTrack:
    model = load_default_face_model()
    count = len(expression)
    return FaceTrack(
        made_by=MadeBy("test", "0"),
        shape=np.zeros(len(model.identity_basis), np.float32),
        expression=expression.astype(np.float32),
        head_pose=np.tile(np.array([0, 0.1, 0, 0, -0.02, -0.6], np.float32), (count, 1)),
        camera=np.array([300, 64, 64, 128, 128], np.float32),
        residual_px=np.zeros(count, np.float32),
        valid=np.ones(count, bool),
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=model.expression_names,
        fps=25.0,
    )


@pytest.fixture(scope="module")
def filmed() -> tuple[FaceTrack, list[Picture]]:
    """A track and its pictures: the mouth of a spotted face opens."""
    model = load_default_face_model()
    expression = np.zeros((FRAMES, len(model.expression_names)))
    expression[:, model.unit_index("jawOpen")] = 0.15
    expression[FRAMES // 2 :, model.unit_index("jawOpen")] = 0.45
    track = track_of(expression)
    patch = FacePatch(model, track.shape)
    drawer = rasteriser("deodr", patch.triangles)
    spots = 0.15 * np.sin(patch.neutral.numpy() @ np.array([[500, 0, 0], [0, 400, 0], [0, 300, 0]]))
    albedo = np.clip(np.array([0.7, 0.5, 0.42]) + spots, 0.05, 0.95)
    pictures = []
    for k in range(FRAMES):
        blank = Picture(np.full((SIZE, SIZE, 3), 0.2), np.array([24.0, 24.0]), SIZE / 80)
        placed = patch.place(
            torch.tensor(track.expression[k].astype(float)),
            torch.tensor(track.head_pose[k].astype(float)),
            track.camera,
            blank,
        )
        colours = albedo * (harmonics(placed.normals.numpy()) @ LIGHT)
        drawn = drawer.draw(placed.xy.numpy(), placed.depth.numpy(), colours, blank.image)
        pictures.append(replace(blank, image=drawn))
    return track, pictures


def test_the_pixels_bring_expressions_nearer_to_the_truth(
    filmed: tuple[FaceTrack, list[Picture]],
) -> None:
    truth, pictures = filmed
    model = load_default_face_model()
    jaw = model.unit_index("jawOpen")
    wrong = truth.expression.copy()
    wrong[:, jaw] = 0.3
    track = replace(truth, expression=wrong)

    def marks(t: FaceTrack) -> np.ndarray:
        return project(model.landmarks(t.shape, t.expression), t.head_pose, t.camera)

    seen = marks(truth)

    def mark_error(t: FaceTrack) -> np.ndarray:
        # As if the landmarker erred by a tenth of a pixel.
        return np.linalg.norm(marks(t) - seen, axis=-1).mean(axis=-1) + 0.1

    found = refine(track, lambda: iter(pictures), model, mark_error, free_shape=False)
    assert found.error_after.mean() < 0.9 * found.error_before.mean()
    assert (mark_error(found.track) <= 1.1 * mark_error(track)).all()
    np.testing.assert_array_equal(found.track.shape, track.shape)
    before = np.abs(wrong[:, jaw] - truth.expression[:, jaw]).mean()
    after = np.abs(found.track.expression[:, jaw] - truth.expression[:, jaw]).mean()
    assert after < before
    assert 0.0 <= found.track.expression.min() <= found.track.expression.max() <= 1.0
    again = refine(track, lambda: iter(pictures), model, mark_error, free_shape=False)
    np.testing.assert_array_equal(found.track.expression, again.track.expression)


def test_what_hurts_the_landmarks_is_taken_back(filmed: tuple[FaceTrack, list[Picture]]) -> None:
    track, pictures = filmed
    shifted = [replace(p, origin_px=p.origin_px + 3.0) for p in pictures]

    def mark_error(t: FaceTrack) -> np.ndarray:
        change = np.abs(t.expression - track.expression).sum(axis=1)
        return 0.1 + change + np.abs(t.head_pose - track.head_pose).sum(axis=1)

    model = load_default_face_model()
    found = refine(track, lambda: iter(shifted), model, mark_error, free_shape=False)
    assert (mark_error(found.track) <= 1.1 * mark_error(track)).all()


def test_shares_come_and_go_smoothly_and_never_exceed() -> None:
    share = np.ones(30)
    share[12] = 0.0
    eased = _eased(share)
    assert (eased <= share).all()
    assert np.abs(np.diff(eased)).max() < 0.25
    assert eased[0] == eased[-1] == 1.0
