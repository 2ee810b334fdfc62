"""`net/upstream.py`: a Prosody that is absent, slow, rude or not a Prosody, and comes back."""

import asyncio
import errno
import os
import socket
from pathlib import Path

import pytest

from fakes import prosody as fake
from fakes.prosody import Behaviour, Conversation, FakeProsody
from fakes.service import running
from fakes.waiting import PATIENCE
from prosody_admin.descriptors import DeferredFdCloser
from prosody_admin.errors import UpstreamError
from prosody_admin.net.connection import Deadlines
from prosody_admin.net.upstream import FULL_BACKLOG_PAUSE, Upstream
from prosody_admin.protocol.stanza import Stanza, repl_input
from prosody_admin.protocol.stream import Role, Stream
from prosody_admin.sd.journal import MessageId


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (fake.vanishes, "the connection to Prosody was lost: the peer closed its socket"),
        (fake.closes_with_tag, "Prosody closed the connection"),
        (fake.talks_rubbish, "Prosody's stream failed (bad-format): "),
        (fake.says_something_else, "Prosody answered something that was not asked for"),
        (
            fake.sends_half_a_stanza,
            "Prosody's stream failed (connection-timeout): half a stanza, and the rest not",
        ),
    ],
)
async def test_prosody_fails_in_the_middle_and_the_next_command_finds_it_again(
    tmp_path: Path, behaviour: Behaviour, reason: str
) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"f()": behaviour}) as prosody,
        running(tmp_path, limits={"stanza_timeout": 0.05}) as service,
    ):
        with await service.client() as client:
            answer = await client.ask("f()")
            assert answer.failed
            assert answer.result.startswith(
                ("Error: the outcome of the command is unknown: " + reason)[:80]
            )
            answer = await client.ask("g()")
            assert (answer.result, len(prosody.conversations)) == ("OK: g()", 2)
    assert prosody.lines == ["f()", "g()"], "a command is sent once at most"


async def test_prosody_is_absent_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "prosody"
    async with running(tmp_path) as service:
        with await service.client() as client:
            answer = await client.ask("a()")
            assert answer.result == (
                "Error: not run: Prosody is not running, or its admin socket is elsewhere"
            )
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
                dead.bind(str(path))
                answer = await client.ask("a()")
                assert answer.result == "Error: not run: Prosody is not running"
            path.unlink()
            path.symlink_to(path)
            answer = await client.ask("a()")
            assert answer.result == "Error: not run: Too many levels of symbolic links"
            async with FakeProsody(path):
                assert (await client.ask("a()")).result == "OK: a()"
            answer = await client.ask("b()")
            assert answer.result == "Error: not run: Prosody is not running"
            async with FakeProsody(path):
                assert (await client.ask("b()")).result == "OK: b()"


async def test_a_socket_that_cannot_be_had_is_no_internal_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: int) -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        with await service.client() as client:
            with monkeypatch.context() as patch:
                patch.setattr("prosody_admin.net.upstream.socket.socket", no_socket)
                await client.enter("a()")
                await service.journal.wait_for(MessageId.COMMAND_FINISHED)
            assert (await client.answer()).result == "Error: not run: Too many open files"
            assert (await client.ask("b()")).result == "OK: b()"


async def greets_and_closes(conversation: Conversation, _: Stanza) -> None:
    stream = Stream(Role.SERVER)
    stream.open()
    await conversation.send_bytes(stream.data_to_send() + b"</stream:stream>")


async def nothing(_: Conversation, __: Stanza) -> None:
    pass


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (nothing, "Prosody's stream failed (connection-timeout): no stream header within 0.05 s"),
        (fake.talks_rubbish, "Prosody's stream failed (not-well-formed): "),
        (fake.vanishes, "the connection to Prosody was lost: the peer closed its socket"),
        (greets_and_closes, "Prosody closed the connection"),
    ],
)
async def test_who_does_not_greet_like_prosody_is_sent_nothing(
    tmp_path: Path, greeting: Behaviour, reason: str
) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody:
        prosody.greets = greeting
        async with running(tmp_path, prosody={"connect_timeout": 0.05}) as service:
            with await service.client() as client:
                answer = await client.ask("a()")
                assert answer.result.startswith("Error: not run: ")
                assert reason in answer.result
                prosody.greets = None
                assert (await client.ask("b()")).result == "OK: b()"
    assert prosody.lines == ["b()"]


async def test_prosody_whose_backlog_is_full_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prosody_admin.net.upstream.FULL_BACKLOG_PAUSE", FULL_BACKLOG_PAUSE / 10)
    path = tmp_path / "prosody"
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting,
    ):
        listening.bind(str(path))
        listening.listen(0)
        waiting.connect(str(path))
        async with running(tmp_path, prosody={"connect_timeout": 0.05}) as service:
            with await service.client() as client:
                answer = await client.ask("a()")
                assert answer.result == "Error: not run: Prosody does not accept connections"


async def test_a_second_result_costs_the_connection_and_nothing_else(tmp_path: Path) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"f()": fake.answers_twice}) as prosody,
        running(tmp_path) as service,
    ):
        with await service.client() as client:
            assert [(await client.ask("f()")).result for _ in range(3)] == ["OK: f()"] * 3
    assert len(prosody.conversations) == 3


async def test_a_command_that_is_given_up_takes_the_connection_with_it(tmp_path: Path) -> None:
    closer = DeferredFdCloser()
    async with FakeProsody(tmp_path / "prosody", {"f()": fake.never_answers}) as prosody:
        upstream = await Upstream.connect(
            prosody.path,
            lambda _: None,
            lambda _: None,
            closer=closer,
            deadlines=Deadlines(10, 10, 10, 10),
        )
        results: list[Stanza | UpstreamError] = []
        upstream.run(repl_input("f()"), results.append)
        conversation = await prosody.wait_for_line()
        upstream.give_up()
        assert not upstream.usable
        async with asyncio.timeout(PATIENCE):
            await upstream.connection.wait_closed()
            await conversation.gone.wait()
        assert results == []
        with pytest.raises(UpstreamError, match="lost: the command was cancelled"):
            upstream.run(repl_input("g()"), results.append)
    await closer.wait_closed()
    assert prosody.lines == ["f()"]
