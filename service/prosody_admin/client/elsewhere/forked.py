"""A fork of this process whose output comes here through pipes, until it ends."""

import codecs
import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector
from typing import Protocol, TextIO

from prosody_admin.client.terminal.text import shown
from prosody_admin.errors import ClientError

LINE_BYTES = 65536
"""The pieces of a line that is longer count as lines."""

WHOLE_BYTES = 16 << 20
"""What can be kept of what has to be seen as a whole."""

LEAVE_SECONDS = 5.0
"""How long forks may take to clean up when nobody wants them any more."""

_PIPE_BYTES = 1 << 20
"""As much as a pipe can hold (pipe(7)): one read takes everything."""


class Sink(Protocol):
    """Where output goes."""

    def take(self, data: bytes) -> None:
        """Take some more."""

    def end(self) -> None:
        """Do what remains; nothing comes any more."""


class Lines:
    """Writes whole lines to `stream`, each behind `prefix`; `most` bytes of one are kept."""

    def __init__(self, stream: TextIO, prefix: str, most: int = LINE_BYTES) -> None:
        self._stream = stream
        self._prefix = prefix
        self._most = most
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Write the lines that end in `data`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._write(line)
        if len(self._rest) >= self._most:
            _, whole = codecs.utf_8_decode(self._rest, "replace")  # up to the end of a character
            self._write(self._rest[:whole])
            self._rest = self._rest[whole:]
        self._stream.flush()

    def end(self) -> None:
        """Write what is left as a line."""
        if self._rest:
            self._write(self._rest)
            self._rest = b""

    def _write(self, line: bytes) -> None:
        text = shown(line.decode("utf-8", "replace"), self._stream)
        print(f"{self._prefix}{text}", file=self._stream)


class Whole:
    """Keeps everything."""

    def __init__(self) -> None:
        self._data = bytearray()

    def take(self, data: bytes) -> None:
        """Keep `data`. Raises ClientError for more than WHOLE_BYTES in all."""
        if len(self._data) + len(data) > WHOLE_BYTES:
            raise ClientError(f"a host says more than {WHOLE_BYTES} bytes as JSON")
        self._data += data

    def end(self) -> None:
        """Nothing remains."""

    def value(self) -> object:
        """Return what it says as JSON; None where that is nothing, or was broken off."""
        try:
            return json.loads(self._data)
        except ValueError:
            return None


class Forked:
    """A fork. The object is in both processes, and `is_here` only in the new one.

    What the fork writes to its standard output and error goes to `out` and `err`. It has no
    terminal, whose Ctrl-C does not reach it; SIGTERM is for it what that is for others.
    """

    def __init__(self, out: Sink, err: Sink) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._sinks: dict[int, Sink] = {}
        theirs = {}
        for number, sink in ((1, out), (2, err)):
            ours, theirs[number] = os.pipe()
            os.set_blocking(ours, False)
            self._sinks[ours] = sink
        self._pid = os.fork()
        self.is_here = self._pid == 0
        if self.is_here:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            for number, descriptor in theirs.items():
                os.dup2(descriptor, number)
            self._close()
        else:
            self._pidfd = os.pidfd_open(self._pid)
        for descriptor in theirs.values():
            os.close(descriptor)

    def register(self, selector: BaseSelector) -> None:
        """Have `selector` select this object when `look` has something to do."""
        for descriptor in (*self._sinks, self._pidfd):
            selector.register(descriptor, EVENT_READ, self)

    def look(self, selector: BaseSelector) -> int | None:
        """Take what was written; return the exit code (of a shell, for a signal) at the end.

        Only the end of the fork itself counts: what it left behind may keep the pipes open.
        """
        ended = self._ends_within(0.0)
        for descriptor, sink in list(self._sinks.items()):
            data = None
            with suppress(BlockingIOError):
                data = os.read(descriptor, _PIPE_BYTES)
                sink.take(data)
            if ended or data == b"":
                selector.unregister(descriptor)
                os.close(descriptor)
                del self._sinks[descriptor]
                sink.end()
        if not ended:
            return None
        selector.unregister(self._pidfd)
        return self._reaped()

    def forget(self) -> None:
        """Close what is open here, in a fork to which this one is nothing."""
        self._close()
        os.close(self._pidfd)

    def _close(self) -> None:
        for descriptor in self._sinks:
            os.close(descriptor)
        self._sinks.clear()

    def _ends_within(self, seconds: float) -> bool:
        return bool(select.select([self._pidfd], [], [], seconds)[0])

    def _reaped(self) -> int:
        """Wait for the end, and return the exit code."""
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        os.close(self._pidfd)
        return code if code >= 0 else 128 - code

    def leave(self) -> None:
        """Have the fork end, whose output nobody wants any more."""
        self._close()  # first: it may be waiting for somebody to read
        signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, or kill it; then kill what it started and left behind."""
        if not self._ends_within(seconds):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        with suppress(ProcessLookupError):  # it is not reaped, so the number is still its own
            os.killpg(self._pid, signal.SIGKILL)
        self._reaped()


def end_all(forks: Sequence[Forked]) -> None:
    """Have forks end that nobody wants any more, and wait until they have."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it would leave some behind
    for fork in forks:
        fork.leave()
    deadline = time.monotonic() + LEAVE_SECONDS
    for fork in forks:
        fork.wait(max(0.0, deadline - time.monotonic()))
    signal.signal(signal.SIGINT, before)
