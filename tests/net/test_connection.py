"""`net/connection.py`: deadlines and keepalive, as the owner of a connection sees them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from fakes.client import Client
from fakes.waiting import PATIENCE, until
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import StreamError
from prosody_admin.net.connection import Connection, Deadlines
from prosody_admin.protocol.parser import DEFAULT_LIMITS
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_output, repl_result
from prosody_admin.protocol.stream import Role, StreamClosed

PATIENT = Deadlines(header=10, stanza=10, write=10, keepalive=10)


class Told:
    """An owner that remembers."""

    def __init__(self) -> None:
        self.stanzas: list[Stanza] = []
        self.ends = 0
        self.lost: asyncio.Future[tuple[str, StreamError | None]] = (
            asyncio.get_running_loop().create_future()
        )

    def stream_opened(self) -> None:
        pass

    def stanza_received(self, stanza: Stanza) -> None:
        self.stanzas.append(stanza)

    def stream_ended(self) -> None:
        self.ends += 1

    def writing_resumed(self) -> None:
        pass

    def connection_lost(self, reason: str, error: StreamError | None) -> None:
        self.lost.set_result((reason, error))


@asynccontextmanager
async def connected(
    deadlines: Deadlines, last_words: Callable[[StreamError], Stanza] | None = None
) -> AsyncIterator[tuple[Connection, Told, Client]]:
    """A server's connection and its client; expects the end of the connection."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    told, closer = Told(), DeferredFdCloser()
    connection = Connection(
        File.adopt(ours.detach()),
        Role.SERVER,
        told,
        closer=closer,
        deadlines=deadlines,
        limits=DEFAULT_LIMITS,
        last_words=last_words,
    )
    with Client(theirs) as client:
        yield connection, told, client
        async with asyncio.timeout(5):
            await connection.wait_closed()
    await closer.wait_closed()
    assert told.lost.done()


def condition(told: Told) -> str:
    _, error = told.lost.result()
    return "" if error is None else str(error)


async def test_a_client_that_never_speaks() -> None:
    async with connected(PATIENT._replace(header=0.02)) as (connection, told, client):
        client.stream.open()  # for its own understanding only
        assert await client.last_words() == ([], "connection-timeout")
        connection.close()
        connection.fail("reset")
    assert condition(told) == "connection-timeout: no stream header within 0.02 s"


async def test_half_a_header_is_none() -> None:
    async with connected(PATIENT._replace(header=0.02)) as (_, told, client):
        await client.send_bytes(b"<?xml version='1.0'?><stream:stre")
        await told.lost
    assert condition(told) == "connection-timeout: no stream header within 0.02 s"


async def test_half_a_stanza_and_the_rest_not() -> None:
    async with connected(PATIENT._replace(header=1, stanza=0.02)) as (_, told, client):
        await client.open()
        await client.send_bytes(repl_input("a()").to_bytes() + b"<repl-input>b(")
        assert await client.last_words() == ([], "connection-timeout")
    assert condition(told) == "connection-timeout: half a stanza, and the rest not within 0.02 s"
    assert [stanza.text for stanza in told.stanzas] == ["a()"]


async def test_what_ended_before_its_header_has_no_deadline_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prosody_admin.net.transport.LINGER_SECONDS", 0.2)
    async with connected(PATIENT._replace(header=0.05)) as (_, told, client):
        await client.send_bytes(b"rubbish")
        await told.lost  # when the client, which stays, is no longer waited for
    assert condition(told) == "not-well-formed: text in front of the stream"


async def test_what_was_closed_within_a_stanza_has_no_deadline_any_more() -> None:
    async with connected(PATIENT._replace(stanza=0.05, write=0.2)) as (connection, told, client):
        await client.open()
        await client.send_bytes(b"<repl-input>")
        await until(lambda: connection._awaited)
        connection.send(repl_output("x" * 1_000_000))  # more than a socket holds
        connection.close()
        assert await told.lost == ("the peer read nothing for 0.2 s", None)


