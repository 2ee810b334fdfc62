"""Tables as systemctl(1) prints them: aligned for people, or JSON for programs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prosody_admin.client.terminal.cells import Align, fitted, visible, width

Fact = str | int | float | bool | None
"""A value in a table; None is not known or does not apply."""

GAP = "  "
"""What stands between two columns."""

FLEXIBLE_CELLS = 8
"""Flexible columns are not cut below this while others could be cut."""

_NOT_PLAIN = re.compile(r"[^\x00-\x7e]")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key in a row and in JSON, and its title, the key in upper case without one.

    What is in a `flexible` column may be cut where the terminal is too narrow for everything.
    """

    key: str
    title: str = ""
    align: Align = Align.LEFT
    flexible: bool = False

    @property
    def heading(self) -> str:
        """What stands above the column."""
        return self.title or self.key.replace("_", " ").upper()


def rendered(
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Fact]],
    *,
    noun: str = "",
    cells: int | None = None,
    legend: bool = True,
) -> str:
    """Return a table as lines, each with its newline; a key that a row lacks is None.

    Lines are at most `cells` wide, cut in flexible columns first; whole without `cells`. The
    `legend` is the headings, and below the table how many of `noun` (in the singular, with an s in
    the plural) there are. What is not printable is made visible.
    """
    table = [[visible(_said(row.get(column.key))) for column in columns] for row in rows]
    lines = [[column.heading for column in columns], *table] if legend and rows else table
    widths = [max(map(width, texts)) for texts in zip(*lines, strict=True)]
    if cells is not None and rows:
        _shrink(widths, columns, cells)
    text = "".join(_line(columns, line, widths) for line in lines)
    if legend and noun:
        text += ("\n" if rows else "") + f"{len(rows)} {noun}{'s' * (len(rows) != 1)} listed.\n"
    return text


def as_json(rows: object, form: Literal["short", "pretty"]) -> str:
    """Return JSON in one line, or `pretty` in several; ends with a newline.

    It is readable where a terminal shows it: Unicode is not escaped but for what is not printable.
    """
    if form == "short":
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    else:
        text = json.dumps(rows, ensure_ascii=False, indent="\t")
    return _NOT_PLAIN.sub(_in_json, text) + "\n"


def _in_json(found: re.Match[str]) -> str:
    """Return a character that can only be in a string, in a way that everybody can see it."""
    character = found[0]
    if character.isprintable():
        return character
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def _said(fact: Fact) -> str:
    match fact:
        case None | "":
            return "-"
        case bool():
            return "yes" if fact else "no"
        case _:
            return str(fact)


def _line(columns: Sequence[Column], texts: list[str], widths: list[int]) -> str:
    cells = (
        fitted(text, room, column.align)
        for column, text, room in zip(columns, texts, widths, strict=True)
    )
    return GAP.join(cells).rstrip() + "\n"


def _shrink(widths: list[int], columns: Sequence[Column], cells: int) -> None:
    """Narrow the widest columns until a line has room: flexible ones first, at least 1 each."""
    room = cells - len(GAP) * (len(columns) - 1)
    flexible = [number for number, column in enumerate(columns) if column.flexible]
    for numbers, least in ((flexible, FLEXIBLE_CELLS), (range(len(columns)), 1)):
        # No column needs more than there is: a long text is not cut one cell at a time.
        for number in numbers:
            widths[number] = min(widths[number], max(room, least))
        while sum(widths) > room:
            widest = max(numbers, key=lambda number: widths[number], default=-1)
            if widest < 0 or widths[widest] <= least:
                break
            widths[widest] -= 1
