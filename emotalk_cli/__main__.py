"""`python -m emotalk_cli` is the same as `emotalk`."""

from emotalk_cli.cli import main

if __name__ == "__main__":
    main()
