"""`client/completing/names.py`: what is asked, how often, and that it never disturbs."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from fakes import prosody as fake
from fakes.prosody import Behaviour, Conversation, FakeProsody
from fakes.service import Running, running
from fakes.waiting import PATIENCE
from prosody_admin.access.identity import Identity
from prosody_admin.access.roles import Role
from prosody_admin.client.completing import names as module
from prosody_admin.client.completing.names import KEPT_SECONDS, NAMES, Host, Names
from prosody_admin.client.connection import Connection
from prosody_admin.descriptors import File
from prosody_admin.net.peer import Peer
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from prosody_admin.records import MessageId

T = TypeVar("T")

ALICE = Identity(pid=4711, uid=1000, gid=100, user="alice")


def says(*lines: str) -> Behaviour:
    """Return a behaviour that prints lines."""

    async def behave(conversation: Conversation, _: Stanza) -> None:
        await conversation.send(*map(repl_output, lines), repl_result("OK: that is all"))

    return behave


async def says_some_and_fails(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(repl_output("a.example"), repl_result("No", error=True))


HOSTS = says(
    "example.com",
    "conference.example.com (muc component)",
    "proxy.example.com (component)",
    "",
    "A warning, say",
    "more.example.com\nof.example.com",
    "\u202eevil.example.com",
)
USERS = says("juliet@example.com", "someone@elsewhere.example", "roméo@example.com", "Nobody")
ANSWERS = {"host:list()": HOSTS, 'user:list("example.com")': USERS}


class Asking:
    """Names, the time that they go by, and how often they wanted a connection."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self.now = 0.0
        self.seconds_a_look = 0.0
        """What a look at the clock takes."""
        self.connections: list[Connection] = []
        self.wanted = 0
        self.names = Names(self._connection, self._clock)
        self._connect = connect

    def _clock(self) -> float:
        self.now += self.seconds_a_look
        return self.now

    def _connection(self) -> Connection:
        self.wanted += 1
        if not self.connections or not self.connections[-1].usable:
            self.connections.append(self._connect())
        return self.connections[-1]


@contextmanager
def asking(connect: Callable[[], Connection]) -> Iterator[Asking]:
    """Ask over one connection after the other, as the shell does."""
    asking = Asking(connect)
    yield asking
    for connection in asking.connections:
        connection.close()


async def asked(
    service: Running, use: Callable[[Asking], T], identity: Identity | None = None
) -> T:
    """Use names in a thread: they block, and the service runs in this one."""

    def connect() -> Connection:
        if identity is None:
            return Connection.to(str(service.path))
        ours, theirs = socket.socketpair()
        begin = service.daemon._service.sessions.begin
        peer = Peer(identity, None)
        loop.call_soon_threadsafe(lambda: begin(File.adopt(ours.detach()), peer))
        connection = Connection(theirs)
        connection.open("the test")
        return connection

    def ask() -> T:
        with asking(connect) as names:
            return use(names)

    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        return await asyncio.to_thread(ask)


def started(service: Running) -> list[str]:
    """Return the commands that are on record."""
    return [record.fields["COMMAND"] for record in service.journal.of(MessageId.COMMAND_STARTED)]


async def test_names_of_both_prosodies(tmp_path: Path) -> None:
    def use(asking: Asking) -> None:
        names = asking.names
        assert ("user", "list", "read") in names.commands()
        assert {"admin", "user", "muc"} <= {*names.sections()}
        assert {"user", "columns", "console", "roles"} <= {*names.topics()}
        assert names.hosts() == [
            Host("example.com"),
            Host("conference.example.com", "muc component"),
            Host("proxy.example.com", "component"),
            Host("more.example.com"),
            Host("of.example.com"),
        ]
        assert names.users("example.com") == ["juliet@example.com", "roméo@example.com"]
        assert [len(session) for session in names.sessions()] == [2]

    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        await asked(service, use)


