"""Generate: one portrait, one speech recording and an emotion become a talking video."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, parts, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import AudioFeatures, FaceTrack, Labels, MadeBy

if TYPE_CHECKING:
    from emotalk_cli.decoders.checkpoint import Decoder
    from emotalk_cli.decoders.emotions import EmotionCurve

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

PACKAGE = Path(__file__).resolve().parents[1]
WEIGHTS = PACKAGE / "weights"
DEMO_FACE = PACKAGE / "assets" / "demo_face.jpg"
DEMO_SPEECH = PACKAGE / "assets" / "demo_speech.flac"
FPS_RANGE = (5.0, 60.0)
SIZE_RANGE_PX = (64, 4096)
DEFAULT_SIZE_PX = 1024
"""Longest side of the video where nothing else is said; a smaller photo keeps its own size."""
MAX_FRAMES = 60 * 60 * 60
SHEET_FRAMES = 12
SHEET_COLUMNS = 6
SHEET_WIDTH_PX = 320


@dataclass(frozen=True)
class Generated:
    """What was made: paths, length of the video and time taken, in s; skipped: it was there."""

    video: Path
    motion: Path | None
    sheet: Path | None
    frames: int
    fps: float
    width_px: int
    height_px: int
    elapsed_s: float
    skipped: bool = False

    @property
    def duration_s(self) -> float:
        """Length of the video."""
        return self.frames / self.fps


@dataclass(frozen=True)
class _Person:
    """One portrait: the photo (H, W, 3), its landmarks (478, 3) px and the fitted face."""

    photo: Picture
    landmarks: Float
    still: FaceTrack


def generate(
    audio: Path,
    face: Path,
    out: Path,
    *,
    emotion: str = "neutral",
    intensity: float = 1.0,
    seed: int = 0,
    size_px: int | None = None,
    fps: float = 25.0,
    motion_out: Path | None = None,
    sheet: Path | None = None,
    lip_decoder: Path | None = None,
    emo_decoder: Path | None = None,
    renderer: str = "portrait",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Make the talking video `out` (mp4) of the face in `face` saying what `audio` says.

    `emotion` is what `decoders.emotions.parse_emotion` understands, `intensity` 0..1 scales it.
    `size_px` is the longer side of the video; without it the photo's own, at most 1024. The
    motion is written to `motion_out` (a FaceTrack) and a sheet of frames to `sheet` (PNG), where
    given. What is there already, made from the same inputs with the same options, is kept. Raises
    EmotalkError, and leaves nothing half-written, where any input cannot be used, and
    StaleOutputError where `out` is something else and `overwrite` is not set.
    """
    from emotalk_cli.decoders.emotions import parse_emotion

    started = time.perf_counter()
    progress = progress or Quiet()
    _check_paths(audio, face, out, motion_out, sheet)
    _check_options(out, fps, size_px, renderer)
    curve = parse_emotion(emotion, intensity)
    made_by = MadeBy(
        "generate",
        __version__,
        {
            "emotion": emotion,
            "intensity": intensity,
            "fps": fps,
            "size_px": size_px,
            "renderer": renderer,
        },
        seed,
        _input_hashes(audio, face, lip_decoder, emo_decoder),
    )
    if _is_done(out, motion_out, sheet, made_by, overwrite=overwrite):
        return _found(out, motion_out, sheet, fps, started)
    for path in filter(None, (out, motion_out, sheet)):
        store.require_writable(path)
    progress.task("Listening, looking at the face, loading the decoders")
    with ThreadPoolExecutor(3) as pool:
        heard = pool.submit(_listen, audio, lip_decoder, made_by, progress)
        seen = pool.submit(_look, face, made_by, progress)
        loaded = pool.submit(_load_decoders, lip_decoder, emo_decoder)
        features, person, decoders = heard.result(), seen.result(), loaded.result()
    track = _move(features, person, decoders, curve, fps, made_by)
    width, height = _draw(track, person, renderer, audio, out, size_px, sheet, progress)
    if motion_out is not None:
        store.write(track, motion_out)
    return Generated(
        video=out,
        motion=motion_out,
        sheet=sheet,
        frames=len(track.expression),
        fps=fps,
        width_px=width,
        height_px=height,
        elapsed_s=time.perf_counter() - started,
    )


