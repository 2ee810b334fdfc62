"""`net/handover.py`: what one service keeps, the next one goes on with, or says why not."""

import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.client import Client
from fakes.journal import MemoryJournal
from fakes.prosody import FakeProsody, Held
from fakes.service import Running, running
from fakes.systemd import Systemd
from fakes.waiting import until
from prosody_admin.config import Settings
from prosody_admin.daemon import Daemon
from prosody_admin.descriptors import File
from prosody_admin.errors import FdStoreError
from prosody_admin.modules.registry import Modules
from prosody_admin.net import handover
from prosody_admin.net.session import Session
from prosody_admin.protocol.stanza import ADMIN_NS, Stanza, repl_input, repl_result
from prosody_admin.sd.activation import bind_listener
from prosody_admin.sd.fdstore import FdStore
from prosody_admin.sd.journal import MessageId

TOLD = "Error: the service restarted without this session"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    with Systemd(tmp_path / "notify") as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
        yield systemd


@asynccontextmanager
async def first(directory: Path, **tables: Any) -> AsyncIterator[Running]:
    """The service that is restarted."""
    async with running(directory, store=FdStore(), **tables) as service:
        yield service


@asynccontextmanager
async def second(directory: Path, systemd: Systemd, **tables: Any) -> AsyncIterator[Running]:
    """The service that comes after it."""
    async with running(directory, stored=systemd.hands_over(), **tables) as service:
        assert systemd.stored == [], "nothing comes back a second time"
        yield service


async def restarted(service: Running) -> None:
    signal.raise_signal(signal.SIGINT)
    assert await service.ended() is None


async def session_of(client: Client) -> str:
    answer = await client.ask("admin:whoami()")
    return next(line for line in answer.output[0].splitlines() if line.startswith("Session: "))


async def test_the_same_session_goes_on_in_the_next_process(
    tmp_path: Path, systemd: Systemd
) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody:
        async with first(tmp_path) as service:
            client = await service.client()
            session = await session_of(client)
            assert (await client.ask("server:version()")).result == "OK: server:version()"
            (before,) = service.sessions
            await restarted(service)
            assert prosody.conversations[0].gone.is_set()
        assert service.journal.events() == [
            "SESSION_OPENED",
            *("COMMAND_STARTED", "COMMAND_FINISHED") * 2,
            "SESSION_KEPT",
        ]
        async with second(tmp_path, systemd) as service:
            with client:
                (after,) = service.sessions
                assert after is not before
                assert after.identity == before.identity
                assert (after.commands, after.started) == (2, before.started)
                assert (after.sent_bytes, after.sent_lines) == (
                    before.sent_bytes,
                    before.sent_lines,
                )
                assert after.has_its_peer()
                assert after._peer.pidfd is not None
                assert await session_of(client) == session
                assert (await client.ask("server:version()")).result == "OK: server:version()"
                assert len(prosody.conversations) == 2
                assert await client.close() == ([], "")
            closed = await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert service.journal.events(before.id) == [
        "SESSION_RESUMED",
        *("COMMAND_STARTED", "COMMAND_FINISHED") * 2,
        "SESSION_CLOSED",
    ]
    assert closed.fields["COMMANDS"] == "4"
    started = service.journal.of(MessageId.COMMAND_STARTED)
    assert [record.fields["SEQUENCE"] for record in started] == ["3", "4"]


async def test_a_kept_session_counts_and_no_limit_refuses_it(
    tmp_path: Path, systemd: Systemd
) -> None:
    async with first(tmp_path) as service:
        clients = [await service.client() for _ in range(3)]
        await restarted(service)
    idle = {"idle_timeout": 0.05}
    async with second(
        tmp_path, systemd, leaves_when_idle=True, limits={"sessions": 2}, service=idle
    ) as service:
        assert len(service.sessions) == 3
        with await service.client() as another:
            assert "too many sessions (2)" in (await another.ask("admin:version()")).result
        for client in clients:
            assert not (await client.ask("admin:version()")).failed
        assert not service.task.done()
        for client in clients:
            client.vanish()
        await service.ended()
    assert "STATUS=3 sessions" in systemd.told


async def test_what_comes_meanwhile_is_answered_afterwards(
    tmp_path: Path, systemd: Systemd
) -> None:
    async with first(tmp_path) as service:
        client, gone = await service.client(), await service.client()
        await restarted(service)
    await client.enter("admin:version()", "admin:version()")
    gone.vanish()
    async with second(tmp_path, systemd) as service:
        with client:
            assert not (await client.answer()).failed
            assert not (await client.answer()).failed
            record = await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert record.message.endswith("closed: the peer closed its socket")


