"""Generate: one portrait, one speech recording and an emotion become a talking video."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, safe_files, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.large_arrays import give_back
from emotalk_cli.media import probe
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy
from emotalk_cli.stages.import_motion import read_motion
from emotalk_cli.stages.motion_making import (
    WEIGHTS,
    Decoders,
    direction_of,
    listen,
    load_decoders,
    on_face,
    perform,
)
from emotalk_cli.stages.person_making import make_person
from emotalk_cli.stages.video_making import Drawing, draw_frames, encode_video, make_renderer
from emotalk_cli.stages.video_options import VideoOptions

if TYPE_CHECKING:
    from emotalk_cli.decoders.direction.direction import Direction
    from emotalk_cli.decoders.motion import Motion
    from emotalk_cli.parts import Renderer

PACKAGE = Path(__file__).resolve().parents[1]
DEMO_FACE = PACKAGE / "assets" / "demo_face.jpg"
DEMO_SPEECH = PACKAGE / "assets" / "demo_speech.flac"
MIN_FRAMES = 2
SOUND_LEFT_S = 0.1
"""So much sound may be cut at the end without a word: less than a frame or two."""
LISTED_KEYS = 4


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


def generate(
    audio: Path | None,
    face: Path,
    out: Path,
    options: VideoOptions = VideoOptions(),
    *,
    motion_out: Path | None = None,
    sheet: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Make the talking video `out` (mp4) of the face in `face` saying what `audio` says.

    `face` is a photo, or a video whose best frame is taken. Without `audio` the video is silent
    and moves as the file `options.motion` says.

    The motion is written to `motion_out` (a FaceTrack) and a sheet of frames to `sheet` (PNG),
    where given. What is there already, made from the same inputs with the same options, is kept.
    Raises EmotalkError, and leaves nothing half-written, where any input cannot be used, and
    StaleOutputError where `out` is something else and `overwrite` is not set.
    """
    started = time.perf_counter()
    progress = progress or Quiet()
    _check_paths(audio, face, out, motion_out, sheet)
    direction, made_by = _checked(audio, face, options)
    if _is_done(out, motion_out, sheet, made_by, overwrite=overwrite):
        return _found(out, motion_out, sheet, options.fps, started)
    for path in filter(None, (out, motion_out, sheet)):
        safe_files.require_writable(path)
    safe_files.remove_leftovers(out.parent)
    track, renderer = _prepared(audio, face, options, direction, made_by, progress)
    drawing = draw_frames(track, renderer, options, progress)
    encode_video(drawing, made_by, options, audio, out, sheet)
    if motion_out is not None:
        store.write(track, motion_out)
    return Generated(
        video=out,
        motion=motion_out,
        sheet=sheet,
        frames=drawing.form.frames,
        fps=options.fps,
        width_px=drawing.form.width_px,
        height_px=drawing.form.height_px,
        elapsed_s=time.perf_counter() - started,
    )


def draw(
    audio: Path | None,
    face: Path,
    options: VideoOptions = VideoOptions(),
    *,
    progress: Progress = Quiet(),
) -> Drawing:
    """The frames that `generate` would encode, drawn one by one as they are taken.

    Raises EmotalkError where any input cannot be used, before the first frame.
    """
    direction, made_by = _checked(audio, face, options)
    track, renderer = _prepared(audio, face, options, direction, made_by, progress)
    return draw_frames(track, renderer, options, progress)


def _checked(audio: Path | None, face: Path, options: VideoOptions) -> tuple[Direction, MadeBy]:
    """What is asked for, and of what; refuses what cannot be done before any work."""
    options.check()
    _check_sources(audio, options)
    direction = direction_of(options)
    hashes = _input_hashes(audio, face, options)
    return direction, MadeBy("generate", __version__, options.named(), options.seed, hashes)


def _prepared(
    audio: Path | None,
    face: Path,
    options: VideoOptions,
    direction: Direction,
    made_by: MadeBy,
    progress: Progress,
) -> tuple[FaceTrack, Renderer]:
    """The motion of the whole video, and what draws the person that it moves."""
    progress.task("Listening, looking at the face, loading the decoders")
    with ThreadPoolExecutor(4) as pool:
        heard = pool.submit(_hear, audio, options, made_by, progress)
        seen = pool.submit(make_person, face, options, made_by, progress)
        loaded = pool.submit(_load, options)
        renderer = pool.submit(lambda: make_renderer(seen.result(), options))
        features, still, decoders = heard.result(), seen.result().still, loaded.result()
        give_back()
        motion, weights = _motion(features, still, decoders, direction, options, progress)
        give_back()
        track = on_face(motion, weights, features, still, direction, options.fps, made_by)
        length_s = len(track.expression) / options.fps
        _say_what_is_left_out(length_s, audio if options.motion else None, direction, progress)
        return track, renderer.result()


