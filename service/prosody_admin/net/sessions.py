"""All sessions there are: admitted within limits, counted, and ended together."""

import asyncio
import contextlib
import functools
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prosody_admin.config import Settings
from prosody_admin.config.settings import LimitSettings
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.net.attendant import Attendant, Ending
from prosody_admin.net.connection import Deadlines
from prosody_admin.net.peer import Peer
from prosody_admin.net.session import Session, SessionLimits
from prosody_admin.protocol.limits import Limits

if TYPE_CHECKING:
    from prosody_admin.net.kept import SessionState

log = logging.getLogger(__name__)

REFUSED_SESSIONS_MAX = 64
"""Clients at once that are over a limit and wait to be told so; more are closed unheard.

As many as all sessions at the default: of 60 `prosodyctl` at once, 12 were too many for 16 places.
"""

FLUSH_SECONDS = 2.0
"""How long the last words to all clients may take, once every session is ended."""


class Sessions:
    """The parent of every session.

    `settings` may be replaced; what it says holds for the sessions that begin afterwards.
    `on_change` is called whenever a session begins or ends.
    """

    def __init__(
        self,
        settings: Settings,
        attendant: Attendant,
        closer: DeferredFdCloser,
        on_change: Callable[[], None],
    ) -> None:
        self.settings = settings
        self._attendant = attendant
        self._closer = closer
        self._on_change = on_change
        self._sessions: dict[str, Session] = {}
        self._admitted: Counter[int] = Counter()  # by uid
        self._refused = 0
        self._over: asyncio.Event | None = None  # for who waits for the last session's end

    def __len__(self) -> int:
        """Return how many sessions there are, refused ones included."""
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """Go through the sessions there are now, oldest first."""
        return iter(tuple(self._sessions.values()))

    def get(self, session_id: str) -> Session | None:
        """Return the session with this id, or None."""
        return self._sessions.get(session_id)

    def begin(self, file: File, peer: Peer) -> None:
        """Serve the client on `file`; takes over both.

        A client over a limit is told so at its first command, a few of them at a time; the
        others are closed.
        """
        refusal = self._over_limit(peer)
        if refusal and self._refused >= REFUSED_SESSIONS_MAX:
            log.warning("a client of %s was closed unheard: %s", peer.identity, refusal)
            peer.close()
            self._closer.close_fd(file)
            return
        limits = _session_limits(self.settings.limits)
        session = Session(
            self._new_id(),
            file,
            peer,
            self._attendant,
            self._ended,
            closer=self._closer,
            limits=limits,
            refusal=refusal,
        )
        if refusal:
            # It need not wait for its command for longer than for its header.
            asyncio.get_running_loop().call_later(
                limits.deadlines.header, session.end, Ending("resource-constraint", refusal)
            )
        self._count(session)
        self._on_change()

    def resume(self, file: File, peer: Peer, state: "SessionState") -> None:
        """Go on for the session of the process before that `state` is of; takes over both.

        No limit refuses it, and `on_change` is not called: this is before the service is ready.
        Raises StreamError if it cannot go on; both stay the caller's then.
        """
        session = Session(
            state.id,
            file,
            peer,
            self._attendant,
            self._ended,
            closer=self._closer,
            limits=_session_limits(self.settings.limits),
            resumes=state,
        )
        self._count(session)
        session.stream_opened()

    async def drain(self, ending: Ending, seconds: float) -> None:
        """End all sessions: running commands get `seconds`, then everybody gets `ending`.

        Returns when every session is over, after `seconds` and twice FLUSH_SECONDS at most.
        """
        for session in self:
            session.end(ending)
        await self._wait(seconds)
        for session in self:
            session.cancel_command()
        await self._wait(FLUSH_SECONDS)
        await self.abort()

    async def abort(self) -> None:
        """End all sessions at once and without a word; takes FLUSH_SECONDS at most."""
        for session in self:
            session.abort()
        await self._wait(FLUSH_SECONDS)

    async def _wait(self, seconds: float) -> None:
        """Wait for the end of all sessions, for so many seconds at most."""
        if self._sessions:
            self._over = self._over or asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._over.wait()

    def _count(self, session: Session) -> None:
        self._sessions[session.id] = session
        if session.refusal:
            self._refused += 1
        else:
            self._admitted[session.identity.uid] += 1

    def _new_id(self) -> str:
        """Return 32 random bits that no session has now."""
        while (session_id := os.urandom(4).hex()) in self._sessions:
            pass
        return session_id

    def _over_limit(self, peer: Peer) -> str:
        """Return which limit one more session of `peer` would break, in words for it, or ""."""
        limits = self.settings.limits
        if self._admitted.total() >= limits.sessions:
            return f"too many sessions ({limits.sessions}), try again later"
        if self._admitted[peer.identity.uid] >= limits.sessions_per_uid:
            return f"too many sessions of {peer.identity} ({limits.sessions_per_uid})"
        return ""

    def _ended(self, session: Session) -> None:
        del self._sessions[session.id]
        if session.refusal:
            self._refused -= 1
        else:
            self._admitted[session.identity.uid] -= 1
        if self._over is not None and not self._sessions:
            self._over.set()
        self._on_change()


@functools.lru_cache(maxsize=1)  # one value for all sessions
def _session_limits(limits: LimitSettings) -> SessionLimits:
    return SessionLimits(
        Deadlines(
            header=limits.header_timeout,
            stanza=limits.stanza_timeout,
            write=limits.write_timeout,
            keepalive=limits.keepalive_interval,
        ),
        Limits(stanza_bytes=limits.stanza_bytes),
        limits.pending_commands,
    )
