"""A look at fits: landmarks seen and fitted, and the mesh, over the pictures, as mp4 or PNG."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import safe_files, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.progress import Progress
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.track_pictures import Shot, has_pictures, is_photo_name, shots_of

if TYPE_CHECKING:
    from emotalk_cli.face3d.models.linear_model import FaceModel

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

PANEL_PX = 480
FOOT_PX = 28
MARGIN = 1.5
"""Side of what is shown, over the span of the landmarks."""
MAX_SOURCES, MAX_SECONDS = 6, 8.0
"""Of many clips so many are shown, evenly spread, each for at most so long."""
SEEN, FITTED, INK, FOOT = (90, 230, 90), (255, 70, 70), (240, 240, 240), (24, 24, 24)


def require_preview(path: Path, source: Path, *, overwrite: bool) -> None:
    """Raise EmotalkError if a preview of `source` could not be written to `path`."""
    wanted = ".png" if is_photo_name(source) else ".mp4"
    if path.suffix.lower() != wanted:
        raise EmotalkError(
            f"{path} is no name for a preview of {source}.", f"Give --preview NAME{wanted}."
        )
    if path.exists() and not overwrite:
        raise StaleOutputError(f"{path} exists already.", "Add --overwrite, or name another file.")
    safe_files.require_writable(path)


def draw_preview(
    pairs: Sequence[tuple[Path, Path]], path: Path, model: FaceModel, progress: Progress
) -> Path:
    """Draw the fits of sources and their tracks into one mp4, or that of a photo into a PNG.

    Left: green what the landmarker saw, red what was fitted. Right: the mesh. Below: the clip, the
    time and the error as a share of the distance between the eyes.
    """
    from emotalk_cli.render.sheet import write_png
    from emotalk_cli.render.video import VideoWriter

    picks = np.linspace(0, len(pairs) - 1, min(MAX_SOURCES, len(pairs))).round().astype(int)
    chosen = [pairs[i] for i in picks]
    progress.task("Drawing the preview", len(chosen))
    frames = itertools.chain.from_iterable(
        _frames(source, store.read(track, FaceTrack), model, progress) for source, track in chosen
    )
    if path.suffix.lower() == ".png":
        return write_png(next(frames), path)
    fps = float(store.read_field(chosen[0][1], FaceTrack, "fps"))
    with VideoWriter(path, 2 * PANEL_PX, PANEL_PX + FOOT_PX, fps, synthetic=False) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def _frames(
    source: Path, track: FaceTrack, model: FaceModel, progress: Progress
) -> Iterator[Picture]:
    from emotalk_cli.face3d.fitting.points import inter_ocular
    from emotalk_cli.face3d.landmark_error import shown_landmarks
    from emotalk_cli.render.overlay import MeshOverlay

    progress.advance()
    points = shown_landmarks(track, model, photo=is_photo_name(source))
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    centre, side = (low + high) / 2, MARGIN * float((high - low).max())
    overlay = MeshOverlay(track, model)
    shares = track.residual_px / np.maximum(inter_ocular(points), 1.0)
    shots = shots_of(source, track.fps) if has_pictures(source) else _blank(source, len(points))
    for index, shot in enumerate(itertools.islice(shots, round(MAX_SECONDS * track.fps))):
        if index >= len(points):  # a video's last frames may round away
            return
        near = shot.square(centre, side, PANEL_PX)
        left = _with_points(near, points[index])
        right = overlay.draw(near.picture, index, near.origin_px, near.scale)
        lost = "" if track.valid[index] else "   face lost, filled in"
        text = (
            f"{track.labels.clip_id}   {index / track.fps:.2f} s   "
            f"error {shares[index]:.1%} of the eyes' distance{lost}"
        )
        yield _with_foot(np.concatenate([left, right], axis=1), text)


def _blank(source: Path, count: int) -> Iterator[Shot]:
    """Black pictures with the landmarks of a clip that was preprocessed without its frames."""
    from emotalk_cli.schema import Clip

    seen = store.read_field(source, Clip, "landmarks")[..., :2]
    valid = store.read_field(source, Clip, "valid")
    black = np.zeros((2, 2, 3), np.uint8)
    for index in range(count):
        points = seen[index] if valid[index] else None
        yield Shot(black, np.zeros(2, np.float32), 1.0, points)


def _with_points(shot: Shot, fitted: Float) -> Picture:
    """The picture with what was seen and what was fitted, each a dot."""
    import cv2

    picture = shot.picture.copy()
    for points, colour, radius in ((shot.landmarks, SEEN, 17), (fitted, FITTED, 8)):
        if points is not None:
            placed = ((points - shot.origin_px) * shot.scale * 8).round().astype(int)
            for x, y in placed.tolist():
                cv2.circle(picture, (x, y), radius, colour, -1, cv2.LINE_AA, 3)  # 1/8 px
    return picture


def _with_foot(picture: Picture, text: str) -> Picture:
    import cv2

    foot = np.full((FOOT_PX, picture.shape[1], 3), FOOT, np.uint8)
    cv2.putText(foot, text, (8, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return np.concatenate([picture, foot], axis=0)
