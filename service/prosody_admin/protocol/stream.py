"""One end of an admin stream, as a state machine without a socket.

Bytes go in by `receive_data`, events come out by `events_received`; stanzas go in by `send`,
bytes come out by `data_to_send`. After any call the owner looks at both outlets. Time is the
owner's too: the stream says what is due, never when.

The server answers the client's header with its own at once. `TRANSITIONS` says what may follow
what; only `Stream._take` moves the state. The wire is that of Prosody's util/adminstream.lua and
RFC 6120, section 4, without version, addresses, features or login.
"""

from enum import Enum
from typing import Self

from prosody_admin.errors import StreamError, StreamStateError
from prosody_admin.protocol.events import (
    EofReceived,
    Event,
    StanzaReceived,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)
from prosody_admin.protocol.parser import DEFAULT_LIMITS, Limits, Parser
from prosody_admin.protocol.plain import CLOSING_TAG
from prosody_admin.protocol.stanza import (
    ADMIN_NS,
    STREAM_ERRORS_NS,
    STREAMS_NS,
    Stanza,
    escaped_attribute,
)
from prosody_admin.protocol.states import TRANSITIONS, State, Step

__all__ = [
    "CONDITIONS",
    "EofReceived",
    "Event",
    "Role",
    "StanzaReceived",
    "State",
    "Stream",
    "StreamClosed",
    "StreamFailed",
    "StreamOpened",
]

# The defined conditions of RFC 6120, section 4.9.3.
CONDITIONS = frozenset(
    {
        "bad-format",
        "bad-namespace-prefix",
        "conflict",
        "connection-timeout",
        "host-gone",
        "host-unknown",
        "improper-addressing",
        "internal-server-error",
        "invalid-from",
        "invalid-namespace",
        "invalid-xml",
        "not-authorized",
        "not-well-formed",
        "policy-violation",
        "remote-connection-failed",
        "reset",
        "resource-constraint",
        "restricted-xml",
        "see-other-host",
        "system-shutdown",
        "undefined-condition",
        "unsupported-encoding",
        "unsupported-feature",
        "unsupported-stanza-type",
        "unsupported-version",
    }
)


class Role(Enum):
    """Which end of the stream is ours."""

    SERVER = "server"
    CLIENT = "client"


