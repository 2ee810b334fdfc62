"""DeferredFdCloser: in order, once, and never under the feet of a queued callback."""

import asyncio
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from descriptors.table import is_open, target
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import BadFd, TaskWorkUnavailable


def null() -> File:
    return File.adopt(os.open("/dev/null", os.O_RDWR))


def pair() -> tuple[File, socket.socket]:
    """Return a connected socket as a File, and its peer."""
    near, far = socket.socketpair()
    far.setblocking(False)
    return File.adopt(near.detach()), far


async def test_the_file_is_closed_at_once_and_its_number_when_the_loop_comes_round() -> None:
    closer = DeferredFdCloser()
    file = null()
    fd = file.fileno()
    closer.close_fd(file)
    assert file.closed
    assert is_open(fd)
    await closer.wait_closed()
    assert not is_open(fd)


async def test_a_callback_queued_before_never_meets_a_stranger() -> None:
    closer = DeferredFdCloser()
    file = File.adopt(os.memfd_create("mine"))
    fd = file.fileno()
    seen: list[str] = []

    def queued_with_the_number() -> None:
        with null() as stranger:  # takes the lowest free number, which must not be ours
            assert stranger.fileno() != fd
            seen.append(target(fd))

    asyncio.get_running_loop().call_soon(queued_with_the_number)
    closer.close_fd(file)
    await closer.wait_closed()
    assert seen == ["/memfd:mine (deleted)"]
    assert not is_open(fd)


async def test_a_reader_that_is_ready_in_the_same_round_is_not_called_any_more() -> None:
    loop, closer = asyncio.get_running_loop(), DeferredFdCloser()
    (one, one_peer), (other, other_peer) = pair(), pair()
    called: list[File] = []
    ready = asyncio.Event()

    def close_the_other(mine: File, others: File) -> None:
        called.append(mine)
        ready.set()
        loop.remove_reader(mine.fileno())
        closer.close_fd(others)

    with one_peer, other_peer:
        loop.add_reader(one, close_the_other, one, other)
        loop.add_reader(other, close_the_other, other, one)
        one_peer.send(b"x")
        other_peer.send(b"x")  # one poll reports both
        await ready.wait()
        await closer.wait_closed()
        (survivor,) = called
        assert not survivor.closed
        survivor.close()
        assert one.closed
        assert other.closed


async def test_the_poller_forgets_a_number_whose_open_file_lives_on() -> None:
    """A closed descriptor with a live duplicate would stay in epoll for ever (epoll(7), Q6)."""
    loop, closer = asyncio.get_running_loop(), DeferredFdCloser()
    file, peer = pair()
    fd = file.fileno()
    with peer, file.clone() as duplicate:
        loop.add_reader(file, pytest.fail, "called for a closed file")
        loop.add_writer(file, pytest.fail, "called for a closed file")
        closer.close_fd(file, shutdown=False)
        assert not loop.remove_reader(fd)
        assert not loop.remove_writer(fd)
        await closer.wait_closed()
        peer.send(b"x")
        heard = asyncio.Event()
        loop.add_reader(duplicate, heard.set)
        await heard.wait()  # the poller works, and reports the duplicate only
        loop.remove_reader(duplicate)


async def test_the_peer_sees_the_end_although_a_duplicate_lives() -> None:
    closer = DeferredFdCloser()
    file, peer = pair()
    with peer, file.clone():
        closer.close_fd(file)
        assert peer.recv(1) == b""
        await closer.wait_closed()


async def test_without_shutdown_a_duplicate_carries_on() -> None:
    closer = DeferredFdCloser()
    file, peer = pair()
    with peer, file.clone() as duplicate:
        closer.close_fd(file, shutdown=False)
        await closer.wait_closed()
        with duplicate.borrow_socket() as sock:
            sock.send(b"still here")
        assert peer.recv(100) == b"still here"


