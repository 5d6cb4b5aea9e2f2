"""Refines a fit by the pixels: shape and expression such that the face, drawn, looks as it is seen.

Analysis by synthesis as in Blanz and Vetter (1999) and Thies et al., "Face2Face", CVPR 2016: the
mesh is drawn with one albedo and one light per clip (`appearance`), and the robust error of colours
is traced back through a differentiable rasteriser to the coefficients. The fit to the landmarks is
the start and stays in force: the points may move little, and what raises their error by more than
a tenth is taken back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import parts
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.photometric.appearance import Appearance, Seen, fit_appearance
from emotalk_cli.face3d.photometric.cost import FrameCost, lowest
from emotalk_cli.face3d.photometric.face_patch import FacePatch, Picture

if TYPE_CHECKING:
    import torch

    from emotalk_cli.face3d.models.linear_model import FaceModel
    from emotalk_cli.schema import FaceTrack

Double = NDArray[np.float64]
Pictures = Callable[[], Iterable[Picture]]
MarkError = Callable[["FaceTrack"], Double]

KEY_FRAMES = 8
"""Pictures that the albedo, the light and the shape are found on."""
FRAME_STEPS, SHAPE_STEPS = 8, 12
UNIT_SD, ROTATION_SD_RAD, TRANSLATION_SD_M = 0.1, 0.01, (0.001, 0.001, 0.004)
"""How far a frame may go from the fit to the landmarks, standard deviations."""
STEADINESS = 4.0
"""What is changed should stay changed: weight of the change of a refinement from frame to frame
against the refinement itself."""
SPARSITY, CLEAR = 1.5, 0.1
"""Pull to less activity of a unit at rest, and the activity at which it has halved: what only the
pixels show is often a shadow."""
SHAPE_SD = 0.3
MAX_MARK_RISE = 1.08
"""The landmarks' error may become so many times as large; more is taken back."""
EASE_FRAMES = 2
SHARES = (1.0, 0.5, 0.25, 0.0)
"""Of a refinement that asks too much, so much is tried."""


@dataclass(frozen=True)
class Refined:
    """A refined track, its light (9, 3) and albedo (V, 3) in 0..1 for the vertices `ids` (V,), and
    the mean error of colours (T,), 0..255, before and after.

    Both errors are those of the best albedo and light for the geometry of then, in the same pixels.
    """

    track: FaceTrack
    appearance: Appearance
    ids: NDArray[np.int64]
    error_before: Double
    error_after: Double


class _Work:
    """One track being refined: its patch of the mesh, its key pictures, and the rasteriser."""

    def __init__(
        self, track: FaceTrack, model: FaceModel, pictures: Pictures, backend: str
    ) -> None:
        valid = np.flatnonzero(track.valid)
        if not len(valid):
            raise EmotalkError("No frame of this track shows a face.", "Check the video.")
        picks = np.linspace(0, len(valid) - 1, min(KEY_FRAMES, len(valid))).round().astype(int)
        self.keys = valid[picks].tolist()
        wanted = set(self.keys)
        self.shots = [shot for k, shot in enumerate(pictures()) if k in wanted]
        self.model = model
        self.patch = FacePatch(model, track.shape)
        self.rasteriser: parts.DifferentiableRasteriser = parts.make(
            parts.DIFFERENTIABLE_RASTERISERS, backend, self.patch.triangles
        )
        self.neighbours = self.patch.neighbours()

    def use(self, track: FaceTrack) -> None:
        """Take over the shape of the track."""
        self.patch = FacePatch(self.model, track.shape)

    def cost(self, track: FaceTrack, index: int, picture: Picture, look: Appearance) -> FrameCost:
        """The cost of one frame about where it stands in the track."""
        pose = track.head_pose[index].astype(np.float64)
        expression = track.expression[index].astype(np.float64)
        return FrameCost(self.patch, self.rasteriser, picture, track.camera, expression, pose, look)

    def appearance(self, track: FaceTrack) -> Appearance:
        """Albedo and light that explain the key pictures best, for the geometry of the track."""
        seen = []
        for index, shot in zip(self.keys, self.shots, strict=True):
            blank = Appearance(np.zeros((len(self.patch.ids), 3)), np.zeros((9, 3)))
            cost = self.cost(track, index, shot, blank)
            seen.append(Seen(_sampled(shot.image, cost.xy), cost.normals, cost.visible))
        return fit_appearance(seen, self.neighbours)


def refine(
    track: FaceTrack,
    pictures: Pictures,
    model: FaceModel,
    mark_error: MarkError,
    *,
    backend: str = "deodr",
    free_shape: bool = True,
) -> Refined:
    """Refine a track by its pictures.

    pictures: gives what the frames show, in order, each time it is called; mark_error: a track ->
    its landmarks' mean error (T,) px; free_shape: whether the shape is this track's alone. Raises
    EmotalkError where the backend is not installed or no frame shows a face.
    """
    work = _Work(track, model, pictures, backend)
    first = work.appearance(track)
    shaped = _with_shape(work, track, first, mark_error) if free_shape else track
    work.use(shaped)
    moved = _with_motion(work, shaped, pictures, work.appearance(shaped))
    before, after = _both_errors(work, track, moved, pictures, first)
    kept = _kept(track, moved, mark_error, after < before)
    work.use(kept)
    look = work.appearance(kept)
    before, after = _both_errors(work, track, kept, pictures, first, look)
    residual = mark_error(kept).astype(np.float32)
    return Refined(replace(kept, residual_px=residual), look, work.patch.ids, before, after)


