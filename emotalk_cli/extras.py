"""How to install an optional part: one wording wherever one is missing."""

from __future__ import annotations

import importlib.metadata
import re
from functools import cache

APART = {"metrics": "pip install --no-deps fer==25.10.3"}
"""What else an extra needs: packages whose own requirements do not fit ours."""


@cache
def install_line(extra: str) -> str:
    """How to install the optional packages of `extra`, by pip and in the repository."""
    try:
        lines = importlib.metadata.requires("emotalk") or []
    except importlib.metadata.PackageNotFoundError:
        lines = []
    found = [re.fullmatch(r"([^;]+?) *; *extra == [\"'](.+)[\"']", line) for line in lines]
    packages = [f"'{match[1]}'" for match in found if match and match[2] == extra]
    make = f"`make extras EXTRAS={extra}`"
    pip = f"`pip install {' '.join(packages)}` (in the repository: {make})" if packages else make
    apart = f", and `{APART[extra]}`" if extra in APART else ""
    return f"Install: {pip}{apart}"
