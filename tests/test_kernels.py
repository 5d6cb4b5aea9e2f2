"""Kernels compile where nothing beside them can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from emotalk_cli.kernels import kernel

# A file that is there, in a folder where nobody, root included, can make another one.
scope = {}
exec(compile("def twice(x):\\n    return 2.0 * x", "/proc/version", "exec"), scope)
print(kernel(scope["twice"])(21.0))
"""


@pytest.mark.skipif(not Path("/proc/version").is_file(), reason="needs Linux")
def test_kernels_compile_where_nothing_can_be_written(tmp_path: Path) -> None:
    environment = dict(os.environ, HOME="/proc/none", XDG_CACHE_HOME="/proc/none")
    environment["TMPDIR"] = str(tmp_path)
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=root, capture_output=True, text=True
    )
    assert done.stdout.strip() == "42.0", done.stderr
    (folder,) = tmp_path.glob("emotalk-kernels-*")
    assert folder.stat().st_mode & 0o077 == 0
    assert list(folder.rglob("*.nbc"))
