"""`modules/shell.py`: what goes to Prosody and what comes back, in order and within bounds."""

import asyncio
import socket
from pathlib import Path
from types import MethodType

import pytest

from fakes import prosody as fake
from fakes.prosody import Conversation, Endless, FakeProsody, Held
from fakes.service import Running, running
from fakes.waiting import until
from prosody_admin.modules.shell import Relay, Relays
from prosody_admin.net.announcing import SessionEvent
from prosody_admin.net.audit import Refusal
from prosody_admin.net.dispatch import AdminEvent
from prosody_admin.net.session import Session
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_output, repl_result
from prosody_admin.sd.journal import MessageId


def relays_of(service: Running) -> dict[Session, Relay]:
    """Return the relays of a running service, by their sessions."""
    (hook,) = (
        hook for hook in service.daemon._events._hooks["admin/repl-input"] if hook.priority < 0
    )
    assert isinstance(hook.handler, MethodType)
    relays = hook.handler.__self__
    assert isinstance(relays, Relays)
    return relays._relays


async def test_answers_and_output_pass_through(tmp_path: Path) -> None:
    answers = {"f()": fake.fails, "many()": fake.outputs(3, "lines")}
    async with FakeProsody(tmp_path / "prosody", answers), running(tmp_path) as service:
        with await service.client() as client:
            answer = await client.ask("server:version()")
            assert (answer.output, answer.result, answer.failed) == ([], "OK: server:version()", 0)
            answer = await client.ask("many()")
            assert answer.output == ["0 lines", "1 lines", "2 lines"]
            await client.enter("f()")
            assert await client.stanza() == repl_output("half of it", error=True, eol=False)
            assert await client.stanza() == repl_result("Error: no", error=True)
            results = [r.fields["RESULT"] for r in service.journal.of(MessageId.COMMAND_FINISHED)]
    assert results == ["ok", "ok", "error"]


async def test_one_upstream_per_session_opened_at_the_first_need(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as one, await service.client() as other:
            await one.ask("admin:whoami()")
            assert prosody.conversations == []
            await one.ask("a()")
            await one.ask("b()")
            assert len(prosody.conversations) == 1
            await other.ask("c()")
            assert len(prosody.conversations) == 2
            said = await one.close()
            assert said == ([], "")
            await asyncio.wait_for(prosody.conversations[0].gone.wait(), 5)
            assert not prosody.conversations[1].gone.is_set()


@pytest.mark.parametrize(
    ("attributes", "forwarded"),
    [
        ({}, {}),
        ({"width": "80", "repl": "1"}, {"width": "80", "repl": "1"}),
        ({"width": "9999999", "repl": "0"}, {"width": "1000", "repl": "0"}),
        ({"width": "1"}, {"width": "20"}),
        ({"width": "nil", "repl": "0"}, {"repl": "0"}),
        ({"width": "-1"}, {}),
        ({"width": "\u0663\u0660"}, {}),
        ({"width": "9" * 400}, {}),
        ({"repl": "yes", "type": "password", "{urn:x}y": "z"}, {"repl": "1"}),
    ],
)
async def test_a_line_is_written_anew(
    tmp_path: Path, attributes: dict[str, str], forwarded: dict[str, str]
) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client:
            await client.ask(Stanza("repl-input", attributes, "x\r\n]]>&\N{SNOWMAN}"))
    assert prosody.received == [Stanza("repl-input", forwarded, "x\r\n]]>&\N{SNOWMAN}")]


async def test_fifty_pipelined_commands_are_answered_in_order_one_in_flight(
    tmp_path: Path,
) -> None:
    lines = [f"line({number})" for number in range(50)]
    in_flight = Held()
    async with (
        FakeProsody(tmp_path / "prosody", {lines[0]: in_flight}) as prosody,
        running(tmp_path) as service,
    ):
        with await service.client() as client:
            await client.enter(*lines)
            conversation = await prosody.wait_for_line()
            with pytest.raises(BlockingIOError):
                conversation.socket.recv(1, socket.MSG_PEEK)
            in_flight.release.set()
            assert [(await client.answer()).result for _ in lines] == [
                f"OK: {line}" for line in lines
            ]
    assert prosody.lines == lines


async def test_what_waits_is_bounded_and_the_kernel_holds_the_client_back(tmp_path: Path) -> None:
    held, line = Held(), repl_input("x" * 60_000)
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": held}) as prosody,
        running(tmp_path, limits={"pending_commands": 2}) as service,
    ):
        with await service.client() as client:
            await client.enter("held()")
            await prosody.wait_for_line()
            sending = asyncio.create_task(client.send(*[line] * 50))
            (session,) = service.sessions
            await until(lambda: not session.connection.transport.reading)
            assert len(session._pending) == 2
            assert not sending.done()
            held.release.set()
            for _ in range(51):
                await client.answer()
            await sending
    assert len(prosody.lines) == 51


