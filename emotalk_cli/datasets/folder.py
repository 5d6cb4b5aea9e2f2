"""A plain folder of videos: whatever lies in it or below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, safe_id, unique_ids
from emotalk_cli.schema import Labels

NAME = "folder"


def find_clips(root: Path, videos: Sequence[Path]) -> list[ClipSource]:
    """Every video; the clip's id is its path below `root`."""
    base = root if root.is_dir() else root.parent
    ids = unique_ids([safe_id(*p.relative_to(base).with_suffix("").parts) for p in videos])
    return [
        ClipSource(path, Labels(clip_id=clip_id, dataset=NAME))
        for path, clip_id in zip(videos, ids, strict=True)
    ]