async def test_bytes_now_and_then_do_not_extend_the_deadline_of_a_stanza() -> None:
    loop = asyncio.get_running_loop()
    async with connected(PATIENT._replace(stanza=0.1)) as (_, told, client):
        await client.open()
        await client.send_bytes(b"<repl-input>")
        started = loop.time()
        while not told.lost.done():
            await asyncio.wait({told.lost}, timeout=0.03)
            if not told.lost.done():
                await client.send_bytes(b"x")
        assert loop.time() - started < 5
    assert "half a stanza" in condition(told)


async def test_whole_stanzas_have_no_deadline() -> None:
    async with connected(Deadlines(0.05, 0.05, 0.05, 10)) as (connection, told, client):
        await client.open()
        await client.send_bytes(b"<repl-input>a")
        await client.send_bytes(b"()</repl-input> ")
        await asyncio.wait({told.lost}, timeout=0.15)
        assert not told.lost.done()
        connection.send(repl_result("OK"))
        assert await client.stanza() == repl_result("OK")
        connection.close()


async def test_who_is_held_back_by_us_has_no_deadline() -> None:
    async with connected(Deadlines(0.05, 0.05, 0.05, 10)) as (connection, told, client):
        await client.open()
        await client.send_bytes(b"<repl-input>a")
        await until(lambda: connection._awaited)
        connection.pause_reading()
        await asyncio.wait({told.lost}, timeout=0.15)
        assert not told.lost.done()
        connection.resume_reading()
        assert await client.last_words() == ([], "connection-timeout")


async def test_but_for_its_header_it_has_one() -> None:
    async with connected(PATIENT._replace(header=0.05)) as (connection, told, _):
        connection.pause_reading()
        await told.lost
    assert "no stream header" in condition(told)


async def test_keepalive_is_a_space_after_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prosody_admin.net.connection.KEEPALIVE_RESOLUTION", 0.01)
    async with connected(PATIENT._replace(keepalive=0.05)) as (connection, told, client):
        await asyncio.wait({told.lost}, timeout=0.12)  # nothing can be sent yet
        await client.open()
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with asyncio.timeout(PATIENCE):
            assert [await loop.sock_recv(client.socket, 64) for _ in range(3)] == [b" "] * 3
        assert 0.14 < loop.time() - started < 5
        connection.send(repl_output("x"))
        assert await client.stanza() == repl_output("x")
        connection.close()
        assert isinstance(await client.event(), StreamClosed)


async def test_the_end_of_input_is_told_and_answers_still_go_out() -> None:
    async with connected(PATIENT) as (connection, told, client):
        await client.open()
        await client.enter("a()")
        client.stream.close()
        await client.send_bytes(client.stream.data_to_send())
        client.half_close()
        await until(lambda: told.ends == 2)  # the closing tag, then the half-close
        connection.send(repl_result("OK"))
        connection.close()
        connection.send(repl_result("dropped"))
        stanzas, failed = await client.last_words()
        assert (stanzas, failed) == ([repl_result("OK")], "")
    assert condition(told) == ""


async def test_a_stream_error_of_the_peer_is_reported() -> None:
    error = b"<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    async with connected(PATIENT) as (_, told, client):
        await client.open()
        await client.send_bytes(error)
        assert await client.last_words() == ([], "")
    assert condition(told) == "reset: the peer ended the stream with an error"


def last_words(error: StreamError) -> Stanza:
    return repl_result(f"Error: {error.condition}", error=True)


@pytest.mark.parametrize("late", [False, True], ids=["malformed", "too late"])
async def test_an_answer_that_was_given_goes_before_the_last_words(late: bool) -> None:
    async with connected(PATIENT, last_words) as (connection, _, client):
        await client.open()
        connection.send(repl_result("OK"))
        if late:
            connection._time_out("a test")
        else:
            connection.data_received(b"<a></b>")
        stanzas, failed = await client.last_words()
    assert failed == ("connection-timeout" if late else "not-well-formed")
    assert stanzas == [repl_result("OK"), repl_result(f"Error: {failed}", error=True)]
