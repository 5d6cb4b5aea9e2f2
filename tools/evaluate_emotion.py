"""Whether emotions can be read: `python -m tools.evaluate_emotion PORTRAITS SPEECH`.

Portraits whose own photo reads neutral speak with each emotion at full strength; a public
classifier reads the frames. Prints what it reads, and how the units of each emotion agree with
those of a real actor (`--actor`: FaceTracks of one person, labelled, neutral among them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from emotalk_cli import parts, store
from emotalk_cli.audio.features import extract_features
from emotalk_cli.audio.waveform import load_waveform
from emotalk_cli.decoders.acting.head_motion import MANNERS
from emotalk_cli.decoders.acting.prototypes import prototypes
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.direction.emotions import EMOTIONS, emotion_curve
from emotalk_cli.decoders.lips.mouth import mouth_of
from emotalk_cli.decoders.motion import add_pose
from emotalk_cli.decoders.sampling import sample_motion
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.fitting.fit import fit_photo
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.rest import resting_expression
from emotalk_cli.metrics.emotion_pictures import EMOTIONS as CLASSES
from emotalk_cli.metrics.emotion_pictures import FACE, PictureEmotionReader
from emotalk_cli.progress import Quiet
from emotalk_cli.render.photo import read_photo
from emotalk_cli.render.sheet import contact_sheet, write_png
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy
from emotalk_cli.stages.motion_making import WEIGHTS

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]

FPS = 25.0
EVERY = 5
"""Every so many frames are read."""
MADE_BY = MadeBy("evaluate_emotion", "1")
SHOWN_PX = 240
HALF_SIDE, RAISED = 0.512, 0.069
"""The square that is read, in heights of the landmarks' box: as OpenCV's detector, which the
package uses, draws it around the faces of 13 portraits (medians)."""
SHIFTS = ((1.0, 0.0), (0.92, 0.0), (1.08, 0.0), (1.0, -0.04), (1.0, 0.04))
"""Sizes and heights of squares whose readings are averaged: a single one depends on chance."""
CROP_PX = 128


@dataclass(frozen=True)
class Cast:
    """One portrait that can be drawn: the photo, its landmarks (478, 3) px, the fitted face, how
    it rests (E,), and the renderer.
    """

    photo: Picture
    landmarks: Array
    still: FaceTrack
    rest: Array
    renderer: parts.Renderer


def cast(path: Path, size_px: int) -> Cast:
    """A portrait ready to be drawn; EmotalkError where it cannot be used."""
    model, photo = load_default_face_model(), read_photo(path)
    landmarks = require_face(photo, path).landmarks
    height, width = photo.shape[:2]
    still = fit_photo(landmarks, width, height, model, made_by=MADE_BY)
    renderer: parts.Renderer = parts.make(
        parts.RENDERERS, "portrait", photo, landmarks, still, model, size_px=size_px
    )
    rest = resting_expression(still.expression[0], still.shape, model)
    return Cast(photo, landmarks, still, rest, renderer)


def face_points(who: Cast, head_pose: Array) -> Array:
    """Where the resting face is in a drawn frame, whatever the mouth does: (478, 2) px."""
    model, still = load_default_face_model(), who.still
    points = model.landmarks(still.shape, np.zeros_like(still.expression[:1]))
    scale = who.renderer.width_px / who.photo.shape[1]
    return np.asarray(project(points, head_pose[None], still.camera)[0, :, :2] * scale, np.float32)


def still_motion(who: Cast, emotion: str) -> tuple[Array, Array]:
    """One frame: the prototype of an emotion on this face, the head as it carries it."""
    model, manner = load_default_face_model(), MANNERS[emotion]
    table = prototypes(model.expression_names)[EMOTIONS.index(emotion)]
    delta = np.zeros((1, 6), np.float32)
    delta[0, :3], delta[0, 5] = np.radians(manner.posture_deg), 1e-3 * manner.forward_mm
    expression = np.clip(who.rest + table, 0, 1).astype(np.float32)
    return expression[None], add_pose(who.still.head_pose[0], delta)


def spoken_motion(
    who: Cast, voice: AudioFeatures, emotion: str, decoders: tuple[Decoder, Decoder]
) -> tuple[Array, Array]:
    """What `generate` would draw: expression (T, E) and head pose (T, 6)."""
    frames = round(voice.duration_s * FPS)
    weights = emotion_curve(emotion, 1.0).weights(np.arange(frames) / FPS)
    mouth = mouth_of(load_default_face_model(), who.still.shape)
    motion = sample_motion(*decoders, voice, weights, frames=frames, fps=FPS, mouth=mouth)
    expression = np.clip(motion.expression + who.rest, 0, 1).astype(np.float32)
    return expression, add_pose(who.still.head_pose[0], motion.head_pose_delta)


@dataclass
class Tally:
    """What was read: per emotion shown the mean probabilities of each video, and all frames."""

    videos: dict[str, list[NDArray[np.float64]]]
    frames: dict[str, list[NDArray[np.float64]]]

    def add(self, emotion: str, read: list[NDArray[np.float64]]) -> None:
        """One video's frames."""
        self.videos[emotion].append(np.mean(read, axis=0))
        self.frames[emotion] += read


