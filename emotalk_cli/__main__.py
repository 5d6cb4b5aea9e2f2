"""Where `emotalk` and `python -m emotalk_cli` begin."""

import os

from emotalk_cli.interrupts import end_at_once


def main() -> None:
    """Run the command line; a stop may come before it is loaded."""
    end_at_once()
    # Before numpy is loaded. Its matrices are small: more threads only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from emotalk_cli.cli import main as run

    run()


if __name__ == "__main__":
    main()
