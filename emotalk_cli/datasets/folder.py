"""A plain folder of videos: whatever lies in it or below."""

from __future__ import annotations

from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, is_video, safe_id, unique_ids
from emotalk_cli.schema import Labels

NAME = "folder"


def find_clips(root: Path) -> list[ClipSource]:
    """Every video below `root`, or `root` itself; the clip's id is its path below `root`."""
    if root.is_file():
        return [ClipSource(root, Labels(clip_id=safe_id(root.stem), dataset=NAME))]
    paths = sorted(p for p in root.rglob("*") if is_video(p) and p.is_file())
    ids = unique_ids([safe_id(*p.relative_to(root).with_suffix("").parts) for p in paths])
    return [
        ClipSource(path, Labels(clip_id=clip_id, dataset=NAME))
        for path, clip_id in zip(paths, ids, strict=True)
    ]
