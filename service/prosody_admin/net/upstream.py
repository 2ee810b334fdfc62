"""Our connection to Prosody's own admin socket: one command at a time."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import StreamError, UpstreamError
from prosody_admin.net.connection import Connection, Deadlines
from prosody_admin.protocol.limits import UPSTREAM_LIMITS
from prosody_admin.protocol.stanza import Stanza, repl_requested_input
from prosody_admin.protocol.stream import Role

READ_BYTES = 64 * 1024
"""Bytes read at once from Prosody, which is trusted and may have megabytes to say."""

FULL_BACKLOG_PAUSE = 0.05
"""Seconds between two attempts to connect while Prosody's backlog is full (EAGAIN, unix(7))."""


class Upstream:
    """An open stream to Prosody. Make one with `connect`.

    Output goes to `on_output` as it comes, also when no command runs: some commands of Prosody
    go on printing after their result. Questions go to `on_question` while a command runs, and are
    answered by `answer`.
    """

    def __init__(
        self,
        file: File,
        on_output: Callable[[Stanza], None],
        on_question: Callable[[Stanza], None],
        *,
        closer: DeferredFdCloser,
        deadlines: Deadlines,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._on_output = on_output
        self._on_question = on_question
        self._opened: asyncio.Future[None] = loop.create_future()
        self._on_result: Callable[[Stanza | UpstreamError], None] | None = None
        self._after_result: list[Stanza] | None = None  # while nobody has taken the result
        self._ended = ""
        self.connection = Connection(
            file,
            Role.CLIENT,
            self,
            closer=closer,
            deadlines=deadlines,
            limits=UPSTREAM_LIMITS,
            read_bytes=READ_BYTES,
        )

    @classmethod
    async def connect(
        cls,
        path: Path,
        on_output: Callable[[Stanza], None],
        on_question: Callable[[Stanza], None],
        *,
        closer: DeferredFdCloser,
        deadlines: Deadlines,
    ) -> "Upstream":
        """Connect to the socket at `path` and wait for Prosody's header.

        Each of the two takes `deadlines.header` seconds at most. Raises UpstreamError that says
        why it did not work, in words for the peer.
        """
        try:
            async with asyncio.timeout(deadlines.header):
                file = await _connect(path)
        except TimeoutError:
            raise UpstreamError("Prosody does not accept connections") from None
        upstream = cls(file, on_output, on_question, closer=closer, deadlines=deadlines)
        try:
            await upstream._opened
        except BaseException:
            upstream.connection.abort("not opened")
            raise
        return upstream

    @property
    def usable(self) -> bool:
        """Whether a command can be sent: the stream is open and nothing has ended it."""
        return not self._ended and self.connection.can_send

    def run(self, command: Stanza, on_result: Callable[[Stanza | UpstreamError], None]) -> None:
        """Send `command`; `on_result` is called once, with its `repl-result`, or why there is none.

        Output that comes behind the result waits for `pass_on`. Raises UpstreamError if the
        connection ended before.
        """
        assert self._on_result is None, "one command in flight"
        if not self.usable:
            raise UpstreamError(self._ended or "the connection is closed")
        self._on_result = on_result
        self.connection.cork()  # nothing else is sent that it could go together with
        self.connection.send(command)
        self.connection.uncork()

    def pass_on(self) -> None:
        """Pass output on again as it comes, first what came behind the last result."""
        after_result, self._after_result = self._after_result, None
        for stanza in after_result or ():
            self._on_output(stanza)

    def give_up(self) -> None:
        """End the connection, for nobody could tell a late result from the next one."""
        self._on_result = None
        self.connection.abort("the command was cancelled")

    def answer(self, question: Stanza, answer: str | None) -> None:
        """Answer a question of Prosody's; None cancels."""
        self.connection.send(
            repl_requested_input(question.get("id", ""), answer, question.get("type", "password"))
        )

    def close(self) -> None:
        """End the stream in order; what Prosody has not taken by now is dropped.

        That is a command for whose result nobody waits any more, cut short, so it does not run.
        """
        self._ended = self._ended or "closed"
        self.connection.close()
        self.connection.abort("closed")

    # What the connection calls.

    def stream_opened(self) -> None:
        """Prosody's header is here."""
        if not self._opened.done():
            self._opened.set_result(None)

    def stanza_received(self, stanza: Stanza) -> None:
        """Pass on output, take the result, and answer what only a person could."""
        match stanza.name:
            case "repl-output" if self._after_result is not None:
                self._after_result.append(stanza)
            case "repl-output":
                self._on_output(stanza)
            case "repl-result" if self._on_result is not None:
                on_result, self._on_result = self._on_result, None
                self._after_result = []
                on_result(stanza)
            case "repl-request-input" if self._on_result is not None:
                self._on_question(stanza)
            case "repl-request-input":  # nobody is there to answer, and Prosody would wait
                self.answer(stanza, None)
            case _:
                self._end("Prosody answered something that was not asked for")
                self.connection.abort(self._ended)

    def writing_resumed(self) -> None:
        """Nothing waits for it: a command is small."""

    def stream_ended(self) -> None:
        """Prosody says no more."""
        self._end("Prosody closed the connection")
        self.connection.close()

    def connection_lost(self, reason: str, error: StreamError | None) -> None:
        """Whoever waits for Prosody waits in vain."""
        if error is not None:
            self._end(f"Prosody's stream failed ({error.condition}): {error.reason}")
        self._end("the connection to Prosody was lost" + (f": {reason}" if reason else ""))

    def _end(self, reason: str) -> None:
        self._ended = self._ended or reason
        if not self._opened.done():
            self._opened.set_exception(UpstreamError(self._ended))
        if self._on_result is not None:
            on_result, self._on_result = self._on_result, None
            on_result(UpstreamError(self._ended, sent=True))


async def _connect(path: Path) -> File:
    """Return a connected socket. Raises UpstreamError, or waits while the backlog is full."""
    while True:
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:  # no descriptor is left, say
            raise UpstreamError(str(error.strerror)) from error
        with sock:
            failure = sock.connect_ex(os.fspath(path))
            if failure == 0:
                return File.adopt(sock.detach())  # the File owns it from here
        if failure != errno.EAGAIN:
            raise UpstreamError(_NOT_THERE.get(failure, os.strerror(failure)))
        await asyncio.sleep(FULL_BACKLOG_PAUSE)


_NOT_THERE = {
    errno.ENOENT: "Prosody is not running, or its admin socket is elsewhere",
    errno.ECONNREFUSED: "Prosody is not running",
    errno.EACCES: "the service may not connect to Prosody's admin socket",
}
