"""Reads pickles that hold arrays, and refuses everything else that a pickle could do.

A pickle may call any function of the machine that reads it. This reader admits nothing but what
the files of face models hold: numpy arrays and scalars, scipy's sparse matrices and chumpy's `Ch`,
the latter two rebuilt from their state without importing either package.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

MAX_BYTES = 2 << 30
ADVICE = (
    "Only arrays are read from a pickle, because a pickle can run programs. If you trust the file, "
    "load it where it came from and save its arrays with numpy.savez."
)


class _Refused(pickle.UnpicklingError):
    """The pickle asks for something that is no array."""


def read_pickled_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a pickled dictionary, by name; entries that are no arrays are left out.

    Sparse matrices become dense ones, `chumpy.Ch` the array that it wraps.

    Raises:
        EmotalkError: the file is missing or damaged, or it asks for anything but arrays.

    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EmotalkError(f"{path} has more than {MAX_BYTES >> 30} GiB.", "Check the file.")
        content = path.read_bytes()
    except OSError as error:
        raise EmotalkError(f"{path} cannot be read: {error.strerror}.", "Check it.") from error
    try:
        found = _ArrayUnpickler(content).load()
        if not isinstance(found, Mapping):
            raise EmotalkError(f"{path} holds {type(found).__name__}, no dictionary.", ADVICE)
        return _arrays(found)
    except _Refused as error:
        raise EmotalkError(f"{path} is refused: {error}.", ADVICE) from error
    except EmotalkError:
        raise
    except MemoryError as error:
        raise EmotalkError(f"{path} is damaged: its arrays are too large.", ADVICE) from error
    except Exception as error:
        # A damaged pickle may fail in any way that its instructions can.
        text = f"{type(error).__name__}: {error}"[:200]
        raise EmotalkError(f"{path} is no pickle that can be read: {text}.", ADVICE) from error


class _ArrayUnpickler(pickle.Unpickler):
    """Finds the few names that arrays are made of. Its stand-ins live as long as one file."""

    def __init__(self, content: bytes) -> None:
        # Pickles of Python 2 hold the arrays' bytes as text.
        super().__init__(io.BytesIO(content), encoding="latin1")
        self._admitted = _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name of the file; any that makes no array is refused."""
        if module.startswith("numpy._core."):
            module = module.replace("numpy._core.", "numpy.core.", 1)
        if module.startswith("scipy.sparse"):
            module = "scipy.sparse"
        try:
            return self._admitted[module, name]
        except KeyError:
            raise _Refused(f"it asks for {module}.{name}, which is no array") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("it asks for an object outside the file")


def _stand_ins() -> dict[tuple[str, str], Any]:
    """Harmless builders of everything that is admitted, by module and name."""

    class Wrapped:
        """What chumpy or scipy would rebuild: its plain state."""

        def __init__(self, *_: Any) -> None:
            self.state: dict[str, Any] = {}

        def __setstate__(self, state: Any) -> None:
            self.state = dict(state) if isinstance(state, dict) else {}

    class Chumpy(Wrapped):
        pass

    class CompressedColumns(Wrapped):
        pass

    class CompressedRows(Wrapped):
        pass

    array_kind = object()  # named, never called: only `_reconstruct` makes arrays
    wrapped = (Chumpy, CompressedColumns, CompressedRows)

    def empty_array(kind: Any, shape: Any, dtype: Any) -> NDArray[Any]:
        if kind is not array_kind or tuple(shape) != (0,):
            raise _Refused("it builds an unusual kind of array")
        return np.ndarray((0,), np.int8)

    def scalar(dtype: Any, content: Any = b"") -> Any:
        if not isinstance(dtype, np.dtype) or dtype.hasobject:
            raise _Refused("it builds an unusual kind of number")
        raw = content.encode("latin1") if isinstance(content, str) else content
        return np.frombuffer(raw, dtype, 1)[0]

    def rebuilt(kind: Any, _base: Any, state: Any) -> Any:
        if kind not in wrapped or state is not None:
            raise _Refused("it builds an unusual kind of object")
        return kind()

    def bytes_of(text: Any, encoding: Any = "latin1") -> bytes:
        return str(text).encode("latin1")

    def plain_object(*_: Any) -> None:
        raise _Refused("it builds a bare object")

    from_buffer: Callable[..., Any] = _from_buffer
    return {
        ("numpy", "ndarray"): array_kind,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): empty_array,
        ("numpy.core.multiarray", "scalar"): scalar,
        ("numpy.core.numeric", "_frombuffer"): from_buffer,
        ("scipy.sparse", "csc_matrix"): CompressedColumns,
        ("scipy.sparse", "csr_matrix"): CompressedRows,
        ("chumpy.ch", "Ch"): Chumpy,
        ("copy_reg", "_reconstructor"): rebuilt,
        ("copyreg", "_reconstructor"): rebuilt,
        ("__builtin__", "object"): plain_object,
        ("builtins", "object"): plain_object,
        ("_codecs", "encode"): bytes_of,
    }


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    """What protocol 5 makes arrays from."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise _Refused("it builds an unusual kind of array")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _arrays(found: Mapping[Any, Any]) -> dict[str, NDArray[Any]]:
    arrays = {}
    for key, value in found.items():
        array = _array(value)
        if array is not None:
            arrays[key.decode("latin1") if isinstance(key, bytes) else str(key)] = array
    return arrays


def _array(value: Any) -> NDArray[Any] | None:
    """A plain array of numbers, or None for what is none."""
    state = getattr(value, "state", None)
    if isinstance(state, dict):
        value = _dense(state, by_rows=type(value).__name__ == "CompressedRows")
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return None
    return value


def _dense(state: Mapping[str, Any], *, by_rows: bool) -> Any:
    """The array of chumpy's state, or of a sparse matrix in compressed rows or columns."""
    if "x" in state:
        return _array(state["x"])
    parts = [np.asarray(state[name]) for name in ("data", "indices", "indptr")]
    shape = state.get("_shape", state.get("shape"))
    from scipy.sparse import csc_matrix, csr_matrix

    kind = csr_matrix if by_rows else csc_matrix
    return kind(tuple(parts), shape=tuple(int(n) for n in shape)).toarray()