def actor_profiles(folder: Path) -> dict[str, Array]:
    """Mean units (E,) of each emotion of one labelled person, less those of the neutral clips."""
    by_emotion: dict[str, list[Array]] = {}
    for path in sorted(folder.glob("*.h5")):
        track = store.read(path, FaceTrack)
        by_emotion.setdefault(track.labels.emotion, []).append(track.expression.mean(axis=0))
    if "neutral" not in by_emotion:
        raise EmotalkError(f"{folder} holds no neutral track.", "Add one of the same person.")
    rest = np.mean(by_emotion.pop("neutral"), axis=0)
    return {name: np.mean(rows, axis=0) - rest for name, rows in by_emotion.items()}


def main(
    portraits: Path,
    speech: Path,
    actor: Annotated[Path | None, typer.Option(help="FaceTracks of a real actor.")] = None,
    emo_decoder: Annotated[Path, typer.Option(help="The emotion decoder.")] = WEIGHTS / "emo",
    stills: Annotated[bool, typer.Option(help="Prototypes alone: no decoder, no speech.")] = False,
    sheet: Annotated[Path | None, typer.Option(help="PNG: one row a person.")] = None,
    size: Annotated[int, typer.Option(help="Longer side of the frames, px.")] = 512,
) -> None:
    """Print accuracy, confusion and the agreement with the actor."""
    reader, console = PictureEmotionReader(), Console(width=120)
    decoders = load_decoder(WEIGHTS / "lip"), load_decoder(emo_decoder)
    encoder = parts.make(parts.SPEECH_ENCODERS, decoders[0].spec.encoder)
    voice = extract_features(load_waveform(speech, Quiet()), encoder, made_by=MADE_BY)
    tally = Tally({name: [] for name in EMOTIONS}, {name: [] for name in EMOTIONS})
    profiles: dict[str, list[Array]] = {name: [] for name in EMOTIONS}
    shown: list[Picture] = []
    for path in sorted(portraits.glob("*.jpg")):
        who = _neutral_cast(path, size, reader, console)
        if who is None:
            continue
        for emotion in EMOTIONS:
            if stills:
                expression, poses = still_motion(who, emotion)
            else:
                expression, poses = spoken_motion(who, voice, emotion, decoders)
            profiles[emotion].append(expression.mean(axis=0))
            tally.add(emotion, _read(who, reader, expression, poses, shown))
    _show(console, tally, CLASSES)
    if actor is not None:
        _show_actor(console, profiles, actor_profiles(actor))
    if sheet is not None:
        write_png(contact_sheet(shown, len(EMOTIONS)), sheet)


def _neutral_cast(
    path: Path, size_px: int, reader: PictureEmotionReader, console: Console
) -> Cast | None:
    """The portrait, if it can be used and its own photo reads neutral."""
    try:
        who = cast(path, size_px)
    except EmotalkError:
        return None
    own = CLASSES[int(_reading(reader, who.photo, who.landmarks).argmax())]
    console.print(f"{path.stem}: the photo reads {own}")
    return who if own == "neutral" else None


