"""Bytes in and out of one non-blocking stream socket that a `File` owns.

Leaner than asyncio's transports and with another owner: the descriptor stays in its `File`, what a
peer does not read is bounded by a deadline, and the descriptor is closed by the `DeferredFdCloser`,
so that its number is not reused under a callback.
"""

import asyncio
import contextlib
import os
import select
import socket
from typing import Protocol

from prosody_admin.descriptors import DeferredFdCloser, File

READ_BYTES = 1024
"""Bytes read at once from a client: 256 of the smallest stanzas, which take the loop 2 to 5 ms."""

DISCARDED_BYTES = 64 * 1024
"""Bytes read at once from a peer that is no longer listened to."""

HIGH_WATER = 64 * 1024
"""Bytes waiting for a peer at which whoever feeds it is told to pause."""

LOW_WATER = 16 * 1024
"""Bytes waiting for a peer below which its feeder may go on."""

LINGER_SECONDS = 1.0
"""How long a peer that is no longer listened to may go on talking before its socket is closed."""


class Receiver(Protocol):
    """Who is told what happens on a transport."""

    def data_received(self, data: bytes) -> None:
        """Take bytes."""

    def eof_received(self) -> None:
        """The peer sends no more, but may still read. Called once at most."""

    def writing_paused(self) -> None:
        """More than HIGH_WATER bytes wait for the peer."""

    def writing_resumed(self) -> None:
        """After `writing_paused`: less than LOW_WATER bytes wait again."""

    def connection_lost(self, reason: str) -> None:
        """It is over; called exactly once, from the loop. An orderly end has no reason."""


class Transport:
    """Reads for, and writes to, one connected stream socket; owns `file`.

    `write_timeout` is how long (seconds) the peer may take no single byte of what waits for it;
    `read_bytes` is how many bytes are read at once at most.
    """

    __slots__ = (
        "_at_eof",
        "_closer",
        "_closing",
        "_file",
        "_lingering",
        "_loop",
        "_lost",
        "_read_bytes",
        "_receiver",
        "_stuck",
        "_waiting",
        "_write_timeout",
        "reading",
        "writing_paused",
    )

    def __init__(
        self,
        file: File,
        receiver: Receiver,
        closer: DeferredFdCloser,
        *,
        write_timeout: float,
        read_bytes: int = READ_BYTES,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._file = file
        self._receiver = receiver
        self._closer = closer
        self._write_timeout = write_timeout
        self._read_bytes = read_bytes
        self._waiting = bytearray()
        self._stuck: asyncio.TimerHandle | None = None
        self.writing_paused = False
        """Whether more waits for the peer than it should be fed."""
        self.reading = False
        self._at_eof = False
        self._closing = False
        self._lost = False
        self._lingering: asyncio.TimerHandle | None = None
        self.resume_reading()

    @property
    def closing(self) -> bool:
        """Whether `close` or `abort` was called, or the connection was lost."""
        return self._closing

    @property
    def idle(self) -> bool:
        """Whether nothing waits for the peer, and it may still send."""
        return not (self._waiting or self._at_eof or self._closing)

    @property
    def file(self) -> File:
        """The socket."""
        return self._file

    def release(self) -> File:
        """Have no more to do with the socket, which becomes the caller's; nobody is told."""
        self.pause_reading()
        self._lost = self._closing = True
        return self._file

    def pause_reading(self) -> None:
        """Leave what the peer sends in the kernel, which then holds the peer back."""
        if self.reading:
            self._loop.remove_reader(self._file.fileno())
            self.reading = False

    def resume_reading(self) -> None:
        """Read again; without effect at the end of what the peer sends."""
        if not (self.reading or self._at_eof or self._closing):
            self._loop.add_reader(self._file.fileno(), self._readable)
            self.reading = True

    def write(self, data: bytes) -> None:
        """Send `data`, now or when the peer takes it. After `close` it is dropped."""
        if self._closing or not data:
            return
        if not self._waiting:
            data = data[self._send(data) :]
            if not data or self._lost:
                return
            self._loop.add_writer(self._file.fileno(), self._writable)
            self._expect_progress()
        self._waiting += data
        if len(self._waiting) > HIGH_WATER and not self.writing_paused:
            self.writing_paused = True
            self._receiver.writing_paused()

    def close(self, *, linger: bool = False) -> None:
        """Close once everything written is sent, within the write deadline. Idempotent.

        With `linger` the peer may be in the middle of talking, and would fail to, and never read
        what it was told, if its socket were closed: what it says is dropped for LINGER_SECONDS.
        """
        if self._closing:
            return
        self.pause_reading()
        self._closing = True
        if linger and not self._at_eof:
            self._loop.add_reader(self._file.fileno(), self._discard)
            self._lingering = self._loop.call_later(LINGER_SECONDS, self._linger_no_more)
        if not self._waiting:
            self._end_of_output()

    def abort(self, reason: str) -> None:
        """Close now, dropping what waits. Idempotent."""
        self._lose(reason)

    def _readable(self) -> None:
        try:
            data = os.read(self._file.fileno(), self._read_bytes)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(f"reading failed: {error.strerror}")
            return
        if data:
            self._receiver.data_received(data)
        else:
            self._end_of_input()

    def _discard(self) -> None:
        try:
            data = os.read(self._file.fileno(), DISCARDED_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # it is being closed either way
            data = b""
        if not data:
            self._linger_no_more()

    def _linger_no_more(self) -> None:
        self._stop_lingering()
        self._loop.remove_reader(self._file.fileno())
        if not self._waiting:
            self._lose("")

    def _end_of_output(self) -> None:
        """Close, or for a peer that may still be talking, only say that this was all."""
        if self._lingering is None:
            self._lose("")
        else:
            with self._file.borrow_socket() as connected, contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_WR)  # the peer may be gone: then `_discard` sees it

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _end_of_input(self) -> None:
        """Tell a peer that is gone from one that only stopped sending (poll(2): POLLHUP)."""
        self.pause_reading()
        self._at_eof = True
        poll = select.poll()
        poll.register(self._file.fileno(), 0)
        if any(events & select.POLLHUP for _, events in poll.poll(0)):
            self._lose("the peer closed its socket")
        else:
            self._receiver.eof_received()

    def _send(self, data: bytes | memoryview) -> int:
        """Return how many bytes the kernel took; on an error the connection is lost."""
        try:
            count = os.write(self._file.fileno(), data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._lose(f"writing failed: {error.strerror}")
            return 0
        return count

    def _writable(self) -> None:
        with memoryview(self._waiting) as view:
            count = self._send(view)
        if self._lost:
            return
        del self._waiting[:count]
        if count:
            self._expect_progress()
        if self.writing_paused and len(self._waiting) < LOW_WATER:
            self.writing_paused = False
            self._receiver.writing_resumed()
        if not self._waiting:
            self._all_sent()

    def _all_sent(self) -> None:
        self._loop.remove_writer(self._file.fileno())
        self._expect_no_progress()
        if self._closing:
            self._end_of_output()

    def _expect_progress(self) -> None:
        self._expect_no_progress()
        self._stuck = self._loop.call_later(
            self._write_timeout, self._lose, f"the peer read nothing for {self._write_timeout:g} s"
        )

    def _expect_no_progress(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _lose(self, reason: str) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self.reading = False
        self._expect_no_progress()
        self._stop_lingering()
        self._waiting = bytearray()  # not cleared: `_writable` may be lending it to write(2)
        self._closer.close_fd(self._file)  # ends its registrations with the loop as well
        self._loop.call_soon(self._receiver.connection_lost, reason)
