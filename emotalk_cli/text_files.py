"""Reading the text files that users write or edit, YAML and JSON: one error for all faults."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from emotalk_cli.errors import EmotalkError

MAX_BYTES = 64 << 20


def read_yaml(path: Path, next_step: str) -> Any:
    """What the YAML file holds: plain values, lists and mappings; EmotalkError if unreadable."""
    import yaml

    return _read(path, "YAML", yaml.safe_load, next_step)


def read_json(path: Path, next_step: str) -> Any:
    """What the JSON file holds; EmotalkError if unreadable."""
    return _read(path, "JSON", json.loads, next_step)


def meant(word: str, known: Collection[str]) -> str:
    """A question for what looks like one of the `known` words, as in "Did you mean 'steps'? ".

    "" for what looks like none.
    """
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{near[0]}'? " if near else ""


def _read(path: Path, kind: str, parse: Callable[[str], Any], next_step: str) -> Any:
    import yaml

    if not path.is_file():
        raise EmotalkError(f"There is no file {path}.", next_step)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EmotalkError(f"{path} is too large for {kind} of this program.", next_step)
        return parse(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise EmotalkError(f"{path} is nested too deeply for {kind}.", next_step) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise EmotalkError(f"{path} cannot be read as {kind}: {reason}.", next_step) from error
