"""From a stanza to its answer: authorised and recorded around every dispatch.

This wrapper is not a handler, so that no handler can outrank it.
"""

import asyncio
import functools
import inspect
import traceback
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prosody_admin.access.policy import Policy, Verdict
from prosody_admin.errors import CommandError
from prosody_admin.events import Events
from prosody_admin.net.announcing import Announcer
from prosody_admin.net.answers import answered, internal_error
from prosody_admin.net.attendant import Ending
from prosody_admin.net.audit import Audit, Outcome, Refusal
from prosody_admin.net.judgement import Judge
from prosody_admin.net.meaning import Meaning
from prosody_admin.net.session import Session
from prosody_admin.protocol.stanza import Stanza, repl_result
from prosody_admin.protocol.structured import REFUSED, failed_result
from prosody_admin.shell.lines import Line

TURN_COMMANDS = 16
"""Commands that are begun before the loop comes round: one of each session that a user may have."""

TURN_SECONDS = 0.002
"""After which no other round of commands begins before the loop comes round, as where each has to
be refused because there is no journald."""

RECORD_SECONDS = 0.1
"""How long a command waits for a journald that has too much to read, before it is refused."""

RECORD_RETRY_SECONDS = 0.002
"""How long it is until another attempt: a few dozen records for journald."""

_GONE = Refusal("ending", "the client is gone")


class AdminEvent(NamedTuple):
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


@dataclass(slots=True)
class _Command:
    """A command that is allowed: since when it runs, and what its session was sent before.

    `tried_until` is when it is refused if its start is not recorded by then; `withdrawn` is why
    its caller may not have it any more.
    """

    session: Session
    stanza: Stanza
    meaning: Meaning
    verdict: Verdict
    text: str
    tried_until: float
    started: float = 0.0
    bytes_before: int = 0
    lines_before: int = 0
    withdrawn: Refusal | None = None


