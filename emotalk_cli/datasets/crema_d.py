"""CREMA-D: 91 actors, twelve sentences, six emotions; every fact is in the file's name.

H. Cao et al., "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Trans. Affective
Computing 2014. Names: <actor>_<sentence>_<emotion>_<level>.flv, such as 1001_DFA_ANG_XX.flv.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, safe_id
from emotalk_cli.emotion_names import emotion_of
from emotalk_cli.schema import Labels

NAME = "crema_d"
INTENSITIES = {"LO": 1 / 3, "MD": 2 / 3, "HI": 1.0, "XX": 1.0, "X": 1.0}  # XX: not asked for
_CLIP_NAME = re.compile(
    r"(1\d{3})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX?)", re.IGNORECASE
)


def fits(path: Path) -> bool:
    """Whether a video is named as CREMA-D names them."""
    return _CLIP_NAME.fullmatch(path.stem) is not None


def find_clips(root: Path, videos: Sequence[Path]) -> list[ClipSource]:
    """Every video, once where several files hold the same take; its own track is its sound."""
    clips: dict[str, ClipSource] = {}
    for path in videos:
        found = _CLIP_NAME.fullmatch(path.stem)
        if found is None:
            continue
        actor, _, emotion, level = (part.upper() for part in found.groups())
        labels = Labels(
            clip_id=safe_id(path.stem.upper()),
            dataset=NAME,
            speaker=actor,
            emotion=emotion_of(emotion),
            intensity=INTENSITIES[level],
            view="front",
        )
        clips.setdefault(labels.clip_id, ClipSource(path, labels))
    return list(clips.values())
