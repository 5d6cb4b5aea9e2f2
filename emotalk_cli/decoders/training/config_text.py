"""The options of training as YAML in which each says what it does; `read_config` reads it again."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from emotalk_cli.decoders.training.config import TrainConfig

TEMPLATE = Path(__file__).resolve().parents[2] / "assets" / "train.yaml"
"""Every option with its default and a comment; its lines are kept, its values replaced."""
_LINE = re.compile(
    r"(?P<start>(?P<indent> *)(?P<key>\w+): *)(?P<value>[^#\s][^#]*?)? *(?P<about>#.*)?"
)


def config_text(config: TrainConfig) -> str:
    """All options of `config`, with the comments of the template."""
    values: Any = dataclasses.asdict(config)
    section, lines = values, []
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        found = _LINE.fullmatch(line)
        if found and found["value"]:
            section = section if found["indent"] else values
            column = max(line.find("#"), 0)
            text = f"{found['start']}{_scalar(section[found['key']])}"
            line = f"{text.ljust(column - 1)} {found['about']}" if found["about"] else text
        elif found:
            section = values[found["key"]]
        lines.append(line)
    return "\n".join([*lines, ""])


def _scalar(value: Any) -> str:
    import yaml

    plain = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=1 << 20)
    return text.removesuffix("...\n").strip()