def _read(
    who: Cast, reader: PictureEmotionReader, expression: Array, poses: Array, shown: list[Picture]
) -> list[NDArray[np.float64]]:
    """What is read in every EVERY-th frame; one of the middle, eyes open, is added to `shown`."""
    read, seen = [], list(range(0, len(expression), EVERY))
    lids = [n for n, name in enumerate(who.still.expression_names) if "eyeBlink" in name]
    middle = seen[len(seen) // 3 : 2 * len(seen) // 3 + 1]
    best = min(middle, key=lambda k: float(expression[k, lids].max()))
    for k in seen:
        frame, points = who.renderer.frame(expression[k], poses[k]), face_points(who, poses[k])
        read.append(_reading(reader, frame, points))
        if k == best:
            shown.append(_thumbnail(frame, points))
    return read


def _reading(reader: PictureEmotionReader, picture: Picture, points: Array) -> NDArray[np.float64]:
    """Picture (H, W, 3) and landmarks (478, 2 or 3) px -> probabilities (7,)."""
    crops = np.stack([_face_crop(picture, points, *shift) for shift in SHIFTS])
    return np.asarray(reader.probabilities(crops).mean(axis=0))


def _face_crop(picture: Picture, points: Array, size: float, shift: float) -> Picture:
    """A crop (CROP_PX, CROP_PX, 3) whose part FACE, which is read, is the detector's square."""
    from PIL import Image

    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    height = float(high[1] - low[1])
    x, y = (low + high) / 2 + np.array([0.0, (shift - RAISED) * height])
    half = HALF_SIDE * size * height
    side = 2 * half / (FACE[2] - FACE[0])
    rows = np.arange(round(side)) + round(y - half - FACE[1] * side)
    columns = np.arange(round(side)) + round(x - half - FACE[0] * side)
    cut = picture[
        np.ix_(np.clip(rows, 0, picture.shape[0] - 1), np.clip(columns, 0, picture.shape[1] - 1))
    ]
    return np.asarray(Image.fromarray(cut).resize((CROP_PX, CROP_PX), Image.Resampling.BOX))


def _thumbnail(frame: Picture, points: Array) -> Picture:
    """The face of a frame, cut out."""
    from PIL import Image

    low, high = points.min(axis=0), points.max(axis=0)
    (x, y), half = (low + high) / 2, 0.75 * float(high[1] - low[1])
    box = (int(x - half * 0.8), int(y - half), int(x + half * 0.8), int(y + half))
    cut = Image.fromarray(frame).crop(box)
    return np.asarray(cut.resize((round(SHOWN_PX * 0.8), SHOWN_PX)))


def _show(console: Console, tally: Tally, classes: tuple[str, ...]) -> None:
    """Accuracy and confusion."""
    table = Table(title="Emotion shown, and how many videos were read as what")
    for heading in ("shown", "right", "of frames", *classes):
        table.add_column(heading)
    right, frames_right = [], []
    for emotion, rows in tally.videos.items():
        if not rows:
            continue
        counts = np.bincount(np.argmax(rows, axis=1), minlength=len(classes))
        cells = ["-", "-"]
        if emotion in classes:
            place = classes.index(emotion)
            right.append(counts[place] / len(rows))
            read = np.argmax(tally.frames[emotion], axis=1)
            frames_right.append(float(np.mean(read == place)))
            cells = [f"{right[-1]:.2f}", f"{frames_right[-1]:.2f}"]
        table.add_row(emotion, *cells, *(str(count) for count in counts))
    console.print(table)
    if right:
        console.print(f"Accuracy on seven classes: {np.mean(right):.3f} of the videos, ", end="")
        console.print(f"{np.mean(frames_right):.3f} of the frames")


def _show_actor(
    console: Console, profiles: Mapping[str, list[Array]], actor: Mapping[str, Array]
) -> None:
    """Correlation of mean units per emotion, blinks and gaze left out, and the largest of them."""
    names = load_default_face_model().expression_names
    kept = np.array([not name.startswith(("eyeBlink", "eyeLook")) for name in names])
    rest = np.mean(profiles["neutral"], axis=0)
    for emotion, real in actor.items():
        made = np.mean(profiles[emotion], axis=0) - rest
        r = float(np.corrcoef(made[kept], real[kept])[0, 1])
        console.print(f"{emotion}: r {r:.2f} with the actor")
        for label, row in (("made", made), ("actor", real)):
            most = [n for n in np.argsort(-np.abs(row)) if kept[n]][:9]
            console.print(f"  {label}: " + ", ".join(f"{names[n]} {row[n]:+.2f}" for n in most))


if __name__ == "__main__":
    typer.run(main)
