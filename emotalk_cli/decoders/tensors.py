"""Files of tensors: safetensors, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import atomic_path

AGAIN = "Fetch or train the checkpoint again."


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, whole or not at all."""
    from safetensors.torch import save

    data = save(dict(tensors))
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; raises EmotalkError if it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise EmotalkError(f"{path} cannot be read: {error}.", AGAIN) from error
