"""How well the renderer re-enacts real video: `python -m tools.reenact VIDEO...`.

The first frame that shows the face is the photo, the motion is the fit of the whole clip, and no
sound is heard. PSNR, SSIM, M-LMD and F-LMD are measured on aligned crops of 128 px (EAT protocol,
`metrics.landmarks`) against the video itself, beside two controls: `still`, the photo all the
time, which a renderer must beat, and `tracker`, the video's own landmarks found once more in
pictures made larger by a tenth, which no renderer can beat. `fit` are the landmarks of the fitted
motion as the landmarker should show them: what the renderer was told.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from emotalk_cli import parts
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.face_tracking import track_faces
from emotalk_cli.face3d.fitting.fit import fit_sequence
from emotalk_cli.face3d.landmark_error import shown_landmarks
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.media import read_frames
from emotalk_cli.metrics.evaluate import Value, compare_landmarks, compare_pictures
from emotalk_cli.metrics.landmarks import AlignedLandmarks, align
from emotalk_cli.metrics.picture import FaceCrops, crop_face
from emotalk_cli.render.sheet import contact_sheet, write_png
from emotalk_cli.schema import FaceTrack, MadeBy

FPS = 25.0
AGAIN_SCALE = 1.1
METRICS = ("PSNR", "SSIM", "M-LMD", "F-LMD")
SYSTEMS = ("renderer", "still", "fit", "tracker")
SHOWN_FRAMES = 8
MADE_BY = MadeBy("reenact", "1")

Picture = NDArray[np.uint8]
Landmarks = NDArray[np.float32]
Values = dict[tuple[str, str], float]


class Seen:
    """Pictures of one video with the landmarks (T, 478, 3) px found in them."""

    def __init__(self, pictures: list[Picture], scale: float = 1.0) -> None:
        """scale: the pictures are made so much larger for the tracker alone."""
        landmarks, self.valid = track_faces(_scaled(picture, scale) for picture in pictures)
        self.landmarks = landmarks / np.float32(scale)
        self.pictures = pictures

    def aligned(self) -> AlignedLandmarks:
        """The landmarks in the crop of 128 px."""
        return align(self.landmarks, self.valid, FPS)

    def crops(self) -> FaceCrops:
        """The aligned crops."""
        pairs = zip(self.pictures, self.landmarks, strict=True)
        return FaceCrops(np.stack([crop_face(p, xy) for p, xy in pairs]), self.valid)


def _scaled(picture: Picture, scale: float) -> Picture:
    import cv2

    if scale == 1.0:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)


def drawn(photo: Picture, landmarks: Landmarks, track: FaceTrack, renderer: str) -> list[Picture]:
    """The photo (H, W, 3) moved by a track whose frame 0 is the photo's."""
    still = replace(
        track,
        expression=track.expression[:1],
        head_pose=track.head_pose[:1],
        residual_px=track.residual_px[:1],
        valid=track.valid[:1],
    )
    person: parts.Renderer = parts.make(
        parts.RENDERERS, renderer, photo, landmarks, still, load_default_face_model()
    )
    moves = zip(track.expression, track.head_pose, strict=True)
    return [person.frame(expression, pose).copy() for expression, pose in moves]


def reenact(video: Path, renderer: str, sheets: Path | None) -> Values:
    """Measure one video; {(system, metric): value}."""
    model = load_default_face_model()
    pictures = [_even(picture) for picture in read_frames(video, FPS)]
    real = Seen(pictures)
    first = int(np.argmax(real.valid))
    real.pictures, real.landmarks = pictures[first:], real.landmarks[first:]
    real.valid = real.valid[first:]
    photo = real.pictures[0]
    height, width = photo.shape[:2]
    track = fit_sequence(real.landmarks, real.valid, width, height, FPS, model, made_by=MADE_BY)
    made = Seen(drawn(photo, real.landmarks[0], track, renderer))
    again = Seen(real.pictures, AGAIN_SCALE)
    still = Seen([photo] * len(real.pictures))
    told = align(shown_landmarks(track, model, photo=False), track.valid, FPS)
    values = {("fit", v.metric): v.value for v in _landmark_values(told, real.aligned())}
    crops = real.crops()
    for name, seen in (("renderer", made), ("still", still), ("tracker", again)):
        found = _landmark_values(seen.aligned(), real.aligned())
        found += compare_pictures(seen.crops(), crops, METRICS.__contains__)
        values |= {(name, v.metric): v.value for v in found}
    if sheets is not None:
        _show(sheets / f"{video.stem}.png", crops, made.crops())
    return values


def _even(picture: Picture) -> Picture:
    """Without the last row or column where their number is odd, as videos are."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])


def _landmark_values(made: AlignedLandmarks, real: AlignedLandmarks) -> list[Value]:
    return list(compare_landmarks(made, real, METRICS.__contains__))


def _show(path: Path, real: FaceCrops, made: FaceCrops) -> None:
    """Frames of the video above, the renderer's below."""
    moments = np.linspace(0, len(real.valid) - 1, SHOWN_FRAMES).round().astype(int)
    frames = [*real.pictures[moments], *made.pictures[moments]]
    write_png(contact_sheet(frames, SHOWN_FRAMES), path)


def _try(renderer: str, sheets: Path | None, video: Path) -> Values | str:
    try:
        return reenact(video, renderer, sheets)
    except EmotalkError as error:
        return error.problem


def measured(
    videos: list[Path], renderer: str, sheets: Path | None, workers: int
) -> Iterator[tuple[Path, Values | str]]:
    """Every video with its values, or with why there are none."""
    job = partial(_try, renderer, sheets)
    if workers == 1:
        yield from zip(videos, map(job, videos), strict=True)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from zip(videos, pool.map(job, videos), strict=True)


def main(
    videos: list[Path],
    renderer: Annotated[str, typer.Option(help="Which renderer to measure.")] = "portrait",
    sheets: Annotated[
        Path | None, typer.Option(help="Folder for a sheet of frames of every clip.")
    ] = None,
    each: Annotated[bool, typer.Option(help="Also print a line for every clip.")] = False,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
) -> None:
    """Print the means over all videos."""
    console = Console(soft_wrap=True)
    rows = []
    for video, values in measured(videos, renderer, sheets, workers):
        if isinstance(values, str):
            console.print(f"{video.stem}: {values}")
            continue
        rows.append(values)
        if each:
            line = (f"{m} {values['renderer', m]:.3f} ({values['still', m]:.3f})" for m in METRICS)
            console.print(f"{video.stem}: " + ", ".join(line))
    table = Table(title=f"{len(rows)} clips, {renderer}")
    for column in ("", *METRICS):
        table.add_column(column)
    for system in SYSTEMS:
        means = [np.mean([row.get((system, m), np.nan) for row in rows]) for m in METRICS]
        table.add_row(system, *("" if np.isnan(value) else f"{value:.3f}" for value in means))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
