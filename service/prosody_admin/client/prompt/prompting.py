"""Reading a line at the terminal: with prompt_toolkit, with readline, or with neither of them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Suggestion(NamedTuple):
    """What may stand in the place of what is typed from `start` up to the cursor."""

    text: str
    start: int
    """Characters of the line before it."""
    meaning: str
    """A few words for whoever chooses."""


Suggest = Callable[[str], Sequence[Suggestion]]
"""What may stand at the cursor, by what stands before it in its line."""


class Prompt(Protocol):
    """Where lines are typed. Several pasted lines may come as one, with newlines in it."""

    def read(self, prompt: str) -> str:
        """Return what is typed up to Return.

        Raises EOFError for Ctrl-D in an empty line, and KeyboardInterrupt for Ctrl-C.
        """

    def remember(self, line: str) -> None:
        """Offer a line again at the Up key."""

    def leave(self, code: int) -> None:
        """End the process with this exit code, from a signal handler, and `read` before it."""


class PlainPrompt:
    """What every Python has: input() without anything."""

    def read(self, prompt: str) -> str:
        """Return a line; see Prompt."""
        try:
            return input(prompt)
        except (EOFError, KeyboardInterrupt, SystemExit):
            print()  # the cursor still stands behind the prompt
            raise

    def remember(self, line: str) -> None:
        """Do nothing: nothing here offers lines."""

    def leave(self, code: int) -> None:
        """End the process; input() puts the terminal in order."""
        raise SystemExit(code)
