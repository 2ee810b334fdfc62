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


@dataclass(frozen=True, slots=True)
class Line:
    """What stands behind `prosodyctl shell`; a single word is also a line that can be typed."""

    words: tuple[str, ...]
    differs: tuple[Differs, ...] = ()

    @property
    def typed(self) -> str | None:
        """The line for an interactive session; None if it only is one on the command line."""
        only_word = self.words[0] if len(self.words) == 1 else "\n"
        return None if "\n" in only_word else only_word

    def mask(self, text: str) -> str:
        """Return the text without what differs from one run to the next."""
        for part in self.differs:
            text = part.mask(text)
        return text


def typed(*lines: str) -> tuple[Line, ...]:
    """Lines with nothing that changes."""
    return tuple(Line((line,)) for line in lines)
