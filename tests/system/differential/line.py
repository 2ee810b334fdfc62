"""What the differential test's table is made of."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Differs:
    """A part of the output that changes from one run to the next, and why.

    `pattern` matches that part and nothing around it; the rest has to be equal.
    """

    pattern: str
    why: str

    def mask(self, text: str) -> str:
        """Return the text with the part's reason in its place."""
        return re.sub(self.pattern, f"<{self.why}>", text)


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What readline(3) acts on: a tab completes the name of a file."""

_ENDS = ("quit", "exit", "bye")
"""What ends an interactive client; Prosody knows none of them."""


@dataclass(frozen=True, slots=True)
class Line:
    """What stands behind `prosodyctl shell`; a single word is also a line that can be typed."""

    words: tuple[str, ...]
    differs: tuple[Differs, ...] = ()

    @property
    def can_be_typed(self) -> bool:
        """Whether it is a line for an interactive session."""
        first, *others = self.words
        return not others and first not in _ENDS and not _CONTROL.search(first)

    def mask(self, text: str) -> str:
        """Return the text without what differs from one run to the next."""
        for part in self.differs:
            text = part.mask(text)
        return text


@dataclass(frozen=True, slots=True)
class Deliberate:
    """A command line that the service answers differently on purpose, and why.

    Each way has the exit status of the client, and a pattern that is found in what it shows.
    """

    line: Line
    why: str
    direct: tuple[int, str]
    through: tuple[int, str]


def typed(*lines: str) -> tuple[Line, ...]:
    """Lines with nothing that changes."""
    return tuple(Line((line,)) for line in lines)
