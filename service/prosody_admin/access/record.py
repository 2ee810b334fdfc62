"""What may be written down of a request: secrets are left out by position, never by guess.

What nobody said anything about is left out whole: the arguments of an unknown command, the text of
raw Lua.
"""

from dataclasses import dataclass

from prosody_admin.access.hosts import host_of
from prosody_admin.access.roles import Request
from prosody_admin.shell.canonical import written
from prosody_admin.shell.catalogue import Catalogue, CommandClass
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
    secret = set(command.secrets)
    texts = [
        HIDDEN if position in secret and argument is not None else written(argument)
        for position, argument in enumerate(call.arguments, 1)
    ]
    texts += [f"--{flag.name}={flag.value}" for flag in call.flags]
    first = call.arguments[command.hosts[0] - 1 : command.hosts[0]] if command.hosts else ()
    host = host_of(first[0]) if first and isinstance(first[0], str) else None
    discreet = bool(secret) or command.command_class in _TELLING
    return Account(name, ", ".join(texts) or None, host, discreet)
