"""The `admin:` section: what the service says of itself, without Prosody."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prosody_admin import __version__
from prosody_admin.access.roles import Request, Role
from prosody_admin.errors import CommandError
from prosody_admin.modules.api import Module, Service
from prosody_admin.net.dispatch import AdminEvent
from prosody_admin.net.session import Ending, Session
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from prosody_admin.shell.lines import Call, Help, Literal, RawLua, parse

_LOOKS_LIKE_OURS = re.compile(r"\s*admin\s*[:.\[]", re.ASCII)


def load(module: Module) -> None:
    """Hook the lines of this section before they would go to Prosody."""
    section = AdminSection(module.service)
    module.hook("admin/repl-input", section.line, priority=10)


@dataclass(frozen=True, slots=True)
class _Command:
    """One command of the section: its answer, and what `help admin` says of it."""

    run: Callable[[Session, Sequence[Literal]], list[Stanza]]
    parameters: tuple[str, ...]
    summary: str


class AdminSection:
    """Answers `admin:*()` and `help admin`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._commands = {
            "whoami": _Command(self._whoami, (), "Who you are, as the kernel tells it"),
            "sessions": _Command(self._sessions, (), "The sessions with this service"),
            "status": _Command(self._status, (), "How this service is doing"),
            "version": _Command(self._version, (), "The version of this service"),
            "rights": _Command(self._rights, (), "What you may do"),
            "explain": _Command(
                self._explain, ("line",), "Whether you may run this line, and by which rule"
            ),
            "close": _Command(self._close, ("id",), "Close the session with this id"),
        }

    def line(self, event: AdminEvent) -> list[Stanza] | None:
        """Answer a line of this section; None leaves any other to Prosody.

        Raises CommandError for a line of this section that cannot be understood.
        """
        match event.line:
            case Help(topic=topic) if topic.lower() == "admin":
                return self._help()
            case Call(section="admin", command=name, arguments=arguments):
                return self._call(event.session, name, arguments)
            case RawLua() if _LOOKS_LIKE_OURS.match(event.stanza.text):
                raise CommandError("not a command of this section, see: help admin")
            case _:
                return None

    def _call(self, session: Session, name: str, arguments: Sequence[Literal]) -> list[Stanza]:
        command = self._commands.get(name)
        if command is None:
            known = ", ".join(self._commands)
            raise CommandError(f"admin has no such command; it has: {known}")
        if len(arguments) != len(command.parameters):
            raise CommandError(f"expected admin:{name}({', '.join(command.parameters)})")
        return command.run(session, arguments)

    def _help(self) -> list[Stanza]:
        return _lines(
            [
                f"admin:{name}({', '.join(command.parameters)}) - {command.summary}"
                for name, command in self._commands.items()
            ],
            "OK: answered by prosody-admin, not by Prosody",
        )

    def _whoami(self, session: Session, _: Sequence[Literal]) -> list[Stanza]:
        identity = session.identity
        facts = {
            "Session": session.id,
            "Process": identity.pid,
            "Groups": " ".join(map(str, identity.groups)),
            "Login": identity.login_user or identity.login_uid,
            "Unit": identity.unit,
        }
        return _lines(
            [f"{name}: {fact}" for name, fact in facts.items() if fact not in {None, ""}],
            f"OK: you are {identity}",
        )

    def _rights(self, session: Session, _: Sequence[Literal]) -> list[Stanza]:
        policy, identity = self._service.policy, session.identity
        if policy.is_unlimited(identity):
            return [repl_result("OK: you may do everything")]
        roles = policy.roles_of(identity)
        if not roles:
            return [repl_result(f"OK: no role is granted to {identity}")]
        return _lines([line for role in roles for line in _described(role)], "OK: nothing else")

    def _explain(self, session: Session, arguments: Sequence[Literal]) -> list[Stanza]:
        policy = self._service.policy
        line = parse(str(arguments[0]), policy.catalogue)
        request = Request("admin/repl-input", line)
        verdict = policy.authorise(session.identity, request)
        meaning = f"It means: {request}"
        if isinstance(line, RawLua):
            meaning += f" ({line.reason})"
        if verdict.allowed:
            return _lines([meaning], f"OK: allowed ({verdict.rule})")
        return _lines([meaning], f"OK: refused ({verdict.rule}): needs {verdict.needed}")

    def _sessions(self, session: Session, _: Sequence[Literal]) -> list[Stanza]:
        header = ("ID", "User", "PID", "Login", "Unit", "Commands", "Seconds", "")
        rows = [header] + [
            (
                other.id,
                other.identity.user or str(other.identity.uid),
                str(other.identity.pid),
                other.identity.login_user or "",
                other.identity.unit or "",
                str(other.commands),
                str(round(self._clock() - other.started)),
                "this one" if other is session else "refused" if other.refusal else "",
            )
            for other in self._service.sessions
        ]
        count = len(rows) - 1
        return _lines(_table(rows), f"OK: {count} session{'s' if count != 1 else ''}")

    def _status(self, _: Session, __: Sequence[Literal]) -> list[Stanza]:
        settings = self._service.settings
        idle = settings.service.idle_timeout
        return _lines(
            [
                f"Version: {__version__}",
                f"Process: {os.getpid()}",
                f"Up: {round(self._clock() - self._started)} s",
                f"Sessions: {len(self._service.sessions)} of {settings.limits.sessions}",
                f"Prosody: {settings.prosody.socket}",
                f"Leaves after: {f'{idle:g} s without a session' if idle else 'never'}",
            ],
            "OK: running",
        )

    def _version(self, _: Session, __: Sequence[Literal]) -> list[Stanza]:
        return [repl_result(f"OK: prosody-admin {__version__}")]

    def _close(self, session: Session, arguments: Sequence[Literal]) -> list[Stanza]:
        other = self._service.sessions.get(str(arguments[0]))
        if other is None:
            raise CommandError("there is no session with this id, see: admin:sessions()")
        other.end(Ending("undefined-condition", f"closed by {session.identity}"))
        if other is not session:
            other.cancel_command()
        return [repl_result(f"OK: session {other.id} closed")]


def _lines(lines: Sequence[str], result: str) -> list[Stanza]:
    return [*(repl_output(line) for line in lines), repl_result(result)]


def _described(role: Role) -> list[str]:
    facts = {
        "allows": ", ".join(role.allow),
        "denies": ", ".join(role.deny),
        "hosts": ", ".join(role.hosts),
        "and": ", ".join(
            name for name in ("hostless", "escalate", "lua") if getattr(role, name) is True
        ),
    }
    return [f"{role.name} {name}: {fact}" for name, fact in facts.items() if fact]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(" |")
        for row in rows
    ]
