"""Where does a piece of markup end?

From 2.6 on expat keeps back a token that arrived in parts ("reparse deferral"), a whole stanza
if nothing follows it, and Python 3.11 cannot switch that off. So expat is only ever given
pieces that end where a tag ends: it never sees half a token, and what it reports for a piece
depends on the stream's bytes alone, never on how they were split.

Nothing here decides what is well-formed. Where a piece is malformed, its end may be found late;
then expat refuses it late, but always at the same byte.
"""

import re
from typing import cast

# A tag, where a quoted value may hold ">"; or a comment, or a processing instruction. What
# matches a prefix of a stream matches the same bytes of any continuation of it.
_MARKUP = re.compile(
    rb"""<(?: !--.*?--> | \?.*?\?> | (?!!--|\?|!\[) (?:[^>"']++|"[^"]*+"|'[^']*+')* > )""",
    re.DOTALL | re.VERBOSE,
)
_CDATA_START = b"<!["
_CDATA_END = b"]]>"

_SPACE = re.compile(rb"[ \t\r\n]*")


class Scanner:
    """Cuts the bytes of a stream into pieces of text, which may be empty, and the markup after it.

    A CDATA section is text. Text is looked at once, however it arrives. Markup is looked at
    again each time more of it arrives: whoever owns the scanner bounds `markup_bytes`.
    """

    __slots__ = ("_looked", "_sought", "held", "markup_bytes")

    def __init__(self) -> None:
        self.held = bytearray()
        """What no piece was made of yet."""
        self._sought = b"<"
        self._looked = 0  # bytes of `_held` that need not be looked at again
        self.markup_bytes = 0
        """Of the piece last returned, or else of what is held: bytes from "<" to ">"."""

    def __len__(self) -> int:
        """Return how many bytes are held."""
        return len(self.held)

    def receive(self, data: bytes | memoryview) -> None:
        """Hold the next bytes of the stream."""
        self.held += data

    def leading_space(self) -> int:
        """Return how many bytes of white space are held in front of anything else."""
        return cast(re.Match[bytes], _SPACE.match(self.held)).end()

    def is_text_at(self, position: int) -> bool:
        """Return whether text, and not markup or nothing yet, is held at the position."""
        if self.held.startswith(b"<", position):
            return self.held.startswith(_CDATA_START, position)
        return position < len(self.held)

    def drop(self, count: int) -> None:
        """Forget bytes in front, before a piece is asked for that they would be in."""
        del self.held[:count]
        self._looked = 0

    def next_piece(self) -> bytes | None:
        """Take the next piece out of what is held; None while its end is missing."""
        markup = self._next_markup()
        if markup is None:
            return None
        self._looked = 0
        piece = bytes(self.held[: markup.end()])
        del self.held[: markup.end()]
        return piece

    def _next_markup(self) -> re.Match[bytes] | None:
        self.markup_bytes = 0
        while (found := self.held.find(self._sought, self._looked)) >= 0:
            if self._sought == _CDATA_END:
                self._sought, self._looked = b"<", found + len(_CDATA_END)
            elif self.held.startswith(_CDATA_START, found):
                self._sought, self._looked = _CDATA_END, found + len(_CDATA_START)
            else:
                self._looked = found
                markup = _MARKUP.match(self.held, found)
                self.markup_bytes = (len(self.held) if markup is None else markup.end()) - found
                return markup
        # The end of a CDATA section may have begun to arrive.
        self._looked = max(self._looked, len(self.held) - len(_CDATA_END) + 1)
        return None
