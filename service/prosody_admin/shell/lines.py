"""A line of the admin shell as a value: a call of literals, a request for help, or raw Lua.

The two spellings of a call are those of PROTOCOL: `section:command(arg, ...)`, which people type
and the 0.12 client writes, and `{"section", "command", "arg", ...}`, which the 13 client writes.
Whatever is not surely one of them is raw Lua: to say so of a harmless line costs its sender a
refusal at worst, the opposite mistake costs the server.
"""

import re
from dataclasses import dataclass

Literal = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Call:
    """One command of one section, with its arguments as values."""

    section: str
    command: str
    arguments: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True)
class Help:
    """`help` or `help TOPIC`; the topic in lower case, empty when there is none."""

    topic: str = ""


@dataclass(frozen=True, slots=True)
class RawLua:
    """Anything else: Prosody would run it as Lua. The text is not kept here."""


Line = Call | Help | RawLua

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_CALL = re.compile(rf"\s*({_NAME}):({_NAME})\((.*)\)\s*", re.ASCII | re.DOTALL)
_ARRAY = re.compile(r"\s*\{(.*)\}\s*", re.ASCII | re.DOTALL)
_HELP = re.compile(rf"help(?:[ \t]+({_NAME}))?", re.ASCII | re.IGNORECASE)
# A string without escapes that Lua and we could read differently, a small integer, or a word.
_LITERAL = re.compile(
    r"""\s*(?:"([^"\\\x00-\x1f\x7f]*)"|'([^'\\\x00-\x1f\x7f]*)'|(-?[0-9]{1,15})|(nil|true|false))\s*""",
    re.ASCII,
)
_WORDS: dict[str, Literal] = {"nil": None, "true": True, "false": False}


def parse(line: str) -> Line:
    """Say what `line` means; never fails, for what is not understood is `RawLua`."""
    if help_ := _HELP.fullmatch(line):
        return Help((help_[1] or "").lower())
    if call := _CALL.fullmatch(line):
        arguments = _literals(call[3])
        if arguments is not None:
            return _call(call[1], call[2], arguments)
    if array := _ARRAY.fullmatch(line):
        return _array_call(_literals(array[1]))
    return RawLua()


def _array_call(words: tuple[Literal, ...] | None) -> Line:
    """Return the call that an array of strings stands for.

    An argument that starts with `:` is Lua that Prosody splices in, one that starts with `-` a
    flag, which means something else than an argument.
    """
    if words is None or len(words) < 2:
        return RawLua()
    section, command, *arguments = words
    if not (isinstance(section, str) and isinstance(command, str)):
        return RawLua()
    if not all(re.fullmatch(_NAME, name, re.ASCII) for name in (section, command)):
        return RawLua()
    if any(not isinstance(word, str) or word.startswith((":", "-")) for word in arguments):
        return RawLua()
    return _call(section, command, tuple(arguments))


def _call(section: str, command: str, arguments: tuple[Literal, ...]) -> Line:
    # What `prosodyctl shell help TOPIC` makes of its words, in 0.12 and in 13.
    if section.lower() == "help" and not arguments:
        return Help(command.lower())
    return Call(section, command, arguments)


def _literals(text: str) -> tuple[Literal, ...] | None:
    """Read a list of literals separated by commas, or None where anything else is in it."""
    if not text.strip(" \t\r\n"):
        return ()
    values: list[Literal] = []
    position = 0
    while True:
        found = _LITERAL.match(text, position)
        if found is None:
            return None
        double, single, number, word = found.groups()
        if number is not None:
            values.append(int(number))
        elif word is not None:
            values.append(_WORDS[word])
        else:
            values.append(double if double is not None else single)
        position = found.end()
        if position == len(text):
            return tuple(values)
        if text[position] != ",":
            return None
        position += 1
