"""Files beside records and videos, in words: what each is, holds, was made by and is read by."""

from __future__ import annotations

import csv
import html
import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotalk_cli.errors import EmotalkError
from emotalk_cli.text_files import read_json, read_yaml

HEAD_BYTES = 100_000
"""In so much of a page its title is looked for."""
MAX_HEADER_BYTES = 100_000_000
"""Of a safetensors or glTF file, as the safetensors package has it."""
MAX_SHOWN = 8
BROKEN = "Make it again, or copy it again from where it came."


@dataclass(frozen=True)
class Kind:
    """What files of a kind are; `marks`: columns or keys that tell them, `reader`: what to do."""

    name: str
    maker: str
    reader: str
    marks: frozenset[str] = frozenset()


def _kind(name: str, maker: str, reader: str, marks: str = "") -> Kind:
    return Kind(name, maker, reader, frozenset(marks.split()))


CAPTURE = _kind(
    "Live Link Face capture",
    "`emotalk export`, or the app Live Link Face",
    "`emotalk generate --motion FILE` and `emotalk preprocess`; Unreal Engine and Blender",
    "Timecode BlendshapeCount",
)
TABLES = (
    _kind(
        "scores, one row per clip and metric",
        "`emotalk score`",
        "any spreadsheet; report.html beside it shows them",
        "system clip_id metric value",
    ),
    _kind(
        "list of clips with what became of each",
        "`emotalk preprocess`",
        "`emotalk preprocess FILE`, as a list of the clips",
        "path status",
    ),
    _kind(
        "list of failures", "the stage named in each row", "people: mend, run again", "clip reason"
    ),
    _kind(
        "remarks on clips",
        "`emotalk fit-3dmm` or `extract-audio`",
        "people",
        "clip note",
    ),
    _kind(
        "how long videos took to make",
        "`emotalk generate --manifest`",
        "`emotalk score`, for the metric speed",
        "name video_s elapsed_s",
    ),
    _kind(
        "list of videos to make",
        "people",
        "`emotalk generate --manifest FILE -o FOLDER`",
        "audio face",
    ),
    _kind("list of clips", "people", "`emotalk preprocess FILE`", "path"),
    _kind(
        "split of a corpus",
        "people; MEAD's come with the program",
        "`emotalk preprocess --splits FILE`",
        "speaker split",
    ),
    _kind(
        "journal of a training",
        "`emotalk train-lip`, `train-emo` or `train-single`",
        "any spreadsheet; curves.png beside it draws it",
        "step loss learning_rate",
    ),
)
TRAINING = "`emotalk train-lip`, `train-emo` or `train-single`"
DOCUMENTS = (
    _kind(
        "what a decoder predicts and from what",
        TRAINING,
        "`emotalk inspect` and `generate --lip-decoder`, given its folder",
        "spec made_by",
    ),
    _kind(
        "scores as means, comparisons and notes",
        "`emotalk score`",
        "any program; report.html beside it shows them",
        "means comparisons",
    ),
    _kind(
        "answer of an experiment",
        "`emotalk experiment`",
        "any program; report.html beside it shows it",
        "question verdict contrasts",
    ),
    _kind(
        "note on an experiment's sets", "`emotalk experiment`", "its next run", "made_by acted by"
    ),
    _kind(
        "reader of emotions from coefficients",
        "`emotalk experiment`",
        "`emotalk score --emotion-reader FILE`",
        "kind learned_from units",
    ),
    _kind(
        "capture of BEAT",
        "that corpus",
        "`emotalk generate --motion FILE` and `emotalk preprocess`",
        "names frames",
    ),
)
OPTIONS = (
    _kind(
        "plan of an experiment",
        "people",
        "`emotalk experiment FILE --data CORPUS`",
        "systems seeds",
    ),
    _kind("options of training", "people", "`emotalk train-lip --config FILE`", "steps"),
    _kind("options of training", "people", "`emotalk train-lip --config FILE`", "network"),
    _kind("emotions over time", "people", "`emotalk generate --emotion FILE`"),
)
PICTURE = _kind(
    "picture",
    "not told; --sheet, --preview and --plot draw such",
    "any viewer; as a portrait, `emotalk generate --face FILE`",
)
SCENE = _kind("animated head (glTF 2.0)", "", "Blender, three.js, Unreal Engine and others")
WEIGHTS = _kind(
    "weights of a network", TRAINING, "`emotalk generate --lip-decoder`, given its folder"
)
SCORES_PAGE = _kind("report", "`emotalk score`", "any browser")
ANSWER_PAGE = _kind("report", "`emotalk experiment`", "any browser")
TEXT = _kind("text", "people, a training (its card) or `emotalk experiment` (RESULTS.md)", "people")


