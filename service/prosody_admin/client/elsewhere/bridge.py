"""`--stdio-bridge`: standard input and output connected to the socket, for who comes over ssh.

What systemd-stdio-bridge(1) is to `systemctl -H`: the service at the other end of the socket sees
the account that the bridge runs as.
"""

import argparse
import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prosody_admin.client.connection import reached
from prosody_admin.client.exits import ExitCode

CHUNK_BYTES = 65536
"""What is held at most in each direction; who sends more waits until it is taken."""

_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


def run(arguments: argparse.Namespace) -> int:
    """Copy bytes until the service, or whoever reads standard output, is gone; see `copy`.

    Raises ServiceUnreachableError.
    """
    with reached(arguments.socket) as sock:
        copy(sock, 0, 1)
    return ExitCode.OK


def copy(sock: socket.socket, source: int, target: int) -> None:
    """Copy from the descriptor `source` to `sock` and from `sock` to `target`.

    The end of `source` is passed on, and what still comes is copied. The end of either of the
    others is the end.
    """
    there, back = _Way(source, sock.fileno()), _Way(sock.fileno(), target)
    shut = False
    with _nonblocking(sock.fileno(), source, target):
        while back.pending or not back.ended:
            ready = _ready(there, back)
            if ready.get(target, 0) & _GONE:
                return
            for way in (there, back):
                if way.pending and way.target in ready:
                    way.write()
                elif not way.pending and way.source in ready:
                    way.read()
            if there.ended and not there.pending and not shut:
                shut = True
                with suppress(OSError):  # not connected any more: there is nobody to tell
                    sock.shutdown(socket.SHUT_WR)


class _Way:
    """One direction. What was read is written before more is read."""

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self.target = target
        self.pending = memoryview(b"")
        self.ended = False

    def read(self) -> None:
        """Take what there is; whatever keeps us from reading is the end."""
        try:
            self.pending = memoryview(os.read(self.source, CHUNK_BYTES))
        except BlockingIOError:
            return
        except OSError:  # a connection that was reset, a terminal that was hung up
            self.ended = True
            return
        self.ended = not self.pending

    def write(self) -> None:
        """Write what goes; for somebody who is gone, nothing more is read either."""
        try:
            self.pending = self.pending[os.write(self.target, self.pending) :]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self.pending, self.ended = memoryview(b""), True


def _ready(there: _Way, back: _Way) -> dict[int, int]:
    """Wait, and return what poll(2) says of each descriptor that something is wanted of."""
    wanted = {back.target: 0}  # always: nothing else tells that nobody reads it any more
    for way in (there, back):
        if way.pending:
            wanted[way.target] = wanted.get(way.target, 0) | select.POLLOUT
        elif not way.ended:
            wanted[way.source] = wanted.get(way.source, 0) | select.POLLIN
    poll = select.poll()
    for descriptor, events in wanted.items():
        poll.register(descriptor, events)
    return dict(poll.poll())


@contextmanager
def _nonblocking(*descriptors: int) -> Iterator[None]:
    """Make descriptors non-blocking, and as they were at the end: others may have them as well."""
    before = [(descriptor, os.get_blocking(descriptor)) for descriptor in descriptors]
    try:
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
        yield
    finally:
        for descriptor, blocking in before:
            os.set_blocking(descriptor, blocking)