async def test_each_is_asked_once_in_a_while(tmp_path: Path) -> None:
    def use(asking: Asking) -> None:
        for seconds in (0.0, 0.0, KEPT_SECONDS / 2):
            asking.now += seconds
            assert asking.names.hosts()
            assert asking.names.users("example.com")
            assert asking.names.users("nowhere.example") == []
        assert asking.wanted == 3
        asking.now += KEPT_SECONDS / 2
        assert asking.names.hosts()
        assert asking.wanted == 5

    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        await asked(service, use)
        assert started(service) == [
            *("admin:commands", "host:list", "user:list"),
            *("admin:commands", "host:list"),
        ]


async def test_nothing_is_asked_that_would_be_refused(tmp_path: Path) -> None:
    def use(asking: Asking) -> None:
        names = asking.names
        assert names.hosts() == [Host("example.com")]
        assert names.users("example.com") == ["juliet@example.com", "roméo@example.com"]
        assert names.users("conference.example.com") == []
        assert names.sessions() == []

    role = Role("helpdesk", allow=("user:*",), hosts=("example.com", "*.example.org"))
    policy = {"roles": {"helpdesk": role}, "grants": {"alice": ("helpdesk",)}}
    async with FakeProsody(tmp_path / "prosody", ANSWERS) as prosody:
        async with running(tmp_path, policy=policy) as service:
            await asked(service, use, ALICE)
            assert not service.journal.of(MessageId.COMMAND_REFUSED)
        assert prosody.lines == ['user:list("example.com")']


async def test_without_a_role_nothing_but_the_own_commands_is_known(tmp_path: Path) -> None:
    def use(asking: Asking) -> None:
        assert {*asking.names.sections()} <= {"admin"}
        assert asking.names.hosts() == []

    async with running(tmp_path) as service:
        await asked(service, use, ALICE)


async def test_a_command_that_fails_is_not_tried_again_at_once(tmp_path: Path) -> None:
    def use(asking: Asking) -> None:
        for _ in range(2):
            assert asking.names.hosts() == []
            assert asking.names.users("a.example") == []
        assert asking.names.commands()

    fails = {"host:list()": says_some_and_fails}
    async with FakeProsody(tmp_path / "prosody", fails) as prosody:
        async with running(tmp_path) as service:
            await asked(service, use)
        assert prosody.lines == ["host:list()"]


async def test_more_names_than_anybody_reads(tmp_path: Path) -> None:
    def use(asking: Asking) -> None:
        assert len(asking.names.hosts()) == NAMES
        assert asking.names.commands()  # on the same connection

    many = {"host:list()": says(*(f"h{number}.example" for number in range(NAMES + 1)))}
    async with FakeProsody(tmp_path / "prosody", many), running(tmp_path) as service:
        await asked(service, use)
        assert len(service.journal.of(MessageId.SESSION_OPENED)) == 1


async def test_an_answer_that_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def use(asking: Asking) -> None:
        assert asking.names.hosts() == []
        assert asking.names.sessions() == []
        assert asking.wanted == 2
        asking.now += KEPT_SECONDS
        assert asking.names.commands()

    monkeypatch.setattr(module, "QUESTION_SECONDS", 0.1)
    never = {"host:list()": fake.never_answers}
    async with FakeProsody(tmp_path / "prosody", never), running(tmp_path) as service:
        await asked(service, use)


async def test_an_answer_without_an_end(tmp_path: Path) -> None:
    def use(asking: Asking) -> None:
        assert asking.names.commands()
        asking.seconds_a_look = 0.1  # so that it comes as fast as it likes, and too slowly
        assert asking.names.hosts() == []
        assert [connection.usable for connection in asking.connections] == [False]

    endless = {"host:list()": fake.Endless()}
    async with FakeProsody(tmp_path / "prosody", endless), running(tmp_path) as service:
        await asked(service, use)


def test_without_a_service(tmp_path: Path) -> None:
    with asking(lambda: Connection.to(str(tmp_path / "nothing"))) as names:
        for _ in range(2):
            assert names.names.commands() == []
            assert names.names.topics() == []
            assert names.names.users("example.com") == []
        assert names.wanted == 1
        names.now += KEPT_SECONDS
        assert names.names.sections() == []
        assert names.wanted == 2
