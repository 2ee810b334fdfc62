"""The flags of a command line, as Prosody 13 reads them (util/argparse.lua, mod_admin_shell.lua).

Prosody takes flags for a few commands only. For the others the same words are arguments like any
other, so that nobody can say what `--word` is without knowing the command.
"""

from collections.abc import Sequence
from typing import NamedTuple

from prosody_admin.shell.catalogue import Command, FlagKind
from prosody_admin.shell.values import NotLiteralError


class Flag(NamedTuple):
    """One flag: its name, with `_` where one types `-`, and its value; True without one."""

    name: str
    value: str | bool


def read_flags(words: Sequence[str], command: Command) -> tuple[list[str], list[Flag]]:
    """Tell the arguments among the words behind the command's name from its flags.

    Raises NotLiteralError where Prosody would refuse the words or read more than one meaning from
    them, and for `--`, behind which it drops every word.
    """
    arguments: list[str] = []
    flags: list[Flag] = []
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            arguments.append(word)
            continue
        flag = _flag(word.removeprefix("--" if word.startswith("--") else "-"), command)
        if flag is None:
            raise NotLiteralError("no flag of this command")
        if flag.value is True and command.flags[flag.name] is not FlagKind.SWITCH:
            value = next(left, None)
            if value is None:
                raise NotLiteralError("a flag without its value")
            flag = Flag(flag.name, value)
        flags.append(flag)
    if len(arguments) > command.parameters:
        # Prosody puts the flags between these and the rest.
        raise NotLiteralError("too many arguments for a command with flags")
    return arguments, flags


def write_flag(flag: Flag) -> str:
    """Return the word that `read_flags` reads this flag from."""
    name = flag.name.replace("_", "-")
    if flag.value is True:
        return f"--{name}"
    if flag.value is False:
        return f"--no-{name}"
    return f"--{name}={flag.value}"


def _flag(word: str, command: Command) -> Flag | None:
    """Read one word, without the dashes before it; None where it is no flag of the command.

    A flag whose value is in the next word has the value True.
    """
    spelled, equals, text = word.partition("=")
    name, value = spelled.replace("-", "_"), text if equals else True
    if command.flags.get(name) in {FlagKind.VALUE, FlagKind.ARRAY}:
        return Flag(name, value)
    if spelled.startswith("no-") and not equals:
        name, value = name.removeprefix("no_"), False
    is_switch = command.flags.get(name) is FlagKind.SWITCH
    return Flag(name, value) if is_switch and value != "" else None
