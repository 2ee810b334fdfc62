"""What is recorded of sessions and commands: the one place that turns them into fields."""

import functools
from collections.abc import Sequence
from syslog import LOG_ERR, LOG_INFO, LOG_NOTICE, LOG_WARNING
from typing import NamedTuple

from prosody_admin.access.policy import Verdict
from prosody_admin.errors import JournalUnavailableError
from prosody_admin.net.meaning import Meaning
from prosody_admin.net.session import Session
from prosody_admin.sd.journal import Journal, MessageId, encode, encode_numbers, entry

UNRECORDED = "refused, it cannot be recorded now"
"""What is said of a command whose start cannot be handed to the journal."""

ERROR_CHARACTERS = 1000
"""The longest text of an error in the record."""


REMEMBERED = 768
"""Records of commands of which the part that does not change from run to run is kept."""


class Refusal(NamedTuple):
    """Why a command does not run: the rule, and what the peer is told."""

    rule: str
    text: str


class Outcome(NamedTuple):
    """How a command ended.

    `result` is `ok`, `error`, `cancelled` or `failed`; `error` is the text of a result that is not
    ok; `withdrawn` is why it was cancelled for want of permission. What was sent counts output and
    result, as text in UTF-8.
    """

    result: str
    error: str
    seconds: float
    sent_bytes: int
    sent_lines: int
    withdrawn: Refusal | None = None