async def test_output_after_the_result_passes_through(tmp_path: Path) -> None:
    answers = {"watch()": fake.goes_on_after_the_result}
    async with FakeProsody(tmp_path / "prosody", answers) as prosody, running(tmp_path) as service:
        with await service.client() as client:
            assert (await client.ask("watch()")).result == "OK: watching"
            assert (await client.stanza()).text == "after the result"
            assert (await client.ask("a()")).result == "OK: a()"
    assert len(prosody.conversations) == 1


ASKS = {"user:password()": fake.asks_for_a_password}
QUESTION = Stanza("repl-request-input", {"type": "password", "id": "a'1"})


async def test_a_question_is_cancelled_for_a_client_that_cannot_answer(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody", ASKS), running(tmp_path) as service:
        with await service.client() as client:
            answer = await client.ask("user:password()")
    assert answer.result == "repl-requested-input a'1 cancel ''"


@pytest.mark.parametrize("repl", [True, False])
@pytest.mark.parametrize(
    ("attributes", "text", "forwarded"),
    [
        ({"status": "submit"}, "s3cret", "submit 's3cret'"),
        ({}, "s3cret", "submit 's3cret'"),
        ({"status": "cancel"}, "", "cancel ''"),
        ({"status": "cancel"}, "s3cret", "cancel ''"),
    ],
)
async def test_a_question_and_its_answer_pass_through(
    tmp_path: Path, repl: bool, attributes: dict[str, str], text: str, forwarded: str
) -> None:
    async with FakeProsody(tmp_path / "prosody", ASKS), running(tmp_path) as service:
        with await service.client() as client:
            await client.send(repl_input("user:password()", repl=repl), repl_input("next()"))
            assert await client.stanza() == QUESTION
            answer = {"id": "a'1", "type": "password", "{urn:x}y": "z", **attributes}
            await client.send(Stanza("repl-requested-input", answer, text))
            assert (await client.answer()).result == f"repl-requested-input a'1 {forwarded}"
            assert (await client.answer()).result == "OK: next()"  # the answer overtook it
            assert not service.journal.mentions("s3cret")


async def test_an_answer_that_nobody_asked_for_is_refused_here(tmp_path: Path) -> None:
    unasked = Stanza("repl-requested-input", {"id": "other", "type": "password"}, "s3cret")
    async with FakeProsody(tmp_path / "prosody", ASKS) as prosody, running(tmp_path) as service:
        with await service.client() as client:
            assert (await client.ask(unasked)).failed
            await client.send(repl_input("user:password()", repl=False))
            assert await client.stanza() == QUESTION
            await client.send(unasked, Stanza("repl-requested-input", {"id": "a'1"}, "right"))
            assert (await client.answer()).result == "repl-requested-input a'1 submit 'right'"
            assert (await client.answer()).failed  # the other one, in its turn
            assert "s3cret" not in "".join(prosody.lines)
            assert not service.journal.mentions("s3cret")


async def test_too_many_commands_meanwhile_cancel_a_question(tmp_path: Path) -> None:
    limits = {"pending_commands": 2}
    async with (
        FakeProsody(tmp_path / "prosody", ASKS),
        running(tmp_path, limits=limits) as service,
    ):
        with await service.client() as client:
            await client.send(repl_input("user:password()", repl=True))
            assert await client.stanza() == QUESTION
            await client.enter("a()", "b()", "c()")
            assert (await client.answer()).result == "repl-requested-input a'1 cancel ''"
            assert [(await client.answer()).result for _ in range(3)] == [
                "OK: a()",
                "OK: b()",
                "OK: c()",
            ]


async def test_too_many_commands_before_a_question_cancel_it(tmp_path: Path) -> None:
    held = asyncio.Event()

    async def asks_later(conversation: Conversation, line: Stanza) -> None:
        await held.wait()
        await fake.asks_for_a_password(conversation, line)

    async with (
        FakeProsody(tmp_path / "prosody", {"user:password()": asks_later}),
        running(tmp_path, limits={"pending_commands": 2}) as service,
    ):
        with await service.client() as client:
            (session,) = service.sessions
            await client.send(repl_input("user:password()", repl=True))
            await client.enter("a()", "b()")
            await until(lambda: not session.connection.transport.reading)
            held.set()
            assert (await client.answer()).result == "repl-requested-input a'1 cancel ''"
            assert (await client.answer()).result == "OK: a()"
            assert (await client.answer()).result == "OK: b()"


@pytest.mark.parametrize("before", [True, False])
async def test_who_sends_no_more_is_not_waited_for_with_a_question(
    tmp_path: Path, before: bool
) -> None:
    async with FakeProsody(tmp_path / "prosody", ASKS), running(tmp_path) as service:
        with await service.client() as client:
            await client.send(repl_input("user:password()", repl=True))
            if before:
                client.half_close()
            else:
                assert await client.stanza() == QUESTION
                client.half_close()
            assert (await client.answer()).result == "repl-requested-input a'1 cancel ''"


async def test_prosody_gone_before_the_answer(tmp_path: Path) -> None:
    answers = {"user:password()": fake.asks_and_vanishes}
    async with FakeProsody(tmp_path / "prosody", answers), running(tmp_path) as service:
        with await service.client() as client:
            await client.send(repl_input("user:password()", repl=True))
            assert await client.stanza() == QUESTION
            assert "outcome of the command is unknown" in (await client.answer()).result
            late = await client.ask(Stanza("repl-requested-input", {"id": "a'1"}, "s3cret"))
            assert late.failed
            assert not service.journal.mentions("s3cret")


async def test_megabytes_of_output_arrive_whole(tmp_path: Path) -> None:
    answers = {"f()": fake.outputs(5000), "g()": fake.outputs(1, "z" * 3_000_000)}
    async with FakeProsody(tmp_path / "prosody", answers), running(tmp_path) as service:
        with await service.client() as client:
            answer = await client.ask("f()")
            assert len(answer.output) == 5000
            assert answer.output[-1].startswith("4999 x")
            answer = await client.ask("g()")
            assert "".join(answer.output) == "0 " + "z" * 3_000_000


async def test_a_vanishing_client_ends_the_upstream_at_once(tmp_path: Path) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"f()": fake.never_answers}) as prosody,
        running(tmp_path) as service,
    ):
        client = await service.client()
        await client.enter("f()", "g()")
        conversation = await prosody.wait_for_line()
        client.vanish()
        await asyncio.wait_for(conversation.gone.wait(), 5)
        record = await service.journal.wait_for(MessageId.COMMAND_FINISHED)
        await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert record.fields["RESULT"] == "cancelled"
    assert prosody.lines == ["f()"]


