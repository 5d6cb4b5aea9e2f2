"""Reading a network's weights from the user's own file, and refusing what is something else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from emotalk_cli.errors import EmotalkError

if TYPE_CHECKING:
    import torch

COUNTER = "num_batches_tracked"  # absent from files that old versions of torch wrote


def read_state(
    path: Path, expected: Mapping[str, torch.Tensor], owner: str, advice: str
) -> dict[str, torch.Tensor]:
    """The state dictionary in the file `path`, with the names and shapes of `expected`.

    `owner` names the network and `advice` the file to give, for the message where it is another.
    """
    import torch

    try:
        # Only tensors are read: weights_only refuses everything that could run.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise EmotalkError(f"Cannot read {path}: {error.strerror}.", advice) from error
    except Exception as error:  # torch raises many kinds for a foreign file
        raise EmotalkError(f"{path} holds no network's weights.", advice) from error
    if not isinstance(state, dict):
        raise EmotalkError(f"{path} holds no network's weights.", advice)
    for name in expected.keys() | state.keys():
        if str(name).endswith(COUNTER):
            continue
        if name not in expected or name not in state:
            side = "lacks" if name in expected else "holds the unknown"
            raise EmotalkError(f"{path} is not {owner}'s: it {side} layer {name}.", advice)
        if getattr(state[name], "shape", None) != expected[name].shape:
            raise EmotalkError(
                f"{path} is not {owner}'s: {name} has shape "
                f"{tuple(getattr(state[name], 'shape', ()))}, not {tuple(expected[name].shape)}.",
                advice,
            )
    return state
