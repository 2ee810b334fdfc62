"""The `admin:` section: what the service says of itself, as text or as data, without Prosody."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prosody_admin import __version__
from prosody_admin.access.offer import offered
from prosody_admin.access.roles import Request, Role
from prosody_admin.errors import CommandError
from prosody_admin.modules.api import Module, Service
from prosody_admin.modules.client_style import style_of
from prosody_admin.net.attendant import Ending
from prosody_admin.net.dispatch import AdminEvent
from prosody_admin.net.session import Session
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from prosody_admin.protocol.structured import STRUCTURED_NS, Fact, item
from prosody_admin.shell.lines import Call, Help, Literal, RawLua, parse

_LOOKS_LIKE_OURS = re.compile(r"\s*admin\s*[:.\[]", re.ASCII)


def load(module: Module) -> None:
    """Hook the lines of this section before they would go to Prosody, and the queries."""
    section = AdminSection(module.service)
    module.hook("admin/repl-input", section.line, priority=10)
    module.hook(f"admin/{STRUCTURED_NS}:query", section.query)


class _Answer(NamedTuple):
    """What a command says: `lines` for people, the same as `items` for programs, and a result."""

    result: str
    lines: Sequence[str] = ()
    items: Callable[[], Sequence[Stanza]] = tuple


class _Command(NamedTuple):
    """One command of the section: its answer, and what `help admin` says of it."""

    run: Callable[[Session, Sequence[Literal]], _Answer]
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
            "commands": _Command(self._commands_offered, (), "The known commands you may run"),
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
                answer = self._help()
            case Call(section="admin") as call:
                answer = self._call(event.session, call)
            case RawLua() if _LOOKS_LIKE_OURS.match(event.stanza.text):
                raise CommandError("not a command of this section, see: help admin")
            case _:
                return None
        output = repl_output("\n".join(answer.lines))
        pieces = style_of(event.stanza).output(output) if answer.lines else ()
        return [*pieces, repl_result(answer.result)]

    def query(self, event: AdminEvent) -> list[Stanza]:
        """Answer a structured query for a line of this section.

        Raises CommandError for any other: what Prosody says is text.
        """
        match event.line:
            case Call(section="admin") as call:
                answer = self._call(event.session, call)
                return [*answer.items(), repl_result(answer.result)]
            case _:
                raise CommandError("only commands of the admin section are answered as data")

    def _call(self, session: Session, call: Call) -> _Answer:
        name, command = call.command, self._commands.get(call.command)
        if command is None:
            known = ", ".join(self._commands)
            raise CommandError(f"admin has no such command; it has: {known}")
        if len(call.arguments) != len(command.parameters):
            raise CommandError(f"expected admin:{name}({', '.join(command.parameters)})")
        return command.run(session, call.arguments)

    def _help(self) -> _Answer:
        return _Answer(
            "OK: answered by prosody-admin, not by Prosody",
            [
                f"admin:{name}({', '.join(command.parameters)}) - {command.summary}"
                for name, command in self._commands.items()
            ],
        )

    def _whoami(self, session: Session, _: Sequence[Literal]) -> _Answer:
        identity = session.identity
        groups = tuple(map(str, identity.groups))
        facts = {
            "Session": session.id,
            "Process": identity.pid,
            "Groups": " ".join(groups),
            "Login": identity.login_user or identity.login_uid,
            "Unit": identity.unit,
        }

        def items() -> list[Stanza]:
            structured: dict[str, Fact] = {
                "session": session.id,
                "user": identity.user,
                "uid": identity.uid,
                "gid": identity.gid,
                "groups": groups,
                "pid": identity.pid,
                "login-user": identity.login_user,
                "login-uid": identity.login_uid,
                "unit": identity.unit,
            }
            return [item("identity", structured)]

        return _Answer(
            f"OK: you are {identity}",
            [f"{name}: {fact}" for name, fact in facts.items() if fact not in {None, ""}],
            items,
        )

    def _rights(self, session: Session, _: Sequence[Literal]) -> _Answer:
        policy, identity = self._service.policy, session.identity
        if policy.is_unlimited(identity):
            return _Answer(
                "OK: you may do everything", items=lambda: [item("rights", {"unlimited": True})]
            )
        roles = policy.roles_of(identity)
        if not roles:
            return _Answer(f"OK: no role is granted to {identity}")
        return _Answer(
            "OK: nothing else",
            [line for role in roles for line in _described(role)],
            lambda: [_role_item(role) for role in roles],
        )

    def _commands_offered(self, session: Session, _: Sequence[Literal]) -> _Answer:
        commands = offered(self._service.policy, session.identity)
        names = [f"{command.section}:{command.name}" for command in commands]
        return _Answer(
            f"OK: {len(commands)} command{'s' if len(commands) != 1 else ''}",
            names,
            lambda: [
                item("command", {"name": name, "class": command.command_class})
                for name, command in zip(names, commands, strict=True)
            ],
        )

    def _explain(self, session: Session, arguments: Sequence[Literal]) -> _Answer:
        policy = self._service.policy
        line = parse(str(arguments[0]), policy.catalogue)
        request = Request("admin/repl-input", line)
        verdict = policy.authorise(session.identity, request)
        reason = line.reason if isinstance(line, RawLua) else None
        facts = {
            "meaning": str(request),
            "reason": reason,
            "allowed": verdict.allowed,
            "rule": verdict.rule,
            "needed": verdict.needed or None,
        }
        result = f"OK: allowed ({verdict.rule})"
        if not verdict.allowed:
            result = f"OK: refused ({verdict.rule}): needs {verdict.needed}"
        meaning = f"It means: {request}" + (f" ({reason})" if reason is not None else "")
        return _Answer(result, [meaning], lambda: [item("explanation", facts)])

    def _sessions(self, session: Session, _: Sequence[Literal]) -> _Answer:
        sessions = list(self._service.sessions)
        header = ("ID", "User", "PID", "Login", "Unit", "Commands", "Seconds", "")
        rows = [header] + [
            (
                other.id,
                other.identity.user or str(other.identity.uid),
                str(other.identity.pid),
                other.identity.login_user or "",
                other.identity.unit or "",
                str(other.commands),
                str(self._age(other)),
                "this one" if other is session else "refused" if other.refusal else "",
            )
            for other in sessions
        ]
        return _Answer(
            f"OK: {len(sessions)} session{'s' if len(sessions) != 1 else ''}",
            _table(rows),
            lambda: [self._session_item(other, session) for other in sessions],
        )

    def _session_item(self, session: Session, asking: Session) -> Stanza:
        identity = session.identity
        facts: dict[str, Fact] = {
            "id": session.id,
            "user": identity.user,
            "uid": identity.uid,
            "pid": identity.pid,
            "login-user": identity.login_user,
            "unit": identity.unit,
            "commands": session.commands,
            "seconds": self._age(session),
            "refused": bool(session.refusal),
            "own": session is asking,
        }
        return item("session", facts)

    def _age(self, session: Session) -> int:
        return round(self._clock() - session.started)

    def _status(self, _: Session, __: Sequence[Literal]) -> _Answer:
        settings = self._service.settings
        idle = settings.service.idle_timeout
        up, sessions = round(self._clock() - self._started), len(self._service.sessions)
        facts: dict[str, Fact] = {
            "version": __version__,
            "pid": os.getpid(),
            "seconds": up,
            "sessions": sessions,
            "sessions-max": settings.limits.sessions,
            "prosody-socket": str(settings.prosody.socket),
            "idle-timeout": f"{idle:g}",
        }
        return _Answer(
            "OK: running",
            [
                f"Version: {__version__}",
                f"Process: {os.getpid()}",
                f"Up: {up} s",
                f"Sessions: {sessions} of {settings.limits.sessions}",
                f"Prosody: {settings.prosody.socket}",
                f"Leaves after: {f'{idle:g} s without a session' if idle else 'never'}",
            ],
            lambda: [item("status", facts)],
        )

    def _version(self, _: Session, __: Sequence[Literal]) -> _Answer:
        return _Answer(
            f"OK: prosody-admin {__version__}",
            items=lambda: [item("version", {"version": __version__})],
        )

    def _close(self, session: Session, arguments: Sequence[Literal]) -> _Answer:
        other = self._service.sessions.get(str(arguments[0]))
        if other is None:
            raise CommandError("there is no session with this id, see: admin:sessions()")
        other.end(Ending("undefined-condition", f"closed by {session.identity}"))
        if other is not session:
            other.cancel_command()
        return _Answer(f"OK: session {other.id} closed")


def _role_item(role: Role) -> Stanza:
    facts: dict[str, Fact] = {
        "name": role.name,
        "allow": role.allow,
        "deny": role.deny,
        "hosts": role.hosts,
        "hostless": role.hostless,
        "escalate": role.escalate,
        "lua": role.lua,
    }
    return item("role", facts)


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
