"""`net/dispatch.py`: authorised, recorded, dispatched and answered, whatever handlers do."""

import asyncio
import time
from pathlib import Path
from syslog import LOG_ERR

import pytest

from fakes.client import Client
from fakes.prosody import FakeProsody
from fakes.service import Running, running
from fakes.waiting import one_turn, until
from prosody_admin.access.identity import OVERFLOW_UID, Identity
from prosody_admin.errors import CommandError
from prosody_admin.events import Handler
from prosody_admin.net.announcing import SessionEvent
from prosody_admin.net.answers import UNHANDLED
from prosody_admin.net.attendant import Ending
from prosody_admin.net.dispatch import TURN_SECONDS, AdminEvent
from prosody_admin.net.transport import HIGH_WATER
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_output, repl_result
from prosody_admin.protocol.structured import REFUSED, failed_result
from prosody_admin.sd.journal import MessageId
from prosody_admin.shell.lines import Call

ALICE = Identity(pid=4711, uid=1000, gid=1000, user="alice", login_uid=1000, unit="a.scope")
PING = Stanza("ping", {"a": "b"}, "text", namespace="urn:example")


def hook(service: Running, event: str, handler: Handler) -> None:
    service.daemon._events.hook(event, handler, 100)


async def test_a_command_leaves_its_trail(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.ask('admin:close("1234")')
            await client.close()
            closed = await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert service.journal.events(closed.fields["SESSION"]) == [
        "SESSION_OPENED",
        "COMMAND_STARTED",
        "COMMAND_FINISHED",
        "SESSION_CLOSED",
    ]
    started = service.journal.of(MessageId.COMMAND_STARTED)[0].fields
    assert (started["COMMAND"], started["VERDICT"], started["SEQUENCE"]) == (
        "admin:close",
        "allowed",
        "1",
    )
    finished = service.journal.of(MessageId.COMMAND_FINISHED)[0].fields
    assert (finished["COMMAND"], finished["RESULT"]) == ("admin:close", "error")
    assert int(finished["DURATION_USEC"]) > 0
    assert (finished["ARGUMENTS"], finished["OUTPUT_LINES"]) == ('"1234"', "1")
    assert finished["ERROR"] == "Error: there is no session with this id, see: admin:sessions()"
    assert int(finished["OUTPUT_BYTES"]) == len(finished["ERROR"])
    assert closed.fields["COMMANDS"] == "1"


@pytest.mark.parametrize(
    ("line", "recorded"),
    [
        ("admin:whoami()", "admin:whoami"),
        ("help admin", "help admin"),
        ("HELP", "help"),
        (">os.exit('secret')", "raw Lua"),
        ("user:password('a@b', 'secret')", "user:password"),
    ],
)
async def test_what_is_recorded_of_a_line(tmp_path: Path, line: str, recorded: str) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        with await service.client() as client:
            await client.ask(line)
    assert service.journal.of(MessageId.COMMAND_STARTED)[0].fields["COMMAND"] == recorded
    assert "secret" not in repr(service.journal.records)


async def test_anybody_may_ask_who_they_are_and_nothing_else(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client_of(ALICE) as client:
            assert (await client.ask("admin:whoami()")).output[-2:] == [
                "Login: 1000",
                "Unit: a.scope",
            ]
            assert not (await client.ask("help admin")).failed
            for line in ("admin:sessions()", "user:list()", "help", "> 1", PING):
                answer = await client.ask(line)
                assert answer.failed
                assert answer.result == (
                    "Error: permission denied (default): needs a role, and none is granted to"
                    " alice (uid 1000)"
                )
    assert prosody.lines == []
    refused = service.journal.of(MessageId.COMMAND_REFUSED)
    assert [record.fields["COMMAND"] for record in refused] == [
        "admin:sessions",
        "user:list",
        "help",
        "raw Lua",
        "admin/urn:example:ping",
    ]
    assert {record.fields["RULE"] for record in refused} == {"default"}
    assert refused[0].fields["PEER_USER"] == "alice"


@pytest.mark.parametrize(
    "nobody", [Identity(pid=0, uid=0, gid=0), Identity(pid=7, uid=OVERFLOW_UID, gid=0)]
)
async def test_a_peer_of_another_world_may_not_even_ask(tmp_path: Path, nobody: Identity) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(nobody) as client:
            answer = await client.ask("admin:whoami()")
    assert answer.result.startswith("Error: permission denied (unknown-peer): ")


@pytest.mark.parametrize("stanza", [PING, Stanza("repl-input", {}, "x", namespace="urn:example")])
async def test_what_no_module_wants(tmp_path: Path, stanza: Stanza) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            assert await client.ask(stanza) == await client.ask(Stanza("unknown"))
            answer = await client.ask(stanza)
            assert (answer.output, answer.result, answer.failed) == ([], UNHANDLED, True)


async def test_events_of_another_namespace(tmp_path: Path) -> None:
    got: list[AdminEvent] = []

    def handler(event: AdminEvent) -> Stanza:
        got.append(event)
        return Stanza("pong", namespace="urn:example")

    async with running(tmp_path) as service:
        hook(service, "admin/urn:example:ping", handler)
        with await service.client() as client:
            await client.send(PING)
            assert await client.stanza() == Stanza("pong", namespace="urn:example")
    assert [(event.stanza, event.line) for event in got] == [(PING, None)]


async def test_plain_and_async_handlers_and_output_before_the_result(tmp_path: Path) -> None:
    async def handler(event: AdminEvent) -> list[Stanza] | None:
        if event.line != Call("greeting", "hello"):
            return None
        event.session.send(repl_output("at once"))
        await one_turn()
        return [repl_output("later"), repl_result("OK: done")]

    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        hook(service, "admin/repl-input", handler)
        with await service.client() as client:
            answer = await client.ask("greeting:hello()")
            assert (answer.output, answer.result) == (["at once", "later"], "OK: done")
            assert (await client.ask("other()")).result == "OK: other()"


async def test_elements_inside_a_line_are_refused(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client:
            for text in ("admin:whoami()", "x()"):
                answer = await client.ask(Stanza("repl-input", {}, text, Stanza("b")))
                assert (answer.result, answer.failed) == (
                    "Error: a line is text, without elements",
                    True,
                )
    assert prosody.lines == []
    assert service.journal.of(MessageId.COMMAND_STARTED) == []


def raises(_: AdminEvent) -> None:
    raise LookupError("a secret of the module")


async def raises_later(_: AdminEvent) -> None:
    await one_turn()
    raise LookupError("a secret of the module")


def is_cancelled(_: object) -> None:
    raise asyncio.CancelledError


async def is_cancelled_later(_: AdminEvent) -> None:
    await one_turn()
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "handler",
    [
        raises,
        raises_later,
        is_cancelled,
        is_cancelled_later,
        lambda _: 7,
        lambda _: "OK",
        lambda _: [],
        lambda _: ["OK"],
        lambda _: repl_output("no result"),
        lambda _: [repl_result("too early"), repl_output("output")],
        lambda _: [repl_result("one"), repl_result("two")],
        lambda _: repl_result("OK\0"),
        lambda _: repl_result("OK \udc80"),
        lambda _: Stanza("repl-result", {"count": 3}),  # type: ignore[dict-item]
    ],
)
async def test_a_handler_that_is_wrong(tmp_path: Path, handler: Handler) -> None:
    async with running(tmp_path) as service:
        hook(service, "admin/repl-input", handler)
        with await service.client() as client:
            (session,) = service.sessions
            answer = await client.ask("x()")
            assert answer.result == f"Error: internal error (session {session.id})"
            assert answer.failed
            service.daemon._events.unhook("admin/repl-input", handler)
            assert not (await client.ask("admin:version()")).failed, "the session goes on"
    finished = service.journal.of(MessageId.COMMAND_FINISHED)
    assert [record.fields["RESULT"] for record in finished] == ["failed", "ok"]
    (logged,) = (record for record in service.journal.records if record.priority == LOG_ERR)
    assert logged.message.startswith("A handler of admin/repl-input failed in session ")
    assert (logged.event, logged.fields["SESSION"]) == (MessageId.MODULE_FAILED, session.id)
    assert "\nTraceback (most recent call last):\n" in logged.message


@pytest.mark.parametrize("answers", [False, True])
async def test_a_handler_that_fails_to_take_an_answer(tmp_path: Path, answers: bool) -> None:
    asked = asyncio.Event()

    def fails(answer: Stanza | None) -> None:
        asked.set()
        raise LookupError("s3cret" if answer is None else answer.text)

    async def handler(event: AdminEvent) -> Stanza | None:
        if event.line != Call("greeting", "hello"):
            return None
        event.session.ask(Stanza("repl-request-input", {"id": "1", "type": "password"}), fails)
        if answers:
            await asked.wait()
        return repl_result("OK: done")

    async with running(tmp_path) as service:
        hook(service, "admin/repl-input", handler)
        with await service.client() as client:
            await client.enter("greeting:hello()")
            assert (await client.stanza()).name == "repl-request-input"
            answer = Stanza("repl-requested-input", {"id": "1"}, "s3cret")
            if answers:
                await client.send(answer, repl_input("admin:version()"))
            assert (await client.answer()).result == "OK: done"
            if not answers:
                await client.enter("admin:version()")
            assert (await client.answer()).result.startswith("OK: prosody-admin ")
    assert service.journal.mentions("failed to take its answer: LookupError")
    assert not service.journal.mentions("s3cret")


async def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    def handler(_: AdminEvent) -> None:
        raise CommandError("no such user")

    async with running(tmp_path) as service:
        hook(service, "admin/repl-input", handler)
        with await service.client() as client:
            answer = await client.ask("x()")
    assert (answer.output, answer.result, answer.failed) == ([], "Error: no such user", True)


async def test_what_cannot_be_recorded_does_not_run(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client:
            service.journal.available = False
            answer = await client.ask("x()")
            assert (answer.result, answer.failed) == (
                "Error: refused, it cannot be recorded now",
                True,
            )
            service.journal.available = True
            assert (await client.ask("y()")).result == "OK: y()"
    assert prosody.lines == ["y()"]
    (refused,) = service.journal.of(MessageId.COMMAND_REFUSED)
    assert refused.fields["RULE"] == "unrecorded"
    assert refused.fields["SEQUENCE"] == "1"


async def test_one_command_waits_for_a_journal_that_does_not_answer_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            service.journal.available = False
            assert (await client.ask("admin:version()")).failed
            monkeypatch.setattr("prosody_admin.net.dispatch.RECORD_SECONDS", 1000)
            for _ in range(3):
                assert (await client.ask("admin:version()")).failed
            service.journal.available = True
            assert not (await client.ask("admin:version()")).failed
            service.journal.available = False
            await client.enter("admin:version()")
            await until(lambda: len(service.daemon._dispatcher._unrecorded) == 1)
            service.journal.available = True
            assert not (await client.answer()).failed


async def test_a_journal_that_is_busy_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prosody_admin.net.dispatch.RECORD_SECONDS", 10)
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client, await service.client() as other:
            service.journal.available = False
            await client.enter("x()", "y()")
            await other.enter("z()")
            await until(lambda: len(service.daemon._dispatcher._unrecorded) == 2)
            assert prosody.lines == []
            service.journal.available = True
            assert (await client.answer()).result == "OK: x()"
            assert (await client.answer()).result == "OK: y()"
            assert (await other.answer()).result == "OK: z()"
    assert len(service.journal.of(MessageId.COMMAND_STARTED)) == 3
    assert service.journal.of(MessageId.COMMAND_REFUSED) == []


async def test_what_waits_for_the_journal_is_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prosody_admin.net.dispatch.RECORD_SECONDS", 10)
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client, await service.client() as gone:
            service.journal.available = False
            await client.enter("x()")
            await gone.enter("y()")
            await until(lambda: len(service.daemon._dispatcher._unrecorded) == 2)
            sessions = service.sessions
            gone.vanish()
            await until(lambda: any(session.is_lost for session in sessions))
            for session in sessions:
                if not session.is_lost:
                    session.end(Ending("reset", "a test"))
            service.journal.available = True
            assert (await client.answer()).result == "Error: a test"
    assert prosody.lines == []
    assert service.journal.of(MessageId.COMMAND_STARTED) == []
    refused = service.journal.of(MessageId.COMMAND_REFUSED)
    reasons = {record.message.partition(": ")[2] for record in refused}
    assert reasons == {"a test", "the client is gone"}
    assert {record.fields["RULE"] for record in refused} == {"ending"}


async def test_a_secret_is_not_kept_for_the_next_command(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        with await service.client() as client:
            (session,) = service.sessions
            await client.ask("user:list('localhost')")
            kept = session.judged
            assert kept is not None
            for line in ("user:password('a@b', 'secret')", "> secret()", "unknown:x('secret')"):
                await client.ask(line)
                assert session.judged is kept


async def test_a_site_may_let_commands_run_unrecorded_which_is_recorded(tmp_path: Path) -> None:
    audit = {"required": False}
    async with (
        FakeProsody(tmp_path / "prosody") as prosody,
        running(tmp_path, audit=audit) as service,
    ):
        with await service.client() as client:
            service.journal.available = False
            assert (await client.ask("x()")).result == "OK: x()"
            service.journal.available = True
            assert (await client.ask("y()")).result == "OK: y()"
    assert prosody.lines == ["x()", "y()"]
    assert len(service.journal.of(MessageId.AUDIT_NOT_REQUIRED)) == 1


async def test_modules_are_told_of_sessions_that_were_admitted(tmp_path: Path) -> None:
    told: list[str] = []

    def connected(event: SessionEvent) -> None:
        told.append(f"connected {event.session.id}")

    async def disconnected(event: SessionEvent) -> None:
        told.append(f"disconnected {event.session.id}")

    async with running(tmp_path, limits={"sessions": 1}) as service:
        hook(service, "admin-connected", connected)
        hook(service, "admin-disconnected", disconnected)
        with await service.client() as client, await service.client() as refused:
            (session, _) = service.sessions
            await refused.close()
            await client.close()
            await service.journal.wait_for(MessageId.SESSION_CLOSED, 2)
        with await Client.connect(service.path):
            pass
    assert told == [f"connected {session.id}", f"disconnected {session.id}"]


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize("event", ["admin-connected", "admin-disconnected"])
async def test_a_module_that_fails_when_told_of_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, hangs: bool
) -> None:
    async def fails(_: SessionEvent) -> None:
        if hangs:
            await asyncio.get_running_loop().create_future()
        raise LookupError

    monkeypatch.setattr("prosody_admin.net.announcing.ANNOUNCE_SECONDS", 0.05)
    async with running(tmp_path) as service:
        hook(service, event, fails)
        with await service.client() as client:
            assert not (await client.ask("admin:version()")).failed
            await client.close()
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    (logged,) = (record for record in service.journal.records if record.priority == LOG_ERR)
    assert f"A handler of {event} failed" in logged.message


@pytest.mark.parametrize("event", ["admin-connected", "admin-disconnected"])
async def test_what_a_module_waited_for_was_cancelled(tmp_path: Path, event: str) -> None:
    async with running(tmp_path) as service:
        hook(service, event, is_cancelled)
        with await service.client() as client:
            assert not (await client.ask("admin:version()")).failed
            await client.close()
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
        await until(lambda: not service.sessions)
    (logged,) = (record for record in service.journal.records if record.priority == LOG_ERR)
    assert f"A handler of {event} failed" in logged.message


async def test_the_end_of_a_session_is_recorded_though_a_module_holds_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(_: SessionEvent) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("prosody_admin.net.sessions.FLUSH_SECONDS", 0.05)
    async with running(tmp_path) as service:
        hook(service, "admin-disconnected", hangs)
        with await service.client():
            service.daemon.stop("a test")
            await service.ended()
    assert len(service.journal.of(MessageId.SESSION_CLOSED)) == 1


async def test_a_pipelined_line_after_its_own_close_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            (session,) = service.sessions
            await client.send(
                repl_input(f'admin:close("{session.id}")'), repl_input("admin:version()")
            )
            stanzas, condition = await client.last_words()
    assert [stanza.text for stanza in stanzas] == [
        f"OK: session {session.id} closed",
        f"Error: closed by {session.identity}",
    ]
    assert condition == "undefined-condition"


async def test_what_was_to_run_after_another_closed_its_session_does_not_begin(
    tmp_path: Path,
) -> None:
    """Both commands are of one round: their starts are recorded together, before either runs."""
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client, await service.client() as other:
            session, closed = service.sessions
            session.stanza_received(repl_input(f'admin:close("{closed.id}")'))
            closed.stanza_received(repl_input("watch:log()"))
            assert (await client.answer()).result == f"OK: session {closed.id} closed"
            (result,), condition = await other.last_words()
    assert result == failed_result(f"Error: closed by {session.identity}", REFUSED)
    assert condition == "undefined-condition"
    assert prosody.lines == []
    assert service.journal.events(closed.id)[1:] == [
        "COMMAND_STARTED",
        "COMMAND_FINISHED",
        "SESSION_CLOSED",
    ]
    record = service.journal.of(MessageId.COMMAND_FINISHED)[-1]
    assert (record.fields["COMMAND"], record.fields["RESULT"]) == ("watch:log", "cancelled")


async def test_who_sends_many_commands_at_once_holds_up_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(ALICE) as flooding, await service.client() as other:
            flood, patient = service.sessions
            await flooding.enter(*["x()"] * 60)
            await other.enter("admin:version()")
            await until(lambda: patient.commands == 1)
            assert flood.commands < 60, "the other had its turn between"
            assert not (await other.answer()).failed
            for _ in range(60):
                assert (await flooding.answer()).failed


async def test_a_command_that_takes_long_is_the_last_of_its_turn(tmp_path: Path) -> None:
    def slow(_: AdminEvent) -> Stanza:
        time.sleep(TURN_SECONDS)
        return repl_result("OK")

    async with running(tmp_path) as service:
        hook(service, "admin/repl-input", slow)
        with await service.client() as client:
            (session,) = service.sessions
            await client.enter(*["x()"] * 5)
            done = [0]
            while done[-1] < 5:
                await one_turn()
                done.append(session.commands)
            assert {*done} == {0, 1, 2, 3, 4, 5}, "the loop came round after each"


async def test_much_output_of_one_turn_does_not_pile_up(tmp_path: Path) -> None:
    """Several commands of a session may be done before the loop comes round to what they say."""
    text = "x" * 100_000

    async with running(tmp_path) as service:
        hook(service, "admin/repl-input", lambda _: [repl_output(text), repl_result("OK")])
        with await service.client() as client:
            (session,) = service.sessions
            await client.enter(*["x()"] * 40)
            await until(lambda: session.connection.transport.writing_paused)
            connection = session.connection
            held = len(connection.transport._waiting) + connection._stream.unsent_bytes
            assert held < 2 * (len(text) + HIGH_WATER)
            assert session.commands < 40
            for _ in range(40):
                assert (await client.answer()).result == "OK"


@pytest.mark.parametrize("fails", ["commands_started", "command_finished"])
async def test_a_record_that_fails_ends_its_session_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def wrong(*_: object) -> None:
        raise LookupError

    async with running(tmp_path) as service:
        with await service.client() as client, await service.client() as other:
            with monkeypatch.context() as patched:
                patched.setattr(service.daemon._audit, fails, wrong)
                await client.enter("admin:version()")
                stanzas, condition = await client.last_words()
            assert stanzas[-1].text.startswith("Error: internal error (session ")
            assert condition == "internal-server-error"
            assert not (await other.ask("admin:version()")).failed
    assert any("LookupError" in record.message for record in service.journal.records)