def _with_shape(
    work: _Work, track: FaceTrack, look: Appearance, mark_error: MarkError
) -> FaceTrack:
    """The track with a shape that explains the key pictures better."""
    frames = zip(work.keys, work.shots, strict=True)
    costs = [
        functools.partial(_of_shape, work.cost(track, index, shot, look)) for index, shot in frames
    ]
    step = SHAPE_SD * lowest(costs, np.zeros(len(track.shape)), SHAPE_STEPS)
    allowed = MAX_MARK_RISE * mark_error(track).mean()
    for share in SHARES:
        tried = replace(track, shape=(track.shape + share * step).astype(np.float32))
        if share == 0.0 or mark_error(tried).mean() <= allowed:
            return tried
    return track


def _of_shape(frame: FrameCost, x: torch.Tensor) -> torch.Tensor:
    return frame.of(None, None, SHAPE_SD * x)


def _with_motion(work: _Work, track: FaceTrack, pictures: Pictures, look: Appearance) -> FaceTrack:
    """The track with expressions and poses that explain each picture better."""
    import torch

    units = track.expression.shape[1]
    pose_sd = torch.tensor([ROTATION_SD_RAD] * 3 + list(TRANSLATION_SD_M), dtype=torch.float64)
    expression, head_pose = track.expression.copy(), track.head_pose.copy()
    start = np.zeros(units + 6)
    for index, shot in enumerate(pictures()):
        if index >= len(track.valid) or not track.valid[index]:
            continue
        frame = work.cost(track, index, shot, look)

        last = torch.tensor(start)
        pull = torch.tensor(SPARSITY * CLEAR / (CLEAR + track.expression[index].astype(np.float64)))

        def cost(
            x: torch.Tensor,
            frame: FrameCost = frame,
            last: torch.Tensor = last,
            pull: torch.Tensor = pull,
        ) -> torch.Tensor:
            """Colours, steadiness and sparsity of the parameters x of this frame."""
            prior = 0.5 * STEADINESS * ((x - last) ** 2).sum() + pull @ x[:units]
            return frame.of(UNIT_SD * x[:units], pose_sd * x[units:], None) + prior

        low = np.concatenate([-track.expression[index] / UNIT_SD, np.full(6, -3.0)])
        high = np.concatenate([(1.0 - track.expression[index]) / UNIT_SD, np.full(6, 3.0)])
        start = lowest([cost], np.clip(start, low, high), FRAME_STEPS, low, high)
        expression[index] += (UNIT_SD * start[:units]).astype(np.float32)
        head_pose[index] += (pose_sd.numpy() * start[units:]).astype(np.float32)
    expression = np.clip(expression, 0.0, 1.0).astype(np.float32)
    return replace(track, expression=expression, head_pose=head_pose)


def _kept(
    track: FaceTrack, moved: FaceTrack, mark_error: MarkError, better: NDArray[np.bool_]
) -> FaceTrack:
    """As much of each frame's refinement as the landmarks allow, none where it is no better."""
    allowed = MAX_MARK_RISE * mark_error(track)
    share = np.zeros(len(better))
    for tried in SHARES[:-1]:
        part = _blend(track, moved, np.full(len(better), tried))
        fits = better & (mark_error(part) <= allowed) & (share == 0.0)
        share[fits] = tried
    return _blend(track, moved, _eased(share))


def _eased(share: Double) -> Double:
    """Shares (T,) that come and go over some frames and nowhere exceed the given ones."""
    width = 2 * EASE_FRAMES + 1
    padded = np.pad(share, 2 * EASE_FRAMES, mode="edge")
    least = np.lib.stride_tricks.sliding_window_view(padded, width).min(axis=-1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(least, width).mean(axis=-1))


def _blend(track: FaceTrack, moved: FaceTrack, share: Double) -> FaceTrack:
    """The moved shape, and so much (T,) of each frame's motion."""
    part = share[:, None].astype(np.float32)
    return replace(
        moved,
        expression=track.expression + part * (moved.expression - track.expression),
        head_pose=track.head_pose + part * (moved.head_pose - track.head_pose),
    )


def _both_errors(
    work: _Work,
    track: FaceTrack,
    moved: FaceTrack,
    pictures: Pictures,
    look: Appearance,
    new_look: Appearance | None = None,
) -> tuple[Double, Double]:
    """Mean colour errors (T,), 0..255, of two tracks in the pixels that the first one covers."""
    count = len(track.valid)
    before, after = np.zeros(count), np.zeros(count)
    old, new = FacePatch(work.model, track.shape), FacePatch(work.model, moved.shape)
    new_look = new_look or look
    for index, shot in enumerate(pictures()):
        if index >= count or not track.valid[index]:
            continue
        work.patch = old
        first = work.cost(track, index, shot, look)
        before[index] = first.colour_error()
        work.patch = new
        after[index] = work.cost(moved, index, shot, new_look).colour_error(first.pixels)
    return 255.0 * before, 255.0 * after


def _sampled(image: Double, xy: Double) -> Double:
    """Colours (V, 3) of the picture at continuous places (V, 2), bilinear."""
    height, width = image.shape[:2]
    x = np.clip(xy[:, 0] - 0.5, 0.0, width - 1.001)
    y = np.clip(xy[:, 1] - 0.5, 0.0, height - 1.001)
    column, row = x.astype(int), y.astype(int)
    u, v = (x - column)[:, None], (y - row)[:, None]
    top = (1 - u) * image[row, column] + u * image[row, column + 1]
    bottom = (1 - u) * image[row + 1, column] + u * image[row + 1, column + 1]
    return np.asarray((1 - v) * top + v * bottom)
