"""What may be written down of a request: secrets are left out by position, never by guess.

What nobody said anything about is left out whole: the arguments of an unknown command, the text of
raw Lua.
"""

from dataclasses import dataclass

from prosody_admin.access.hosts import host_of
from prosody_admin.access.roles import Request
from prosody_admin.shell.canonical import written
from prosody_admin.shell.catalogue import Catalogue, Command, CommandClass
from prosody_admin.shell.lines import Call, Help

_TELLING = {CommandClass.STREAM, CommandClass.SECRET, CommandClass.CODE}
"""Classes of commands whose answers, those to a mistake as well, can have secrets in them."""

HIDDEN = "(hidden)"
"""Stands for an argument that is a secret, or may be one."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the record says of a request; `discreet` if nothing that comes back may be recorded.

    `arguments` is as the line would be written, secrets hidden; None if there are none to speak
    of. `host` is the host that the command names first.
    """

    command: str
    arguments: str | None = None
    host: str | None = None
    discreet: bool = False


def account_of(request: Request, catalogue: Catalogue) -> Account:
    """Return what may be written down of `request`."""
    name = str(request)[:200]  # an event's name is as long as its sender likes
    match request.line:
        case Help():
            return Account(name)
        case Call() as call:
            return _account_of_call(name, call, catalogue)
        case _:
            return Account(name, discreet=True)


def _account_of_call(name: str, call: Call, catalogue: Catalogue) -> Account:
    command = catalogue.get(call.section, call.command)
    if command is None:
        shown = ", ".join(HIDDEN for _ in call.arguments)
        return Account(name, shown or None, discreet=True)
    hidden = _hidden(command, len(call.arguments))
    texts = [
        HIDDEN if position in hidden and argument is not None else written(argument)
        for position, argument in enumerate(call.arguments, 1)
    ]
    # Flags end up in one table, the argument behind those before them.
    secret_flags = command.parameters + 1 in hidden
    texts += [f"--{flag.name}={HIDDEN if secret_flags else flag.value}" for flag in call.flags]
    first = call.arguments[command.hosts[0] - 1 : command.hosts[0]] if command.hosts else ()
    host = host_of(first[0]) if first and isinstance(first[0], str) else None
    if not hidden.isdisjoint(command.hosts[:1]):
        host = None
    discreet = bool(hidden) or command.command_class in _TELLING
    return Account(name, ", ".join(texts) or None, host, discreet)


def _hidden(command: Command, count: int) -> set[int]:
    """Return the positions, of `count` arguments, that hold a secret or a part of one.

    A pass phrase that was typed without quotes ends up in several arguments: what stands behind a
    secret is shown only where something else belongs there, and nobody gave too many.
    """
    if not command.secrets:
        return set()
    known = {*command.hosts, *command.escalates}
    if count > max({*known, *command.secrets}):
        known = set()
    behind = range(min(command.secrets) + 1, count + 1)
    return {*command.secrets, *(position for position in behind if position not in known)}
