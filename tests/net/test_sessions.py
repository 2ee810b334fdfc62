"""`net/sessions.py` and `net/session.py`: limits, order, and every way that a session ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.client import Client
from fakes.prosody import FakeProsody, Held
from fakes.service import running
from fakes.waiting import one_turn, until
from prosody_admin.access.identity import Identity
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.net.attendant import Attendant, Ending
from prosody_admin.net.connection import Deadlines
from prosody_admin.net.peer import Peer
from prosody_admin.net.session import Session, SessionLimits
from prosody_admin.protocol.parser import DEFAULT_LIMITS
from prosody_admin.protocol.stanza import Stanza, repl_result
from prosody_admin.protocol.structured import REFUSED, failed_result
from prosody_admin.sd.journal import MessageId

ALICE = Identity(pid=4711, uid=1000, gid=1000, user="alice")
STOPPING = Ending("system-shutdown", "stopping")


async def test_one_too_many_gets_an_error_result_not_a_close(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"sessions": 1}) as service:
        with await service.client() as first, await service.client() as second:
            await second.enter("admin:whoami()", "admin:version()")
            stanzas, condition = await second.last_words()
            text = "Error: too many sessions (1), try again later"
            assert stanzas == [failed_result(text, REFUSED)] * 2
            assert condition == "resource-constraint"
            assert (await first.ask("admin:version()")).result.startswith("OK: ")
            with await service.client() as third:
                assert "too many" in (await third.ask("admin:version()")).result
            await first.close()
            await service.journal.wait_for(MessageId.SESSION_CLOSED, 3)
        with await service.client() as fourth:
            assert (await fourth.ask("admin:version()")).result.startswith("OK: ")
    refused = service.journal.of(MessageId.SESSION_REFUSED)[0]
    assert refused.fields["ERROR"] == "too many sessions (1), try again later"
    assert service.journal.events(refused.fields["SESSION"]) == [
        "SESSION_REFUSED",
        "COMMAND_REFUSED",
        "COMMAND_REFUSED",
        "SESSION_CLOSED",
    ]


async def test_the_limit_of_one_user_is_not_that_of_another(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"sessions": 2, "sessions_per_uid": 1}) as service:
        with (
            await service.client_of(ALICE) as first,
            await service.client_of(ALICE) as second,
            await service.client() as another,  # for those who are refused do not count
        ):
            assert (await another.ask("admin:whoami()")).result.startswith("OK: ")
            answer = await second.ask("admin:whoami()")
            assert answer.result == "Error: too many sessions of alice (uid 1000) (1)"
            assert (await first.ask("admin:whoami()")).result == "OK: you are alice (uid 1000)"


async def test_a_refused_client_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"sessions": 1, "header_timeout": 0.1}) as service:
        with await service.client(), await service.client() as refused:
            stanzas, condition = await refused.last_words()
            record = await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert [stanza.text for stanza in stanzas] == ["Error: too many sessions (1), try again later"]
    assert condition == "resource-constraint"
    assert record.message.endswith("closed: too many sessions (1), try again later")


async def test_refused_clients_are_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prosody_admin.net.sessions.REFUSED_SESSIONS_MAX", 1)
    async with running(tmp_path, limits={"sessions": 1}) as service:
        with await service.client() as first, await service.client():
            with await Client.connect(service.path) as third:
                assert await third.last_words() == ([], "")
            assert len(service.sessions) == 2
            assert (await first.ask("admin:version()")).result.startswith("OK: ")
    assert any("closed unheard" in record.message for record in service.journal.records)


async def fails_later(_: Session) -> None:
    raise LookupError


def fails_at_once(_: Session) -> None:
    raise LookupError


@pytest.mark.parametrize("fails", [fails_later, fails_at_once])
async def test_a_session_that_fails_as_it_opens_is_logged_and_ends_with_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Callable[[Session], Any]
) -> None:

    async with running(tmp_path) as service:
        with monkeypatch.context() as patched:
            patched.setattr(service.daemon._service.sessions._attendant, "session_opened", fails)
            with await Client.connect(service.path) as client:
                await client.open()
                (result,), condition = await client.last_words()
                assert result.text.startswith("Error: internal error (session ")
                assert condition == "internal-server-error"
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
        with await service.client() as client:
            assert not (await client.ask("admin:version()")).failed
    assert any("LookupError" in record.message for record in service.journal.records)


async def test_who_reads_no_answer_gets_no_more_of_them(tmp_path: Path) -> None:
    count = 2000  # the answers are more than the kernel and HIGH_WATER hold, the lines are not
    async with running(tmp_path) as service:
        with await service.client_of(ALICE) as client:
            (session,) = service.sessions
            await client.enter(*["x()"] * count)
            await until(lambda: session.connection.transport.writing_paused)
            answered = session.commands
            for _ in range(100):
                await one_turn()
            assert session.commands == answered < count
            for _ in range(count):
                assert (await client.answer()).failed
            assert session.commands == count


@pytest.mark.parametrize("waiting", [2, 3, 7])
async def test_a_client_that_was_held_back_is_listened_to_again(
    tmp_path: Path, waiting: int
) -> None:
    held = Held()
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": held}) as prosody,
        running(tmp_path, limits={"pending_commands": 2}) as service,
    ):
        with await service.client() as client:
            await client.enter("held()", *["a()"] * waiting)
            await prosody.wait_for_line()
            (session,) = service.sessions
            await until(lambda: not session.connection.transport.reading)
            held.release.set()
            for _ in range(1 + waiting):
                assert not (await client.answer()).failed
            assert (await client.ask("b()")).result == "OK: b()"


# A session alone, served by attendants that misbehave.


class Obliging:
    """Answers every command at once; whatever a test wants differently, it overrides."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def session_opened(self, session: Session) -> Coroutine[Any, Any, None] | None:
        return None

    def command_waits(self, session: Session) -> None:
        stanza = session.take()
        assert stanza is not None
        self.answer(session, stanza)
        session.done()

    def answer(self, session: Session, stanza: Stanza) -> None:
        session.send(repl_result(f"OK: {stanza.text}"))

    def session_closed(self, session: Session, reason: str) -> Coroutine[Any, Any, None] | None:
        self.closed.append(reason)
        return None


