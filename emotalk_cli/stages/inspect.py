"""inspect: what a file or a folder of the project is, in words; a record also as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotalk_cli import store
from emotalk_cli.datasets.clip_source import VIDEO_SUFFIXES
from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import probe
from emotalk_cli.render.content_credentials import read_signature
from emotalk_cli.render.video import read_made_by, read_note
from emotalk_cli.stages.extract_audio import RECORDING_SUFFIXES
from emotalk_cli.stages.file_words import file_lines, size_text
from emotalk_cli.stages.record_words import made_by_lines, record_lines

MEDIA_SUFFIXES = VIDEO_SUFFIXES | RECORDING_SUFFIXES
CARD_LINES = 40
"""So much of a checkpoint's card is shown."""


@dataclass(frozen=True)
class Description:
    """What was found, line by line; `str` gives the text. plot: what was drawn, if anything."""

    path: Path
    lines: tuple[str, ...]
    plot: Path | None = None

    def __str__(self) -> str:
        drawn = (f"drawn in {self.plot}",) if self.plot else ()
        return "\n".join((*self.lines, *drawn))


def inspect(path: Path, *, plot: Path | None = None) -> Description:
    """Describe a record, a video or another file of the project, a checkpoint or another folder.

    `plot` also draws a record into that PNG file. Raises EmotalkError for anything else, for what
    is damaged, and where there is nothing to draw.
    """
    if not path.exists():
        raise EmotalkError(f"There is no file or folder {path}.", "Check the path.")
    if not path.is_dir() and _is_record(path):
        record = store.read(path, store.kind_of(path))
        if plot is not None:
            from emotalk_cli.stages.record_plots import draw

            draw(record, plot)
        return Description(path, record_lines(record, path), plot)
    if plot is not None:
        raise EmotalkError(f"{path} cannot be drawn.", "Give --plot with one record (.h5).")
    if path.is_dir():
        return Description(path, _folder_lines(path))
    return Description(path, file_lines(path) or _media_lines(path))


def _is_record(path: Path) -> bool:
    """By its name or its first bytes, whatever its name."""
    if path.suffix.lower() == store.SUFFIX:
        return True
    with path.open("rb") as file:
        return file.read(len(store.HDF5_SIGNATURE)) == store.HDF5_SIGNATURE


def _folder_lines(folder: Path) -> tuple[str, ...]:
    # Only the name: reading it would load torch.
    if (folder / "config.json").is_file():
        return _checkpoint_lines(folder)
    from emotalk_cli.stages.folder_words import folder_lines

    return folder_lines(folder)


def _checkpoint_lines(folder: Path) -> tuple[str, ...]:
    """What a decoder predicts and from what, who made it, and the beginning of its card."""
    from emotalk_cli.decoders.checkpoint import CARD, WEIGHTS, read_spec

    spec, made_by = read_spec(folder)
    weights = folder / WEIGHTS
    size = f"{weights.stat().st_size / 1e6:.1f} MB" if weights.is_file() else "missing"
    lines = [
        f"{folder}: checkpoint of the decoder '{spec.group}' ({spec.mode}), {WEIGHTS} {size}",
        *made_by_lines(made_by),
        f"predicts: {len(spec.outputs)} channels of the face model {spec.face_model} "
        f"({spec.face_model_sha256[:12]}) at {spec.fps:g} fps",
        f"from: {len(spec.speech_names)} features of the encoder {spec.encoder} at "
        f"{spec.speech_rate_hz:g} Hz" + (", and the emotion" if spec.told_emotion else ""),
        f"network: {spec.network}",
    ]
    card = folder / CARD
    if not card.is_file():
        return (*lines, "card: none yet; the training that writes it is not over")
    text = card.read_text(encoding="utf-8", errors="replace").splitlines()
    shown = [f"  {line}".rstrip() for line in text[:CARD_LINES]]
    more = [f"  ... {len(text) - CARD_LINES} more lines"] if len(text) > CARD_LINES else []
    return (*lines, f"card ({card.name}):", *shown, *more)


def _media_lines(path: Path) -> tuple[str, ...]:
    """A sound's length; a video's size, rate and length, and what it says of how it was made."""
    try:
        info = probe(path)
    except EmotalkError as error:
        if path.suffix.lower() in MEDIA_SUFFIXES:
            raise
        raise EmotalkError(
            f"{path} is neither a file of emotalk nor video, sound or picture.",
            "`emotalk inspect` knows records (.h5), videos, sounds, pictures, checkpoints, the "
            "CSV, JSON, YAML, HTML and glTF files of its commands, and folders of them.",
        ) from error
    length, size = f"{info.duration_s or 0:.2f} s", size_text(path.stat().st_size)
    if not info.has_video:
        return (
            f"{path}: sound, {length}, {size}",
            f"read by: `emotalk generate --audio {path}` and `emotalk extract-audio {path}`",
        )
    note, made_by = read_note(path), read_made_by(path)
    signature = read_signature(path)
    return (
        f"{path}: video, {info.width_px} x {info.height_px} px, {info.fps or 0:g} fps, "
        f"{length}, {'with' if info.has_audio else 'without'} sound, {size}",
        f"it says: {note}" if note else "it does not say whether it is synthetic",
        *((signature,) if signature else ()),
        *(made_by_lines(_plain(made_by)) if made_by else ("made by: not emotalk, or not told",)),
    )


def _plain(made_by: dict[str, Any]) -> dict[str, Any]:
    """The parts of a video's `made_by` that are as they should be: anybody may have written it."""
    kept = {k: v for k, v in made_by.items() if k in ("stage", "version", "seed")}
    return kept | {k: v for k in ("options", "inputs") if isinstance(v := made_by.get(k), dict)}