def _check_paths(audio: Path, face: Path, *outputs: Path | None) -> None:
    """Refuse outputs that would replace an input or one another."""
    taken = {audio.resolve(): "the recording itself", face.resolve(): "the photo itself"}
    for path in filter(None, outputs):
        if path.resolve() in taken:
            raise EmotalkError(f"{path} is {taken[path.resolve()]}.", "Give it another name.")
        taken[path.resolve()] = "given as an output twice"


def _check_options(out: Path, fps: float, size_px: int | None, renderer: str) -> None:
    """Refuse what cannot work before any work is done."""
    if renderer not in parts.RENDERERS:
        raise EmotalkError(
            f"There is no --renderer '{renderer}'.", f"Known: {', '.join(parts.RENDERERS)}."
        )
    if out.suffix.lower() != ".mp4":
        raise EmotalkError(f"{out} is no mp4 file.", "Name the video with -o NAME.mp4.")
    if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        raise EmotalkError(
            f"{fps:g} frames a second cannot be made.",
            f"--fps takes {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g}; 25 is usual.",
        )
    if size_px is not None and not SIZE_RANGE_PX[0] <= size_px <= SIZE_RANGE_PX[1]:
        raise EmotalkError(
            f"A video of {size_px} pixels cannot be made.",
            f"--size takes {SIZE_RANGE_PX[0]} to {SIZE_RANGE_PX[1]}, the longer side in pixels.",
        )


def _listen(
    audio: Path, lip_decoder: Path | None, made_by: MadeBy, progress: Progress
) -> AudioFeatures:
    from emotalk_cli.audio.features import extract_features
    from emotalk_cli.audio.waveform import load_waveform
    from emotalk_cli.decoders.checkpoint import read_spec

    spec, _ = read_spec(lip_decoder or WEIGHTS / "lip")
    waveform = load_waveform(audio, progress)
    return extract_features(
        waveform, parts.make(parts.SPEECH_ENCODERS, spec.encoder), made_by=made_by
    )


def _look(face: Path, made_by: MadeBy, progress: Progress) -> _Person:
    from emotalk_cli.face3d.default_model import load_default_face_model
    from emotalk_cli.face3d.fitting import fit_photo
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    photo = read_photo(face)
    found = require_face(photo, face)
    if found.note:
        progress.note(found.note)
    height, width = photo.shape[:2]
    still = fit_photo(found.landmarks, width, height, load_default_face_model(), made_by=made_by)
    return _Person(photo, found.landmarks, still)


def _load_decoders(
    lip_decoder: Path | None, emo_decoder: Path | None
) -> tuple[Decoder, Decoder | None]:
    """The lip decoder (or a single one, which needs no other) and the emotion decoder."""
    from emotalk_cli.decoders.checkpoint import load_decoder
    from emotalk_cli.face3d.default_model import load_default_face_model

    lip = load_decoder(lip_decoder or WEIGHTS / "lip")
    model = load_default_face_model()
    if lip.spec.face_model_sha256 != model.sha256:
        raise EmotalkError(
            f"The lip decoder was trained on another face model ({lip.spec.face_model}, "
            f"{lip.spec.face_model_sha256[:12]}) than the one here ({model.sha256[:12]}).",
            "Run `emotalk fit-3dmm` and `emotalk train-lip` again with this version.",
        )
    if lip.spec.group == "single" and emo_decoder is None:
        return lip, None
    return lip, load_decoder(emo_decoder or WEIGHTS / "emo")


def _move(
    features: AudioFeatures,
    person: _Person,
    decoders: tuple[Decoder, Decoder | None],
    curve: EmotionCurve,
    fps: float,
    made_by: MadeBy,
) -> FaceTrack:
    """The person's motion: what the decoders say, added to how this face rests."""
    from emotalk_cli.decoders.motion import add_pose
    from emotalk_cli.decoders.mouth import mouth_of
    from emotalk_cli.decoders.sampling import Draw, sample_motion
    from emotalk_cli.face3d.default_model import load_default_face_model
    from emotalk_cli.face3d.rest import resting_expression

    model, still = load_default_face_model(), person.still
    frames = max(1, round(features.duration_s * fps))
    weights = curve.weights(np.arange(frames) / fps)
    motion = sample_motion(
        *decoders,
        features,
        weights,
        frames=frames,
        fps=fps,
        draw=Draw(seed=made_by.seed or 0),
        mouth=mouth_of(model, still.shape),
    )
    rest = resting_expression(still.expression[0], still.shape, model)
    return replace(
        still,
        expression=np.clip(motion.expression + rest, 0.0, 1.0).astype(np.float32),
        head_pose=add_pose(still.head_pose[0], motion.head_pose_delta),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        emotion_weights=weights,
        rest_pose=still.head_pose[0],
        fps=fps,
        made_by=made_by,
        labels=Labels(clip_id="generated"),
    )


