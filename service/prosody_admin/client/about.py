"""The verbs about the service itself: who is connected, who you are, and what you may do."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prosody_admin.client.connection import Connection
from prosody_admin.client.exits import ExitCode, code_of_result
from prosody_admin.client.reach import connect
from prosody_admin.client.terminal.cells import Align, visible
from prosody_admin.client.terminal.output import columns, paged
from prosody_admin.client.terminal.tables import Column, as_json, rendered
from prosody_admin.errors import UsageError
from prosody_admin.protocol.structured import Fact
from prosody_admin.shell.canonical import canonical
from prosody_admin.shell.lines import Call

Facts = Mapping[str, Fact]

_SESSIONS = (
    Column("id", "SESSION"),
    Column("user", flexible=True),
    Column("pid", align=Align.RIGHT),
    Column("login", flexible=True),
    Column("unit", flexible=True),
    Column("commands", align=Align.RIGHT),
    Column("age", align=Align.RIGHT),
    Column("note"),
)
_LABELS = {"gid": "GID", "name": "Role", "pid": "PID", "uid": "UID", "seconds": "Up"}
"""What stands before a fact where it is not just its key."""


@dataclass(frozen=True, slots=True)
class _About:
    """How a verb shows the items of its answer; the exit code may depend on them."""

    show: Callable[[Sequence[Facts], argparse.Namespace], str]
    code: Callable[[Sequence[Facts]], ExitCode] = lambda _: ExitCode.OK
    is_list: bool = False
    """Whether JSON has an array even of one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb, the parser's default of `verb`, takes."""
    match parser.get_default("verb"):
        case "close":
            parser.add_argument(
                "sessions", metavar="SESSION", nargs="+", help="as `sessions` has it"
            )
        case "explain":
            parser.add_argument("line", metavar="LINE", help="as `run` takes it")


def run(arguments: argparse.Namespace) -> int:
    """Ask the service and show the answer. Raises ClientError."""
    with connect(arguments) as connection:
        if arguments.verb == "close":
            return _close(connection, arguments)
        line = (arguments.line,) if arguments.verb == "explain" else ()
        items = connection.query(_question(arguments.verb, *line))
    about = _VERBS[arguments.verb]
    if arguments.json:
        text = as_json(items if about.is_list else items[0], arguments.json)
    else:
        text = about.show(items, arguments)
    with paged(sys.stdout, not arguments.no_pager) as out:
        out.write(text)
    return about.code(items)


def _close(connection: Connection, arguments: argparse.Namespace) -> int:
    """Close each session; what is wrong with one does not spare the others."""
    code = ExitCode.OK
    lines = [_question("close", session) for session in arguments.sessions]
    for session, line in zip(arguments.sessions, lines, strict=True):
        result = connection.run(line).result
        if not result.ok:
            print(f"{visible(session)}: {visible(result.text)}", file=sys.stderr)
        elif not arguments.quiet:
            print(visible(result.text))
        code = max(code, code_of_result(result))
    return code


def _question(verb: str, *arguments: str) -> str:
    """Return the line that asks the service. Raises UsageError for what no line can have."""
    try:
        return canonical(Call("admin", verb, arguments))
    except ValueError:
        word = visible(" ".join(arguments))
        raise UsageError(
            f"{verb}: {word}: too long, or has control characters or line breaks"
        ) from None


def _status(items: Sequence[Facts], _: argparse.Namespace) -> str:
    (facts,) = items
    idle = facts["idle-timeout"]
    return _block(
        {
            "version": facts["version"],
            "pid": facts["pid"],
            "seconds": _duration(facts["seconds"]),
            "sessions": f"{facts['sessions']} of {facts['sessions-max']}",
            "prosody": facts["prosody-socket"],
            "leaves": "never" if idle == "0" else f"after {idle} s without a session",
        }
    )


def _sessions(items: Sequence[Facts], arguments: argparse.Namespace) -> str:
    rows = [
        {
            "id": _said(facts["id"]),
            "user": _said(facts.get("user", facts["uid"])),
            "pid": _said(facts["pid"]),
            "login": _said(facts.get("login-user", "")),
            "unit": _said(facts.get("unit", "")),
            "commands": _said(facts["commands"]),
            "age": _duration(facts["seconds"]),
            "note": "this one" if facts["own"] else "refused" if facts["refused"] else None,
        }
        for facts in items
    ]
    legend, cells = not arguments.no_legend, columns(sys.stdout)
    return rendered(_SESSIONS, rows, noun="session", cells=cells, legend=legend)


def _rights(items: Sequence[Facts], arguments: argparse.Namespace) -> str:
    if not items:
        return "No role is granted to you.\n"
    if items[0].get("unlimited"):
        return "You may do everything.\n"
    return _facts(items, arguments)


def _facts(items: Sequence[Facts], _: argparse.Namespace) -> str:
    return "\n".join(map(_block, items))


def _block(item: Facts) -> str:
    """Return the facts of an item, one a line; those that are empty are left out."""
    facts = {_label(key): _said(fact) for key, fact in item.items() if fact or fact == 0}
    room = max(map(len, facts))
    return "".join(f"{label:>{room}}: {fact}\n" for label, fact in facts.items())


def _label(key: str) -> str:
    return _LABELS.get(key) or key.replace("-", " ").capitalize()


def _said(fact: Fact) -> str:
    match fact:
        case bool():
            return "yes" if fact else "no"
        case tuple():
            return visible(" ".join(fact))
        case _:
            return visible(str(fact))


def _duration(seconds: Fact) -> str:
    """Return seconds as systemctl(1) says how long ago something was, in two units at most."""
    assert isinstance(seconds, int)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


_VERBS = {
    "status": _About(_status),
    "sessions": _About(_sessions, is_list=True),
    "whoami": _About(_facts),
    "rights": _About(_rights, is_list=True),
    "explain": _About(
        _facts, lambda items: ExitCode.OK if items[0]["allowed"] else ExitCode.REFUSED
    ),
}