async def test_modules_hear_of_an_end_and_of_a_beginning(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, str]] = []
    enabling = Modules.set_enabled

    def load(modules: Modules, names: Sequence[str]) -> object:
        events = modules._events
        events.hook("admin-connected", lambda about: heard.append(("hello", about.session.id)))
        events.hook("admin-disconnected", lambda about: heard.append(("bye", about.session.id)))
        return enabling(modules, names)

    monkeypatch.setattr(Modules, "set_enabled", load)
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    async with second(tmp_path, systemd) as service:
        (session,) = service.sessions
        with client:
            await client.close()
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert heard == [("hello", session.id), ("bye", session.id)] * 2


# Who is waited for, and who is not kept.


async def test_a_command_that_runs_and_those_behind_it_are_waited_for(
    tmp_path: Path, systemd: Systemd
) -> None:
    held = Held()
    async with FakeProsody(tmp_path / "prosody", {"held()": held}) as prosody:
        async with first(tmp_path, service={"drain_timeout": 10}) as service:
            client, idle = await service.client(), await service.client()
            await client.enter("held()", "b()")
            await prosody.wait_for_line()
            signal.raise_signal(signal.SIGINT)
            await service.journal.wait_for(MessageId.SESSION_KEPT)
            assert len(systemd.stored) == 2, "who is idle is kept at once"
            held.release.set()
            assert (await client.answer()).result == "OK: held()"
            assert (await client.answer()).result == "OK: b()"
            assert await service.ended() is None
        async with second(tmp_path, systemd) as service:
            with client, idle:
                assert len(service.sessions) == 2
                assert (await client.ask("c()")).result == "OK: c()"
    assert prosody.lines == ["held()", "b()", "c()"]


async def leaves_half_a_stanza(client: Client) -> None:
    await client.send_bytes(b"<repl-in")


async def asks_what_does_not_end(client: Client) -> None:
    await client.enter("held()")


async def is_full_of_output(client: Client) -> None:
    """Ask for more than the kernel and HIGH_WATER hold, and read nothing."""
    await client.enter(*["x()"] * 2000)


@pytest.mark.parametrize(
    "restless", [leaves_half_a_stanza, asks_what_does_not_end, is_full_of_output]
)
async def test_who_does_not_come_to_rest_in_time_ends_as_at_a_stop(
    tmp_path: Path,
    systemd: Systemd,
    restless: Callable[[Client], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handover, "REST_SECONDS", 0.1)
    monkeypatch.setattr("prosody_admin.net.sessions.FLUSH_SECONDS", 0.1)
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": Held()}),
        first(tmp_path, service={"drain_timeout": 0.2}) as service,
    ):
        with await service.client() as client:
            await client.ask("admin:version()")
            await restless(client)
            (session,) = service.sessions
            await until(lambda: not session.at_rest)
            signal.raise_signal(signal.SIGINT)
            await service.ended()
            _, condition = await client.last_words()
    assert condition == ("" if restless is is_full_of_output else "system-shutdown")
    assert systemd.stored == []
    assert service.journal.events()[-1] == "SESSION_CLOSED"


async def test_who_has_no_stream_yet_or_is_refused_is_not_kept(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "REST_SECONDS", 0.1)
    async with first(tmp_path, service={"drain_timeout": 10}, limits={"sessions": 2}) as service:
        with (
            await Client.connect(service.path) as silent,
            await service.client() as kept,
            await service.client() as refused,
        ):
            await kept.ask("admin:version()")
            await restarted(service)
            assert len(systemd.stored) == 2
            silent.stream.open()  # its header is not sent
            assert (await silent.last_words())[1] == "system-shutdown"
            stanzas, condition = await refused.last_words()
    assert [stanza.text for stanza in stanzas] == ["Error: the service is stopping"]
    assert condition == "system-shutdown"


async def test_a_question_that_is_answered_in_time(tmp_path: Path, systemd: Systemd) -> None:
    """Its answer is read although the service restarts."""
    async with first(tmp_path, service={"drain_timeout": 10}) as service:
        client = await service.client()
        (session,) = service.sessions
        answers: list[Stanza | None] = []
        session.ask(Stanza("repl-request-input", {"id": "1"}), answers.append)
        signal.raise_signal(signal.SIGINT)
        assert (await client.stanza()).name == "repl-request-input"
        assert not session.at_rest
        await client.send(Stanza("repl-requested-input", {"id": "1"}, namespace=ADMIN_NS))
        await service.ended()
    assert [answer is not None for answer in answers] == [True]
    async with second(tmp_path, systemd):
        with client:
            assert not (await client.ask("admin:version()")).failed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_only_a_restart_keeps_them(
    tmp_path: Path, systemd: Systemd, number: signal.Signals
) -> None:
    store = FdStore() if number is signal.SIGTERM else None
    async with running(tmp_path, store=store) as service:
        with await service.client() as client:
            signal.raise_signal(number)
            assert (await client.last_words())[1] == "system-shutdown"
    assert systemd.stored == []


