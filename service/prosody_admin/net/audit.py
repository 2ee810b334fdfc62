"""What is recorded of sessions and commands: the one place that turns them into fields."""

from syslog import LOG_INFO, LOG_NOTICE, LOG_WARNING

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Verdict
from prosody_admin.net.session import Session
from prosody_admin.sd.journal import FieldValue, Journal, MessageId


class Audit:
    """Writes the record of sessions and commands to `journal`.

    Arguments of commands are not recorded: until the catalogue says which of them are secrets,
    any of them may be one.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def session_opened(self, session: Session) -> None:
        """Record that a client opened its stream."""
        self._journal.log(
            f"Session {session.id} opened by {session.identity}",
            LOG_INFO,
            MessageId.SESSION_OPENED,
            **_session_fields(session),
        )

    def session_refused(self, session: Session) -> None:
        """Record that a client was not admitted."""
        self._journal.log(
            f"Session {session.id} of {session.identity} refused: {session.refusal}",
            LOG_WARNING,
            MessageId.SESSION_REFUSED,
            **_session_fields(session),
            ERROR=session.refusal,
        )

    def session_closed(self, session: Session, reason: str, seconds: float) -> None:
        """Record what its stream was failed for, if it was, and the end of what was opened."""
        if (error := session.stream_error) is not None:
            self._journal.log(
                f"Session {session.id} of {session.identity}: stream error {error}",
                LOG_WARNING,
                MessageId.STREAM_ERROR,
                **_session_fields(session),
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
            **_session_fields(session),
            COMMANDS=session.commands,
            DURATION_USEC=round(seconds * 1_000_000),
        )

    def command_started(self, session: Session, command: str, verdict: Verdict) -> None:
        """Record that a command is about to run.

        Raises JournalUnavailableError if that cannot be written down: it must not run then.
        """
        self._journal.record(
            MessageId.COMMAND_STARTED,
            f"{session.identity} runs {command}",
            LOG_NOTICE,
            **_command_fields(session, command),
            VERDICT="allowed",
            RULE=verdict.rule,
        )

    def command_refused(self, session: Session, command: str, rule: str) -> None:
        """Record that a command does not run, and the rule that says so."""
        self._journal.log(
            f"{session.identity} may not run {command} ({rule})",
            LOG_WARNING,
            MessageId.COMMAND_REFUSED,
            **_command_fields(session, command),
            VERDICT="refused",
            RULE=rule,
        )

    def command_finished(self, session: Session, command: str, result: str, seconds: float) -> None:
        """Record how a command ended: `ok`, `error`, `cancelled` or `failed`."""
        self._journal.log(
            f"{command} of {session.identity} ended: {result}",
            LOG_INFO,
            MessageId.COMMAND_FINISHED,
            **_command_fields(session, command),
            RESULT=result,
            DURATION_USEC=round(seconds * 1_000_000),
        )


def _session_fields(session: Session) -> dict[str, FieldValue]:
    identity: Identity = session.identity
    return {
        "SESSION": session.id,
        "PEER_PID": identity.pid,
        "PEER_UID": identity.uid,
        "PEER_GID": identity.gid,
        "PEER_USER": identity.user,
        "PEER_LOGIN_UID": identity.login_uid,
        "PEER_LOGIN_USER": identity.login_user,
        "PEER_UNIT": identity.unit,
    }


def _command_fields(session: Session, command: str) -> dict[str, FieldValue]:
    return _session_fields(session) | {"COMMAND": command, "SEQUENCE": session.commands}
