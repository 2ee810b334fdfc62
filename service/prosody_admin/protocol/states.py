"""What may follow what on a stream: the one table, the same for both ends.

"Send" is what we do and "receive" is what the peer does, whichever of the two is the server. A
step without a row in a state cannot be taken in it. The closing tag of each direction ends that
direction only (RFC 6120, section 4.4), and a half-close of the socket counts as one.
"""

from collections.abc import Mapping
from enum import IntEnum, auto


class State(IntEnum):
    """How far the two directions of a stream have come."""

    START = auto()
    HEADER_SENT = auto()
    HEADER_RECEIVED = auto()
    OPEN = auto()
    CLOSE_SENT = auto()
    CLOSE_RECEIVED = auto()
    CLOSED = auto()
    FAILED = auto()


class Step(IntEnum):
    """What moves a stream from one state to another."""

    SEND_HEADER = auto()
    RECEIVE_HEADER = auto()
    SEND_STANZA = auto()
    RECEIVE_STANZA = auto()
    SEND_CLOSE = auto()
    RECEIVE_CLOSE = auto()
    RECEIVE_EOF = auto()
    ERROR = auto()


TRANSITIONS: Mapping[State, Mapping[Step, State]] = {
    State.START: {
        Step.SEND_HEADER: State.HEADER_SENT,
        Step.RECEIVE_HEADER: State.HEADER_RECEIVED,
        Step.SEND_CLOSE: State.CLOSED,
        Step.RECEIVE_EOF: State.CLOSED,
        Step.ERROR: State.FAILED,
    },
    State.HEADER_SENT: {
        Step.RECEIVE_HEADER: State.OPEN,
        Step.SEND_CLOSE: State.CLOSED,
        Step.RECEIVE_EOF: State.CLOSED,
        Step.ERROR: State.FAILED,
    },
    State.HEADER_RECEIVED: {
        Step.SEND_HEADER: State.OPEN,
        Step.SEND_CLOSE: State.CLOSED,
        Step.RECEIVE_EOF: State.CLOSED,
        Step.ERROR: State.FAILED,
    },
    State.OPEN: {
        Step.SEND_STANZA: State.OPEN,
        Step.RECEIVE_STANZA: State.OPEN,
        Step.SEND_CLOSE: State.CLOSE_SENT,
        Step.RECEIVE_CLOSE: State.CLOSE_RECEIVED,
        Step.RECEIVE_EOF: State.CLOSE_RECEIVED,
        Step.ERROR: State.FAILED,
    },
    State.CLOSE_SENT: {
        Step.RECEIVE_STANZA: State.CLOSE_SENT,
        Step.RECEIVE_CLOSE: State.CLOSED,
        Step.RECEIVE_EOF: State.CLOSED,
        Step.ERROR: State.FAILED,
    },
    State.CLOSE_RECEIVED: {
        Step.SEND_STANZA: State.CLOSE_RECEIVED,
        Step.SEND_CLOSE: State.CLOSED,
        Step.RECEIVE_EOF: State.CLOSE_RECEIVED,
        Step.ERROR: State.FAILED,
    },
    State.CLOSED: {},
    State.FAILED: {},
}
