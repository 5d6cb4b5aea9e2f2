"""fit-3dmm --photometric: a track refined by the pictures that it was fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import parts
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.track_pictures import has_pictures, is_photo_name, shots_of

if TYPE_CHECKING:
    from emotalk_cli.face3d.models.linear_model import FaceModel
    from emotalk_cli.face3d.photometric.face_patch import Picture

Float = NDArray[np.float32]

REVISION = 1
"""Counts the changes of the refinement that change its results."""
PICTURE_PX = 160
MARGIN = 1.15
"""Side of the pictures that are compared, over the span of the landmarks."""


@dataclass(frozen=True)
class PixelFit:
    """A refined track, and what is to be said about it."""

    track: FaceTrack
    note: str


def require_backend(backend: str) -> None:
    """Raise EmotalkError unless the differentiable rasteriser `backend` is known and installed."""
    if backend not in parts.DIFFERENTIABLE_RASTERISERS:
        raise EmotalkError(
            f"There is no --photometric-backend '{backend}'.",
            f"Known: {', '.join(parts.DIFFERENTIABLE_RASTERISERS)}.",
        )
    parts.make(parts.DIFFERENTIABLE_RASTERISERS, backend, np.array([[0, 1, 2]], np.int32))


def require_pictures(source: Path) -> None:
    """Raise EmotalkError for a clip that was preprocessed without its frames."""
    if not has_pictures(source):
        raise EmotalkError(
            f"{source} holds no pictures to compare with.",
            "Run `emotalk preprocess` again with --frames, or fit without --photometric.",
        )


def pixel_fit(
    track: FaceTrack,
    source: Path,
    landmarks: Float,
    model: FaceModel,
    *,
    backend: str,
    free_shape: bool,
) -> PixelFit:
    """Refine a track by the pixels of its source; landmarks (T, 478, 3) px are what was seen."""
    import torch

    from emotalk_cli.face3d.camera import project
    from emotalk_cli.face3d.landmark_error import landmark_error
    from emotalk_cli.face3d.photometric.face_patch import Picture
    from emotalk_cli.face3d.photometric.refine import refine

    points = project(model.landmarks(track.shape, track.expression), track.head_pose, track.camera)
    low, high = points.min(axis=1), points.max(axis=1)
    side = MARGIN * float(np.median((high - low).max(axis=1)))

    def pictures() -> Iterator[Picture]:
        for shot, centre in zip(shots_of(source, track.fps), (low + high) / 2, strict=False):
            near = shot.square(centre, side, PICTURE_PX)
            yield Picture(near.picture / 255.0, near.origin_px.astype(np.float64), near.scale)

    def mark_error(tried: FaceTrack) -> NDArray[np.float64]:
        return landmark_error(tried, landmarks, model, photo=is_photo_name(source))

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small matrices: more threads only wait for one another
    try:
        found = refine(track, pictures, model, mark_error, backend=backend, free_shape=free_shape)
    finally:
        torch.set_num_threads(threads)
    seen = track.valid
    before, after = found.error_before[seen].mean(), found.error_after[seen].mean()
    marks = mark_error(track)[seen].mean(), found.track.residual_px[seen].mean()
    note = (
        f"the drawn face's colours are {after:.1f} instead of {before:.1f} of 255 off; "
        f"its landmarks {marks[1]:.2f} instead of {marks[0]:.2f} px."
    )
    albedo = np.tile(found.appearance.albedo.mean(axis=0), (len(model.mean_vertices), 1))
    albedo[found.ids] = found.appearance.albedo
    refined = replace(
        found.track,
        albedo=albedo.astype(np.float32),
        light=found.appearance.light.astype(np.float32),
        colour_error=found.error_after.astype(np.float32),
    )
    return PixelFit(refined, note)
