"""One record <-> one HDF5 file: atomic write, checked read, freshness.

A file is written under a temporary name in the same folder and moved into place, so that a kill
at any moment leaves the old file, the new file or none. Reading trusts nothing: only plain
datasets of the declared names, types and axes are read, never links, objects or pickles.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import numpy as np

from emotalk_cli.disk_file import DiskFile
from emotalk_cli.errors import RecordError, StaleOutputError
from emotalk_cli.safe_files import atomic_path
from emotalk_cli.schema import (
    FORMAT_VERSION,
    RECORDS,
    SUFFIX,
    ArraySpec,
    Labels,
    MadeBy,
    Record,
    ScoreRow,
    blocks,
)

__all__ = [
    "SUFFIX",
    "array_shape",
    "as_json",
    "is_done",
    "kind_of",
    "read",
    "read_field",
    "refuse_other",
    "write",
]

if TYPE_CHECKING:
    import h5py

R = TypeVar("R", bound=Record)

MAX_ARRAY_BYTES = 16 << 30
MAX_FIXED_BYTES = 60_000
"""HDF5 keeps larger attributes elsewhere."""
COMPRESS_ABOVE_BYTES = 4096
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def write(record: Record, path: Path) -> Path:
    """Check `record` and write it to `path` whole or not at all."""
    import h5py

    record.check()
    with (
        atomic_path(path) as temporary,
        DiskFile(temporary) as disk,
        h5py.File(disk, "w") as file,
    ):
        _write_text(file, "record", record.kind)
        file.attrs["version"] = record.version
        for name in record.attribute_names():
            value = json.dumps(_plain(getattr(record, name)), ensure_ascii=False)
            _write_text(file, name, value)
        for name, spec in record.array_specs().items():
            value = getattr(record, name)
            if value is not None:
                _write_array(file, name, spec, value)
    return path


def read(path: Path, kind: type[R]) -> R:
    """Read and check the record `kind` in the file `path`."""
    with _opened(path) as file:
        found = _text(file, "record")
        if found != kind.kind:
            raise RecordError(
                f"{path} holds {found or 'no emotalk record'}, not {kind.kind}.",
                f"`emotalk inspect {path}` says what it is.",
            )
        values = _read_attributes(file, kind, path)
        for name, spec in kind.array_specs().items():
            if name in file:
                values[name] = _read_array(file, name, spec, path)
            elif name not in kind.optional_names():
                raise RecordError(f"{path} lacks the field {name} of {kind.kind}.", _REMAKE)
    try:
        record = kind(**values)
        record.check()
    except RecordError as error:
        raise RecordError(f"{path}: {error.problem}", _REMAKE) from error
    return record


def read_field(path: Path, kind: type[Record], name: str) -> Any:
    """One field of the record `kind` in the file `path`, unchecked against its other fields."""
    with _opened(path) as file:
        if _text(file, "record") != kind.kind:
            raise RecordError(
                f"{path} holds {_text(file, 'record')}, not {kind.kind}.",
                f"`emotalk inspect {path}` says what it is.",
            )
        specs = kind.array_specs()
        if name not in specs:
            return _read_attributes(file, kind, path)[name]
        if name in file:
            return _read_array(file, name, specs[name], path)
        if name in kind.optional_names():
            return None
        raise RecordError(f"{path} lacks the field {name} of {kind.kind}.", _REMAKE)


def kind_of(path: Path) -> type[Record]:
    """Which record the file `path` holds."""
    with _opened(path) as file:
        return RECORDS[_text(file, "record")]


def array_shape(path: Path, name: str) -> tuple[int, ...]:
    """Shape of the array `name` of the record in `path`, without reading it."""
    with _opened(path) as file:
        if name not in file:
            raise RecordError(f"{path} lacks the field {name}.", _REMAKE)
        return tuple(int(size) for size in file[name].shape)


def is_done(path: Path, made_by: MadeBy, *, overwrite: bool = False) -> bool:
    """True if `path` already holds what `made_by` would make; False if it is to be made.

    A damaged record is to be made again. Raises StaleOutputError if the file was made otherwise or
    is no record of ours, and `overwrite` is not set.
    """
    if overwrite or not path.exists():
        return False
    _refuse_foreign(path)
    try:
        with _opened(path) as file:
            before = json.loads(_text(file, "made_by"))
    except (RecordError, KeyError, ValueError):
        return False
    refuse_other(path, before, made_by)
    return True


def _refuse_foreign(path: Path) -> None:
    """Raise StaleOutputError for what is there and no HDF5 file, damaged or whole."""
    with path.open("rb") as file:
        start = file.read(len(HDF5_SIGNATURE))
    if start != HDF5_SIGNATURE[: len(start)]:
        raise StaleOutputError(
            f"{path} exists already and is no emotalk file.",
            "Add --overwrite to replace it, or choose another output.",
        )


def as_json(made_by: MadeBy) -> str:
    """`made_by` as one line of JSON, for files that are no records."""
    return json.dumps(_plain(made_by), ensure_ascii=False)


def refuse_other(path: Path, before: Any, made_by: MadeBy) -> None:
    """Raise StaleOutputError, naming the difference, if `path` was made otherwise.

    `before` is the JSON value of the `made_by` that the file names.
    """
    now = json.loads(as_json(made_by))
    if before == now:
        return
    raise StaleOutputError(
        f"{path} was made otherwise: {_difference(before, now)}.",
        "Add --overwrite to make it again, or choose another output.",
    )


_REMAKE = "Make the file again with the stage that wrote it."


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    import h5py

    if not path.is_file():
        raise RecordError(f"There is no file {path}.", "Check the path.")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise RecordError(
            f"{path} is not a readable HDF5 file.",
            "Give a file that emotalk wrote; if it was one, make it again.",
        ) from error
    try:
        with file:
            _check_header(file, path)
            yield file
    except (KeyError, RuntimeError, OSError) as error:  # what h5py makes of damage anywhere
        raise RecordError(f"{path} is damaged.", _REMAKE) from error


def _check_header(file: h5py.File, path: Path) -> None:
    if _text(file, "record") not in RECORDS:
        raise RecordError(f"{path} is no emotalk record.", f"Known: {', '.join(RECORDS)}.")
    version = file.attrs.get("version")
    if not isinstance(version, (int, np.integer)) or int(version) != FORMAT_VERSION:
        raise RecordError(
            f"{path} has format version {version}; this program reads {FORMAT_VERSION}.",
            "Make the file again, or use the emotalk version that wrote it.",
        )


def _write_text(file: h5py.File, name: str, text: str) -> None:
    """An attribute of fixed length where it fits: HDF5 may loop for ever in a damaged heap of
    texts of variable length.
    """
    content = text.encode()
    fixed = len(content) <= MAX_FIXED_BYTES
    file.attrs[name] = np.bytes_(content) if fixed else text


def _text(file: h5py.File, name: str) -> str:
    """A text attribute; empty where there is none."""
    value = file.attrs.get(name, "")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as JSON types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return value.name
    return value


def _write_array(file: h5py.File, name: str, spec: ArraySpec, value: Any) -> None:
    packed = value.nbytes > COMPRESS_ABOVE_BYTES and spec.dtype != "uint8"
    options: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    dataset = file.create_dataset(name, value.shape, value.dtype, **(options if packed else {}))
    for part, block in blocks(value):
        dataset[part] = block
    for key, text in {"axes": " ".join(spec.axes), "unit": spec.unit, "about": spec.about}.items():
        dataset.attrs[key] = np.bytes_(text.encode()) if text else text


def _read_array(file: h5py.File, name: str, spec: ArraySpec, path: Path) -> Any:
    import h5py

    link = file.get(name, getlink=True)
    item = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
        raise RecordError(f"{path}: {name} is no plain dataset.", _REMAKE)
    if item.dtype != np.dtype(spec.dtype) or item.ndim != len(spec.axes):
        raise RecordError(
            f"{path}: {name} is {item.dtype} {item.shape}, not {spec.dtype} "
            f"({', '.join(spec.axes)}).",
            _REMAKE,
        )
    if item.nbytes > MAX_ARRAY_BYTES:
        raise RecordError(f"{path}: {name} claims {item.nbytes >> 30} GiB.", _REMAKE)
    try:
        return item[...]
    except (OSError, MemoryError) as error:
        raise RecordError(f"{path}: {name} cannot be read.", _REMAKE) from error


def _read_attributes(file: h5py.File, kind: type[Record], path: Path) -> dict[str, Any]:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name in kind.attribute_names():
        try:
            values[name] = _typed(json.loads(_text(file, name)), hints[name])
        except (TypeError, ValueError) as error:
            raise RecordError(f"{path}: the attribute {name} is missing or wrong.", _REMAKE) from (
                error
            )
    return values


def _typed(value: Any, hint: Any) -> Any:
    """A JSON value as the type that the record declares."""
    if hint in (MadeBy, Labels):
        return hint(**value)
    if hint in (str, int, float):
        if not isinstance(value, (int, float) if hint is float else hint):
            raise TypeError(f"{value!r} is not {hint.__name__}")
        return hint(value)
    if hint == tuple[ScoreRow, ...]:
        return tuple(ScoreRow(**row) for row in value)
    if hint == tuple[str, ...]:
        return tuple(str(item) for item in value)
    return tuple(tuple(item) for item in value)


def _difference(before: Any, now: Any, name: str = "") -> str:
    """Name the first things that differ between two made_by values."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        prefix = f"{name}." if name else ""
        return "; ".join(_difference(before.get(k), now.get(k), prefix + k) for k in keys[:3])
    return f"{name} was {_short(before)}, is now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 24 else text[:20] + "..."
