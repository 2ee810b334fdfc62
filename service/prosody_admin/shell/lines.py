"""A line of the admin shell as a value: a call of literals, a request for help, or raw Lua.

The two spellings of a call are those of PROTOCOL: `section:command(arg, ...)`, which people type
and the 0.12 client writes, and `{"section", "command", "arg", ...}`, which the 13 client writes.
Whatever is not surely one of them is raw Lua: to say so of a harmless line costs its sender a
refusal at worst, the opposite mistake costs the server.

What Prosody does with a line is in `handle_line` of its mod_admin_shell.lua: it looks for the word
`help` first, then 13 for a `{` at the very beginning, and the rest is Lua with `return` before it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from prosody_admin.shell.catalogue import Catalogue, shipped
from prosody_admin.shell.flags import Flag, read_flags
from prosody_admin.shell.literals import KEYWORDS, MAX_ARGUMENTS, Reader
from prosody_admin.shell.values import Exact, Literal, NotLiteralError, Table, typed

__all__ = ["Call", "Flag", "Help", "Line", "Literal", "RawLua", "Table", "parse"]

MAX_LINE = 16_384
"""Bytes of a line: 13 takes 10,000 at most, and reading the worst of this size takes 12 ms."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call(Exact):
    """One command of one section, with its arguments as values.

    `flags` are those of 13's command line, in their order; a call with flags has nothing but
    strings for arguments. `unknown_words` tells that it was spelled as 13's array of words and is
    in no catalogue. It means the same then, but 13 says more kindly that there is no such command.
    """

    section: str
    command: str
    arguments: tuple[Literal, ...] = ()
    flags: tuple[Flag, ...] = ()
    unknown_words: bool = False

    def _identity(self) -> tuple[object, ...]:
        return self.section, self.command, typed(self.arguments), self.flags

    def __repr__(self) -> str:
        count = len(self.arguments) + len(self.flags)
        return f"<Call {self.section}:{self.command}, {count} arguments>"


@dataclass(frozen=True, slots=True)
class Help:
    """`help` or `help TOPIC`; the topic as it was typed, empty when there is none.

    `called` is the spelling `help:TOPIC()`, which 0.12's client writes for the words `help TOPIC`.
    It asks for the same, though 0.12 answers with the list of topics.
    """

    topic: str = ""
    called: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class RawLua:
    """Anything else: Prosody would run it as Lua. The text is not kept here.

    `reason` says why it is nothing else, and never quotes it.
    """

    reason: str = field(default="", compare=False)


Line = Call | Help | RawLua

# Prosody ignores what follows a topic; who sends more means more than that.
_HELP = re.compile(r"(?i:help)|help ([A-Za-z0-9]*) *", re.ASCII)
_CALLED_HELP = re.compile(r"help:([A-Za-z_][A-Za-z0-9_]*)\(\)", re.ASCII)
_TOPIC = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def parse(line: str, catalogue: Catalogue | None = None, *, max_bytes: int = MAX_LINE) -> Line:
    """Say what `line` means; never fails, for what is not understood is `RawLua`.

    The catalogue, by default the shipped one, tells which commands have flags.
    """
    if asked := _HELP.fullmatch(line):
        return Help(asked[1] or "")
    if (called := _CALLED_HELP.fullmatch(line)) and called[1].encode() not in KEYWORDS:
        return Help(called[1], called=True)
    try:
        encoded = line.encode()
    except UnicodeEncodeError:
        return RawLua("a lone surrogate")
    if len(encoded) > max_bytes:
        return RawLua("a line too long")
    try:
        # 13 wants the brace to be the very first character.
        return _array(encoded, catalogue or shipped()) if line[:1] == "{" else _call(encoded)
    except NotLiteralError as error:
        return RawLua(str(error))


def _call(line: bytes) -> Call:
    reader = Reader(line)
    section = _section(reader.name())
    reader.expect(b":")
    command = reader.name()
    reader.expect(b"(")
    arguments = reader.values(b")")
    reader.end()
    return Call(section, command, arguments)


def _array(line: bytes, catalogue: Catalogue) -> Call | Help:
    """Read 13's table of words: `process_cmd_line`, which makes a call of them."""
    reader = Reader(line)
    table = cast(Table, reader.value())  # it begins with a brace
    reader.end()
    if table.fields or not all(isinstance(word, str) for word in table.items):
        raise NotLiteralError("an array of more than words")
    words = cast(tuple[str, ...], table.items)
    if words[:1] == ("help",):
        return _help(words[1:])
    if len(words) < 2:
        raise NotLiteralError("an array without a section and a command")
    if len(words) > MAX_ARGUMENTS:
        raise NotLiteralError("too many arguments")
    if any(word.startswith(":") for word in words[2:]):
        raise NotLiteralError("a word with a colon first, which Prosody runs as Lua")
    return _command(_section(_name(words[0])), _name(words[1]), words[2:], catalogue)


def _command(section: str, name: str, words: tuple[str, ...], catalogue: Catalogue) -> Call:
    command = catalogue.get(section, name)
    if command is not None and command.flags:
        arguments, flags = read_flags(words, command)
        return Call(section, name, tuple(arguments), tuple(flags))
    if command is None and any(word.startswith("-") for word in words):
        raise NotLiteralError("a flag for an unknown command")
    return Call(section, name, words, unknown_words=command is None)


def _help(topics: Sequence[str]) -> Help:
    if len(topics) > 1 or not all(map(_TOPIC.fullmatch, topics)):
        raise NotLiteralError("help for something that is no topic")
    return Help("".join(topics))


def _section(name: str) -> str:
    """Return the name of a section unless Prosody makes something else of it."""
    if name == "_":
        raise NotLiteralError("not a section: the console keeps the line in it")
    if name == "help" or name.startswith("help_"):
        raise NotLiteralError("not a section: 0.12 answers with its help")
    return name


def _name(word: str) -> str:
    if not _NAME.fullmatch(word) or word.encode() in KEYWORDS:
        raise NotLiteralError("a word that is no name")
    return word
