"""Strings as Lua 5.4 reads them (manual, section 3.1; `read_string` of llex.c), if they are text.

A string of Lua is bytes. One that is not UTF-8 could not go through XML, and one with control
characters could change what a terminal or a reader of the journal shows around it.
"""

import re
import unicodedata

from prosody_admin.shell.values import NotLiteralError

SPACE = re.compile(rb"[ \t\n\v\f\r]*")
"""White space (lctype.c)."""

LONG_OPENING = re.compile(rb"\[(=*)\[")
"""How a string in long brackets begins."""

_NEWLINE = re.compile(rb"\r\n|\n\r|\n|\r")
_PLAIN = {quote: re.compile(rb"[^\\\r\n%b]*" % quote) for quote in (b'"', b"'")}
_ESCAPE = re.compile(
    rb"(?P<character>[\\\"'])"
    rb"|x(?P<hex>[0-9A-Fa-f]{2})"
    rb"|(?P<decimal>[0-9]{1,3})"
    rb"|u\{(?P<code>[0-9A-Fa-f]+)\}"
    rb"|z[ \t\n\v\f\r]*"
)


def read_string(line: bytes, at: int) -> tuple[str, int]:
    """Read the string that begins at `at` with a quote or a bracket; return it and where it ends.

    Raises NotLiteralError, also for a string that is not UTF-8 or not `is_plain`.
    """
    value, end = _long_string(line, at) if line[at : at + 1] == b"[" else _short_string(line, at)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise NotLiteralError("a string that is not UTF-8", at) from None
    if not is_plain(text):
        raise NotLiteralError("a control or format character in a string", at)
    return text, end


def is_plain(text: str) -> bool:
    """Say whether `text` has only characters that show, and spaces.

    Refused are the Unicode categories C (control, format, surrogate, private use, unassigned) and
    the separators of lines and paragraphs. What is unassigned depends on the Python that runs.
    """
    return text.isprintable() or all(
        character.isprintable() or unicodedata.category(character) == "Zs" for character in text
    )


def _short_string(line: bytes, at: int) -> tuple[bytes, int]:
    quote = line[at : at + 1]
    parts: list[bytes] = []
    end = at + 1
    while line[end : end + 1] != quote:
        run = _PLAIN[quote].match(line, end)
        assert run is not None  # it matches nothing as well
        parts.append(run[0])
        end = run.end()
        if line[end : end + 1] == b"\\":
            part, end = _escape(line, end + 1)
            parts.append(part)
        elif line[end : end + 1] != quote:
            raise NotLiteralError("a string without its end", at)
    return b"".join(parts), end + 1


def _escape(line: bytes, at: int) -> tuple[bytes, int]:
    """Read what follows a backslash.

    Left out are the escapes of control characters: \\a \\b \\f \\n \\r \\t \\v, the end of a line.
    """
    found = _ESCAPE.match(line, at)
    if found is None:
        raise NotLiteralError("no such escape, or that of a control character", at)
    value = b""
    if found["character"]:
        value = found["character"]
    elif found["hex"]:
        value = bytes([int(found["hex"], 16)])
    elif found["decimal"]:
        value = _byte(int(found["decimal"]), at)
    elif found["code"]:
        value = _code_point(int(found["code"], 16), at)
    return value, found.end()


def _byte(number: int, at: int) -> bytes:
    if number > 255:
        raise NotLiteralError("no such escape", at)
    return bytes([number])


def _code_point(number: int, at: int) -> bytes:
    # Lua encodes up to 2^31, surrogates as well; none of those would be text.
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise NotLiteralError("no character of Unicode", at)
    return chr(number).encode()


def _long_string(line: bytes, at: int) -> tuple[bytes, int]:
    opening = LONG_OPENING.match(line, at)
    if opening is None:
        raise NotLiteralError("no string, and no literal", at)
    start = opening.end()
    closing = b"]" + opening[1] + b"]"
    end = line.find(closing, start)
    if end < 0:
        raise NotLiteralError("a string without its end", at)
    if newline := _NEWLINE.match(line, start):
        start = newline.end()
    # Lua makes \n of any other newline; here they are refused all the same.
    return line[start:end], end + len(closing)
