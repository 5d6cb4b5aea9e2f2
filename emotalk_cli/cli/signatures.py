"""Functions that take more options, or fewer, than they name: typer reads the signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

Option = tuple[Any, Any]
"""Annotation, with typer's description, and default."""


def sign(
    run: Callable[..., None],
    function: Callable[..., None],
    added: Mapping[str, Option],
    removed: Collection[str] = (),
) -> None:
    """Give `run` the signature of `function`, without the parameters `removed`, with `added` ones.

    Those added come last and are passed by keyword.
    """
    hints = get_type_hints(function, include_extras=True)
    kept = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in removed
    ]
    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in added.items()
    ]
    run.__signature__ = inspect.Signature([*kept, *extra])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*kept, *extra)}
