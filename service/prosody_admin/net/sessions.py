"""All sessions there are: admitted within limits, counted, and ended together."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator

from prosody_admin.config import Settings
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.net.connection import Deadlines
from prosody_admin.net.kept import SessionState
from prosody_admin.net.peer import Peer
from prosody_admin.net.session import Attendant, Ending, Session, SessionLimits
from prosody_admin.protocol.parser import Limits

log = logging.getLogger(__name__)

REFUSED_SESSIONS_MAX = 64
"""Clients at once that are over a limit and wait to be told so; more are closed unheard.

As many as all sessions at the default: of 60 `prosodyctl` at once, 12 were too many for 16 places.
"""

FLUSH_SECONDS = 2.0
"""How long the last words to all clients may take, once every session is ended."""


class Sessions:
    """The parent of every session and of its task.

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
        self._tasks: dict[Session, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        """Return how many sessions there are, refused ones included."""
        return len(self._tasks)

    def __iter__(self) -> Iterator[Session]:
        """Go through the sessions there are now, oldest first."""
        return iter(tuple(self._tasks))

    def get(self, session_id: str) -> Session | None:
        """Return the session with this id, or None."""
        return next((session for session in self if session.id == session_id), None)

    def begin(self, file: File, peer: Peer) -> None:
        """Serve the client on `file`; takes over both.

        A client over a limit is told so at its first command, a few of them at a time; the
        others are closed.
        """
        refusal = self._over_limit(peer)
        if refusal and sum(bool(session.refusal) for session in self) >= REFUSED_SESSIONS_MAX:
            log.warning("a client of %s was closed unheard: %s", peer.identity, refusal)
            peer.close()
            self._closer.close_fd(file)
            return
        limits = _limits(self.settings)
        session = Session(
            secrets.token_hex(4),
            file,
            peer,
            self._attendant,
            closer=self._closer,
            limits=limits,
            refusal=refusal,
        )
        if refusal:
            # It need not wait for its command for longer than for its header.
            asyncio.get_running_loop().call_later(
                limits.deadlines.header, session.end, Ending("resource-constraint", refusal)
            )
        self._start(session)
        self._on_change()

    def resume(self, file: File, peer: Peer, state: SessionState) -> None:
        """Go on for the session of the process before that `state` is of; takes over both.

        No limit refuses it, and `on_change` is not called: this is before the service is ready.
        Raises StreamError if it cannot go on; both stay the caller's then.
        """
        self._start(
            Session(
                state.id,
                file,
                peer,
                self._attendant,
                closer=self._closer,
                limits=_limits(self.settings),
                resumes=state,
            )
        )

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
        for task in self._tasks.values():
            task.cancel()
        await self._wait(FLUSH_SECONDS)

    async def _wait(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)

    def _start(self, session: Session) -> None:
        task = asyncio.create_task(session.run(), name=f"session {session.id}")
        self._tasks[session] = task
        task.add_done_callback(lambda task: self._ended(session, task))

    def _over_limit(self, peer: Peer) -> str:
        """Return which limit one more session of `peer` would break, in words for it, or ""."""
        limits = self.settings.limits
        admitted = [session for session in self if not session.refusal]
        if len(admitted) >= limits.sessions:
            return f"too many sessions ({limits.sessions}), try again later"
        of_uid = sum(session.identity.uid == peer.identity.uid for session in admitted)
        if of_uid >= limits.sessions_per_uid:
            return f"too many sessions of {peer.identity} ({limits.sessions_per_uid})"
        return ""

    def _ended(self, session: Session, task: asyncio.Task[None]) -> None:
        del self._tasks[session]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("session %s failed", session.id, exc_info=error)
        self._on_change()


def _limits(settings: Settings) -> SessionLimits:
    limits = settings.limits
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
