"""`client/terminal/cells.py`: what is seen of a text, and how wide it is."""

import pytest

from prosody_admin.client.terminal.cells import Align, fitted, visible, width


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("user:list(\"ж\", '\\n')", "user:list(\"ж\", '\\n')"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"),
        ("\x9b31m", "\\x9b31m"),  # CSI in one character
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("ali\u200bce", "ali\\u200bce"),
        ("\udcff", "\\udcff"),  # a byte of a file name
    ],
)
def test_what_is_not_printable_is_made_visible(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("alice", 5),
        ("日本", 4),
        ("\uff57", 2),
        ("\uff9c", 1),
        ("e\u0301", 1),
        ("ж", 1),
        ("👍", 2),
        ("\u1112\u1161\u11ab", 2),  # one syllable, of three parts
        ("…", 1),
    ],
)
def test_width_is_that_of_the_terminal(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("alice", 7, "alice  "),
        ("alice", 5, "alice"),
        ("alice", 4, "ali…"),
        ("alice", 1, "…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日… "),  # half a character is none
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_text_is_fitted(text: str, cells: int, shown: str) -> None:
    assert fitted(text, cells) == shown
    assert width(shown) == cells


def test_numbers_stand_on_the_right() -> None:
    assert fitted("12", 4, Align.RIGHT) == "  12"
