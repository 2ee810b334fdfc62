"""From a stanza to its answer: authorised and recorded around every dispatch.

This wrapper is not a handler, so that no handler can outrank it.
"""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from prosody_admin.access.policy import Policy, Verdict
from prosody_admin.access.record import Account, account_of
from prosody_admin.access.roles import Request
from prosody_admin.errors import CommandError, JournalUnavailableError, StanzaError
from prosody_admin.events import Events
from prosody_admin.net.audit import Audit, Outcome, Refusal
from prosody_admin.net.session import Ending, Session
from prosody_admin.protocol.stanza import ADMIN_NS, Stanza, repl_result
from prosody_admin.protocol.structured import REFUSED, failed_result, is_query
from prosody_admin.shell.canonical import canonical
from prosody_admin.shell.catalogue import Catalogue, CommandClass
from prosody_admin.shell.lines import Call, Line, RawLua, parse

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
    comes before the result may be sent by `session.send`. `line` is what a `repl-input` or a
    structured query means, else None. `text` is the line written anew, or as it came where it is
    raw Lua, which somebody was expressly allowed; of another stanza it is the text.
    """

    session: Session
    stanza: Stanza
    line: Line | None
    text: str


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """What a handler of `admin-connected` and `admin-disconnected` gets."""

    session: Session


@dataclass(slots=True)
class _Running:
    """A command that a module is at work on: since when, and what was sent to its session before.

    `withdrawn` is why its caller may not have it now.
    """

    request: Request
    account: Account
    started: float
    bytes_before: int
    lines_before: int
    withdrawn: Refusal | None = None


class Dispatcher:
    """The attendant of every session: authorise, record, dispatch, answer, record."""

    def __init__(self, events: Events, policy: Policy, audit: Audit) -> None:
        self._events = events
        self._policy = policy
        self._audit = audit
        self._running: dict[Session, _Running] = {}

    def enforce(self, policy: Policy) -> None:
        """Let `policy` decide from the next command on, and about what streams already.

        A command of the class STREAM would go on showing what its caller may no longer see until
        the caller has enough of it. Any other runs on to its end.
        """
        self._policy = policy
        for session, running in self._running.items():
            if _streams(running.request, policy.catalogue):
                verdict = policy.authorise(session.identity, running.request)
                if not verdict.allowed:
                    running.withdrawn = _refused(verdict, "withdrawn")
                    session.cancel_command()

    async def session_opened(self, session: Session) -> None:
        """Record the session and tell the modules, also of one that goes on from before them."""
        if session.refusal:
            self._audit.session_refused(session)
            return
        if session.resumed:
            self._audit.session_resumed(session)
        else:
            self._audit.session_opened(session)
        await self._announce("admin-connected", session)

    async def session_closed(self, session: Session, reason: str) -> None:
        """Tell the modules that were told of the beginning, and record the end."""
        try:
            if session.opened and not session.refusal:
                await self._announce("admin-disconnected", session)
        finally:
            if session.released:
                self._audit.session_kept(session)
            else:
                seconds = asyncio.get_running_loop().time() - session.started
                self._audit.session_closed(session, reason, seconds)

    def dispatch(self, session: Session, stanza: Stanza) -> Coroutine[Any, Any, None] | None:
        """Answer `stanza`: with what a module says, or with why none was asked.

        What a module takes its time for is returned, to be run. Nothing else is waited for in
        here, so that neither a reload nor an end can come between the verdict and the command.
        """
        policy = self._policy
        line = parse(stanza.text, policy.catalogue) if _has_line(stanza) else None
        request = Request(event_name(stanza), line)
        account = account_of(request, policy.catalogue)
        verdict = policy.authorise(session.identity, request)
        if refusal := _refusal(session, stanza) or _denial(verdict) or _absence(session):
            self._refuse(session, account, refusal)
            if session.refusal:
                session.end(Ending("resource-constraint", session.refusal))
            return None
        text = stanza.text
        if line is not None and not isinstance(line, RawLua):
            text = canonical(line, policy.catalogue)
        try:
            self._audit.command_started(session, account, verdict)
        except JournalUnavailableError:
            # This record waits for the journal, and says then what did not run meanwhile.
            refusal = Refusal("unrecorded", "refused, it cannot be recorded now")
            self._refuse(session, account, refusal)
            return None
        return self._run(AdminEvent(session, stanza, line, text), request, account)

    def _refuse(self, session: Session, account: Account, refusal: Refusal) -> None:
        self._audit.command_refused(session, account, refusal)
        session.send(failed_result(f"Error: {refusal.text}", REFUSED))

    def _run(
        self, event: AdminEvent, request: Request, account: Account
    ) -> Coroutine[Any, Any, None] | None:
        session = event.session
        clock = asyncio.get_running_loop().time
        running = _Running(request, account, clock(), session.sent_bytes, session.sent_lines)
        try:
            result = self._events.begin(request.event, event)
            if inspect.isawaitable(result):
                self._running[session] = running
                return self._wait(event, running, result)
            answer, outcome = _answered(result, event.line)
        except Exception as error:  # noqa: BLE001 - a module may raise anything; it ends here
            answer, outcome = self._failed(session, running, error)
        self._finish(session, running, answer, outcome)
        return None

    async def _wait(self, event: AdminEvent, running: _Running, result: Awaitable[object]) -> None:
        session = event.session
        try:
            answer, outcome = _answered(await result, event.line)
        except asyncio.CancelledError:
            reason = "the client is gone"
            if running.withdrawn is not None:
                reason = running.withdrawn.text
            elif session.ending is not None:
                reason = session.ending.reason
            text = f"Error: {reason}; the outcome is unknown"
            answer, outcome = [repl_result(text, error=True)], "cancelled"
        except Exception as error:  # noqa: BLE001 - as above
            answer, outcome = self._failed(session, running, error)
        finally:
            del self._running[session]
        self._finish(session, running, answer, outcome)

    def _failed(
        self, session: Session, running: _Running, error: Exception
    ) -> tuple[list[Stanza], str]:
        """Return what the client gets for what a handler raised; the journal gets the rest."""
        if isinstance(error, CommandError):
            return [failed_result(f"Error: {error}", error.failure)], "error"
        trace = "".join(traceback.format_exception(error))
        self._audit.handler_failed(session, running.request.event, trace)
        return [_internal_error(session)], "failed"

    def _finish(
        self, session: Session, running: _Running, answer: list[Stanza], outcome: str
    ) -> None:
        try:
            for stanza in answer:
                session.send(stanza)
        except StanzaError as error:  # of a module that did not sanitise what it says
            answer, outcome = self._failed(session, running, error)
            session.send(answer[0])
        self._audit.command_finished(
            session,
            running.account,
            Outcome(
                outcome,
                error="" if outcome == "ok" else answer[-1].text,
                withdrawn=running.withdrawn if outcome == "cancelled" else None,
                seconds=asyncio.get_running_loop().time() - running.started,
                sent_bytes=session.sent_bytes - running.bytes_before,
                sent_lines=session.sent_lines - running.lines_before,
            ),
        )

    async def _announce(self, event: str, session: Session) -> None:
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await self._events.dispatch(event, SessionEvent(session))
        except Exception:  # noqa: BLE001 - as above
            self._audit.handler_failed(session, event, traceback.format_exc())


def event_name(stanza: Stanza) -> str:
    """Return the name of the event that `stanza` is dispatched as."""
    if stanza.namespace == ADMIN_NS:
        return f"admin/{stanza.name}"
    return f"admin/{stanza.namespace}:{stanza.name}"


def _has_line(stanza: Stanza) -> bool:
    return (stanza.namespace, stanza.name) == LINE or is_query(stanza)


def _refusal(session: Session, stanza: Stanza) -> Refusal | None:
    """Return why nothing is dispatched for this session now, whoever asks for whatever."""
    if session.refusal:
        return Refusal("limits", session.refusal)
    if session.ending is not None:
        return Refusal("ending", session.ending.reason)
    if _has_line(stanza) and stanza.elements:
        return Refusal("malformed", "a line is text, without elements")
    return None


def _denial(verdict: Verdict) -> Refusal | None:
    return None if verdict.allowed else _refused(verdict, "denied")


def _refused(verdict: Verdict, how: str) -> Refusal:
    text = f"permission {how} ({verdict.rule}): needs {verdict.needed}"
    return Refusal(verdict.rule, text)


def _absence(session: Session) -> Refusal | None:
    """Ask the kernel, which takes longer than all the rest, only about what would be allowed."""
    if session.has_its_peer():
        return None
    return Refusal("vanished-peer", "the process that connected is gone, or another account's")


def _streams(request: Request, catalogue: Catalogue) -> bool:
    """Return whether a command goes on until somebody has seen enough."""
    if not isinstance(request.line, Call):
        return False
    command = catalogue.get(request.line.section, request.line.command)
    return command is not None and command.command_class is CommandClass.STREAM


def _internal_error(session: Session) -> Stanza:
    """Return all that a client gets to know of an exception; the journal has the rest."""
    return repl_result(f"Error: internal error (session {session.id})", error=True)


def _answered(result: object, line: Line | None) -> tuple[list[Stanza], str]:
    """Return what the client gets and how it went, in a word."""
    answer = _stanzas(result, line)
    if answer is None:
        return [repl_result(UNHANDLED, error=True)], "error"
    failed = any(stanza.get("type") == "error" for stanza in answer)
    return answer, "error" if failed else "ok"


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
