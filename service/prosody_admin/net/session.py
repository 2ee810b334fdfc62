"""A client's session: its stream, its identity, and its commands one after the other."""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Verdict
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import StreamError
from prosody_admin.net.attendant import Attendant, Ending
from prosody_admin.net.connection import Connection, Deadlines
from prosody_admin.net.peer import Peer
from prosody_admin.net.questions import Answered, Questions
from prosody_admin.protocol.limits import Limits
from prosody_admin.protocol.stanza import Stanza, repl_result
from prosody_admin.protocol.stream import Role

if TYPE_CHECKING:
    from prosody_admin.net.kept import SessionState

log = logging.getLogger(__name__)


class SessionLimits(NamedTuple):
    """What one session may take: its deadlines, a stanza's size, and commands that wait."""

    deadlines: Deadlines
    stanza: Limits
    pending_commands: int


class Session:
    """One client from accept to close. It owns `file` and `peer`.

    Stanzas are worked off in the order they came, one at a time; when too many wait, the kernel
    holds the client back. A client that half-closes or closes its stream still gets its answers.

    `refusal`, if given, is why the session was not admitted: each command gets it as its result,
    and the first ends the session. A close without a word would make `prosodyctl` exit 0.

    With `resumes`, it goes on for a session of the process before, whose id `session_id` is, from
    `stream_opened` on. StreamError is raised if it cannot; `file` and `peer` stay the caller's.

    `ended` is called once, when nothing of the session is left. There is no task that waits for a
    client: an idle session is no more than this object.
    """

    __slots__ = (
        "__weakref__",
        "_after_command",
        "_attendant",
        "_busy",
        "_closed",
        "_ended",
        "_greeted",
        "_input_ended",
        "_limit",
        "_lost",
        "_peer",
        "_pending",
        "_questions",
        "_running",
        "commands",
        "connection",
        "ending",
        "id",
        "judged",
        "opened",
        "record",
        "refusal",
        "released",
        "resumed",
        "sent_bytes",
        "sent_lines",
        "started",
        "stream_error",
    )

    def __init__(
        self,
        session_id: str,
        file: File,
        peer: Peer,
        attendant: Attendant,
        ended: Callable[["Session"], None],
        *,
        closer: DeferredFdCloser,
        limits: SessionLimits,
        refusal: str = "",
        resumes: "SessionState | None" = None,
    ) -> None:
        self.id = session_id
        self.refusal = refusal
        self.commands = 0
        self.sent_bytes = self.sent_lines = 0
        """What all answers so far come to, as text in UTF-8."""
        self.started = asyncio.get_running_loop().time()
        self.ending: Ending | None = None
        self.stream_error: StreamError | None = None
        self.record = b""
        """What all its records say of it, once the first of them was made."""
        self.judged: tuple[object, Verdict] | None = None
        """The last meaning that was judged, and how: the next is often the same."""
        self._peer = peer
        self._attendant = attendant
        self._ended = ended
        self._limit = limits.pending_commands
        self._pending: list[Stanza] = []
        self._questions: Questions | None = None
        self.opened = self._greeted = self._input_ended = self._closed = False
        self.resumed = self.released = False
        """Whether it began, and whether it goes on, in another process."""
        self._lost: str | None = None
        self._busy = False  # a command is announced, or taken and not done
        self._running: asyncio.Future[Any] | None = None  # what takes its time
        self._after_command: Callable[[], None] | None = None
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
            self.resumed = True
            self.commands, self.started = resumes.commands, resumes.started
            self.sent_bytes, self.sent_lines = resumes.sent_bytes, resumes.sent_lines

    @property
    def identity(self) -> Identity:
        """Who the peer was when it connected."""
        return self._peer.identity

    @property
    def is_lost(self) -> bool:
        """Whether the client is gone, or its stream failed: nothing can be sent to it any more."""
        return self._lost is not None or self.connection.failed

    def has_its_peer(self) -> bool:
        """Return whether the process that connected is still what it was then."""
        return self._peer.is_what_it_was()

    def send(self, stanza: Stanza) -> None:
        """Send `stanza` to the client; dropped when it is gone.

        Raises StanzaError if it cannot be written as XML.
        """
        text = stanza.text
        self.sent_bytes += len(text) if text.isascii() else len(text.encode())
        self.sent_lines += text.count("\n") + (stanza.get("eol") != "0")
        self.connection.send(stanza)

    def ask(self, question: Stanza, answered: Answered) -> None:
        """Send `question`; `answered` is called once, with the answer or at the command's end.

        The answer has the question's `id` and overtakes the commands that wait; an answer that
        nobody asked for is a stanza like any other. Called back later, never from in here.
        """
        if self._questions is None:  # few sessions ever ask
            self._questions = Questions()
        self._questions.expect(question, answered)
        if len(self._pending) < self._limit and not self._input_ended:
            self.send(question)
        else:  # an answer could not come through, see `stanza_received` and `stream_ended`
            asyncio.get_running_loop().call_soon(self._give_up_questions)

    def end(self, ending: Ending) -> None:
        """Let the running command finish, answer those that wait with `ending`, then close.

        Idempotent: the first ending stays.
        """
        if self.ending is None:
            self.ending = ending
            self._go_on()

    def cancel_command(self) -> None:
        """Stop waiting for the running command; it is answered with why."""
        if self._running is not None:
            # Not now: a task that has not begun would end without a word.
            asyncio.get_running_loop().call_soon(self._running.cancel)

    @property
    def busy(self) -> bool:
        """Whether a command runs or waits."""
        return self._busy or self._running is not None or bool(self._pending)

    @property
    def at_rest(self) -> bool:
        """Whether its state is all that there is: nothing is under way in either direction."""
        over = self._input_ended or self._closed or self.is_lost or self.ending is not None
        return (
            self._greeted
            and not (over or self.refusal or self.busy or self._questions)
            and self.connection.at_rest
        )

    @property
    def state(self) -> "SessionState":
        """What it takes, besides its socket, to go on with a session at rest."""
        from prosody_admin.net.kept import SessionState  # here: for a restart only

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
        file = self.connection.release()
        self._close()
        return file

    def abort(self) -> None:
        """End now, without a word to the client."""
        self.connection.abort("the session was cut off")
        self.cancel_command()

    # What the attendant calls.

    def take(self) -> Stanza | None:
        """Take the command that waits; None if the client is gone, or has enough to read."""
        self.connection.flush_much()
        if self.connection.failed:  # its client was told that nothing more is taken
            self._pending.clear()
        if not self._pending or self.connection.transport.writing_paused:
            self._busy = False
            self._go_on()
            return None
        stanza = self._pending.pop(0)
        if len(self._pending) == self._limit - 1:
            self.connection.resume_reading()
        self.commands += 1
        return stanza

    def runs(self, running: asyncio.Future[Any]) -> None:
        """Let the command that was taken be cancelled by `cancel_command`, until it is done."""
        self._running = running

    def after_command(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once the running command has its answer."""
        self._after_command = callback

    def done(self) -> None:
        """Go on after the command that was taken, whose answer was given to `send`."""
        self._running = None
        self._give_up_questions()
        self._busy = False
        if self._after_command is not None:
            callback, self._after_command = self._after_command, None
            callback()
        self._go_on()

    def fail(self, error: BaseException) -> None:
        """End with an internal error: whoever serves this session failed, not the client."""
        log.error("session %s failed", self.id, exc_info=error)
        text = f"internal error (session {self.id})"
        self.end(Ending("internal-server-error", text))
        self.send(repl_result(f"Error: {text}", error=True))

    def _go_on(self) -> None:
        """Do what comes next, unless something runs: it does that when it is done."""
        if self._busy or self._running is not None or self._closed:
            return
        if self._lost is not None:
            self._close()
        elif self.opened and not self._greeted:
            self._greet()
        elif self._pending and self.opened:
            # Who does not read answers gets no more of them, see `take` as well.
            if not self.connection.transport.writing_paused:
                self._busy = True
                self._attendant.command_waits(self)
        elif self._input_ended or self.ending is not None:
            self._part()

    def _greet(self) -> None:
        self._greeted = True
        try:
            greeting = self._attendant.session_opened(self)
        except Exception as error:  # noqa: BLE001 - it ends here, and is logged
            self.fail(error)
            return
        if greeting is None:
            self._go_on()
        else:
            self._running = asyncio.ensure_future(greeting)
            self._running.add_done_callback(self._was_greeted)

    def _was_greeted(self, greeting: asyncio.Future[None]) -> None:
        self._running = None
        if not greeting.cancelled() and (error := greeting.exception()) is not None:
            self.fail(error)
        self._go_on()

    def _part(self) -> None:
        """Close the stream; `connection_lost` is the answer. Idempotent."""
        if self.ending is None:
            self.connection.close()
            return
        if not self.commands:
            # A one-shot client whose command is still on its way: it must not exit 0.
            self.send(repl_result(f"Error: {self.ending.reason}", error=True))
        self.connection.fail(self.ending.condition)

    def _close(self) -> None:
        self._closed = True
        self._peer.close()
        reason = self._lost or (self.ending.reason if self.ending else "")
        closing = self._attendant.session_closed(self, reason)
        if closing is None:
            self._ended(self)
            return
        self._running = asyncio.ensure_future(closing)
        self._running.add_done_callback(self._told_of_the_end)

    def _told_of_the_end(self, told: asyncio.Future[None]) -> None:
        self._running = None
        if not told.cancelled() and (error := told.exception()) is not None:
            log.error("the end of session %s failed", self.id, exc_info=error)
        self._ended(self)

    def _give_up_questions(self) -> None:
        if self._questions is not None:
            self._questions.give_up()

    # What the connection calls.

    def stream_opened(self) -> None:
        """Begin: the client's header is here."""
        self.opened = True
        self._go_on()

    def stanza_received(self, stanza: Stanza) -> None:
        """Take an answer that is waited for; have anything else wait its turn."""
        if self._questions and (answered := self._questions.take(stanza)) is not None:
            answered(stanza if self.has_its_peer() else None)
            return
        self._pending.append(stanza)
        if len(self._pending) >= self._limit:
            self.connection.pause_reading()
            self._give_up_questions()  # an answer could not come through any more
        self._go_on()

    def stream_ended(self) -> None:
        """Note that nothing more comes; what waits is still answered."""
        self._input_ended = True
        self._give_up_questions()
        self._go_on()

    def writing_resumed(self) -> None:
        """Answer again: the client has read enough of what waited for it."""
        self._go_on()

    def connection_lost(self, reason: str, error: StreamError | None) -> None:
        """Give up what waits and what runs: nobody is there to read it."""
        self._lost = reason
        self.stream_error = error
        self._pending.clear()
        self.cancel_command()
        self._go_on()


def _cannot_be_taken(error: StreamError) -> Stanza:
    """Return what a client is told before a stream error, on which `prosodyctl` exits with 0."""
    return repl_result(f"Error: not taken, the stream ends: {error.condition}", error=True)
