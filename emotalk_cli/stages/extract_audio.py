"""The stage extract-audio: the sound of clips or recordings -> AudioFeatures, one file each."""

from __future__ import annotations

import functools
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli import __version__, batch, safe_files, store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.parts import SPEECH_ENCODERS, make
from emotalk_cli.progress import Progress, Quiet
from emotalk_cli.schema import SAMPLE_RATE_HZ, Clip, Labels, MadeBy, check_seed
from emotalk_cli.stages.many_clips import run_clips

if TYPE_CHECKING:
    from emotalk_cli.parts import SpeechEncoder

STAGE = "extract-audio"
RECORDING_TYPES = (
    "3gp aac ac3 aif aiff amr au avi flac flv m4a m4v mka mkv mov mp2 mp3 mp4 mpeg mpg mts oga ogg "
    "opus sph ts wav weba webm wma wmv"
)
RECORDING_SUFFIXES = frozenset(f".{name}" for name in RECORDING_TYPES.split())


@dataclass(frozen=True)
class AudioJob:
    """One clip or recording to hear, and its variants."""

    clip_id: str
    source: Path
    out: Path
    encoder: str
    augment: int
    seed: int
    overwrite: bool


@dataclass(frozen=True)
class AudioDone:
    """What was made of one clip."""

    files: tuple[Path, ...]
    made: int
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class AudioExtracted:
    """What one run did: the files now there, how many of them were made, seconds heard, faults."""

    files: tuple[Path, ...]
    made: int
    skipped: int
    seconds: float
    failures: tuple[batch.Failure, ...]


def extract_audio(
    source: Path,
    out: Path,
    *,
    encoder: str = "hama-hidden",
    augment: int = 0,
    seed: int = 0,
    workers: int = 1,
    cluster: str | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> AudioExtracted:
    """Hear the sound of every clip in `source`; one AudioFeatures each in `out`/<clip id>.h5.

    source: a folder of Clip records or of recordings (whatever ffmpeg reads), or one of them;
    `out` may then be the .h5 file itself. encoder: hama, mel or hf:FOLDER. augment: so many more
    versions of each, <clip id>.aug1.h5 and so on, by other voices in other rooms, drawn with
    `seed`. What is done is skipped. A clip that fails is listed and the others are done; raises
    EmotalkError where none could be heard.
    """
    if augment < 0:
        raise EmotalkError(f"--augment {augment} makes no sense.", "Give 0 or more.")
    check_seed(seed)
    _encoder(encoder)  # a wrong name is one error, not one per clip
    jobs = batch.shard_of(
        [
            AudioJob(clip_id, path, target, encoder, augment, seed, overwrite)
            for clip_id, path, target in _sources(source, out)
        ],
        shard,
    )
    done, failures = run_clips(
        hear_clip,
        jobs,
        out,
        stage=STAGE,
        lists=source.is_dir(),
        workers=workers,
        cluster=cluster,
        shard=shard,
        progress=progress,
    )
    if failures and not done:
        raise EmotalkError(failures[0].reason, f"None of {len(jobs)} could be heard.")
    files = tuple(sorted(path for value in done for path in value.files))
    made = sum(value.made for value in done)
    seconds = sum(value.seconds for value in done)
    return AudioExtracted(files, made, len(files) - made, seconds, tuple(failures))


def hear_clip(job: AudioJob) -> AudioDone:
    """Make the features of one clip and of its variants, where they are not there yet."""
    from emotalk_cli.audio.augment import augment
    from emotalk_cli.audio.features import extract_features

    sha256 = safe_files.sha256_of(job.source)
    todo: list[tuple[Path, MadeBy, int]] = []
    files = [_variant(job.out, number) for number in range(job.augment + 1)]
    for number, path in enumerate(files):
        made_by = _made_by(job, sha256, number)
        if not store.is_done(path, made_by, overwrite=job.overwrite):
            todo.append((path, made_by, number))
    if not todo:
        return AudioDone(tuple(files), 0, 0.0, ())
    encoder = _encoder(job.encoder)
    waveform, labels, notes = _sound(job)
    for path, made_by, number in todo:
        # The generator knows clip and number: the order of the work does not matter.
        rng = np.random.default_rng([job.seed, number, zlib.crc32(job.clip_id.encode())])
        heard = augment(waveform, rng) if number else waveform
        store.write(extract_features(heard, encoder, made_by=made_by, labels=labels), path)
    return AudioDone(tuple(files), len(todo), len(waveform) / SAMPLE_RATE_HZ, tuple(notes))


def _made_by(job: AudioJob, sha256: str, number: int) -> MadeBy:
    from emotalk_cli.audio.features import REVISION

    name = _encoder(job.encoder).name
    options = {"encoder": name, "variant": number, "features": REVISION}
    return MadeBy(
        STAGE, __version__, options, seed=job.seed if number else None, inputs={"sound": sha256}
    )


def _variant(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.aug{number}{path.suffix}") if number else path


def _sound(job: AudioJob) -> tuple[NDArray[np.float32], Labels, list[str]]:
    """Waveform and labels of a Clip record or of a recording, and what is to be said of them."""
    from emotalk_cli.audio.waveform import check_waveform, read_waveform

    if job.source.suffix == store.SUFFIX:
        clip = store.read(job.source, Clip)
        return clip.waveform, clip.labels, check_waveform(clip.waveform, job.clip_id)
    waveform = read_waveform(job.source)
    return waveform, Labels(clip_id=job.clip_id), check_waveform(waveform, str(job.source))


@functools.cache
def _encoder(name: str) -> SpeechEncoder:
    encoder: SpeechEncoder = make(SPEECH_ENCODERS, name)
    return encoder


def _sources(source: Path, out: Path) -> list[tuple[str, Path, Path]]:
    """Clip id, file and output file of everything to hear."""
    if source.is_file():
        clip_id = source.stem
        single = out.suffix == store.SUFFIX
        return [(clip_id, source, out if single else out / f"{clip_id}{store.SUFFIX}")]
    if not source.is_dir():
        raise EmotalkError(f"There is no file or folder {source}.", "Check the path.")
    if out.suffix == store.SUFFIX:
        raise EmotalkError(f"{source} is a folder and {out} a file.", "Name a folder with -o.")
    found = sorted(p for p in source.rglob("*") if not p.name.startswith(".") and p.is_file())
    clips = [p for p in found if p.suffix == store.SUFFIX]
    paths = clips or [p for p in found if p.suffix.lower() in RECORDING_SUFFIXES]
    if not paths:
        raise EmotalkError(
            f"{source} holds neither clips (*{store.SUFFIX}) nor recordings.",
            "Give a folder that `emotalk preprocess` wrote, or one of wav, mp3, m4a, flac files.",
        )
    twice = [name for name, count in Counter(p.stem.casefold() for p in paths).items() if count > 1]
    if twice:
        raise EmotalkError(
            f"{source} holds more than one file named {', '.join(sorted(twice)[:3])}.",
            "Rename them: the name without its ending names the clip.",
        )
    return [(p.stem, p, out / f"{p.stem}{store.SUFFIX}") for p in paths]
