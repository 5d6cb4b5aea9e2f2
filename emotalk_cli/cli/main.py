"""The Typer app: the list of subcommands, the options of all of them, and how errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from emotalk_cli import __version__
from emotalk_cli.cli import corpora, generating, looking, scoring, terminal, training
from emotalk_cli.cli.configured import ConfiguredCommand, ShowingCommand, configured
from emotalk_cli.cli.options import EXIT_PROBLEM, EXIT_USAGE
from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import end_at_once

EXITS_OF_STOPS = (130, 143)
ANYWHERE = ("--quiet", "-q", "--debug", "--json")
"""Flags that may stand before or behind the subcommand."""
TRAININGS = {
    "train-lip": "Tracks + audio features -> the lip decoder: speech to articulation.",
    "train-emo": "Tracks + audio features -> the emotion decoder: face, gaze and head.",
    "train-single": "Tracks + audio features -> one decoder for all of it: the baseline.",
}
"""Their --config holds the options of training, so they show them in a way of their own."""

app = typer.Typer(
    name="emotalk",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One portrait, one speech recording and an emotion become a talking video.\n\n"
    "Start with [bold]emotalk generate[/bold]. The other commands prepare corpora, train the "
    "decoders and score results; they exchange HDF5 files, which [bold]emotalk inspect[/bold] "
    "explains.",
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors. Works anywhere.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors. Works anywhere.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was done as JSON. Works anywhere.")
    ] = False,
) -> None:
    """Take the options that belong to every command."""
    if version:
        print(f"emotalk {__version__}")
        raise typer.Exit


def _add_commands() -> None:
    """Every subcommand in the order of the help: data, training, videos, judging, looking."""
    functions: dict[str, Callable[..., None]] = {
        "preprocess": corpora.preprocess,
        "fit-3dmm": corpora.fit_3dmm,
        "extract-audio": corpora.extract_audio,
        "act": corpora.act,
        "generate": generating.generate,
        "score": scoring.score,
        "experiment": scoring.experiment,
        "export": looking.export,
        "inspect": looking.inspect,
        "doctor": looking.doctor,
        "ui": looking.ui,
    }
    for name, function in functions.items():
        app.command(name, cls=ConfiguredCommand)(configured(function))
        if name == "act":
            for trained, about in TRAININGS.items():
                app.command(trained, help=about, cls=ShowingCommand)(training.training(trained))


_add_commands()


def main() -> None:
    """Run the command line; every problem of the user's becomes a message and exit code 1."""
    arguments = sys.argv[1:]
    given = set(arguments)
    terminal.setup(
        quiet=bool({"--quiet", "-q"} & given), debug="--debug" in given, json="--json" in given
    )
    end_at_once(farewell=terminal.farewell())
    arguments = [a for a in arguments if a not in ANYWHERE]
    if not arguments and "--json" in given:
        terminal.tell_error(EmotalkError("No command is given.", "See `emotalk --help`."))
        sys.exit(EXIT_USAGE)
    try:
        app(args=arguments)
    except EmotalkError as error:
        _exit_with(error)
    except SystemExit as end:
        if end.code in EXITS_OF_STOPS:  # of a training, which stops between two steps
            sys.stderr.write(terminal.farewell())
        if end.code == EXIT_USAGE:
            terminal.tell_error(_usage_error(end.__context__))
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_PROBLEM)
    except OSError as error:
        place = Path(error.filename).name if isinstance(error.filename, str) else "An output"
        _exit_with(
            EmotalkError(
                f"{place} cannot be read or written: {error.strerror or error}.",
                "Check the place, its room and its limits, and run the same command again.",
            )
        )
    except Exception as error:  # noqa: BLE001 - the last line of defence: no bare traceback
        _exit_with(
            EmotalkError(
                f"Something unexpected happened: {type(error).__name__}: {error}",
                "This is a bug in emotalk. Run again with --debug and report what it prints.",
            )
        )


def _usage_error(fault: BaseException | None) -> EmotalkError:
    """What typer has just told people in a box, for programs."""
    context, message = getattr(fault, "ctx", None), getattr(fault, "format_message", None)
    command = context.info_name if context and context.parent else ""
    return EmotalkError(
        message() if message else "The command is used wrongly.",
        f"See `{' '.join(filter(None, ('emotalk', command, '--help')))}`.",
    )


def _exit_with(error: EmotalkError) -> NoReturn:
    terminal.say_error(error)
    sys.exit(EXIT_PROBLEM)
