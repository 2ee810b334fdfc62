"""Which characters of ASCII may stand in each place of a line; no range is wider than Lua's."""

from string import ascii_letters, digits, hexdigits

import pytest

from prosody_admin.shell.lines import RawLua, parse

SPACES = " \t\n\v\f\r"
BEGINS_NAME = ascii_letters + "_"
IN_NAME = BEGINS_NAME + digits
SHOWN = "".join(map(chr, range(0x20, 0x7F)))


def understood(template: str) -> set[str]:
    """Return the characters that make a call or a request for help of this, in place of `?`."""
    characters = map(chr, range(128))
    return {one for one in characters if not isinstance(parse(template.replace("?", one)), RawLua)}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a:b(?)", SPACES + digits),
        ("a:b()?", SPACES),
        ("?x:b()", SPACES + BEGINS_NAME),
        ("a?:b()", SPACES + IN_NAME),
        ("a:?x()", SPACES + BEGINS_NAME),
        ("a:b?()", SPACES + IN_NAME),
        ('{"?x", "b"}', BEGINS_NAME),
        ('{"a?", "b"}', IN_NAME),
        ("a:b({?x = 1})", SPACES + BEGINS_NAME),
        ("a:b({a? = 1})", SPACES + IN_NAME),
        ("help ?", ascii_letters + digits + " "),
        ("help a?", ascii_letters + digits + " "),
        ('{"help", "?"}', ascii_letters + digits),
        ("help:?()", BEGINS_NAME),
        ("help:?x()", BEGINS_NAME),
        ("help:a?()", IN_NAME),
    ],
)
def test_names(template: str, expected: str) -> None:
    assert understood(template) == {*expected}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a:b(1?)", SPACES + digits + "."),
        ("a:b(1.?)", SPACES + digits),
        ("a:b(.?)", digits),
        ("a:b(.1?)", SPACES + digits),
        ("a:b(1e?)", digits),
        ("a:b(1e1?)", SPACES + digits),
        ("a:b(1?1)", digits + ".,eE"),
        ("a:b(1e?1)", digits + "+-"),
        ("a:b(0?1)", digits + ".,eExX"),
        ("a:b(0x?)", hexdigits),
        ("a:b(0x?1)", hexdigits + "."),
        ("a:b(0x1?)", SPACES + hexdigits + "."),
        ("a:b(0x1.?)", SPACES + hexdigits),
        ("a:b(0x.?)", hexdigits),
        ("a:b(0x.1?)", SPACES + hexdigits),
        ("a:b(0x1?1)", hexdigits + ".,pP"),
        ("a:b(0x1p?)", digits),
        ("a:b(0x1p1?)", SPACES + digits),
        ("a:b(0x1p?1)", digits + "+-"),
    ],
)
def test_numerals(template: str, expected: str) -> None:
    assert understood(template) == {*expected}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a:b('?')", set(SHOWN) - {*"'\\"}),
        ("a:b([[?]])", (set(SHOWN) | {*"\r\n"}) - {"]"}),  # a newline at the beginning is skipped
        ("a:b('\\?')", {*"\\\"'z"}),
        ("a:b('\\x4?')", {*hexdigits}),
        ("a:b('\\u{4?}')", {*hexdigits}),
        ("a:b('\\6?')", {*digits}),
        ("a:b('\\06?')", {*digits}),
        ("a:b('\\z?')", (set(SHOWN) | {*SPACES}) - {*"'\\"}),
        ("a:b('\\z ?')", (set(SHOWN) | {*SPACES}) - {*"'\\"}),
    ],
)
def test_strings(template: str, expected: set[str]) -> None:
    assert understood(template) == expected