async def test_a_store_that_fails_ends_them_as_at_a_stop(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise FdStoreError("full")

    monkeypatch.setattr(FdStore, "keep", fails)
    async with first(tmp_path, service={"drain_timeout": 10}) as service:
        with await service.client() as client:
            signal.raise_signal(signal.SIGINT)
            stanzas, condition = await client.last_words()
    assert [stanza.text for stanza in stanzas] == ["Error: the service is stopping"]
    assert condition == "system-shutdown"
    assert service.journal.mentions("sessions end, for they cannot be kept")
    assert service.journal.events()[-1] == "SESSION_CLOSED"


async def test_a_second_signal_is_immediate_and_what_was_kept_stays(
    tmp_path: Path, systemd: Systemd
) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": Held()}) as prosody,
        first(tmp_path, service={"drain_timeout": 300}) as service,
    ):
        idle = await service.client()
        with await service.client() as client:
            await client.enter("held()")
            await prosody.wait_for_line()
            signal.raise_signal(signal.SIGINT)
            await service.journal.wait_for(MessageId.SESSION_KEPT)
            signal.raise_signal(signal.SIGTERM)
            assert await service.ended() is signal.SIGTERM
    async with second(tmp_path, systemd):
        with idle:
            assert not (await idle.ask("admin:version()")).failed


@pytest.mark.parametrize(("limit", "most"), [("FILES_AT_ONCE", 2), ("NOTE_BYTES", 600)])
async def test_many_take_several_messages(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    async with first(tmp_path) as service:
        clients = [await service.client() for _ in range(5)]
        assert systemd.stored == []  # reads what it was told: not many messages fit its socket
        monkeypatch.setattr(handover, limit, most)
        await restarted(service)
    async with second(tmp_path, systemd) as service:
        messages = [message for message in systemd.told if message.startswith("FDSTORE=1")]
        assert len(messages) == (3 if limit == "FILES_AT_ONCE" else 5)
        assert len({session.id for session in service.sessions}) == 5
        for client in clients:
            with client:
                assert not (await client.ask("admin:version()")).failed


# What is handed over and is not what it should be.

Change = Callable[[dict[str, Any]], object]


def altered(files: list[File], change: Change) -> list[File]:
    """Return what was stored, with other values in the state of each session."""
    (note,) = [file for file in files if os.path.basename(target(file)).startswith("pipe")]
    files.remove(note)
    lines = []
    with note.borrow() as fd:
        for line in os.read(fd, 65536).splitlines():
            values = json.loads(line)
            change(values)
            lines.append(json.dumps(values).encode())
    note.close()
    reading, writing = os.pipe()
    os.write(writing, b"\n".join(lines))
    os.close(writing)
    return [*files, File.adopt(reading)]


def target(file: File) -> str:
    with file.borrow() as fd:
        return os.readlink(f"/proc/self/fd/{fd}")


def of_another(**values: Any) -> Change:
    return lambda state: state["identity"].update(values)


def damaged(**values: Any) -> Change:
    return lambda state: state.update(values)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (of_another(uid=12345), "its socket is another peer's"),
        (of_another(gid=12345), "its socket is another peer's"),
        (of_another(pid=1), "its socket is another peer's"),
        (of_another(pid=None), "pid is wrong"),
        (damaged(inode=1), "its socket is not there"),
        (damaged(version=2), "of another version"),
        (damaged(header="<stream>"), "invalid-namespace: the root is not a stream"),
        (damaged(header=""), "bad-format: not one whole header"),
        (damaged(header="<" + "x" * 5000), "policy-violation: a tag of more than 4096 bytes"),
    ],
)
async def test_a_state_that_is_not_its_own_gives_no_session(
    tmp_path: Path, systemd: Systemd, change: Change, reason: str
) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    files = altered(systemd.hands_over(), change)
    async with running(tmp_path, stored=files) as service:
        with client:
            assert service.sessions == []
            stanzas, condition = await client.last_words()
            assert [stanza.text for stanza in stanzas] == [TOLD]
            assert condition == "internal-server-error"
        with await service.client() as another:
            assert not (await another.ask("admin:version()")).failed
    failed = service.journal.of(MessageId.RESUME_FAILED)
    assert failed[0].fields["ERROR"] == reason
    assert service.journal.of(MessageId.SESSION_RESUMED) == []


