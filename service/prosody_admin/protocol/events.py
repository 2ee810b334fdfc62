"""What can happen on a stream, as values for whoever serves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prosody_admin.errors import StreamError
from prosody_admin.protocol.stanza import Stanza


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer's header arrived; attributes as in `Stanza`, declarations are not among them."""

    attributes: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class StanzaReceived:
    """One whole stanza arrived."""

    stanza: Stanza


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The peer's closing tag arrived: it sends nothing more, and may still be sent to."""


@dataclass(frozen=True, slots=True)
class EofReceived:
    """The peer shut down its direction, with or without a closing tag before; may be sent to."""


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """The stream ended in an error, and nothing follows.

    By the peer: it sent a stream error, whose condition `error` has. Otherwise it broke the
    rules as `error` says, and the stream error that tells it so waits in `data_to_send`.
    """

    error: StreamError
    by_peer: bool


Event = StreamOpened | StanzaReceived | StreamClosed | EofReceived | StreamFailed
