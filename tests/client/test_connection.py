"""`client/connection.py`: what a program gets from a line, and how it ends."""

import asyncio
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from fakes.prosody import Conversation, FakeProsody
from fakes.service import running
from prosody_admin.access.identity import Identity
from prosody_admin.client import (
    ClientError,
    CommandFailedError,
    CommandRefusedError,
    Connection,
    Output,
    Result,
    ServiceUnreachableError,
    connect,
)
from prosody_admin.errors import UsageError
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result

T = TypeVar("T")

HEADER = (
    b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='xmpp:prosody.im/admin'>"
)


async def with_connection(path: Path, use: Callable[[Connection], T]) -> T:
    """Use a connection in a thread: it blocks, and the service runs in this one."""

    def connected() -> T:
        with connect(str(path)) as connection:
            return use(connection)

    return await asyncio.to_thread(connected)


async def says_much(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(
        repl_output("a"),
        repl_output("b", eol=False),
        repl_output("wrong", error=True),
        repl_result("OK: done"),
    )


async def fails(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(repl_result("Error: no such host", error=True))


async def asks(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(Stanza("repl-request-input", {"type": "password", "id": "1"}))
    answer = await conversation.receive()
    assert answer is not None
    await conversation.send(repl_result(f"OK: {answer.get('status')} {answer.text}"))


async def vanishes(conversation: Conversation, _: Stanza) -> None:
    conversation.vanish()


ANSWERS = {
    "x:much()": says_much,
    "x:fail()": fails,
    "x:ask()": asks,
    "x:vanish()": vanishes,
}


def test_a_stream_that_is_ended_as_it_is_opened() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(HEADER + b"</stream:stream>")
    with theirs, Connection(ours) as connection:
        connection.open("there")
        assert not connection.usable
        with pytest.raises(ServiceUnreachableError, match="the service ended the connection"):
            connection.run("a:b()")


async def test_output_comes_with_the_result(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        answer = await with_connection(service.path, lambda opened: opened.run("x:much()"))
    assert answer.output == (Output("a"), Output("b", eol=False), Output("wrong", error=True))
    assert answer.text == "a\nbwrong\n"
    assert answer.result == Result("OK: done", ok=True)
    answer.result.check()


async def test_a_stream_goes_through_what_comes_and_ends_with_the_result(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        said = await with_connection(service.path, lambda opened: [*opened.stream("x:much()")])
    assert said[0] == Output("a")
    assert said[-1] == Result("OK: done", ok=True)


async def test_lines_one_after_the_other(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        lines = ["a:a()", "b:b()", 'c:c("\u00e9<&>\'")']
        results = await with_connection(
            service.path, lambda opened: [opened.run(line).result.text for line in lines]
        )
    assert results == [f"OK: {line}" for line in lines]
    assert len(prosody.conversations) == 1


async def test_a_failure_a_refusal_and_a_lost_prosody_are_told_apart(tmp_path: Path) -> None:
    nobody = Identity(4, 4, 4)

    def failure_of(line: str) -> Callable[[Connection], type[ClientError]]:
        def failing(opened: Connection) -> type[ClientError]:
            with pytest.raises(ClientError) as raised:
                opened.run(line).result.check()
            return raised.type

        return failing

    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        assert await with_connection(service.path, failure_of("x:fail()")) is CommandFailedError
        assert (
            await with_connection(service.path, failure_of("x:vanish()")) is ServiceUnreachableError
        )
        with await service.client_of(nobody) as client:
            await client.enter("x:fail()")
            refused = await client.stanza()
    assert Result(refused.text, ok=False, failure="refused") == Result(
        "Error: permission denied (default): needs a role, and none is granted to uid 4",
        ok=False,
        failure="refused",
    )
    with pytest.raises(CommandRefusedError, match="needs a role"):
        Result(refused.text, ok=False, failure="refused").check()


@pytest.mark.parametrize(
    ("password", "result"), [("s\u00e9cret", "submit s\u00e9cret"), (None, "cancel ")]
)
async def test_a_question_is_answered_or_cancelled(
    tmp_path: Path, password: str | None, result: str
) -> None:
    asked = []

    def ask(kind: str) -> str | None:
        asked.append(kind)
        return password

    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        answer = await with_connection(service.path, lambda opened: opened.run("x:ask()", ask=ask))
        without = await with_connection(service.path, lambda opened: opened.run("x:ask()"))
    assert asked == ["password"]
    assert answer.result.text == f"OK: {result}"
    assert without.result.text == "OK: cancel "


async def test_data_is_typed(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        (session,) = await with_connection(
            service.path, lambda opened: opened.query("admin:sessions()")
        )
        with pytest.raises(CommandFailedError, match="only commands of the admin section"):
            await with_connection(service.path, lambda opened: opened.query("user:list()"))
    assert session["own"] is True
    assert session["commands"] == 1
    assert isinstance(session["id"], str)


async def test_a_line_that_cannot_be_sent_leaves_the_connection(tmp_path: Path) -> None:
    def use(opened: Connection) -> bool:
        with pytest.raises(UsageError, match="a character that XML"):
            opened.run("user:list('\udcff')")
        return opened.usable

    async with running(tmp_path) as service:
        assert await with_connection(service.path, use)


async def test_a_command_that_is_left_ends_the_connection(tmp_path: Path) -> None:
    def leave(opened: Connection) -> bool:
        said = opened.stream("x:much()")
        next(said)
        del said
        return opened.usable

    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        assert not await with_connection(service.path, leave)


async def test_a_connection_knows_that_the_service_is_gone(tmp_path: Path) -> None:
    used, gone = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def use(opened: Connection) -> tuple[bool, bool, str]:
        before = opened.usable
        loop.call_soon_threadsafe(used.set)
        asyncio.run_coroutine_threadsafe(gone.wait(), loop).result(10)
        after = opened.usable
        with pytest.raises(ServiceUnreachableError) as raised:
            opened.run("x:x()")
        return before, after, str(raised.value)

    async with running(tmp_path) as service:
        using = asyncio.create_task(with_connection(service.path, use))
        await used.wait()
        service.daemon.stop("the test says so")
        await service.ended()
        gone.set()
        before, after, error = await using
    assert (before, after) == (True, False)
    assert error == "the service ended the stream: system-shutdown"


def test_why_it_cannot_connect(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with pytest.raises(ServiceUnreachableError, match=r"not there; is it started\? \(systemctl"):
        connect(str(path))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        with pytest.raises(ServiceUnreachableError, match="nobody listens"):
            connect(str(path))
        listening.listen()
        with pytest.raises(ServiceUnreachableError, match="no answer in time"):
            connect(str(path), timeout=0.01)
    with pytest.raises(ServiceUnreachableError, match="too long"):
        connect("/" + 200 * "x")


def test_what_is_no_admin_socket(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnreachableError, match="echo: the service ended the stream"):
        Connection.through(["echo", "hello"])
    with pytest.raises(ServiceUnreachableError, match="false: the service ended the connection"):
        Connection.through(["false"])
    with pytest.raises(ServiceUnreachableError, match="nonesuch: No such file"):
        Connection.through(["/nonesuch"])


async def test_a_command_can_carry_the_stream(tmp_path: Path) -> None:
    copy = (
        "import os, socket, sys, threading\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "def up():\n"
        "    while data := os.read(0, 4096): s.sendall(data)\n"
        "    s.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(4096): os.write(1, data)\n"
    )

    def use() -> str:
        with Connection.through([sys.executable, "-c", copy, str(path)]) as connection:
            return connection.run("admin:version()").result.text

    async with running(tmp_path) as service:
        path = service.path
        assert (await asyncio.to_thread(use)).startswith("OK: prosody-admin")
