"""The one error that users meet: what is wrong, and what to do next."""


class EmotalkError(Exception):
    """A problem in the user's input or machine, never a bug.

    `problem` says what was found and in which file; `next_step` says what is possible and the
    next command. The command line prints both and exits with code 1.
    """

    def __init__(self, problem: str, next_step: str = "") -> None:
        super().__init__(problem, next_step)
        self.problem = problem
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.problem}\n{self.next_step}" if self.next_step else self.problem


class StaleOutputError(EmotalkError):
    """An output exists that was made from other inputs or with other options."""


class RecordError(EmotalkError):
    """A file does not hold the record it should hold."""