async def test_a_listening_socket_is_never_shut_down(tmp_path: Path) -> None:
    closer = DeferredFdCloser()
    with socket.socket(socket.AF_UNIX) as systemds, socket.socket(socket.AF_UNIX) as client:
        systemds.bind(str(tmp_path / "socket"))
        systemds.listen()
        closer.close_fd(File.fget(systemds.fileno()))
        await closer.wait_closed()
        client.connect(str(tmp_path / "socket"))
        systemds.accept()[0].close()


async def test_what_cannot_be_shut_down_is_closed() -> None:
    closer = DeferredFdCloser()
    files = [
        null(),
        File.adopt(os.open("/dev/null", os.O_PATH)),
        File.adopt(socket.socket(socket.AF_INET).detach()),  # not connected
    ]
    numbers = [file.fileno() for file in files]
    for file in files:
        closer.close_fd(file)
    await closer.wait_closed()
    assert not any(is_open(fd) for fd in numbers)


async def test_any_other_failure_of_shutdown_leaves_the_file_to_its_owner() -> None:
    with File.adopt(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).detach()) as file:
        with pytest.raises(OSError, match="not supported"):
            DeferredFdCloser().close_fd(file)
        assert not file.closed
        assert is_open(file.fileno())


async def test_closing_twice_is_an_error() -> None:
    closer = DeferredFdCloser()
    file, closed = null(), null()
    closer.close_fd(file)
    closed.close()
    for again in (file, closed):
        for any_closer in (closer, DeferredFdCloser()):
            with pytest.raises(BadFd):
                any_closer.close_fd(again)
    await closer.wait_closed()
    with pytest.raises(BadFd):
        closer.close_fd(file)


def test_without_a_running_loop_nothing_happens() -> None:
    with null() as file:
        with pytest.raises(TaskWorkUnavailable):
            DeferredFdCloser().close_fd(file)
        assert not file.closed


async def test_a_borrower_in_another_thread_holds_the_number_up_to_a_deadline() -> None:
    closer = DeferredFdCloser()
    file = null()
    fd = file.fileno()
    lent, done = threading.Event(), threading.Event()

    def borrow() -> None:
        with file.borrow():
            lent.set()
            assert done.wait(timeout=60)

    borrowing = asyncio.create_task(asyncio.to_thread(borrow))
    await asyncio.to_thread(lent.wait, 60)
    closer.close_fd(file)
    try:
        with pytest.raises(TimeoutError, match="1 descriptors"):
            await closer.wait_closed(within=0)
        assert is_open(fd)
    finally:
        done.set()
    await closer.wait_closed(within=60)
    assert not is_open(fd)
    await borrowing


async def test_many_closed_at_once_leave_room_for_a_signal() -> None:
    """Its number goes through the loop's own pipe, which has room for some 280 bytes."""
    loop, closer = asyncio.get_running_loop(), DeferredFdCloser()
    came = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, came.set)
    files = [null() for _ in range(400)]
    for file in files:
        closer.close_fd(file)
    loop.call_soon(signal.raise_signal, signal.SIGTERM)  # behind the end of all of them
    try:
        async with asyncio.timeout(5):
            await came.wait()
            await closer.wait_closed()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_with_nothing_pending_there_is_nothing_to_wait_for() -> None:
    await DeferredFdCloser().wait_closed(within=0)


@pytest.mark.parametrize("lent", [True, False])
def test_a_loop_that_ends_first_strands_nothing(lent: bool) -> None:
    async def close_and_leave(loop: asyncio.AbstractEventLoop) -> None:
        DeferredFdCloser().close_fd(file)
        loop.stop()

    file = null()
    fd = file.fileno()
    loop = asyncio.new_event_loop()
    task = loop.create_task(close_and_leave(loop))
    if lent:
        with file.borrow():
            loop.run_forever()
            loop.close()
            assert is_open(fd)
    else:
        loop.run_forever()
        loop.close()
    assert task.done()
    assert not is_open(fd)
