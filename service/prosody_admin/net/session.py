"""A client's session: its stream, its identity, and its commands one after the other."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from prosody_admin.access.identity import Identity
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import StreamError
from prosody_admin.net.connection import Connection, Deadlines
from prosody_admin.net.kept import SessionState
from prosody_admin.net.peer import Peer
from prosody_admin.protocol.parser import Limits
from prosody_admin.protocol.stanza import ADMIN_NS, Stanza, repl_result
from prosody_admin.protocol.stream import Role

log = logging.getLogger(__name__)

ANSWER = (ADMIN_NS, "repl-requested-input")
"""Namespace and name of a client's answer to a question."""

Answered = Callable[[Stanza | None], None]
"""Takes the answer to a question, or None when there is none to come."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may take: its deadlines, a stanza's size, and commands that wait."""

    deadlines: Deadlines
    stanza: Limits
    pending_commands: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session is being ended from this side.

    `condition` is the stream error it ends with; `reason` is for the peer, as the result of each
    command that is not done, and for the record.
    """

    condition: str
    reason: str


class Attendant(Protocol):
    """Who serves a session: what a session calls, and what outranks every handler."""

    async def session_opened(self, session: "Session") -> None:
        """The stream is open."""

    def dispatch(self, session: "Session", stanza: Stanza) -> Coroutine[Any, Any, None] | None:
        """Answer one stanza, whatever happens: now, or by what is returned and has to be run.

        A cancelled one is answered with why.
        """

    async def session_closed(self, session: "Session", reason: str) -> None:
        """It is over; called exactly once, also for a stream that never opened."""


class Session:
    """One client from accept to close. It owns `file` and `peer`.

    Stanzas are worked off in the order they came, one at a time; when too many wait, the kernel
    holds the client back. A client that half-closes or closes its stream still gets its answers.

    `refusal`, if given, is why the session was not admitted: each command gets it as its result,
    and the first ends the session. A close without a word would make `prosodyctl` exit 0.

    With `resumes`, it goes on for a session of the process before, whose id `session_id` is.
    StreamError is raised if it cannot; `file` and `peer` stay the caller's then.
    """

    def __init__(
        self,
        session_id: str,
        file: File,
        peer: Peer,
        attendant: Attendant,
        *,
        closer: DeferredFdCloser,
        limits: SessionLimits,
        refusal: str = "",
        resumes: SessionState | None = None,
    ) -> None:
        self.id = session_id
        self.refusal = refusal
        self.commands = 0
        self.sent_bytes = self.sent_lines = 0
        """What all answers so far come to, as text in UTF-8."""
        self.started = asyncio.get_running_loop().time()
        self.ending: Ending | None = None
        self.stream_error: StreamError | None = None
        self._peer = peer
        self._attendant = attendant
        self._limit = limits.pending_commands
        self._pending: deque[Stanza] = deque()
        self._questions: dict[str, Answered] = {}
        self._changed = asyncio.Event()
        self.opened = self._input_ended = False
        self.resumed = self.released = False
        """Whether it began, and whether it goes on, in another process."""
        self._lost: str | None = None
        self._running: asyncio.Task[None] | None = None
        self.connection = Connection(
            file,
            Role.SERVER,
            self,
            closer=closer,
            deadlines=limits.deadlines,
            limits=limits.stanza,
            last_words=_cannot_be_taken,
            header=None if resumes is None else resumes.header,
        )
        if resumes is not None:
            self.opened = self.resumed = True
            self.commands, self.started = resumes.commands, resumes.started
            self.sent_bytes, self.sent_lines = resumes.sent_bytes, resumes.sent_lines

    @property
    def identity(self) -> Identity:
        """Who the peer was when it connected."""
        return self._peer.identity

    def has_its_peer(self) -> bool:
        """Return whether the process that connected is still what it was then."""
        return self._peer.is_what_it_was()

    def send(self, stanza: Stanza) -> None:
        """Send `stanza` to the client; dropped when it is gone."""
        text = stanza.text
        self.sent_bytes += len(text.encode())
        self.sent_lines += text.count("\n") + (stanza.get("eol") != "0")
        self.connection.send(stanza)

    def ask(self, question: Stanza, answered: Answered) -> None:
        """Send `question`; `answered` is called once, with the answer or at the command's end.

        The answer has the question's `id` and overtakes the commands that wait; an answer that
        nobody asked for is a stanza like any other. Called back later, never from in here.
        """
        self._questions[question.get("id", "")] = answered
        self.send(question)

    def end(self, ending: Ending) -> None:
        """Let the running command finish, answer those that wait with `ending`, then close.

        Idempotent: the first ending stays.
        """
        if self.ending is None:
            self.ending = ending
            self._changed.set()

    def cancel_command(self) -> None:
        """Stop waiting for the running command; it is answered with why."""
        if self._running is not None:
            # Not now: a task that has not begun would end without a word about its command.
            asyncio.get_running_loop().call_soon(self._running.cancel)

    @property
    def busy(self) -> bool:
        """Whether a command runs or waits."""
        return bool(self._pending) or self._running is not None

    @property
    def at_rest(self) -> bool:
        """Whether its state is all that there is: nothing is under way in either direction."""
        return (
            self.opened
            and not (self._over or self.refusal or self.busy or self._questions)
            and self.connection.at_rest
        )

    @property
    def state(self) -> SessionState:
        """What it takes, besides its socket, to go on with a session at rest."""
        with self.connection.transport.file.borrow() as fd:
            inode = os.fstat(fd).st_ino
        return SessionState(
            inode,
            self.id,
            self.identity,
            self._peer.pidfd is not None or self._peer.gone,
            self.connection.header_received,
            self.commands,
            self.started,
            self.sent_bytes,
            self.sent_lines,
        )

    def release(self) -> File:
        """End a session at rest here, without a word, and return its socket."""
        self.released = True
        self._changed.set()
        return self.connection.release()

    async def run(self) -> None:
        """Serve the client until it is over."""
        try:
            await self._serve()
        finally:
            if self._running is not None:
                self.cancel_command()
                await asyncio.wait({self._running})
            self.connection.abort("the session was cut off")  # nothing after an orderly close
            await self.connection.wait_closed()
            self._peer.close()
            reason = self._lost or (self.ending.reason if self.ending else "")
            await self._attendant.session_closed(self, reason)

    async def _serve(self) -> None:
        while not (self.opened or self._over):
            await self._change()
        if self.opened:
            await self._attendant.session_opened(self)
            while (stanza := await self._next()) is not None:
                await self._answer(stanza)
                await self.connection.wait_writable()  # who does not read answers gets no more
        if self.released:
            return
        if self.ending is None:
            self.connection.close()
        else:
            if not self.commands:
                # A one-shot client whose command is still on its way: it must not exit 0.
                self.send(repl_result(f"Error: {self.ending.reason}", error=True))
            self.connection.fail(self.ending.condition)
        await self.connection.wait_closed()

    @property
    def _over(self) -> bool:
        return (
            self._input_ended or self._lost is not None or self.ending is not None or self.released
        )

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _next(self) -> Stanza | None:
        """Wait for the next stanza; None when there is none to come."""
        while not self._pending:
            if self._over:
                return None
            await self._change()
        # One command a turn of the loop: others have theirs between, and a signal that is here
        # already, which may be a reload's, comes first.
        await asyncio.sleep(0)
        if not self._pending:  # the client is lost
            return None
        stanza = self._pending.popleft()
        if len(self._pending) < self._limit:
            self.connection.resume_reading()
        return stanza

    async def _answer(self, stanza: Stanza) -> None:
        self.commands += 1
        try:
            rest = self._attendant.dispatch(self, stanza)
            if rest is not None:
                await self._run_rest(asyncio.create_task(rest))
        except Exception:
            log.exception("session %s: dispatch failed", self.id)
            self.end(Ending("internal-server-error", f"internal error (session {self.id})"))
            self.send(repl_result(f"Error: internal error (session {self.id})", error=True))
        finally:
            self._give_up_questions()

    async def _run_rest(self, rest: asyncio.Task[None]) -> None:
        """Wait for what takes its time, or for its end; raises what it raised."""
        self._running = rest
        await asyncio.wait({rest})
        self._running = None
        if not rest.cancelled():
            rest.result()
        elif self.ending is not None:  # `dispatch` did not answer
            self.send(repl_result(f"Error: {self.ending.reason}", error=True))

    def _give_up_questions(self) -> None:
        while self._questions:
            _, answered = self._questions.popitem()
            answered(None)

    # What the connection calls.

    def stream_opened(self) -> None:
        """Begin: the client's header is here."""
        self.opened = True
        self._changed.set()

    def stanza_received(self, stanza: Stanza) -> None:
        """Take an answer that is waited for; have anything else wait its turn."""
        if (stanza.namespace, stanza.name) == ANSWER:
            answered = self._questions.pop(stanza.get("id", ""), None)
            if answered is not None:
                answered(stanza if self.has_its_peer() else None)
                return
        self._pending.append(stanza)
        if len(self._pending) >= self._limit:
            self.connection.pause_reading()
            self._give_up_questions()  # an answer could not come through any more
        self._changed.set()

    def stream_ended(self) -> None:
        """Note that nothing more comes; what waits is still answered."""
        self._input_ended = True
        self._changed.set()

    def connection_lost(self, reason: str, error: StreamError | None) -> None:
        """Give up what waits and what runs: nobody is there to read it."""
        self._lost = reason
        self.stream_error = error
        self._pending.clear()
        self.cancel_command()
        self._changed.set()


def _cannot_be_taken(error: StreamError) -> Stanza:
    """Return what a client is told before a stream error, on which `prosodyctl` exits with 0."""
    return repl_result(f"Error: not taken, the stream ends: {error.condition}", error=True)