@asynccontextmanager
async def served(attendant: Attendant) -> AsyncIterator[tuple[Session, Client]]:
    """A session and its client; expects the session to end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    closer, ended = DeferredFdCloser(), asyncio.Event()
    session = Session(
        "1",
        File.adopt(ours.detach()),
        Peer(ALICE, None),
        attendant,
        lambda _: ended.set(),
        closer=closer,
        limits=SessionLimits(Deadlines(10, 10, 10, 10), DEFAULT_LIMITS, 8),
    )
    with Client(theirs) as client:
        await client.open()
        yield session, client
        async with asyncio.timeout(5):
            await ended.wait()
    await closer.wait_closed()


async def test_an_attendant_that_fails_ends_the_session_with_a_result() -> None:
    class Failing(Obliging):
        def answer(self, session: Session, stanza: Stanza) -> None:
            session.fail(LookupError())

    attendant = Failing()
    async with served(attendant) as (_, client):
        await client.enter("a()", "b()")
        stanzas, condition = await client.last_words()
    text = "Error: internal error (session 1)"
    assert stanzas[0] == repl_result(text, error=True)
    assert condition == "internal-server-error"
    assert attendant.closed == ["internal error (session 1)"]


async def test_an_end_that_fails_is_logged_and_an_end(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Obliging):
        async def session_closed(self, session: Session, reason: str) -> None:
            raise LookupError

    async with served(Failing()) as (_, client):
        await client.close()
    assert "the end of session 1 failed" in caplog.text


async def test_a_question_of_what_is_answered_at_once_is_given_up_too() -> None:
    given: list[Stanza | None] = []

    class Asking(Obliging):
        def answer(self, session: Session, stanza: Stanza) -> None:
            session.ask(Stanza("repl-request-input", {"id": "1"}), given.append)
            session.send(repl_result("OK"))

    async with served(Asking()) as (_, client):
        await client.enter("a()")
        await until(lambda: given == [None])
        await client.close()


async def test_a_question_with_the_name_of_one_that_waits_takes_its_place() -> None:
    first: list[Stanza | None] = []
    second: list[Stanza | None] = []

    class Asking(Obliging):
        def answer(self, session: Session, stanza: Stanza) -> None:
            session.ask(Stanza("repl-request-input", {"id": "1"}), first.append)
            session.ask(Stanza("repl-request-input", {"id": "1"}), second.append)
            session.send(repl_result("OK"))

    async with served(Asking()) as (_, client):
        await client.enter("a()")
        await until(lambda: first == second == [None])
        await client.close()


async def test_a_command_that_nobody_took_before_the_client_left() -> None:
    class Late(Obliging):
        def command_waits(self, session: Session) -> None:
            self.session = session

    attendant = Late()
    async with served(attendant) as (session, client):
        await client.enter("a()")
        await until(lambda: hasattr(attendant, "session"))
        client.vanish()
        await until(lambda: session.connection.transport.closing)
        await one_turn()
        assert attendant.closed == [], "not before it was asked for"
        assert session.take() is None
    assert attendant.closed == ["the peer closed its socket"]


async def test_a_cancelled_command_begins_and_can_answer() -> None:
    class Begun(Obliging):
        def command_waits(self, session: Session) -> None:
            session.take()
            self.running = asyncio.ensure_future(self.work(session))
            session.runs(self.running)
            self.running.add_done_callback(lambda _: session.done())

        async def work(self, session: Session) -> None:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                session.send(repl_result("recorded and cancelled"))

    async with served(Begun()) as (session, client):
        await client.enter("a()")
        await until(lambda: session._running is not None)
        session.end(STOPPING)
        session.cancel_command()
        stanzas, condition = await client.last_words()
    assert stanzas == [repl_result("recorded and cancelled")]
    assert condition == "system-shutdown"


async def test_the_first_ending_stays() -> None:
    attendant = Obliging()
    async with served(attendant) as (session, client):
        assert (await client.ask("a()")).result == "OK: a()"
        session.cancel_command()
        session.end(STOPPING)
        session.end(Ending("reset", "too late"))
        assert await client.last_words() == ([], "system-shutdown")
    assert attendant.closed == ["stopping"]


async def test_who_has_not_asked_yet_gets_a_result_before_the_end() -> None:
    async with served(Obliging()) as (session, client):
        session.end(STOPPING)
        stanzas, condition = await client.last_words()
    assert stanzas == [repl_result("Error: stopping", error=True)]
    assert condition == "system-shutdown"


@pytest.mark.parametrize("leave", [Client.half_close, Client.vanish])
async def test_a_client_that_leaves_ends_its_session(leave: Callable[[Client], None]) -> None:
    attendant = Obliging()
    async with served(attendant) as (_, client):
        assert (await client.ask("a()")).result == "OK: a()"
        leave(client)
    assert len(attendant.closed) == 1


async def test_stopping_lets_the_running_command_finish_and_answers_the_others(
    tmp_path: Path,
) -> None:
    held = Held()
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": held}) as prosody,
        running(tmp_path, service={"drain_timeout": 5}) as service,
    ):
        with await service.client() as client, await service.client() as idle:
            await client.enter("held()", "b()", "c()")
            await prosody.wait_for_line()
            service.daemon.stop("a test")
            stanzas, condition = await idle.last_words()
            assert [stanza.text for stanza in stanzas] == ["Error: the service is stopping"]
            assert condition == "system-shutdown"
            held.release.set()
            stanzas, condition = await client.last_words()
    assert [stanza.text for stanza in stanzas] == [
        "OK: held()",
        "Error: the service is stopping",
        "Error: the service is stopping",
    ]
    assert condition == "system-shutdown"
    assert prosody.lines == ["held()"]
    assert service.journal.of(MessageId.STREAM_ERROR) == []


async def test_stopping_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": Held()}) as prosody,
        running(tmp_path, service={"drain_timeout": 0.05}) as service,
    ):
        with await service.client() as client:
            await client.enter("held()", "b()")
            await prosody.wait_for_line()
            service.daemon.stop("a test")
            stanzas, condition = await client.last_words()
            await service.ended()
    assert [stanza.text for stanza in stanzas] == [
        "Error: the service is stopping; the outcome is unknown",
        "Error: the service is stopping",
    ]
    assert condition == "system-shutdown"
    record = service.journal.of(MessageId.COMMAND_FINISHED)[0]
    assert record.fields["RESULT"] == "cancelled"
    record = service.journal.of(MessageId.SESSION_CLOSED)[0]
    assert record.message.endswith("closed: the service is stopping")


async def test_a_client_that_reads_nothing_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prosody_admin.net.sessions.FLUSH_SECONDS", 0.05)
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.ask("admin:version()")
            (session,) = service.sessions
            session.send(repl_result("x" * 1_000_000))
            service.daemon.stop("a test")
            await service.ended()
    record = service.journal.of(MessageId.SESSION_CLOSED)[0]
    assert record.message.endswith("closed: the session was cut off")
