"""The command line: one thin function per subcommand; the only room that prints and exits."""

from emotalk_cli.cli.main import main

__all__ = ["main"]
