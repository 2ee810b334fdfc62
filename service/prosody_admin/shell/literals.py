"""A reader of Lua's literals: tokens by hand, tables by recursive descent, in linear time.

The source followed is the reference manual of Lua 5.4, sections 3.1 and 3.4.9, and where that is
silent llex.c and lobject.c: how numerals convert, what an escape is, which characters are white
space. Whatever is not surely one literal raises `NotLiteralError`.
"""

import re
import unicodedata
from typing import NoReturn

from prosody_admin.shell.values import Key, Literal, Table

MAX_DEPTH = 16
"""Tables within tables; Lua itself gives up at 200 levels, no command of Prosody needs three."""

MAX_ARGUMENTS = 100
"""Values in a call; a call of Lua has 255 registers, no command of Prosody takes more than ten."""

MAX_NUMERAL = 200
"""Characters of a numeral, as in Lua (L_MAXLENNUM, lobject.c), there for some of them only."""

KEYWORDS = frozenset(
    b"and break do else elseif end false for function goto if in local nil not or repeat return"
    b" then true until while".split()
)
"""Words that are no names (section 3.1)."""

_SPACE = re.compile(rb"[ \t\n\v\f\r]*")  # lctype.c; Python's \s agrees for bytes only
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_NEWLINE = re.compile(rb"\r\n|\n\r|\n|\r")
_PLAIN = {quote: re.compile(rb"[^\\\r\n%c]*" % quote) for quote in b"\"'"}
_LONG_OPENING = re.compile(rb"\[(=*)\[")
_NUMERAL = re.compile(
    rb"(?P<hex>0[xX](?:[0-9A-Fa-f]+(?P<hexdot>\.[0-9A-Fa-f]*)?|(?P<hexpoint>\.[0-9A-Fa-f]+))"
    rb"(?P<hexexponent>[pP][+-]?[0-9]+)?)"
    rb"|(?:[0-9]+(?P<dot>\.[0-9]*)?|(?P<point>\.[0-9]+))(?P<exponent>[eE][+-]?[0-9]+)?"
)
_HEX_BYTE = re.compile(rb"[0-9A-Fa-f]{2}")
_DECIMAL_BYTE = re.compile(rb"[0-9]{1,3}")
_CODE_POINT = re.compile(rb"\{([0-9A-Fa-f]+)\}")
_WORDS: dict[bytes, Literal] = {b"nil": None, b"true": True, b"false": False}


class NotLiteralError(Exception):
    """What was read is no literal of the subset; the message never quotes it."""


def is_plain(text: str) -> bool:
    """Say whether `text` has only characters that show, and spaces.

    Refused are the Unicode categories C (control, format, surrogate, private use, unassigned) and
    the separators of lines and paragraphs: they could change what a terminal or a reader of the
    journal shows around them. What is unassigned depends on the Python that runs.
    """
    return text.isprintable() or all(
        character.isprintable() or unicodedata.category(character) == "Zs" for character in text
    )


