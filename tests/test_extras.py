"""How to install what is missing: said once, in the same words everywhere."""

from pathlib import Path

import pytest

from emotalk_cli import extras
from emotalk_cli.extras import install_line
from emotalk_cli.stages.doctor import OPTIONAL

PACKAGE = Path(__file__).resolve().parents[1] / "emotalk_cli"


def test_both_ways_to_install_are_named() -> None:
    line = install_line("hf")
    assert line.startswith("Install: `pip install 'transformers")
    assert line.endswith("(in the repository: `make extras EXTRAS=hf`)")
    assert "fer==" in install_line("metrics")
    assert OPTIONAL["transformers"][1] == line


def test_without_metadata_the_repository_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise extras.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extras.importlib.metadata, "requires", missing)
    assert install_line.__wrapped__("ui") == "Install: `make extras EXTRAS=ui`"


def test_no_other_wording_is_left() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "extras.py"]
    assert not [path for path in files if "make extras" in path.read_text(encoding="utf-8")]
