"""`net/handover.py`: what one service keeps, the next one goes on with."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fakes.client import Client
from fakes.prosody import FakeProsody, Held
from fakes.service import running
from fakes.systemd import Systemd
from fakes.waiting import until
from net.restarts import first, restarted, second
from prosody_admin.errors import FdStoreError
from prosody_admin.modules.registry import Modules
from prosody_admin.net import handover
from prosody_admin.net.session import Session
from prosody_admin.protocol.stanza import ADMIN_NS, Stanza, repl_input, repl_output, repl_result
from prosody_admin.sd.fdstore import FdStore
from prosody_admin.sd.journal import MessageId


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
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "REST_SECONDS", 0)
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


async def test_output_is_read_before(tmp_path: Path, systemd: Systemd) -> None:
    output = repl_output("x" * 1_000_000)
    async with first(tmp_path, service={"drain_timeout": 10}) as service:
        client = await service.client()
        (session,) = service.sessions
        session.send(output)
        signal.raise_signal(signal.SIGINT)
        assert await client.stanza() == output
        await service.ended()
    async with second(tmp_path, systemd):
        with client:
            assert not (await client.ask("admin:version()")).failed


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