def _draw(
    track: FaceTrack,
    person: _Person,
    renderer: str,
    audio: Path,
    out: Path,
    size_px: int | None,
    sheet: Path | None,
    progress: Progress,
) -> tuple[int, int]:
    """Draw and encode every frame as it is made; returns width and height in px."""
    from emotalk_cli.face3d.default_model import load_default_face_model
    from emotalk_cli.render.sheet import contact_sheet, write_png
    from emotalk_cli.render.video import VideoWriter

    longest = max(person.photo.shape[:2])
    size = min(size_px or DEFAULT_SIZE_PX, longest)
    if size_px is not None and size_px > longest:
        progress.note(f"The photo has {longest} pixels; the video gets no larger.")
    drawn: parts.Renderer = parts.make(
        parts.RENDERERS,
        renderer,
        person.photo,
        person.landmarks,
        person.still,
        load_default_face_model(),
        size_px=size,
    )
    total = len(track.expression)
    shown = set(np.linspace(0, total - 1, SHEET_FRAMES).round().astype(int)) if sheet else set()
    kept = []
    progress.task("Drawing", total)
    with VideoWriter(
        out,
        drawn.width_px,
        drawn.height_px,
        track.fps,
        sound=audio,
        frames=total,
        made_by=track.made_by,
    ) as writer:
        for k in range(total):
            frame = drawn.frame(track.expression[k], track.head_pose[k])
            writer.write(frame)
            if k in shown:
                kept.append(_thumbnail(frame))
            progress.advance()
    if sheet is not None:
        write_png(contact_sheet(kept, SHEET_COLUMNS), sheet)
    return drawn.width_px, drawn.height_px


def _thumbnail(frame: Picture) -> Picture:
    from PIL import Image

    height = max(1, round(SHEET_WIDTH_PX * frame.shape[0] / frame.shape[1]))
    small = Image.fromarray(frame).resize((SHEET_WIDTH_PX, height), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _input_hashes(audio: Path, face: Path, *decoders: Path | None) -> dict[str, str]:
    """sha256 of every input; the keys are roles, never paths."""
    hashes = {}
    for role, path in (("audio", audio), ("face", face)):
        if path.is_dir():
            raise EmotalkError(f"{path} is a folder.", f"Give one file with --{role}.")
        if not path.is_file():
            raise EmotalkError(f"There is no file {path}.", f"Check the path given with --{role}.")
        hashes[role] = store.sha256_of(path)
    for role, folder in zip(("lip", "emo"), decoders, strict=True):
        weights = (folder or WEIGHTS / role) / "model.safetensors"
        if weights.is_file():
            hashes[role] = store.sha256_of(weights)
    return hashes


def _is_done(
    out: Path, motion_out: Path | None, sheet: Path | None, made_by: MadeBy, *, overwrite: bool
) -> bool:
    """Whether all that is wanted is there already; refuses to replace anything else."""
    if overwrite:
        return False
    has_motion = motion_out is None or store.is_done(motion_out, made_by)
    if not out.exists():
        if sheet is not None and sheet.exists():
            raise StaleOutputError(
                f"{sheet} exists already.", "Add --overwrite to replace it, or give another name."
            )
        return False
    from emotalk_cli.render.video import read_made_by

    before = read_made_by(out)
    if before is None:
        raise StaleOutputError(
            f"{out} exists already and does not say how it was made.",
            "Add --overwrite to replace it, or name another with -o.",
        )
    store.refuse_other(out, before, made_by)
    return has_motion and (sheet is None or sheet.exists())


def _found(
    out: Path, motion: Path | None, sheet: Path | None, fps: float, started: float
) -> Generated:
    from emotalk_cli.media import probe

    info = probe(out)
    return Generated(
        video=out,
        motion=motion,
        sheet=sheet,
        frames=round((info.duration_s or 0.0) * fps),
        fps=fps,
        width_px=info.width_px,
        height_px=info.height_px,
        elapsed_s=time.perf_counter() - started,
        skipped=True,
    )
