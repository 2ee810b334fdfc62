"""`client/terminal/text.py`: what comes from elsewhere does not drive the terminal."""

import pytest

from prosody_admin.client.terminal.text import visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("two\tcolumns\r\nand \u0436\n", "two\tcolumns\nand \u0436\n"),
        ("\x1b[2J\r\x9b31m\x7f", "\\x1b[2J\\x0d\\x9b31m\\x7f"),
        ("a\u202egnp.exe\u2066b\u2069", "a\\u202egnp.exe\\u2066b\\u2069"),
        ("\U0001f469\u200d\U0001f4bb \u05d0\u200e", "\U0001f469\u200d\U0001f4bb \u05d0\u200e"),
    ],
)
def test_what_drives_a_terminal_is_made_visible(text: str, seen: str) -> None:
    assert visible(text) == seen