async def test_a_module_that_fails_at_the_end_leaves_no_upstream_behind(tmp_path: Path) -> None:
    def fails(_: SessionEvent) -> None:
        raise LookupError

    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        service.daemon._events.hook("admin-disconnected", fails, 100)
        with await service.client() as client:
            await client.ask("a()")
            await client.close()
        await asyncio.wait_for(prosody.conversations[0].gone.wait(), 5)
        assert relays_of(service) == {}


async def test_output_without_end_stops_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    endless = Endless()
    async with (
        FakeProsody(tmp_path / "prosody", {"watch()": endless}) as prosody,
        running(tmp_path, limits={"write_timeout": 0.3}) as service,
    ):
        with await service.client() as client:
            await client.enter("watch()", "never()")
            await prosody.wait_for_line()
            record = await service.journal.wait_for(MessageId.SESSION_CLOSED)
            await asyncio.wait_for(prosody.conversations[0].gone.wait(), 5)
    assert "read nothing for 0.3 s" in record.message
    assert endless.sent_bytes < 2_000_000
    assert prosody.lines == ["watch()"]


async def test_a_slow_client_gets_output_without_end_in_order(tmp_path: Path) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"f()": fake.outputs(3000)}) as prosody,
        running(tmp_path) as service,
    ):
        with await service.client() as client:
            await client.enter("f()")
            await prosody.wait_for_line()
            (session,) = service.sessions
            transport = session.connection.transport
            await until(lambda: transport.writing_paused)
            answer = await client.answer()
            assert [piece.split()[0] for piece in answer.output] == [
                str(number) for number in range(3000)
            ]
            assert (await client.ask("g()")).result == "OK: g()"