def _say_what_is_left_out(
    duration_s: float, cut: Path | None, direction: Direction, progress: Progress
) -> None:
    """Note the sound of the file `cut`, and the emotions, that a video so long does not reach."""
    sound_s = probe(cut).duration_s if cut else None
    if sound_s is not None and sound_s - duration_s > SOUND_LEFT_S:
        progress.note(
            f"The motion ends after {duration_s:.1f} s: the last {sound_s - duration_s:.1f} s of "
            "the sound are left out."
        )
    late = [time_s for time_s in direction.emotion.times_s if time_s >= duration_s]
    if late:
        times = ", ".join(f"{time_s:g}" for time_s in late[:LISTED_KEYS])
        progress.note(
            f"The video ends after {duration_s:.1f} s: what --emotion says from {times} s on is "
            "not reached."
        )


def _check_sources(audio: Path | None, options: VideoOptions) -> None:
    """Refuse what cannot work together."""
    if audio is None and options.motion is None:
        raise EmotalkError("There is no recording.", "Give --audio, or a --motion to draw.")
    if options.motion is not None:
        for name in ("emotion", "intensity", "lip_decoder", "emo_decoder"):
            if getattr(options, name) != getattr(VideoOptions, name):
                option = f"--{name.replace('_', '-')}"
                raise EmotalkError(
                    f"Nothing is decoded with --motion: {option} would change nothing.",
                    f"Leave out {option}, or --motion.",
                )
    if options.blink_rate is not None and audio is None:
        raise EmotalkError("Blinks follow the speech.", "Give --audio with --blink-rate.")


def _hear(
    audio: Path | None, options: VideoOptions, made_by: MadeBy, progress: Progress
) -> AudioFeatures | None:
    """The speech, where the motion needs it."""
    if audio is None or (options.motion is not None and options.blink_rate is None):
        return None
    features = listen(audio, options, made_by, progress)
    give_back()
    return features


def _load(options: VideoOptions) -> Decoders | None:
    if options.motion is not None:
        return None
    return load_decoders(options.lip_decoder, options.emo_decoder)


def _motion(
    features: AudioFeatures | None,
    still: FaceTrack,
    decoders: Decoders | None,
    direction: Direction,
    options: VideoOptions,
    progress: Progress,
) -> tuple[Motion, NDArray[np.float32] | None]:
    """Motion and emotion weights: those of the file `options.motion`, or decoded from speech."""
    if decoders is None or features is None:
        assert options.motion is not None
        motion = read_motion(options.motion, options.fps, progress)
        if len(motion.expression) < MIN_FRAMES:
            raise EmotalkError(
                f"{options.motion} holds a single moment: nothing moves.",
                "Give the motion of a video, such as `emotalk fit-3dmm film.mp4 -o motion.h5`.",
            )
        return motion, None
    return perform(features, still, decoders, direction, options.fps, options.seed)


def _check_paths(
    audio: Path | None, face: Path, out: Path, motion_out: Path | None, sheet: Path | None
) -> None:
    """Refuse outputs that would replace an input or one another."""
    if out.suffix.lower() != ".mp4":
        raise EmotalkError(f"{out} is no mp4 file.", "Name the video with -o NAME.mp4.")
    for path, suffix in ((motion_out, store.SUFFIX), (sheet, ".png")):
        if path is not None and path.suffix.lower() != suffix:
            raise EmotalkError(f"{path} is no {suffix} file.", f"Name it NAME{suffix}.")
    taken = {face.resolve(): "the photo itself"}
    if audio is not None:
        taken[audio.resolve()] = "the recording itself"
    for path in filter(None, (out, motion_out, sheet)):
        if path.is_dir():
            raise EmotalkError(f"{path} is a folder.", "Name a file.")
        if path.resolve() in taken:
            raise EmotalkError(f"{path} is {taken[path.resolve()]}.", "Give it another name.")
        taken[path.resolve()] = "given as an output twice"


def _input_hashes(audio: Path | None, face: Path, options: VideoOptions) -> dict[str, str]:
    """sha256 of every input; the keys are roles, never paths."""
    hashes = {}
    for role, path in (("audio", audio), ("face", face)):
        if path is None:
            continue
        if path.is_dir():
            raise EmotalkError(f"{path} is a folder.", f"Give one file with --{role}.")
        if not path.is_file():
            raise EmotalkError(f"There is no file {path}.", f"Check the path given with --{role}.")
        hashes[role] = safe_files.sha256_of(path)
    for role, folder in (("lip", options.lip_decoder), ("emo", options.emo_decoder)):
        weights = (folder or WEIGHTS / role) / "model.safetensors"
        if weights.is_file():
            hashes[role] = safe_files.sha256_of(weights)
    for role, file in (
        ("emotion", options.emotion_file),
        ("pose", options.pose),
        ("style", options.style),
        ("motion", options.motion),
        ("certificate", options.c2pa[0] if options.c2pa else None),
    ):
        if file is not None and file.is_file():
            hashes[role] = safe_files.sha256_of(file)
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
