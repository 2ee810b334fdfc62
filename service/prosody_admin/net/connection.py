"""One admin stream over one connected socket, in either role, with its deadlines."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import StreamError
from prosody_admin.net.transport import HIGH_WATER, READ_BYTES, Transport
from prosody_admin.protocol.limits import Limits
from prosody_admin.protocol.stanza import Stanza
from prosody_admin.protocol.stream import (
    EofReceived,
    Event,
    Role,
    StanzaReceived,
    State,
    Stream,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)

KEEPALIVE_RESOLUTION = 1.0
"""Seconds between two looks at the clock at least, while a stream cannot send."""


class Deadlines(NamedTuple):
    """Waits of one connection, all in seconds.

    `header`: from the start to the peer's stream header. `stanza`: from the first byte of a
    stanza to its last. `write`: during which a peer takes no byte. `keepalive`: of our silence
    before we send a space; clients hang up after 840 silent seconds.
    """

    header: float
    stanza: float
    write: float
    keepalive: float


class Owner(Protocol):
    """Who is told what comes in on a connection."""

    def stream_opened(self) -> None:
        """The peer's header is here: stanzas may follow, and may be sent."""

    def stanza_received(self, stanza: Stanza) -> None:
        """A whole stanza is here."""

    def stream_ended(self) -> None:
        """The peer sends no more stanzas, but may wait for answers."""

    def writing_resumed(self) -> None:
        """What waits to be sent is little again, after it was too much."""

    def connection_lost(self, reason: str, error: StreamError | None) -> None:
        """It is over; called exactly once, last.

        `error` is what the peer did wrong, or the stream error that it sent.
        """


