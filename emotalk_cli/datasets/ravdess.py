"""RAVDESS: 24 actors, two sentences, eight emotions; every fact is in the file's name.

S. R. Livingstone, F. A. Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song",
PLoS ONE 2018. Names: modality-channel-emotion-intensity-statement-repetition-actor, two digits
each, such as 01-01-06-01-02-01-12.mp4. Song (channel 02) is left out: it is no speech.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, files_below
from emotalk_cli.schema import Labels

NAME = "ravdess"
SOUND_AND_PICTURE, PICTURE_ONLY, SOUND_ONLY = "01", "02", "03"
SPEECH = "01"
EMOTIONS = ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgusted", "surprised")
INTENSITIES = {"01": 0.5, "02": 1.0}  # normal, strong
_NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")


def fits(path: Path) -> bool:
    """Whether a video is named as RAVDESS names them."""
    return _NAME.fullmatch(path.stem) is not None


def find_clips(root: Path, videos: Sequence[Path]) -> list[ClipSource]:
    """Every take of speech once: the file with sound, else the silent one with its sound file."""
    takes: dict[str, tuple[str, Path]] = {}
    for path in videos:
        found = _NAME.fullmatch(path.stem)
        if found is None or found[2] != SPEECH or found[1] == SOUND_ONLY:
            continue
        take = path.stem[3:]
        if take not in takes or found[1] < takes[take][0]:
            takes[take] = (found[1], path)
    sounds = {p.stem[3:]: p for p in files_below(root, (".wav",)) if p.stem.startswith("03-")}
    return [_clip(take, *takes[take], sounds.get(take)) for take in sorted(takes)]


def _clip(take: str, modality: str, path: Path, sound: Path | None) -> ClipSource:
    _, emotion, intensity, _, _, actor = take.split("-")
    labels = Labels(
        clip_id=take,
        dataset=NAME,
        speaker=f"actor_{actor}",
        emotion=EMOTIONS[int(emotion) - 1],
        intensity=INTENSITIES[intensity],
        view="front",
    )
    if modality == SOUND_AND_PICTURE:
        return ClipSource(path, labels)
    missing = "" if sound else f"{SOUND_ONLY}-{take}.wav"
    return ClipSource(path, labels, sound, missing_sound=missing)
