"""Who serves a session, and why that ends: what a session and its attendant say to each other."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from prosody_admin.net.session import Session


class Ending(NamedTuple):
    """Why a session is being ended from this side.

    `condition` is the stream error it ends with; `reason` is for the peer, as the result of each
    command that is not done, and for the record.
    """

    condition: str
    reason: str


class Attendant(Protocol):
    """Who serves a session: what a session calls, and what outranks every handler."""

    def session_opened(self, session: "Session") -> Awaitable[None] | None:
        """The stream is open. What is returned is waited for before the first command."""

    def command_waits(self, session: "Session") -> None:
        """A command can be had by `session.take`, later; not told again before it is taken.

        Whoever takes it sees that it is answered, whatever happens, and calls `session.done`.
        """

    def session_closed(self, session: "Session", reason: str) -> Awaitable[None] | None:
        """It is over; called exactly once, also for a stream that never opened."""
