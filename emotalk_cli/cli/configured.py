"""A subcommand that can read its options from a YAML file and show them as one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from emotalk_cli.cli.signatures import sign
from emotalk_cli.errors import EmotalkError
from emotalk_cli.text_files import meant, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = "config"
SHOW_CONFIG = "show_config"
EXAMPLE = "Print an example with --show-config."
NOT_SHOWN = (CONFIG, SHOW_CONFIG, "help")

ShowConfig = Annotated[
    bool,
    typer.Option("--show-config", is_eager=True, help="Print the options as YAML and stop."),
]


class ShowingCommand(TyperCommand):
    """A subcommand with --show-config."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options; nothing is required of somebody who only wants to see them."""
        if "--show-config" in args:
            for parameter in self.params:
                parameter.required = False
        return list(super().parse_args(ctx, args))


class ConfiguredCommand(ShowingCommand):
    """A subcommand made of a `configured` function."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand, or print its options as a config file."""
        if not ctx.params[SHOW_CONFIG]:
            return super().invoke(ctx)
        import yaml

        names = _names(self)
        shown = {key: _plain(ctx.params.get(name)) for key, name in names.items()}
        print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
        return None


def _use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of the file the defaults of the options."""
    if path is not None:
        names = _names(context.command)
        values = _read(path)
        for key in values:
            if str(key) not in names:
                raise EmotalkError(
                    f"{path} has the unknown key '{key}'.",
                    f"{meant(str(key), names)}Known: {', '.join(names)}.",
                )
        context.default_map = {
            names[str(key)]: _text(value) for key, value in values.items() if value is not None
        }
    return path


def configured(function: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand's function the options --config FILE and --show-config.

    A key of the file is an option's long name without its dashes, or an argument's name; what the
    command line says goes before the file. --show-config prints such a file and does nothing else.
    """

    @functools.wraps(function)
    def run(**options: Any) -> None:
        del options[CONFIG], options[SHOW_CONFIG]
        function(**options)

    config = Annotated[
        Path | None,
        typer.Option(
            is_eager=True,
            callback=_use_config,
            help="YAML file of these options; see --show-config.",
        ),
    ]
    sign(run, function, {CONFIG: (config, None), SHOW_CONFIG: (ShowConfig, False)})
    return run


def _read(path: Path) -> Mapping[Any, Any]:
    values = read_yaml(path, EXAMPLE)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise EmotalkError(f"{path} is no mapping of options.", EXAMPLE)
    return values


def _names(command: Any) -> dict[str, str]:
    """Key of the file -> name of the parameter, in the order of the help."""
    names = {}
    for parameter in command.params:
        if parameter.name is None or parameter.name in NOT_SHOWN:
            continue
        long = [option for option in parameter.opts if option.startswith("--")]
        names[long[0][2:] if long else parameter.name] = parameter.name
    return names


def _text(value: Any) -> Any:
    """What the command line would have held: a timeline may be written as a mapping of keys."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {word}" for key, word in value.items())
    if isinstance(value, list):
        return [str(item) for item in value]
    return value if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """A parameter's value as YAML can hold it."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