class Connection:
    """The stream of `role` over `file`, which it owns.

    While too much waits to be sent here, what comes in at its feeder, if it has one, waits too.
    `last_words`, if given, says what goes before the stream error that an open stream ends with
    because the peer broke a rule. `read_bytes` is how much is read at once.

    With `header`, the stream is open and goes on for one that began with this header of the
    peer's, see `Stream.resumed`. StreamError is raised if it cannot; `file` stays the caller's.
    """

    __slots__ = (
        "_awaited",
        "_closed",
        "_corked",
        "_deadlines",
        "_error",
        "_feeder",
        "_flush_due",
        "_keepalive",
        "_last_sent",
        "_last_words",
        "_loop",
        "_lost",
        "_opened",
        "_owner",
        "_stream",
        "transport",
    )

    def __init__(
        self,
        file: File,
        role: Role,
        owner: Owner,
        *,
        closer: DeferredFdCloser,
        deadlines: Deadlines,
        limits: Limits,
        last_words: Callable[[StreamError], Stanza] | None = None,
        read_bytes: int = READ_BYTES,
        header: bytes | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._last_words = last_words
        self._deadlines = deadlines
        self._stream = (
            Stream(role, limits) if header is None else Stream.resumed(role, limits, header)
        )
        self._error: StreamError | None = None
        self._lost = False
        self._closed: asyncio.Future[None] | None = None  # made for who waits for the end
        self._opened = header is not None
        self._awaited: asyncio.TimerHandle | None = None
        self._last_sent = self._loop.time()
        self._flush_due = self._corked = False
        self._feeder: Connection | None = None
        self.transport = Transport(
            file, self, closer, write_timeout=deadlines.write, read_bytes=read_bytes
        )
        self._keepalive = self._loop.call_later(deadlines.keepalive, self._keep_alive)
        if self._opened:
            return
        self._await_peer(deadlines.header, "no stream header")
        if role is Role.CLIENT:
            self._stream.open()
            self._flush()

    @property
    def can_send(self) -> bool:
        """Whether `send` has an effect: the stream is open and not being closed."""
        return self._stream.can_send and not self.transport.closing

    @property
    def failed(self) -> bool:
        """Whether the stream ended with an error, so that nothing more can be sent."""
        return self._error is not None

    @property
    def at_rest(self) -> bool:
        """Whether the stream is open, at a stanza boundary, and nothing waits for the peer."""
        return (
            self._stream.state is State.OPEN
            and self._stream.at_stanza_boundary
            and not self._flush_due
            and self.transport.idle
        )

    @property
    def header_received(self) -> bytes:
        """The peer's stream header, for a connection that goes on for this one."""
        return self._stream.header_received

    def release(self) -> File:
        """Have no more to do with the socket, which becomes the caller's; the owner is not told.

        Of a connection at rest, or bytes are lost.
        """
        self._lost = True
        self._keepalive.cancel()
        self._await_peer(None)
        return self.transport.release()

    def send(self, stanza: Stanza) -> None:
        """Send `stanza` when the loop comes round, in one piece with all that is sent until then.

        Dropped once the stream is closed or lost. Raises StanzaError if it cannot be written as
        XML.
        """
        if self.can_send:
            self._stream.send(stanza)
            if not self._flush_due:
                self._flush_due = True
                if not self._corked:
                    self._loop.call_soon(self._flush)

    def cork(self) -> None:
        """Have what is sent wait for `uncork`, not for the loop."""
        self._corked = True

    def uncork(self) -> None:
        """Send what waits, now. Idempotent."""
        self._corked = False
        if self._flush_due:
            self._flush()

    def flush_much(self) -> None:
        """Send at once what waits for the loop to come round, if that is much already."""
        if self._stream.unsent_bytes > HIGH_WATER:
            self._flush()

    def close(self) -> None:
        """Close the stream in order, then the socket once all is sent. Idempotent."""
        if not self.transport.closing:
            self._stream.close()
            self._flush()
            self.transport.close()

    def fail(self, condition: str) -> None:
        """Close the stream with an error (RFC 6120, section 4.9.3). Idempotent."""
        if not self.transport.closing:
            self._stream.fail(condition)
            self._flush()
            self.transport.close()

    def abort(self, reason: str) -> None:
        """Close the socket now. Idempotent."""
        self.transport.abort(reason)

    def feed_from(self, feeder: "Connection") -> None:
        """Hold `feeder` back, in place of the one before, while too much waits here."""
        self._feeder = feeder
        if self.transport.writing_paused:
            feeder.pause_reading()

    def pause_reading(self) -> None:
        """Leave what the peer sends in the kernel; who is held back by us has no deadline."""
        self.transport.pause_reading()
        if self._opened:
            self._await_peer(None)

    def resume_reading(self) -> None:
        """Read again."""
        self.transport.resume_reading()
        self._await_rest_of_stanza()

    async def wait_closed(self) -> None:
        """Wait for the end, which the write deadline bounds once `close` was called."""
        if not self._lost:
            self._closed = self._closed or self._loop.create_future()
            await asyncio.shield(self._closed)

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        """Parse, tell the owner, and watch over a stanza that is only half here."""
        if self._flush_due:
            self._flush()  # goes before a stream error, and what is said before that
        self._stream.receive_data(data)
        self._tell_owner()

    def eof_received(self) -> None:
        """Let the stream decide what a half-close means."""
        self._stream.receive_eof()
        self._tell_owner()

    def writing_paused(self) -> None:
        """Hold back whoever feeds this connection."""
        if self._feeder is not None:
            self._feeder.pause_reading()

    def writing_resumed(self) -> None:
        """Let the feeder go on, and the owner."""
        if self._feeder is not None:
            self._feeder.resume_reading()
        self._owner.writing_resumed()

    def connection_lost(self, reason: str) -> None:
        """Stop the clocks and tell the owner."""
        self._lost = True
        self._keepalive.cancel()
        self._await_peer(None)
        self._owner.connection_lost(reason, self._error)
        if self._closed is not None:
            self._closed.set_result(None)

    def _tell_owner(self) -> None:
        events = self._stream.events_received()
        if events:
            self._tell(events)
            if self._opened:
                self._await_peer(None)
        elif self._opened and self._stream.at_stanza_boundary:
            self._await_peer(None)
        self._await_rest_of_stanza()

    def _tell(self, events: list[Event]) -> None:
        last = events[-1]
        if isinstance(last, StreamFailed) and not last.by_peer:
            self._say_last_words(last.error)
        if not (self._opened and isinstance(last, StanzaReceived)):
            self._flush()  # our header, or the stream error, goes before any answer
        for event in events:
            match event:
                case StanzaReceived(stanza=stanza):
                    self._owner.stanza_received(stanza)
                case StreamOpened():
                    self._opened = True
                    self._owner.stream_opened()
                case StreamClosed() | EofReceived():
                    self._owner.stream_ended()
                case StreamFailed(error=error, by_peer=by_peer):
                    self._error = error
                    self.transport.close(linger=not by_peer)

    def _await_rest_of_stanza(self) -> None:
        """Start the clock of a stanza that is half here, unless it runs, or we do not read."""
        if (
            self._opened
            and self._awaited is None
            and self.transport.reading
            and not self._stream.at_stanza_boundary
        ):
            self._await_peer(self._deadlines.stanza, "half a stanza, and the rest not")

    def _flush(self) -> None:
        self._flush_due = False
        data = self._stream.data_to_send()
        if data:
            self._last_sent = self._loop.time()
            self.transport.write(data)

    def _await_peer(self, seconds: float | None, missing: str = "") -> None:
        """Fail the stream unless the peer does something in time; None: it did."""
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None
        if seconds is not None:
            reason = f"{missing} within {seconds:g} s"
            self._awaited = self._loop.call_later(seconds, self._time_out, reason)

    def _time_out(self, reason: str) -> None:
        if self.transport.closing:
            return  # it ended before, for another reason, and only its last bytes are on their way
        self._flush()
        self._error = StreamError("connection-timeout", reason)
        self._say_last_words(self._error)
        self.fail(self._error.condition)

    def _say_last_words(self, error: StreamError) -> None:
        if self._opened and self._last_words is not None:
            # Not by the stream: its error waits to be flushed, and nothing goes behind that.
            self.transport.write(self._last_words(error).to_bytes())

    def _keep_alive(self) -> None:
        """Send a space when the last thing sent is old enough, and look again when it will be."""
        due = self._last_sent + self._deadlines.keepalive
        if due <= self._loop.time() and self.can_send:
            self._stream.send_whitespace()
            self._flush()
            due = self._last_sent + self._deadlines.keepalive
        if due <= self._loop.time():
            due = self._loop.time() + KEEPALIVE_RESOLUTION
        self._keepalive = self._loop.call_at(due, self._keep_alive)