class Reader:
    """A place in a line, and what may stand there; every method leaves it behind what it took.

    Raises NotLiteralError from every method for what may not stand there.
    """

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._at = 0

    def space(self) -> None:
        """Skip white space."""
        self._at = _SPACE.match(self._line, self._at).end()  # type: ignore[union-attr] # matches ""

    def at(self, token: bytes) -> bool:
        """Say whether `token` stands here."""
        return self._line.startswith(token, self._at)

    def take(self, token: bytes) -> bool:
        """Skip `token` and the white space behind it, if it stands here, and say whether."""
        if not self.at(token):
            return False
        self._at += len(token)
        self.space()
        return True

    def expect(self, token: bytes) -> None:
        """Skip `token` and the white space behind it."""
        if not self.take(token):
            self._fail(f"expected {token.decode()}")

    def end(self) -> None:
        """Demand that nothing is left."""
        if self._at != len(self._line):
            self._fail("something after the end of the command")

    def name(self) -> str:
        """Read a name and the white space behind it; a keyword is none."""
        word = self._word()
        if word in KEYWORDS:
            self._fail("a keyword is no name")
        return word.decode()

    def values(self, closing: bytes) -> tuple[Literal, ...]:
        """Read values with commas between them, up to and with `closing`."""
        values: list[Literal] = []
        while not self.take(closing):
            if len(values) == MAX_ARGUMENTS:
                self._fail("too many arguments")
            if values:
                self.expect(b",")
            values.append(self.value())
        return tuple(values)

    def value(self, depth: int = 0) -> Literal:
        """Read one literal, inside `depth` tables, and the white space behind it."""
        match self._line[self._at : self._at + 1]:
            case b'"' | b"'":
                value: Literal = self._checked(self._short_string())
            case b"[":
                value = self._checked(self._long_string())
            case b"{":
                return self._table(depth)
            case b"-":
                return self._negative()
            case start if start.isdigit() or start == b".":
                value = self._number()
            case _:
                return self._constant()
        self.space()
        return value

    def _word(self) -> bytes:
        found = _NAME.match(self._line, self._at)
        if found is None:
            self._fail("expected a name")
        self._at = found.end()
        self.space()
        return found[0]

    def _constant(self) -> Literal:
        word = self._word()
        if word not in _WORDS:
            self._fail("a name is no literal")
        return _WORDS[word]

    def _table(self, depth: int) -> Table:
        if depth == MAX_DEPTH:
            self._fail("tables nested too deep")
        self.expect(b"{")
        items: list[Literal] = []
        fields: dict[tuple[type, Key], Literal] = {}
        while not self.take(b"}"):
            key = self._key(depth + 1)
            value = self.value(depth + 1)
            if key is None:
                items.append(value)
            elif (type(key), key) in fields:
                self._fail("the same key twice")
            else:
                fields[type(key), key] = value
            if not (self.take(b",") or self.take(b";") or self.at(b"}")):
                self._fail("expected a comma or the end of the table")
        if any((int, position) in fields for position in range(1, len(items) + 1)):
            self._fail("the same key twice")
        return Table(tuple(items), tuple((key, value) for (_, key), value in fields.items()))

    def _key(self, depth: int) -> Key | None:
        """Read `name =` or `[literal] =`, or nothing and return None."""
        if self.at(b"[") and not _LONG_OPENING.match(self._line, self._at):
            self.expect(b"[")
            key = self.value(depth)
            self.expect(b"]")
            self.expect(b"=")
            return self._normal_key(key)
        if not _NAME.match(self._line, self._at):
            return None
        start = self._at
        word = self._word()
        if self.take(b"="):
            if word in KEYWORDS:
                self._fail("a keyword is no name")
            return word.decode()
        self._at = start
        return None

    def _normal_key(self, key: Literal) -> Key:
        """Return a key as a table holds it: a float with an integer value is that integer."""
        if key is None or isinstance(key, Table):
            self._fail("no key for a table")
        if isinstance(key, float) and key.is_integer() and -(2.0**63) <= key < 2.0**63:
            return int(key)
        return key

    def _negative(self) -> int | float:
        self.expect(b"-")
        if not (self.at(b".") or self._line[self._at : self._at + 1].isdigit()):
            self._fail("a minus without a number")
        number = self._number()
        self.space()
        return -number if isinstance(number, float) else _wrapped(-number)

    def _number(self) -> int | float:
        """Read a numeral: l_str2int and l_str2d of lobject.c.

        A hexadecimal integer wraps around at 64 bits, a decimal one becomes a float.
        """
        found = _NUMERAL.match(self._line, self._at)
        if found is None or len(found[0]) > MAX_NUMERAL:
            self._fail("no number, or a long one")
        self._at = found.end()
        text = found[0].decode()
        if found["hex"]:
            if found["hexdot"] or found["hexpoint"] or found["hexexponent"]:
                return _hex_float(text)
            return _wrapped(int(text, 16))
        if found["dot"] or found["point"] or found["exponent"]:
            return float(text)
        number = int(text)
        return number if number < 2**63 else float(text)

    def _short_string(self) -> bytes:
        quote = self._line[self._at]
        self._at += 1
        parts: list[bytes] = []
        while True:
            run = _PLAIN[quote].match(self._line, self._at)
            assert run is not None  # it matches nothing as well
            parts.append(run[0])
            self._at = run.end() + 1
            match self._line[run.end() : self._at]:
                case b"\\":
                    parts.append(self._escape())
                case b'"' | b"'":
                    return b"".join(parts)
                case _:
                    self._fail("a string without its end")

    def _escape(self) -> bytes:
        """Read what follows a backslash: read_string of llex.c."""
        letter = self._line[self._at : self._at + 1]
        if letter == b"x":
            return bytes.fromhex(self._escaped(_HEX_BYTE, 1)[0].decode())
        if letter == b"u":
            return self._code_point(int(self._escaped(_CODE_POINT, 1)[1], 16))
        if letter == b"z":
            self._at += 1
            self.space()
            return b""
        if letter.isdigit():
            number = int(self._escaped(_DECIMAL_BYTE, 0)[0])
            if number > 255:
                self._fail("no such escape")
            return bytes([number])
        if letter not in (b"\\", b'"', b"'"):
            # The others are control characters: \a \b \f \n \r \t \v, and the end of a line.
            self._fail("no such escape, or that of a control character")
        self._at += 1
        return letter

    def _escaped(self, pattern: re.Pattern[bytes], skip: int) -> re.Match[bytes]:
        found = pattern.match(self._line, self._at + skip)
        if found is None:
            self._fail("no such escape")
        self._at = found.end()
        return found

    def _code_point(self, number: int) -> bytes:
        # Lua encodes up to 2^31, surrogates as well; none of those would be text.
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            self._fail("no character of Unicode")
        return chr(number).encode()

    def _long_string(self) -> bytes:
        opening = _LONG_OPENING.match(self._line, self._at)
        if opening is None:
            self._fail("no string, and no literal")
        start = opening.end()
        closing = b"]" + opening[1] + b"]"
        end = self._line.find(closing, start)
        if end < 0:
            self._fail("a string without its end")
        self._at = end + len(closing)
        if newline := _NEWLINE.match(self._line, start, end):
            start = newline.end()
        return self._line[start:end]  # another newline is refused, so none is made \n

    def _checked(self, value: bytes) -> str:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            self._fail("a string that is not UTF-8")
        if not is_plain(text):
            self._fail("a control or format character in a string")
        return text

    def _fail(self, reason: str) -> NoReturn:
        raise NotLiteralError(f"{reason}, at byte {self._at + 1}")


def _wrapped(number: int) -> int:
    """Return an integer as 64 bits hold it, two's complement."""
    return (number + 2**63) % 2**64 - 2**63


def _hex_float(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:  # strtod says infinity
        return float("inf")