class Dispatcher:
    """The attendant of every session: authorise, record, dispatch, answer, record.

    Whenever the loop comes round, commands are judged, in rounds of one of each session that has
    any. The starts of those of a round that are allowed are recorded together, then they run: the
    record costs little when there are many, and each is handed over before its command runs.
    """

    def __init__(self, events: Events, policy: Policy, audit: Audit) -> None:
        self._events = events
        self._announcer = Announcer(events, audit)
        self._judge = Judge(policy)
        self._audit = audit
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Session] = []
        self._turn_due = False
        self._unrecorded: list[_Command] = []  # that are tried again
        self._handing_over = False
        self._journal_answers = True
        self._records_wait = False
        self._running: dict[Session, _Command] = {}

    def enforce(self, policy: Policy) -> None:
        """Let `policy` decide from the next command on, and about what streams already."""
        self._judge = Judge(policy)
        for session, command in self._running.items():
            withdrawal = self._judge.withdrawal(session, command.meaning)
            if withdrawal is not None:
                command.withdrawn = withdrawal
                session.cancel_command()

    def session_opened(self, session: Session) -> Awaitable[None] | None:
        """See Announcer."""
        return self._announcer.session_opened(session)

    def session_closed(self, session: Session, reason: str) -> Awaitable[None] | None:
        """See Announcer."""
        return self._announcer.session_closed(session, reason)

    def command_waits(self, session: Session) -> None:
        """Have it done with those of the other sessions, when the loop comes round."""
        self._waiting.append(session)
        if not self._turn_due:
            self._turn_due = True
            self._turn_soon()

    def _turn(self) -> None:
        """Do one command of each session, then the next of each that has more, for a while.

        Nothing is waited for in here, so that neither a reload nor an end can come between the
        verdict and the command.
        """
        self._audit.hold()
        corked: list[Session] = []
        left, until = TURN_COMMANDS, self._loop.time() + TURN_SECONDS
        while self._waiting and left > 0 and self._loop.time() < until:
            sessions = self._waiting[:left]
            del self._waiting[:left]
            left -= len(sessions)
            for session in sessions:
                session.connection.cork()
            corked += sessions
            self._do_one_of_each(sessions)
        for session in corked:
            session.connection.uncork()
        self._hand_over()  # after the answers, which somebody waits for
        self._turn_due = bool(self._waiting)
        if self._turn_due:
            self._turn_soon()

    def _turn_soon(self) -> None:
        """Have a turn next, or in a moment while records wait: refusals must not drown them."""
        if self._records_wait:
            self._loop.call_later(RECORD_RETRY_SECONDS, self._turn)
        else:
            self._loop.call_soon(self._turn)

    def _do_one_of_each(self, sessions: Sequence[Session]) -> None:
        tried_until = self._loop.time() + RECORD_SECONDS
        commands = []
        for session in sessions:
            stanza = session.take()
            if stanza is not None and (command := self._judged(session, stanza, tried_until)):
                commands.append(command)
        self._begin(commands)

    def _try_again(self) -> None:
        """Judge anew the commands whose start was not recorded, and go on with them."""
        unrecorded, self._unrecorded = self._unrecorded, []
        commands = []
        for command in unrecorded:
            session = command.session
            if session.is_lost:
                self._refuse(session, command.meaning, _GONE)
                session.done()
            elif again := self._judged(session, command.stanza, command.tried_until):
                commands.append(again)
        self._begin(commands)

    def _hand_over_soon(self) -> None:
        """Hand over what was held together with what is held until the loop comes round.

        Many records at once take the fewest changes from one process to another.
        """
        if not self._handing_over:
            self._handing_over = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._handing_over = False
        self._records_wait = not self._audit.flush()

    def _judged(self, session: Session, stanza: Stanza, tried_until: float) -> _Command | None:
        """Return the command if it may run, else answer it."""
        try:
            judgement = self._judge.judge(session, stanza)
            if judgement.refusal is None:
                meaning, verdict, text = judgement.meaning, judgement.verdict, judgement.text
                return _Command(session, stanza, meaning, verdict, text, tried_until)
            self._refuse(session, judgement.meaning, judgement.refusal)
            if session.refusal:
                session.end(Ending("resource-constraint", session.refusal))
        except Exception as error:  # noqa: BLE001 - whatever fails is this session's alone
            session.fail(error)
        session.done()
        return None

    def _begin(self, commands: Sequence[_Command]) -> None:
        """Record that they start, and run what could be recorded.

        The others are tried again in a moment, and then refused: that record waits for the
        journal, and says then what did not run meanwhile.
        """
        if not commands:
            return
        try:
            recorded, unrecorded = self._audit.commands_started(
                [(command.session, command.meaning, command.verdict) for command in commands]
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is left waiting
            for command in commands:
                _fail(command, error)
            return
        for command in commands[:recorded]:
            try:
                self._run(command)
            except Exception as error:  # noqa: BLE001 - as above
                _fail(command, error)
        if recorded:
            self._journal_answers = True
        now = self._loop.time()
        for command in commands[recorded:]:
            if self._journal_answers and now < command.tried_until:
                if not self._unrecorded:
                    self._loop.call_later(RECORD_RETRY_SECONDS, self._try_again)
                self._unrecorded.append(command)
            else:  # and no other is waited with, until one is recorded again
                self._journal_answers = False
                self._refuse(command.session, command.meaning, unrecorded)
                command.session.done()

    def _refuse(self, session: Session, meaning: Meaning, refusal: Refusal) -> None:
        self._audit.command_refused(session, meaning, refusal)
        session.send(failed_result(f"Error: {refusal.text}", REFUSED))

    def _run(self, command: _Command) -> None:
        session, meaning = command.session, command.meaning
        command.started = self._loop.time()
        command.bytes_before, command.lines_before = session.sent_bytes, session.sent_lines
        if session.ending is not None:  # by a command before it in this round
            text = f"Error: {session.ending.reason}"
            self._finish(command, [failed_result(text, REFUSED)], "cancelled")
            session.done()
            return
        event = AdminEvent(session, command.stanza, meaning.request.line, command.text)
        try:
            result = self._events.begin(meaning.request.event, event)
            if inspect.isawaitable(result):
                running = asyncio.ensure_future(result)
                running.add_done_callback(functools.partial(self._ran, command))
                self._running[session] = command
                session.runs(running)
                return
            answer, outcome = answered(result, meaning.request.line)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - of a module, as below
            answer, outcome = self._failed(command, error)
        self._finish(command, answer, outcome)
        session.done()

    def _ran(self, command: _Command, running: asyncio.Future[object]) -> None:
        """Answer a command that took its time."""
        del self._running[command.session]
        self._audit.hold()
        command.session.connection.cork()
        try:
            self._finish(command, *self._outcome(command, running))
        except Exception as error:  # noqa: BLE001 - as above
            command.session.fail(error)
        command.session.done()
        command.session.connection.uncork()
        self._hand_over_soon()

    def _outcome(
        self, command: _Command, running: asyncio.Future[object]
    ) -> tuple[list[Stanza], str]:
        try:
            return answered(running.result(), command.meaning.request.line)
        except asyncio.CancelledError as error:
            reason = _why_cancelled(command)
            if reason is None:  # what the module waited for was cancelled, not by us
                return self._failed(command, error)
            text = f"Error: {reason}; the outcome is unknown"
            return [repl_result(text, error=True)], "cancelled"
        except Exception as error:  # noqa: BLE001 - a module may raise anything; it ends here
            return self._failed(command, error)

    def _failed(self, command: _Command, error: BaseException) -> tuple[list[Stanza], str]:
        """Return what the client gets for what a handler raised; the journal gets the rest."""
        if isinstance(error, CommandError):
            return [failed_result(f"Error: {error}", error.failure)], "error"
        trace = "".join(traceback.format_exception(error))
        self._audit.handler_failed(command.session, command.meaning.request.event, trace)
        return [internal_error(command.session)], "failed"

    def _finish(self, command: _Command, answer: list[Stanza], outcome: str) -> None:
        session = command.session
        try:
            for stanza in answer:
                session.send(stanza)
        except Exception as error:  # noqa: BLE001 - of a module: XML cannot carry what it says
            answer, outcome = self._failed(command, error)
            session.send(answer[0])
        self._audit.command_finished(
            session,
            command.meaning,
            Outcome(
                outcome,
                error="" if outcome == "ok" else answer[-1].text,
                withdrawn=command.withdrawn if outcome == "cancelled" else None,
                seconds=self._loop.time() - command.started,
                sent_bytes=session.sent_bytes - command.bytes_before,
                sent_lines=session.sent_lines - command.lines_before,
            ),
        )


def _fail(command: _Command, error: Exception) -> None:
    command.session.fail(error)
    command.session.done()


def _why_cancelled(command: _Command) -> str | None:
    """Return why a command was cancelled from here; None if it was not."""
    if command.withdrawn is not None:
        return command.withdrawn.text
    if (ending := command.session.ending) is not None:
        return ending.reason
    return _GONE.text if command.session.is_lost else None
