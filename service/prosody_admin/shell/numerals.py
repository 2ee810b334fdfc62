"""Numbers as Lua 5.4 reads them: `l_str2int` and `l_str2d` of its lobject.c."""

import re

from prosody_admin.shell.values import NotLiteralError

MAX_NUMERAL = 200
"""Characters of a numeral, as in Lua (L_MAXLENNUM, lobject.c), there for some of them only."""

_NUMERAL = re.compile(
    rb"(?P<hex>0[xX](?:[0-9A-Fa-f]+(?P<hexdot>\.[0-9A-Fa-f]*)?|(?P<hexpoint>\.[0-9A-Fa-f]+))"
    rb"(?P<hexexponent>[pP][+-]?[0-9]+)?)"
    rb"|(?:[0-9]+(?P<dot>\.[0-9]*)?|(?P<point>\.[0-9]+))(?P<exponent>[eE][+-]?[0-9]+)?"
)


def read_numeral(line: bytes, at: int) -> tuple[int | float, int]:
    """Read the number, without a sign, that begins at `at`; return it and where it ends.

    A hexadecimal integer wraps around at 64 bits, a decimal one becomes a float, a float becomes
    infinity. Lua takes whatever looks like part of the numeral and refuses the whole then; here
    the rest is left, with which no value may go on. Raises NotLiteralError.
    """
    found = _NUMERAL.match(line, at)
    if found is None or len(found[0]) > MAX_NUMERAL:
        raise NotLiteralError("no number, or a long one", at)
    return _number(found), found.end()


def negated(number: int | float) -> int | float:
    """Return what Lua makes of a minus before the number."""
    return -number if isinstance(number, float) else _wrapped(-number)


def _number(found: re.Match[bytes]) -> int | float:
    text = found[0].decode()
    if found["hex"]:
        if found["hexdot"] or found["hexpoint"] or found["hexexponent"]:
            return _hex_float(text)
        return _wrapped(int(text, 16))
    if found["dot"] or found["point"] or found["exponent"]:
        return float(text)
    number = int(text)
    return number if number < 2**63 else float(text)


def _wrapped(number: int) -> int:
    """Return an integer as 64 bits hold it, in two's complement."""
    return (number + 2**63) % 2**64 - 2**63


def _hex_float(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:  # strtod says infinity
        return float("inf")
