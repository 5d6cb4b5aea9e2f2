"""Imports run one way: cli, stages, the six rooms, their tools, schema, errors."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "emotalk_cli"
FLOORS = {
    "errors": 0,
    "extras": 0,
    "interrupts": 0,
    "schema": 1,
    "disk_file": 2,
    "safe_files": 2,
    "store": 2,
    "text_files": 2,
    "batch": 2,
    "emotion_names": 1,
    "folder_lock": 2,
    "kernels": 2,
    "large_arrays": 2,
    "live_link": 2,
    "parts": 2,
    "media": 2,
    "media_info": 2,
    "mediapipe_solutions": 2,
    "progress": 1,
    "remarks": 2,
    "stages": 4,
    "ui": 5,
    "cli": 6,
}
ROOMS = {"datasets", "audio", "face3d", "decoders", "render", "metrics"}
FLOORS |= dict.fromkeys(ROOMS, 3) | {"__main__": 7, "__init__": 0}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = [node.module] + [f"{node.module}.{a.name}" for a in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("emotalk_cli.")}
    return {name for name in found if name in FLOORS}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_run_one_way(path: Path) -> None:
    here = room_of(path)
    for other in imported_rooms(path) - {here}:
        assert FLOORS[other] <= FLOORS[here], f"{path} imports {other}"
        assert not {here, other} <= ROOMS, f"{path}: the rooms {here} and {other} are siblings"
