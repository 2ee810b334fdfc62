"""The names that a live server has, for completion: asked for on demand, and kept for a while.

Each question goes on the service's record, so none is asked without need, and none that this user
may not ask. A failure is as good as no names: completion disturbs nobody.
"""

import contextlib
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple

from prosody_admin.client.answers import Output
from prosody_admin.client.connection import Connection
from prosody_admin.errors import ClientError, ServiceUnreachableError
from prosody_admin.protocol.structured import Fact
from prosody_admin.shell.canonical import canonical
from prosody_admin.shell.lines import Call
from prosody_admin.shell.strings import is_plain

KEPT_SECONDS = 30.0
"""How long an answer counts, and how long nothing is asked after a connection was lost."""

QUESTION_SECONDS = 1.0
"""How long an answer may take; one that takes longer ends the connection."""

NAMES = 1000
"""The most names of a kind that are kept; more are of no use to whoever types."""

_TOPICS = ("columns", "console", "roles")
"""What Prosody's help has beside the sections (mod_admin_shell.lua of 0.12 and 13)."""

# A line of `host:list()` in both: the name, and in parentheses what it is, if no virtual host.
_HOST = re.compile(r"([^\s@/\"\\]+)(?: \((.+)\))?")
_USER = re.compile(r"[^\s@/\"]+@([^\s@/\"\\]+)")

_Facts = Mapping[str, Fact]
_Ask = Callable[[Connection, str], Generator[_Facts, None, None]]


class Offered(NamedTuple):
    """A command that this user may run."""

    section: str
    name: str
    command_class: str


class Host(NamedTuple):
    """A host of the server; `kind` is what it is, "" for one that has accounts."""

    name: str
    kind: str = ""


class Names:
    """Names of the server at the other end of what `connection` returns, or raises ClientError for.

    That is called for each question. Every method returns an empty list where nothing is known.
    """

    def __init__(
        self, connection: Callable[[], Connection], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._kept: dict[Call, tuple[float, Sequence[_Facts]]] = {}
        self._silent_until = clock()

    def commands(self) -> list[Offered]:
        """Return the commands of the catalogue that this user may run, in order."""
        found = []
        for facts in self._answer(Call("admin", "commands"), _as_data):
            section, _, name = str(facts.get("name", "")).partition(":")
            found.append(Offered(section, name, str(facts.get("class", ""))))
        return found

    def sections(self) -> list[str]:
        """Return the sections of these commands."""
        return list(dict.fromkeys(command.section for command in self.commands()))

    def topics(self) -> list[str]:
        """Return what `help` takes; empty where no command is offered."""
        sections = self.sections()
        return sorted({*sections, *_TOPICS}) if sections else []

    def sessions(self) -> list[tuple[str, str]]:
        """Return the id and the user of each session with the service."""
        if not self._offers("admin", "sessions"):
            return []
        return [
            (str(facts.get("id", "")), str(facts.get("user", "")))
            for facts in self._answer(Call("admin", "sessions"), _as_data)
        ]

    def hosts(self) -> list[Host]:
        """Return the hosts of the server; of whoever may not list them, those of the roles."""
        if self._offers("host", "list"):
            lines = self._answer(Call("host", "list"), _as_text)
            found = (_HOST.fullmatch(str(facts["line"])) for facts in lines)
            return [Host(match[1], match[2] or "") for match in found if match]
        if not self._offers("admin", "rights"):
            return []
        roles = self._answer(Call("admin", "rights"), _as_data)
        names = (name for facts in roles for name in _words(facts.get("hosts")))
        return [Host(name) for name in dict.fromkeys(names) if "*" not in name]

    def users(self, host: str) -> list[str]:
        """Return the JIDs of the accounts of one of `hosts`, NAMES at most."""
        if Host(host) not in self.hosts() or not self._offers("user", "list"):
            return []
        lines = self._answer(Call("user", "list", (host,)), _as_text)
        found = (_USER.fullmatch(str(facts["line"])) for facts in lines)
        return [match[0] for match in found if match and match[1] == host]

    def _offers(self, section: str, name: str) -> bool:
        return any(command[:2] == (section, name) for command in self.commands())

    def _answer(self, call: Call, ask: _Ask) -> Sequence[_Facts]:
        """Return what is kept of a question, or ask it."""
        now = self._clock()
        self._kept = {asked: kept for asked, kept in self._kept.items() if kept[0] > now}
        if call in self._kept:
            return self._kept[call][1]
        if now < self._silent_until:
            return ()
        try:
            items = self._asked(call, ask)
        except ServiceUnreachableError:
            self._silent_until = self._clock() + KEPT_SECONDS
            return ()
        except ClientError:
            items = []
        self._kept[call] = self._clock() + KEPT_SECONDS, items
        return items

    def _asked(self, call: Call, ask: _Ask) -> list[_Facts]:
        """Ask a question. Raises ClientError for one that fails, or takes too long."""
        until = self._clock() + QUESTION_SECONDS
        connection = self._connection()
        connection.wait_at_most(QUESTION_SECONDS)
        items: list[_Facts] = []
        try:
            with contextlib.closing(ask(connection, canonical(call))) as answer:
                for item in answer:
                    if len(items) < NAMES:
                        items.append(item)
                    if self._clock() > until:
                        raise ServiceUnreachableError("no end of names in time")
        finally:
            connection.wait_at_most(None)
        return items


def _as_data(connection: Connection, line: str) -> Generator[_Facts, None, None]:
    yield from connection.query(line)


def _as_text(connection: Connection, line: str) -> Generator[_Facts, None, None]:
    """Go through the lines that a command prints. Raises ClientError for one that fails."""
    for said in connection.stream(line):
        if not isinstance(said, Output):
            said.check()
        elif not said.error:
            yield from ({"line": line} for line in said.text.splitlines() if is_plain(line))


def _words(fact: Fact) -> Sequence[str]:
    return fact if isinstance(fact, tuple) else ()
