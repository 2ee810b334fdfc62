"""From a stanza to its answer: authorised and recorded around every dispatch.

This wrapper is not a handler, so that no handler can outrank it.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from prosody_admin.access.policy import Policy
from prosody_admin.errors import CommandError, JournalUnavailableError, StanzaError
from prosody_admin.events import Events
from prosody_admin.net.audit import Audit
from prosody_admin.net.session import Ending, Session
from prosody_admin.protocol.stanza import ADMIN_NS, Stanza, repl_result
from prosody_admin.shell.lines import Call, Help, Line, RawLua, parse

log = logging.getLogger(__name__)

UNHANDLED = "No module handled this query. Is mod_admin_shell enabled?"
"""What Prosody answers to a stanza that no module wants."""

LINE = (ADMIN_NS, "repl-input")
"""Namespace and name of the stanza that is a line of the shell."""

ANNOUNCE_SECONDS = 5.0
"""How long the handlers of a session's beginning or end may hold it up."""


@dataclass(frozen=True, slots=True)
class AdminEvent:
    """What a handler of `admin/<name>` or `admin/<xmlns>:<name>` gets.

    It returns None (let others try), a stanza or several (the answer; to a line it ends in its
    only `repl-result`), or raises CommandError, whose message becomes the result. Output that
    comes before the result may be sent by `session.send`. `line` is what a `repl-input` means,
    else None.
    """

    session: Session
    stanza: Stanza
    line: Line | None


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """What a handler of `admin-connected` and `admin-disconnected` gets."""

    session: Session


class Dispatcher:
    """The attendant of every session: authorise, record, dispatch, answer, record."""

    def __init__(self, events: Events, policy: Policy, audit: Audit) -> None:
        self._events = events
        self._policy = policy
        self._audit = audit

    async def session_opened(self, session: Session) -> None:
        """Record the session and tell the modules."""
        if session.refusal:
            self._audit.session_refused(session)
            return
        self._audit.session_opened(session)
        await self._announce("admin-connected", session)

    async def session_closed(self, session: Session, reason: str) -> None:
        """Tell the modules that were told of the beginning, and record the end."""
        try:
            if session.opened and not session.refusal:
                await self._announce("admin-disconnected", session)
        finally:
            seconds = asyncio.get_running_loop().time() - session.started
            self._audit.session_closed(session, reason, seconds)

    async def dispatch(self, session: Session, stanza: Stanza) -> None:
        """Answer `stanza`: with what a module says, or with why none was asked."""
        line = parse(stanza.text) if (stanza.namespace, stanza.name) == LINE else None
        name = event_name(stanza)
        command = _describe(line, name)
        verdict = self._policy.authorise(session.identity, line)
        refusal = _refusal(session, stanza)
        if refusal is None and not verdict.allowed:
            refusal = verdict.rule, f"permission denied ({verdict.rule}): needs {verdict.needed}"
        if refusal is not None:
            rule, text = refusal
            self._audit.command_refused(session, command, rule)
            session.send(repl_result(f"Error: {text}", error=True))
            if session.refusal:
                session.end(Ending("resource-constraint", session.refusal))
            return
        try:
            self._audit.command_started(session, command, verdict)
        except JournalUnavailableError as error:
            log.warning("session %s: %s refused: %s", session.id, command, error)
            session.send(repl_result("Error: refused, it cannot be recorded now", error=True))
            return
        await self._run(AdminEvent(session, stanza, line), name, command)

    async def _run(self, event: AdminEvent, name: str, command: str) -> None:
        clock = asyncio.get_running_loop().time
        session, started = event.session, clock()
        answer, outcome = await self._answer(event, name)
        try:
            for stanza in answer:
                session.send(stanza)
        except StanzaError:  # of a module that did not sanitise what it says
            log.exception("session %s: the answer of %s cannot be sent", session.id, name)
            session.send(_internal_error(session))
            outcome = "failed"
        self._audit.command_finished(session, command, outcome, clock() - started)

    async def _answer(self, event: AdminEvent, name: str) -> tuple[list[Stanza], str]:
        """Return what the client gets and how it went, in a word."""
        session = event.session
        try:
            answer = _stanzas(await self._events.dispatch(name, event), event.line)
        except CommandError as error:
            return [repl_result(f"Error: {error}", error=True)], "error"
        except asyncio.CancelledError:
            # Only the session cancels this task: its client is gone, or it is being ended.
            reason = session.ending.reason if session.ending else "the client is gone"
            return [
                repl_result(f"Error: {reason}; the outcome is unknown", error=True)
            ], "cancelled"
        except Exception:  # a module may raise anything; it ends here, recorded
            log.exception("session %s: a handler of %s failed", session.id, name)
            return [_internal_error(session)], "failed"
        if answer is None:
            return [repl_result(UNHANDLED, error=True)], "error"
        failed = any(stanza.get("type") == "error" for stanza in answer)
        return answer, "error" if failed else "ok"

    async def _announce(self, event: str, session: Session) -> None:
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await self._events.dispatch(event, SessionEvent(session))
        except Exception:  # as above
            log.exception("session %s: a handler of %s failed", session.id, event)


def event_name(stanza: Stanza) -> str:
    """Return the name of the event that `stanza` is dispatched as."""
    if stanza.namespace == ADMIN_NS:
        return f"admin/{stanza.name}"
    return f"admin/{stanza.namespace}:{stanza.name}"


def _refusal(session: Session, stanza: Stanza) -> tuple[str, str] | None:
    """Return rule and text when nothing is dispatched for this session now, whatever it is."""
    if session.refusal:
        return "limits", session.refusal
    if session.ending is not None:
        return "ending", session.ending.reason
    if (stanza.namespace, stanza.name) == LINE and stanza.elements:
        return "malformed", "a line is text, without elements"
    return None


def _internal_error(session: Session) -> Stanza:
    """Return all that a client gets to know of an exception; the journal has the rest."""
    return repl_result(f"Error: internal error (session {session.id})", error=True)


def _describe(line: Line | None, event: str) -> str:
    """Name a command for the record, without its arguments."""
    match line:
        case Call(section=section, command=command):
            return f"{section}:{command}"
        case Help(topic=topic):
            return f"help {topic}".rstrip()
        case RawLua():
            return "raw Lua"
        case None:
            return event


def _stanzas(result: object, line: Line | None) -> list[Stanza] | None:
    """Return what a handler answered; anything but stanzas is an error of that handler.

    So is an answer to a line that does not end in its only result: the client would wait for ever.
    """
    if result is None:
        return None
    answer = [result] if isinstance(result, Stanza) else result
    if isinstance(answer, Iterable):
        stanzas = list(answer)
        if all(isinstance(stanza, Stanza) for stanza in stanzas):
            results = [number for number, stanza in enumerate(stanzas, 1) if _is_result(stanza)]
            if line is None or results == [len(stanzas)]:
                return stanzas
    raise TypeError(f"a handler returned {type(result).__name__}, not stanzas that end in a result")


def _is_result(stanza: Stanza) -> bool:
    return (stanza.namespace, stanza.name) == (ADMIN_NS, "repl-result")
