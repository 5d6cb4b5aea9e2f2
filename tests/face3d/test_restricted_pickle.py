"""Pickles: arrays are read, everything else is refused."""

import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.restricted_pickle import read_pickled_arrays


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def dumped(path: Path, value: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for chumpy, which the reader must not need."""
    module = types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x: np.ndarray) -> None:
            self.x = x
            self._status = "new"

    Ch.__module__ = "chumpy.ch"
    Ch.__qualname__ = "Ch"
    module.Ch = Ch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return Ch


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int, chumpy: Any) -> None:
    values = np.arange(12.0).reshape(4, 3)
    sparse = scipy.sparse.csc_matrix(np.eye(3))
    stored = {
        "v": values,
        "fortran": np.asfortranarray(values),
        "f": values.astype(np.uint32),
        "J": sparse,
        "rows": scipy.sparse.csr_matrix(values),
        "dirs": chumpy(values),
        "text": "smpl",
        "one": np.float64(3),
    }
    found = read_pickled_arrays(dumped(tmp_path / "a.pkl", stored, protocol))
    np.testing.assert_array_equal(found["v"], values)
    np.testing.assert_array_equal(found["fortran"], values)
    np.testing.assert_array_equal(found["dirs"], values)
    np.testing.assert_array_equal(found["J"], np.eye(3))
    np.testing.assert_array_equal(found["rows"], values)
    assert found["f"].dtype == np.uint32
    assert "text" not in found


def test_files_of_python_2(tmp_path: Path) -> None:
    # cPickle.dumps({"v": numpy.array([1.5])}, 2) of Python 2.7
    content = (
        b"\x80\x02}q\x01U\x01vcnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K"
        b"\x00\x85U\x01b\x87Rq\x04(K\x01K\x01\x85cnumpy\ndtype\nq\x05U\x02f8K\x00K\x01\x87Rq\x06"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08"
        + np.float64(1.5).tobytes()
        + b"tbs."
    )
    (tmp_path / "old.pkl").write_bytes(content)
    np.testing.assert_array_equal(read_pickled_arrays(tmp_path / "old.pkl")["v"], [1.5])


@pytest.mark.parametrize(
    "hostile",
    [
        Calls(os.system, "touch {mark}"),
        Calls(eval, "open('{mark}', 'w')"),
        Calls(exec, "open('{mark}', 'w')"),
        Calls(getattr, "text", "upper"),
        Calls(np.load, "{mark}"),
        Calls(np.memmap, "{mark}", "f4", "w+", 0, (4,)),
        Calls(__import__, "os"),
        np.array([1, "a", None], object),
    ],
    ids=lambda h: getattr(h.call[0], "__name__", "") if isinstance(h, Calls) else "object array",
)
def test_hostile_pickles_are_refused_and_do_nothing(tmp_path: Path, hostile: Any) -> None:
    mark = tmp_path / "mark"
    if isinstance(hostile, Calls):
        function, arguments = hostile.call
        arguments = tuple(a.format(mark=mark) if isinstance(a, str) else a for a in arguments)
        hostile = Calls(function, *arguments)
    path = dumped(tmp_path / "bad.pkl", {"v_template": hostile})
    if isinstance(hostile, Calls):
        with pytest.raises(EmotalkError, match=r"refused.*asks for") as refusal:
            read_pickled_arrays(path)
        assert "numpy.savez" in str(refusal.value)
    else:
        assert read_pickled_arrays(path) == {}
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no pickle"),
        (b"not a pickle", "no pickle"),
        (pickle.dumps([1, 2]), "no dictionary"),
        (pickle.dumps({"v": np.zeros((100, 3))})[:200], "no pickle"),
        # An array that says it has 10**15 numbers.
        (b"\x80\x02cnumpy\nndarray\n\x8a\x07\x00\x80\xc6\xa4\x7e\x8d\x03\x85R.", "not callable"),
    ],
)
def test_damaged_pickles_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(EmotalkError, match=message):
        read_pickled_arrays(tmp_path / "bad.pkl")


def test_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    """A pickle may set attributes of what it builds; the next file must not feel it."""
    content = (
        b"\x80\x02cchumpy.ch\nCh\nN}U\x0c__setstate__cnumpy\ndtype\ns\x86b."  # BUILD on a class
    )
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(EmotalkError):
        read_pickled_arrays(tmp_path / "bad.pkl")
    good = dumped(tmp_path / "good.pkl", {"v": scipy.sparse.csc_matrix(np.eye(2))})
    np.testing.assert_array_equal(read_pickled_arrays(good)["v"], np.eye(2))
