"""Text in the cells of a terminal: what a character shows, and how much room it takes."""

import unicodedata
from enum import Enum

ELLIPSIS = "…"
"""Stands for what was cut off."""


class Align(Enum):
    """On which side of its room a text stands."""

    LEFT = "left"
    RIGHT = "right"


def visible(text: str) -> str:
    """Return one line in which everything can be seen and nothing drives the terminal.

    What is not printable is written as in Python's strings: control characters and newlines, but
    also what turns the direction of writing, and spaces of no or of unusual width.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def width(text: str) -> int:
    """Return the cells that visible text takes, after Unicode Standard Annex 11.

    Wide East Asian characters and most emoji take two, marks that combine with what is before them
    none. Of ambiguous width counts as one: so do terminals outside of East Asian locales.
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def fitted(text: str, cells: int, align: Align = Align.LEFT) -> str:
    """Return visible text in exactly `cells` (at least 1) cells, filled up or cut with ELLIPSIS."""
    if width(text) > cells:
        text = _cut(text, cells - 1) + ELLIPSIS
    room = " " * (cells - width(text))
    return text + room if align is Align.LEFT else room + text


def _cut(text: str, cells: int) -> str:
    """Return the longest beginning that fits, with the marks on its last character."""
    taken = 0
    for position, character in enumerate(text):
        taken += _width(character)
        if taken > cells:
            return text[:position]
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"} or "\u1160" <= character <= "\u11ff":
        return 0  # the range: vowels and final consonants that join a Hangul syllable
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