async def test_no_command_runs_for_who_has_not_read_what_came_before(tmp_path: Path) -> None:
    async def much(conversation: Conversation, _: Stanza) -> None:
        await conversation.send(repl_output("x" * 1_000_000), repl_result("OK: much"))

    async with (
        FakeProsody(tmp_path / "prosody", {"much()": much}) as prosody,
        running(tmp_path, limits={"write_timeout": 0.5}) as service,
    ):
        with await service.client() as client:
            await client.enter("much()", "more()")
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert prosody.lines == ["much()"]


async def test_a_new_upstream_is_held_back_while_a_client_does_not_read(tmp_path: Path) -> None:
    endless = Endless()

    def much(event: AdminEvent) -> None:
        event.session.send(repl_output("x" * 1_000_000))

    async with (
        FakeProsody(tmp_path / "prosody", {"watch()": endless}),
        running(tmp_path, limits={"write_timeout": 0.5}) as service,
    ):
        service.daemon._events.hook("admin/repl-input", much, 100)
        with await service.client() as client:
            await client.enter("watch()")
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert endless.sent_bytes < 2_000_000


async def test_a_half_closed_client_gets_its_answers_in_order(tmp_path: Path) -> None:
    held = Held()
    async with (
        FakeProsody(tmp_path / "prosody", {"a()": held}) as prosody,
        running(tmp_path) as service,
    ):
        with await service.client() as client:
            await client.enter("a()", "b()")
            client.half_close()
            await prosody.wait_for_line()
            held.release.set()
            stanzas, condition = await client.last_words()
            record = await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert [stanza.text for stanza in stanzas] == ["OK: a()", "OK: b()"]
    assert condition == ""
    assert record.fields["COMMANDS"] == "2"


async def test_a_closing_tag_is_answered_after_what_came_before_it(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        with await service.client() as client:
            await client.enter("a()", "b()")
            stanzas, condition = await client.close()
    assert [stanza.text for stanza in stanzas] == ["OK: a()", "OK: b()"]
    assert condition == ""


async def test_reloading_the_relay_ends_what_it_has_and_sessions_go_on(tmp_path: Path) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"f()": fake.never_answers}) as prosody,
        running(tmp_path) as service,
    ):
        with await service.client() as client:
            await client.enter("f()")
            await prosody.wait_for_line()
            service.daemon._modules.reload("shell")
            answer = await client.answer()
            assert answer.result == "Error: the outcome of the command is unknown: closed"
            assert (await client.ask("a()")).result == "OK: a()"


async def test_a_result_that_comes_just_as_its_command_is_cancelled_is_dropped(
    tmp_path: Path,
) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"f()": fake.never_answers}) as prosody,
        running(tmp_path) as service,
    ):
        with await service.client() as client:
            await client.ask("a()")
            await client.enter("f()")
            await prosody.wait_for_line(2)
            (session,) = service.sessions
            (relay,) = relays_of(service).values()
            assert session._running is not None
            assert relay._upstream is not None
            withdrawal = Refusal("a rule", "a test")
            service.daemon._dispatcher._running[session].withdrawn = withdrawal
            session._running.cancel()
            relay._upstream.stanza_received(repl_result("OK: late"))
            answer = await client.answer()
            assert answer.result == "Error: a test; the outcome is unknown"
            assert (await client.ask("b()")).result == "OK: b()"
