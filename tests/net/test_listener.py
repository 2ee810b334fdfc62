"""`net/listener.py`: who is accepted, and what happens when nobody can be."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from descriptors.table import full_table
from fakes.client import Client
from fakes.service import Running, running
from fakes.waiting import until
from prosody_admin.descriptors import File
from prosody_admin.errors import PeerError
from prosody_admin.net.listener import ACCEPTS_AT_ONCE, Listener
from prosody_admin.net.peer import Peer
from prosody_admin.sd.journal import MessageId

NO_ROOM = "Error: no room for another client, try again later"


@pytest.fixture(autouse=True)
def short_breather(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prosody_admin.net.listener.BREATHER", 0.05)


@contextmanager
def sockets(count: int) -> Iterator[list[Client]]:
    """Clients whose descriptors exist already, and who connect later."""
    clients = [Client(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(count)]
    yield clients
    for client in clients:
        client.vanish()


def complaints(service: Running) -> list[str]:
    return [record.message for record in service.journal.records if record.event is None]


async def complained(service: Running, complaint: str, count: int = 1) -> None:
    """Wait until the service has logged a complaint so often."""
    await until(
        lambda: sum(message.startswith(complaint) for message in complaints(service)) >= count
    )


async def test_many_at_once_are_all_accepted_and_in_order(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"sessions": 100, "sessions_per_uid": 100}) as service:
        with sockets(3 * ACCEPTS_AT_ONCE) as clients:
            for client in clients:
                client.socket.connect(str(service.path))
            for client in clients:
                await client.open()
            whoami = await clients[-1].ask("admin:whoami()")
            assert f"Session: {service.sessions[-1].id}" in whoami.output
            assert len(service.sessions) == len(clients)


async def test_a_session_knows_its_peer_and_gives_its_pidfd_back(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client():
            (session,) = service.sessions
            assert (session.identity.pid, session.identity.uid) == (os.getpid(), os.getuid())
            peer = session._peer
            assert peer.pidfd is not None
            assert not peer.pidfd.closed
        await service.journal.wait_for(MessageId.SESSION_CLOSED)
        assert peer.pidfd.closed


async def test_without_descriptors_clients_are_told_one_by_one_and_none_is_lost(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as service:
        with await service.client() as old, sockets(4) as clients:
            started = asyncio.get_running_loop().time()
            with full_table():
                for client in clients:
                    client.socket.connect(str(service.path))
                for client in clients[:2]:
                    await client.open()
                    answer = await client.ask("server:version()")
                    assert (answer.result, answer.failed) == (NO_ROOM, True)
                    assert (await old.ask("admin:version()")).result.startswith("OK: ")
                elapsed = asyncio.get_running_loop().time() - started
            assert len(complaints(service)) <= elapsed / 0.05 + 2, "it spins"
            for client in clients[2:]:
                await client.open()
                answer = await client.ask("admin:version()")
                assert answer.result == NO_ROOM or answer.result.startswith("OK: ")
            assert await clients[-1].last_words() if answer.failed else "served"
            with await service.client() as later:
                assert (await later.ask("admin:version()")).result.startswith("OK: ")
    assert complaints(service)[0] == "no room for a client: Too many open files"


async def test_who_vanishes_before_it_is_told_is_no_failure(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with sockets(2) as clients:
            with full_table():
                for client in clients:
                    client.socket.connect(str(service.path))
                    client.vanish()
                await complained(service, "no room for a client")
            with await service.client() as later:
                assert (await later.ask("admin:version()")).result.startswith("OK: ")


async def test_not_even_room_to_say_so(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with running(tmp_path) as service:
        with sockets(1) as (client,):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
                client.socket.connect(str(service.path))
                await complained(service, "not even room to say so")
                await complained(service, "still no room", 2)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            await client.open()
            assert (await client.ask("admin:version()")).result.startswith("OK: ")


async def test_stopping_during_a_breather_closes_who_was_turned_away(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with sockets(1) as (client,):
            with full_table():
                client.socket.connect(str(service.path))
                await complained(service, "no room for a client")
                service.daemon.stop("now")
                assert await service.ended() is None
            client.stream.open()
            stanzas, _ = await client.last_words()
            assert [stanza.text for stanza in stanzas] == [NO_ROOM]


async def test_a_client_that_nobody_knows_is_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: File) -> Peer:
        raise PeerError("the kernel does not say")

    async with running(tmp_path) as service:
        with sockets(1) as (client,):
            with monkeypatch.context() as patched:
                patched.setattr("prosody_admin.net.listener.identify", unknown)
                client.socket.connect(str(service.path))
                await client.open()
                assert (await client.ask("x()")).result == NO_ROOM
            with await service.client() as later:
                assert (await later.ask("admin:version()")).result.startswith("OK: ")
    assert complaints(service) == ["a client was refused: the kernel does not say"]


async def test_a_client_that_aborts_in_the_backlog_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, failures = socket.socket.accept, [ConnectionAbortedError(), InterruptedError()]

    def fails_at_first(listening: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return accept(listening)

    async with running(tmp_path) as service:
        monkeypatch.setattr(socket.socket, "accept", fails_at_first)
        with await service.client() as client:
            assert (await client.ask("admin:version()")).result.startswith("OK: ")
    assert failures == []


async def test_a_listening_socket_that_broke_ends_the_service_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: socket.socket) -> tuple[socket.socket, object]:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    async with running(tmp_path) as service:
        with await service.client() as client, sockets(1) as (late,):
            monkeypatch.setattr(socket.socket, "accept", broken)
            late.socket.connect(str(service.path))
            stanzas, condition = await client.last_words()
            with pytest.raises(OSError, match="Invalid argument") as raised:
                await service.ended()
    assert raised.value.errno == errno.EINVAL
    assert [stanza.text for stanza in stanzas] == ["Error: the service is stopping"]
    assert condition == "system-shutdown"
    assert service.journal.of(MessageId.SERVICE_STOPPING)[0].message == (
        "Stopping: accepting failed: Invalid argument"
    )


async def test_starting_and_stopping_twice_is_once(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        listener: Listener = service.daemon._listeners[0]
        listener.start()
        with await service.client() as client:
            assert (await client.ask("admin:version()")).result.startswith("OK: ")
        listener.stop()
        listener.stop()
        listener.close()
        listener.close()