def file_lines(path: Path) -> tuple[str, ...] | None:
    """The file line by line; None if it is of no kind that is known here.

    Raises EmotalkError for a file of a known kind that is damaged.
    """
    describe = DESCRIBERS.get(path.suffix.lower())
    if describe is None:
        return None
    try:
        found = describe(path)
    except (OSError, ValueError, KeyError, IndexError, TypeError, struct.error, csv.Error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise EmotalkError(f"{path} is no whole {path.suffix} file: {reason}.", BROKEN) from error
    if found is None:
        return None
    kind, facts = found
    return (
        f"{path}: {kind.name}, {facts}, {size_text(path.stat().st_size)}",
        f"made by: {kind.maker}",
        f"read by: {kind.reader.replace('FILE', str(path))}",
    )


def size_text(size_bytes: int) -> str:
    """A size for people: MB, kB or bytes."""
    if size_bytes < 1000:
        return plural(size_bytes, "byte")
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


Found = tuple[Kind, str] | None


def _table(path: Path) -> Found:
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        columns = next(lines, [])
        rows = sum(1 for row in lines if row)
    if set(columns) >= CAPTURE.marks:
        return CAPTURE, _capture_facts(path)
    kind = next((kind for kind in TABLES if kind.marks <= set(columns)), None)
    return (kind, f"{plural(rows, 'row')} of {_listed(columns)}") if kind else None


def _capture_facts(path: Path) -> str:
    from emotalk_cli.live_link import read_live_link

    capture = read_live_link(path)
    frames, seconds = len(capture.values), float(capture.times_s[-1])
    rate = f" at {(frames - 1) / seconds:.3g}/s" if seconds else ""
    angles = " and the angles of head and eyes" if len(capture.angles_rad) else ""
    return (
        f"{plural(frames, 'frame')}{rate}, {seconds:.2f} s from {capture.start}, "
        f"{len(capture.names)} face units{angles}"
    )


def _scene(path: Path) -> Found:
    with path.open("rb") as file:
        magic, _, _, size, _ = struct.unpack("<4sIIII", file.read(20))
        if magic != b"glTF" or size > MAX_HEADER_BYTES:
            return None
        document = json.loads(file.read(size))
    meshes = document.get("meshes", [])
    units = max((len(m.get("extras", {}).get("targetNames", ())) for m in meshes), default=0)
    samplers = [s for a in document.get("animations", []) for s in a["samplers"]]
    times = [document["accessors"][sampler["input"]] for sampler in samplers]
    frames = max((time["count"] for time in times), default=0)
    seconds = max((time["max"][0] for time in times), default=0.0)
    maker = str(document["asset"].get("generator", "not told"))
    told = f"`emotalk export` ({maker})" if "emotalk" in maker else maker
    facts = f"{units} face units, {plural(frames, 'frame')}, {seconds:.2f} s"
    return Kind(SCENE.name, told, SCENE.reader), facts


def _picture(path: Path) -> Found:
    from PIL import Image

    with Image.open(path) as picture:
        return PICTURE, f"{picture.format}, {picture.width} x {picture.height} px"


def _page(path: Path) -> Found:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES).decode("utf-8", "replace")
    title = re.search(r"<title>(.*?)</title>", head, re.DOTALL)
    if title is None or "<main>" not in head:
        return None
    text = html.unescape(title[1])
    return (SCORES_PAGE if text.startswith("Scores: ") else ANSWER_PAGE), f"'{text}'"


def _document(path: Path) -> Found:
    return _of_keys(read_json(path, BROKEN), DOCUMENTS)


def _options(path: Path) -> Found:
    values = read_yaml(path, BROKEN)
    if isinstance(values, dict) and {"emotion", "intensity"} <= set(values):
        maker = "people, from `emotalk generate --show-config`"
        kind = Kind("options of generate", maker, "`emotalk generate --config FILE`")
        return kind, plural(len(values), "key")
    if isinstance(values, dict) and all(isinstance(key, (int, float)) for key in values):
        return OPTIONS[-1], plural(len(values), "key")
    return _of_keys(values, OPTIONS[:-1])


def _of_keys(values: Any, kinds: tuple[Kind, ...]) -> Found:
    if not isinstance(values, dict):
        return None
    names = [str(key) for key in values]
    kind = next((kind for kind in kinds if kind.marks <= set(names)), None)
    return (kind, _listed(names)) if kind else None


def _weights(path: Path) -> Found:
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > MAX_HEADER_BYTES:
            raise ValueError("its header is no header")
        header = json.loads(file.read(size))
    tensors = {name: value for name, value in header.items() if name != "__metadata__"}
    shapes = [value["shape"] for value in tensors.values()]
    numbers = 0
    for shape in shapes:
        product = 1
        for length in shape:
            product *= length
        numbers += product
    return WEIGHTS, f"{plural(len(tensors), 'tensor')}, {numbers:,} numbers"


def _text(path: Path) -> Found:
    lines = path.read_text(encoding="utf-8").splitlines()
    title = next((line.strip("# ") for line in lines if line.startswith("#")), "no title")
    return TEXT, f"'{title}', {plural(len(lines), 'line')}"


def plural(count: int, noun: str) -> str:
    """1 row, 2 rows."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")


PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff")
DESCRIBERS: Mapping[str, Callable[[Path], Found]] = {
    ".csv": _table,
    ".glb": _scene,
    ".html": _page,
    ".json": _document,
    ".yaml": _options,
    ".yml": _options,
    ".safetensors": _weights,
    ".md": _text,
    **dict.fromkeys(PICTURE_SUFFIXES, _picture),
}