async def test_a_peer_of_which_the_kernel_no_longer_knows_is_gone(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    monkeypatch.setattr("prosody_admin.descriptors.file.peer_pidfd", lambda _: None)
    async with second(tmp_path, systemd) as service:
        with client:
            assert (await client.last_words())[1] == "internal-server-error"
    (failed,) = service.journal.of(MessageId.RESUME_FAILED)
    assert failed.fields["ERROR"] == "the process that connected is gone"


async def test_two_of_one_id_are_one_session(tmp_path: Path, systemd: Systemd) -> None:
    async with first(tmp_path) as service:
        clients = [await service.client() for _ in range(2)]
        await restarted(service)
    files = altered(systemd.hands_over(), damaged(id="0" * 8))
    async with running(tmp_path, stored=files) as service:
        with clients[0], clients[1]:
            assert [session.id for session in service.sessions] == ["0" * 8]
            await service.journal.wait_for(MessageId.RESUME_FAILED)
    (failed,) = service.journal.of(MessageId.RESUME_FAILED)
    assert failed.fields == {"SESSION": "0" * 8, "ERROR": "there is a session with this id"}


async def test_other_descriptors_are_closed(tmp_path: Path, systemd: Systemd) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        foreign = socket.create_connection(listening.getsockname())
        device = os.open("/dev/null", os.O_RDWR)
        inodes = [os.fstat(fd).st_ino for fd in (foreign.fileno(), device)]
        states = iter([*inodes])
        files = altered(systemd.hands_over(), lambda state: state.update(inode=next(states)))
        files += [File.adopt(foreign.detach()), File.adopt(device)]
        async with running(tmp_path, stored=files) as service:
            with client:
                assert (await client.last_words())[1] == "internal-server-error"
    failed = service.journal.of(MessageId.RESUME_FAILED)
    assert sorted(record.fields["ERROR"] for record in failed) == [
        "a descriptor without a state",
        "a descriptor without a state",
        "its socket is of another kind",
    ]
    assert all(file.closed for file in files)


async def test_a_listening_socket_is_no_session(tmp_path: Path, systemd: Systemd) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "other"))
        listening.listen()
        async with first(tmp_path) as service:
            with await service.client():
                await restarted(service)
        inode = os.fstat(listening.fileno()).st_ino
        files = altered(systemd.hands_over(), damaged(inode=inode))
        files.append(File.fget(listening.fileno()))
        async with running(tmp_path, stored=files) as service:
            assert service.sessions == []
        client.connect(str(tmp_path / "other"))  # it still listens
    assert service.journal.of(MessageId.RESUME_FAILED)


async def test_a_note_that_is_lost_closes_its_sessions(tmp_path: Path, systemd: Systemd) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    files = systemd.hands_over()
    for file in files:
        if "pipe" in target(file):
            os.read(file.fileno(), 65536)
    async with running(tmp_path, stored=files) as service:
        with client:
            assert (await client.last_words())[1] == "internal-server-error"
    (failed,) = service.journal.of(MessageId.RESUME_FAILED)
    assert failed.fields == {"ERROR": "a descriptor without a state"}


async def test_a_start_that_fails_closes_what_was_stored(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    files = systemd.hands_over()

    def fails(_: object, __: object) -> None:
        raise LookupError

    monkeypatch.setattr(Modules, "set_enabled", fails)
    with bind_listener(tmp_path / "admin") as listening:
        daemon = Daemon(
            Settings(),
            [listening],
            MemoryJournal(),
            Settings,
            leaves_when_idle=False,
            stored=files,
        )
        with pytest.raises(LookupError):
            await daemon.run()
    systemd.forget()
    with client:
        assert await client.last_words() == ([], "")
    assert all(file.closed for file in files)


async def test_a_released_session_is_not_closed(tmp_path: Path, systemd: Systemd) -> None:
    """Its peer sees no end of the connection, and no byte."""
    async with first(tmp_path) as service:
        client = await service.client()
        (session,) = service.sessions
        assert isinstance(session, Session)
        await restarted(service)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
        session.send(repl_result("too late"))
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
    await client.send(repl_input("x()"))
    systemd.forget()
    with client:
        assert await client.last_words() == ([], "")
