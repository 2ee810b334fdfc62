"""From the words of a command line to a line of the shell, quoted as Prosody reads it.

The words are those of `prosodyctl shell` (util/prosodyctl/shell.lua of 13): a section, a command
and its arguments, all of them strings. A single word is a line already.
"""

import re
import shlex
from collections.abc import Sequence

from prosody_admin.errors import UsageError
from prosody_admin.shell.canonical import canonical
from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.flags import read_flags
from prosody_admin.shell.lines import Call, Help
from prosody_admin.shell.values import NotLiteralError

_WORDS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]+[A-Za-z_]", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def line_of(words: Sequence[str]) -> str:
    """Return the line that these words mean. Raises UsageError, which says what is wrong."""
    match words:
        case []:
            raise UsageError("expected a command; see --help")
        case ["help", *topics]:
            return _help(topics)
        case [word] if _NAME.fullmatch(word):
            raise UsageError(f"{word}: expected SECTION COMMAND [ARGUMENT...]; see: help {word}")
        case [line]:
            return line
        case [section, command, *arguments]:
            return _command(section, command, arguments)
    raise AssertionError(words)  # a sequence has one of these lengths


def line_typed(text: str) -> str:
    """Return the line that somebody typed: as it stands, or in words, quoted as in a shell.

    In words is what begins with a known section, white space and a name. Raises UsageError.
    """
    found = _WORDS.match(text)
    if not found or found[1] not in {command.section for command in shipped()}:
        return text
    try:
        return line_of(shlex.split(text))
    except ValueError as error:  # a quotation that does not end
        raise UsageError(str(error)) from None


def _help(topics: Sequence[str]) -> str:
    if len(topics) > 1 or not all(topic.isascii() and topic.isalnum() for topic in topics):
        raise UsageError("help: expected one topic at most, a word")
    return canonical(Help("".join(topics)))


def _command(section: str, name: str, arguments: Sequence[str]) -> str:
    for word in (section, name):
        if not _NAME.fullmatch(word):
            raise UsageError(f"{word!r}: expected the name of a section and of a command")
    command = shipped().get(section, name)
    if command is not None and command.flags:
        try:
            plain, flags = read_flags(arguments, command)
        except NotLiteralError as error:
            known = ", ".join(f"--{flag.replace('_', '-')}" for flag in command.flags)
            raise UsageError(f"{section} {name}: {error}; it has {known}") from None
        call = Call(section, name, tuple(plain), tuple(flags))
    else:
        call = Call(section, name, tuple(arguments))
    try:
        return canonical(call)
    except ValueError:
        raise UsageError(
            f"{section} {name}: nothing that Prosody's shell can be given: a word of Lua for a"
            " name, or control characters"
        ) from None
