"""`net/transport.py`, over a pair of sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fakes.waiting import one_turn
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.net.transport import HIGH_WATER, LOW_WATER, READ_BYTES, Transport
from prosody_admin.protocol.stream import Role, Stream


class Told:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.calls: list[str] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.eof = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.eof.set()

    def writing_paused(self) -> None:
        self.calls.append("paused")

    def writing_resumed(self) -> None:
        self.calls.append("resumed")

    def connection_lost(self, reason: str) -> None:
        self.lost.set_result(reason)


@asynccontextmanager
async def connected(
    write_timeout: float = 10,
) -> AsyncIterator[tuple[Transport, Told, socket.socket]]:
    """A transport, its receiver and the peer's socket; expects the connection to be lost."""
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    peer.setblocking(False)
    told, closer = Told(), DeferredFdCloser()
    transport = Transport(File.adopt(ours.detach()), told, closer, write_timeout=write_timeout)
    with peer:
        yield transport, told, peer
        async with asyncio.timeout(5):
            await told.lost
    await closer.wait_closed()
    assert transport.closing


async def read(peer: socket.socket, count: int) -> bytes:
    data = b""
    async with asyncio.timeout(5):
        while len(data) < count:
            piece = await asyncio.get_running_loop().sock_recv(peer, count - len(data))
            assert piece, "the connection ended"
            data += piece
    return data


async def test_reads_until_the_end_and_still_writes() -> None:
    async with connected() as (transport, told, peer):
        peer.send(b"some")
        peer.shutdown(socket.SHUT_WR)
        await told.eof.wait()
        assert told.data == b"some"
        transport.resume_reading()  # without effect, or it would spin
        assert not transport.reading
        transport.write(b"answer")
        transport.close()
        transport.close()
        assert await read(peer, 6) == b"answer"
    assert told.lost.result() == ""


async def test_a_peer_that_closed_is_told_from_one_that_stopped_sending() -> None:
    async with connected() as (_, told, peer):
        peer.close()
    assert told.lost.result() == "the peer closed its socket"
    assert not told.eof.is_set()


async def test_while_reading_is_paused_the_kernel_keeps_what_comes() -> None:
    async with connected() as (transport, told, peer):
        transport.pause_reading()
        transport.pause_reading()
        peer.send(b"x")
        await one_turn()
        assert told.data == b""
        transport.resume_reading()
        transport.resume_reading()
        peer.shutdown(socket.SHUT_WR)
        await told.eof.wait()
        assert told.data == b"x"
        transport.abort("enough")
        transport.abort("again")
    assert told.lost.result() == "enough"


async def test_a_feeder_is_paused_above_high_and_resumed_below_low_water() -> None:
    data = bytes(range(256)) * 4096
    async with connected() as (transport, told, peer):
        transport.write(data)
        assert told.calls == ["paused"]
        assert transport.writing_paused
        unsent = len(transport._waiting)
        assert unsent > HIGH_WATER
        assert await read(peer, len(data) - LOW_WATER * 2) == data[: -LOW_WATER * 2]
        transport.write(b"more")
        assert await read(peer, LOW_WATER * 2 + 4) == data[-LOW_WATER * 2 :] + b"more"
        assert told.calls == ["paused", "resumed"]
        transport.close()


async def test_closing_waits_for_what_is_written_and_drops_what_comes_later() -> None:
    data = b"z" * 1_000_000
    async with connected() as (transport, told, peer):
        transport.write(data)
        transport.close()
        transport.write(b"later")
        peer.send(b"not read any more")
        assert await read(peer, len(data)) == data
        await told.lost
        with pytest.raises(ConnectionError):
            await read(peer, 1)
    assert told.data == b""


async def test_who_reads_nothing_is_given_up() -> None:
    async with connected(write_timeout=0.02) as (transport, told, _):
        transport.write(b"z" * 1_000_000)
    assert told.lost.result() == "the peer read nothing for 0.02 s"


async def test_who_reads_slowly_is_not_given_up() -> None:
    data = b"z" * 1_500_000
    async with connected(write_timeout=0.5) as (transport, told, peer):
        transport.write(data)
        loop = asyncio.get_running_loop()
        started = loop.time()
        while loop.time() < started + 1.2:
            await read(peer, 20_000)
            tick = asyncio.Event()
            loop.call_later(0.02, tick.set)
            await tick.wait()
        assert not told.lost.done()
        transport.abort("")


@pytest.mark.parametrize("closing", [False, True])
async def test_a_peer_that_vanishes_while_much_waits_for_it(closing: bool) -> None:
    async with connected() as (transport, told, peer):
        transport.pause_reading()
        transport.write(b"z" * 1_000_000)
        if closing:
            transport.close()
        peer.close()
    assert told.lost.result() == "writing failed: Broken pipe"


async def test_a_write_to_a_peer_that_is_gone() -> None:
    async with connected() as (transport, told, peer):
        peer.close()
        transport.write(b"z")
        transport.write(b"z")
    assert told.lost.result() == "writing failed: Broken pipe"


async def test_a_peer_that_closed_without_reading_is_a_failed_read() -> None:
    async with connected() as (transport, told, peer):
        transport.write(b"never read")
        peer.close()
    assert told.lost.result() == "reading failed: Connection reset by peer"


async def test_nothing_to_read_after_all() -> None:
    async with connected() as (transport, told, _):
        transport._readable()
        assert told.data == b""
        transport.abort("")


def test_the_most_that_is_read_at_once_does_not_hold_up_the_loop() -> None:
    """Of the smallest stanzas that there are; in time of the processor, whoever else has one."""
    client, server = Stream(Role.CLIENT), Stream(Role.SERVER)
    client.open()
    server.receive_data(client.data_to_send())
    took = []
    for _ in range(5):
        started = time.thread_time()
        server.receive_data(b"<a/>" * (READ_BYTES // 4))
        took.append(time.thread_time() - started)
    assert len(server.events_received()) == 1 + 5 * (READ_BYTES // 4)
    assert min(took) < 0.010
