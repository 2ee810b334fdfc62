"""Sessions that begin and end: recorded, and told to the modules."""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Coroutine
from typing import Any, NamedTuple

from prosody_admin.events import Events
from prosody_admin.net.audit import Audit
from prosody_admin.net.session import Session

ANNOUNCE_SECONDS = 5.0
"""How long the handlers of a session's beginning or end may hold it up."""


class SessionEvent(NamedTuple):
    """What a handler of `admin-connected` and `admin-disconnected` gets."""

    session: Session


class Announcer:
    """Records each session, and tells the modules of those that were admitted.

    What is returned has to be awaited: then the modules know.
    """

    def __init__(self, events: Events, audit: Audit) -> None:
        self._events = events
        self._audit = audit

    def session_opened(self, session: Session) -> Coroutine[Any, Any, None] | None:
        """Record the session and tell the modules, also of one that goes on from before them."""
        if session.refusal:
            self._audit.session_refused(session)
            return None
        if session.resumed:
            self._audit.session_resumed(session)
        else:
            self._audit.session_opened(session)
        return self._announce("admin-connected", session)

    def session_closed(self, session: Session, reason: str) -> Coroutine[Any, Any, None] | None:
        """Tell the modules that were told of the beginning, and record the end."""
        telling = None
        if session.opened and not session.refusal:
            telling = self._announce("admin-disconnected", session)
        if telling is not None:
            return self._closed_when_told(telling, session, reason)
        self._record_end(session, reason)
        return None

    def _announce(self, event: str, session: Session) -> Coroutine[Any, Any, None] | None:
        try:
            result = self._events.begin(event, SessionEvent(session))
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - as below; it was not we
            self._audit.handler_failed(session, event, traceback.format_exc())
            return None
        return self._told(event, session, result) if inspect.isawaitable(result) else None

    async def _told(self, event: str, session: Session, telling: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await telling
        except Exception:  # noqa: BLE001 - a module may raise anything; it ends here
            self._audit.handler_failed(session, event, traceback.format_exc())

    async def _closed_when_told(
        self, telling: Coroutine[Any, Any, None], session: Session, reason: str
    ) -> None:
        try:
            await telling
        finally:
            self._record_end(session, reason)

    def _record_end(self, session: Session, reason: str) -> None:
        if session.released:
            self._audit.session_kept(session)
        else:
            self._audit.session_closed(
                session, reason, asyncio.get_running_loop().time() - session.started
            )