class Audit:
    """Writes the record of sessions and commands to `journal`.

    While it is `required`, a command whose start cannot be recorded must not run.
    """

    def __init__(self, journal: Journal, *, required: bool) -> None:
        self._journal = journal
        self._required = required
        self.require(required)

    def require(self, required: bool) -> None:
        """Say whether the record is required from now on; that it is not is itself recorded."""
        self._required = required
        if not required:
            self._journal.log(
                "Commands run even if they cannot be recorded: [audit] required = false",
                LOG_WARNING,
                MessageId.AUDIT_NOT_REQUIRED,
            )

    def hold(self) -> None:
        """See Journal."""
        self._journal.hold()

    def flush(self) -> bool:
        """See Journal."""
        return self._journal.flush()

    def session_opened(self, session: Session) -> None:
        """Record that a client opened its stream."""
        self._journal.log(
            f"Session {session.id} opened by {session.identity}",
            LOG_INFO,
            MessageId.SESSION_OPENED,
            _session_fields(session),
        )

    def session_refused(self, session: Session) -> None:
        """Record that a client was not admitted."""
        self._journal.log(
            f"Session {session.id} of {session.identity} refused: {session.refusal}",
            LOG_WARNING,
            MessageId.SESSION_REFUSED,
            _session_fields(session),
            ERROR=session.refusal,
        )

    def session_closed(self, session: Session, reason: str, seconds: float) -> None:
        """Record what its stream was failed for, if it was, and the end of what was opened."""
        if (error := session.stream_error) is not None:
            self._journal.log(
                f"Session {session.id} of {session.identity}: stream error {error}",
                LOG_WARNING,
                MessageId.STREAM_ERROR,
                _session_fields(session),
                CONDITION=error.condition,
                ERROR=error.reason,
            )
        if not session.opened:
            return
        self._journal.log(
            f"Session {session.id} of {session.identity} closed"
            + (f": {reason}" if reason else ""),
            LOG_INFO,
            MessageId.SESSION_CLOSED,
            _session_fields(session),
            COMMANDS=session.commands,
            DURATION_USEC=round(seconds * 1_000_000),
        )

    def session_kept(self, session: Session) -> None:
        """Record that a session is over here and goes on in the next process."""
        self._journal.log(
            f"Session {session.id} of {session.identity} is kept for the next process",
            LOG_INFO,
            MessageId.SESSION_KEPT,
            _session_fields(session),
            COMMANDS=session.commands,
        )

    def session_resumed(self, session: Session) -> None:
        """Record that a session of the process before goes on."""
        self._journal.log(
            f"Session {session.id} of {session.identity} goes on",
            LOG_INFO,
            MessageId.SESSION_RESUMED,
            _session_fields(session),
            COMMANDS=session.commands,
        )

    def resume_failed(self, session_id: str | None, reason: str) -> None:
        """Record that a session of the process before does not go on; None: nobody knows which."""
        self._journal.log(
            f"Session {session_id or '(unknown)'} cannot go on: {reason}",
            LOG_ERR,
            MessageId.RESUME_FAILED,
            SESSION=session_id,
            ERROR=reason,
        )

    def commands_started(
        self, started: Sequence[tuple[Session, Meaning, Verdict]]
    ) -> tuple[int, Refusal]:
        """Record that commands are about to run; return how many of them may, the first ones.

        The others cannot be written down, and must not run: that is the refusal.
        """
        entries = [
            _remembered(
                f"{session.identity} runs {meaning.spoken}",
                LOG_NOTICE,
                MessageId.COMMAND_STARTED,
                _session_fields(session),
                meaning.record,
                VERDICT="allowed",
                RULE=verdict.rule,
            )
            + encode_numbers(SEQUENCE=session.commands)
            for session, meaning, verdict in started
        ]
        try:
            self._journal.record(entries)
        except JournalUnavailableError as error:
            if self._required:
                return error.recorded, Refusal("unrecorded", f"{UNRECORDED}{error.hint}")
            for payload in entries[error.recorded :]:
                self._journal.keep(payload)
        return len(entries), Refusal("unrecorded", UNRECORDED)

    def command_refused(self, session: Session, meaning: Meaning, refusal: Refusal) -> None:
        """Record that a command does not run, and the rule that says so."""
        self._journal.keep(
            _remembered(
                f"{session.identity} may not run {meaning.spoken}: {refusal.text}",
                LOG_WARNING,
                MessageId.COMMAND_REFUSED,
                _session_fields(session),
                meaning.record,
                VERDICT="refused",
                RULE=refusal.rule,
            )
            + encode_numbers(SEQUENCE=session.commands)
        )

    def command_finished(self, session: Session, meaning: Meaning, outcome: Outcome) -> None:
        """Record how a command ended; not the error's text where a secret could be in it."""
        account, withdrawn = meaning.account, outcome.withdrawn
        self._journal.keep(
            _remembered(
                f"{account.command} of {session.identity} ended: {outcome.result}"
                + (f", {withdrawn.text}" if withdrawn else ""),
                LOG_INFO,
                MessageId.COMMAND_FINISHED,
                _session_fields(session),
                meaning.record,
                RESULT=outcome.result,
                RULE=withdrawn.rule if withdrawn else None,
                ERROR=None if account.discreet else outcome.error[:ERROR_CHARACTERS] or None,
            )
            + encode_numbers(
                SEQUENCE=session.commands,
                DURATION_USEC=round(outcome.seconds * 1_000_000),
                OUTPUT_BYTES=outcome.sent_bytes,
                OUTPUT_LINES=outcome.sent_lines,
            )
        )

    def handler_failed(self, session: Session, event: str, trace: str) -> None:
        """Record what a module's handler raised; the peer is told nothing of it."""
        self._journal.log(
            f"A handler of {event} failed in session {session.id}\n{trace}",
            LOG_ERR,
            MessageId.MODULE_FAILED,
            _session_fields(session),
            EVENT=event,
        )


_remembered = functools.lru_cache(REMEMBERED)(entry)
"""`entry`, for a command's record but for its numbers: a command is often said again, and to look
all that up is quicker."""


def _session_fields(session: Session) -> bytes:
    if not session.record:
        identity = session.identity
        session.record = encode(
            {
                "SESSION": session.id,
                "PEER_PID": identity.pid,
                "PEER_UID": identity.uid,
                "PEER_GID": identity.gid,
                "PEER_USER": identity.user,
                "PEER_LOGIN_UID": identity.login_uid,
                "PEER_LOGIN_USER": identity.login_user,
                "PEER_UNIT": identity.unit,
            }
        )
    return session.record
