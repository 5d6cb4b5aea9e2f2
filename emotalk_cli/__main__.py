"""Where `emotalk` and `python -m emotalk_cli` begin."""

from emotalk_cli.interrupts import end_at_once


def main() -> None:
    """Run the command line; a stop may come before it is loaded."""
    end_at_once()
    from emotalk_cli.cli import main as run

    run()


if __name__ == "__main__":
    main()
