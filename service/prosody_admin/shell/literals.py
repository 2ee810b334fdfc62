"""A reader of Lua's literals: token by token, tables by recursive descent, in linear time.

The source followed is the reference manual of Lua 5.4, sections 3.1 and 3.4.9. Whatever is not
surely one literal raises `NotLiteralError`.
"""

import re
from typing import NoReturn

from prosody_admin.shell.numerals import negated, read_numeral
from prosody_admin.shell.strings import LONG_OPENING, SPACE, read_string
from prosody_admin.shell.values import Key, Literal, NotLiteralError, Table

MAX_DEPTH = 16
"""Tables within tables; Lua itself gives up at 200 levels, no command of Prosody needs three."""

MAX_ARGUMENTS = 100
"""Values in a call; a call of Lua has 255 registers, no command of Prosody takes more than ten."""

KEYWORDS = frozenset(
    b"and break do else elseif end false for function goto if in local nil not or repeat return"
    b" then true until while".split()
)
"""Words that are no names (section 3.1)."""

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: dict[bytes, Literal] = {b"nil": None, b"true": True, b"false": False}


class Reader:
    """A place in a line, and what may stand there.

    Every method leaves it behind what it took and the white space there, and raises
    NotLiteralError for what may not stand there.
    """

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._at = 0
        self._go_on(0)

    def at(self, token: bytes) -> bool:
        """Say whether `token` stands here."""
        return self._line.startswith(token, self._at)

    def take(self, token: bytes) -> bool:
        """Skip `token` if it stands here, and say whether."""
        found = self.at(token)
        if found:
            self._go_on(self._at + len(token))
        return found

    def expect(self, token: bytes) -> None:
        """Skip `token`."""
        if not self.take(token):
            self._fail(f"expected {token.decode()}")

    def end(self) -> None:
        """Demand that nothing is left."""
        if self._at != len(self._line):
            self._fail("something after the end of the command")

    def name(self) -> str:
        """Read a name; a keyword is none."""
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
        """Read one literal that is inside `depth` tables."""
        match self._line[self._at : self._at + 1]:
            case b'"' | b"'" | b"[":
                text, end = read_string(self._line, self._at)
                self._go_on(end)
                return text
            case b"{":
                return self._table(depth)
            case b"-":
                self.expect(b"-")
                return negated(self._number())
            case start if start.isdigit() or start == b".":
                return self._number()
        word = self._word()
        if word not in _WORDS:
            self._fail("a name is no literal")
        return _WORDS[word]

    def _number(self) -> int | float:
        number, end = read_numeral(self._line, self._at)
        self._go_on(end)
        return number

    def _word(self) -> bytes:
        found = _NAME.match(self._line, self._at)
        if found is None:
            self._fail("expected a name")
        self._go_on(found.end())
        return found[0]

    def _table(self, depth: int) -> Table:
        if depth == MAX_DEPTH:
            self._fail("tables nested too deep")
        self.expect(b"{")
        items: list[Literal] = []
        fields: dict[tuple[type, Key], Literal] = {}  # True, 1 and 1.0 are one key in Python
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
        if self.at(b"[") and not LONG_OPENING.match(self._line, self._at):
            self.expect(b"[")
            key = self.value(depth)
            self.expect(b"]")
            self.expect(b"=")
            return self._normal_key(key)
        start = self._at
        if not _NAME.match(self._line, start):
            return None
        word = self._word()
        if not self.take(b"="):
            self._at = start
            return None
        if word in KEYWORDS:
            self._fail("a keyword is no name")
        return word.decode()

    def _normal_key(self, key: Literal) -> Key:
        """Return a key as a table holds it: a float with an integer value is that integer."""
        if key is None or isinstance(key, Table):
            self._fail("no key for a table")
        if isinstance(key, float) and key.is_integer() and -(2.0**63) <= key < 2.0**63:
            return int(key)
        return key

    def _go_on(self, to: int) -> None:
        found = SPACE.match(self._line, to)
        assert found is not None  # it matches nothing as well
        self._at = found.end()

    def _fail(self, reason: str) -> NoReturn:
        raise NotLiteralError(reason, self._at)