class Stream:
    """Our end of one stream; `stream_id` is what our header names it, Prosody's is empty.

    Both queues grow only by calls of the owner: an event costs the peer four bytes at least, so
    whoever feeds 64 KiB and drains has 16,000 events at most. Input never raises.
    """

    __slots__ = ("_events", "_output", "_parser", "_role", "_state", "_stream_id")

    def __init__(self, role: Role, limits: Limits = DEFAULT_LIMITS, stream_id: str = "") -> None:
        self._role = role
        self._stream_id = stream_id
        self._state = State.START
        self._parser: Parser | None = Parser(limits)  # None when nothing more is listened to
        self._events: list[Event] = []
        self._output = bytearray()

    @classmethod
    def resumed(cls, role: Role, limits: Limits, header: bytes) -> Self:
        """Return an open stream that goes on at a stanza boundary, our own header sent long ago.

        `header` is the `header_received` of the stream that it goes on for. Raises StreamError if
        it is anything but one whole header.
        """
        stream = cls(role, limits)
        if role is Role.CLIENT:
            stream.open()
        stream.receive_data(header)
        match stream.events_received():
            case [StreamOpened()] if stream.at_stanza_boundary:
                stream.data_to_send()
                return stream
            case [*_, StreamFailed(error=error)]:
                raise error
            case _:
                raise StreamError("bad-format", "not one whole header")

    @property
    def header_received(self) -> bytes:
        """What the peer sent up to the end of its header; b"" when it is no longer listened to."""
        return b"" if self._parser is None else self._parser.header

    @property
    def state(self) -> State:
        """How far the stream has come."""
        return self._state

    @property
    def can_send(self) -> bool:
        """Whether a stanza may be sent now."""
        return self._may(Step.SEND_STANZA)

    @property
    def ended(self) -> bool:
        """Whether both directions are over: what `data_to_send` still has is the last of it."""
        return not TRANSITIONS[self._state]

    @property
    def at_stanza_boundary(self) -> bool:
        """Whether no header and no stanza has arrived in part: no deadline needs to run for one."""
        return self._parser is None or self._parser.is_between_stanzas

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take bytes from the peer, any number of them; after an end or a failure, ignore them."""
        parser = self._parser
        if parser is None:
            return
        try:
            for event in parser.receive(data):
                self._receive(event)
                if self._parser is not parser:  # what comes behind the end is ignored
                    return
        except StreamError as error:
            # A new one, for that one's traceback holds on to what the peer sent.
            failure = StreamError(error.condition, error.reason)
            self._events.append(StreamFailed(failure, by_peer=False))
            self.fail(failure.condition)

    def receive_eof(self) -> None:
        """Take notice that the peer sends nothing more."""
        if self._may(Step.RECEIVE_EOF):
            self._take(Step.RECEIVE_EOF)
            self._parser = None
            self._events.append(EofReceived())

    def events_received(self) -> list[Event]:
        """Return what has happened since the last call, in order, and forget it."""
        events, self._events = self._events, []
        return events

    @property
    def unsent_bytes(self) -> int:
        """How many bytes `data_to_send` would return."""
        return len(self._output)

    def data_to_send(self) -> bytes:
        """Return the bytes to be sent since the last call, and forget them."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def open(self) -> None:
        """Send our header: for a client, which speaks first. Raises `StreamStateError` if sent."""
        self._take(Step.SEND_HEADER)
        header = (
            f"<?xml version='1.0'?><stream:stream xmlns:stream='{STREAMS_NS}' xmlns='{ADMIN_NS}'"
            f" xml:lang='en' id='{escaped_attribute(self._stream_id)}'>"
        )
        self._output += header.encode()

    def send(self, stanza: Stanza) -> None:
        """Send a stanza.

        Raises `StreamStateError` unless `can_send`, `StanzaError` for what XML cannot carry;
        nothing is sent then.
        """
        data = stanza.to_bytes()
        self._take(Step.SEND_STANZA)
        self._output += data

    def send_whitespace(self) -> None:
        """Send one space, to show that we are here. Raises `StreamStateError` unless `can_send`."""
        self._take(Step.SEND_STANZA)
        self._output += b" "

    def close(self) -> None:
        """Send our closing tag, if a header went before it; a second call does nothing."""
        if self._may(Step.SEND_CLOSE):
            header_was_sent = not self._may(Step.SEND_HEADER)
            self._take(Step.SEND_CLOSE)
            if header_was_sent:
                self._output += CLOSING_TAG
            if self.ended:
                self._parser = None

    def fail(self, condition: str) -> None:
        """End the stream with an error, our header first if that was not sent yet.

        `condition` is one of `CONDITIONS`, anything else a ValueError. A stream that has ended
        stays as it is, and one whose closing tag was sent fails without a word.
        """
        if condition not in CONDITIONS:
            raise ValueError("not a condition of RFC 6120, section 4.9.3")
        if self._may(Step.SEND_HEADER):
            self.open()
        if self._may(Step.SEND_CLOSE):
            error = f"<{condition} xmlns='{STREAM_ERRORS_NS}'/>"
            self._output += f"<stream:error>{error}</stream:error>".encode() + CLOSING_TAG
        if self._may(Step.ERROR):
            self._take(Step.ERROR)
            self._parser = None

    def _receive(self, event: StreamOpened | StanzaReceived | StreamClosed) -> None:
        if isinstance(event, StreamOpened):
            self._take_received(Step.RECEIVE_HEADER)
            if self._role is Role.SERVER and self._may(Step.SEND_HEADER):
                self.open()
        elif isinstance(event, StreamClosed):
            self._take_received(Step.RECEIVE_CLOSE)
            self._parser = None
        else:
            self._take_received(Step.RECEIVE_STANZA)
            if (event.stanza.namespace, event.stanza.name) == (STREAMS_NS, "error"):
                self._receive_error(event.stanza)
                return
        self._events.append(event)

    def _receive_error(self, error: Stanza) -> None:
        """End the stream as RFC 6120, section 4.9.1.1, says: close it and listen no more."""
        named = {child.name for child in error.elements if child.namespace == STREAM_ERRORS_NS}
        condition = min(named & CONDITIONS, default="undefined-condition")
        failure = StreamError(condition, "the peer ended the stream with an error")
        self._events.append(StreamFailed(failure, by_peer=True))
        self.close()
        self._take(Step.ERROR)
        self._parser = None

    def _may(self, step: Step) -> bool:
        return step in TRANSITIONS[self._state]

    def _take_received(self, step: Step) -> None:
        if not self._may(step):
            raise StreamError("policy-violation", "the peer did not wait for our header")
        self._take(step)

    def _take(self, step: Step) -> None:
        if not self._may(step):
            raise StreamStateError(f"{step.name} is not possible in state {self._state.name}")
        self._state = TRANSITIONS[self._state][step]
