"""What a record in the journal is made of, whatever it is written to.

A record is a message, a priority of syslog(3), an id for its kind (systemd.journal-fields(7),
`MESSAGE_ID`) and fields. Fields of ours are prefixed; of the well-known ones only those are
taken that a logging record has.
"""

import re
import threading
from abc import ABC, abstractmethod
from enum import Enum
from syslog import LOG_INFO

from prosody_admin.errors import JournalUnavailableError

IDENTIFIER = "prosody-admin"
"""SYSLOG_IDENTIFIER of all our records, for `journalctl -t`."""

PREFIX = "PROSODY_ADMIN_"
"""What the names of our own fields begin with."""

FIELD_NAME_CHARACTERS = 64
"""The longest name of a field; journald drops longer ones without a word."""

FieldValue = str | int | None
"""None leaves the field out."""

_WELL_KNOWN = frozenset({"CODE_FILE", "CODE_FUNC", "CODE_LINE"})
_FIELD_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


class MessageId(Enum):
    """The kinds of our records, for `journalctl MESSAGE_ID=...`; an id never changes or returns."""

    SERVICE_STARTED = "c4d6c9eba2d446d58893d816a9ba530c"
    """The service listens and has its settings."""
    SERVICE_STOPPING = "cf9bc7f0cc394bc3b4583a7b2d91c90a"
    """The service takes no new session and ends those it has."""
    SESSION_OPENED = "75401407882b4735bcfdcb73d3b528a0"
    """A peer was accepted and identified."""
    SESSION_CLOSED = "6710a17e98ad48d38ef67e2337957c8d"
    """A session ended, for whatever reason."""
    SESSION_REFUSED = "c4db4bf4d0b149beb67b7ea124538491"
    """A peer was turned away at accept: a limit is reached, or nobody knows who it is."""
    COMMAND_STARTED = "d2bd5c2893f54810a8dee175ca7ebd7f"
    """A command was allowed and is about to run."""
    COMMAND_FINISHED = "d209403e3f2a43bca0c888709bc28931"
    """A command that was started has its result."""
    COMMAND_REFUSED = "3692dc31b7eb42ee9737e7ca3e8f2ef3"
    """A command was not allowed and did not run."""
    STREAM_ERROR = "1aba71eedfa64f83a2a464bd66bbf385"
    """A peer broke the rules of the stream, or a deadline of it."""
    SETTINGS_LOADED = "8608a49402b64e6085fcf4b49c65eed7"
    """Settings were read and hold from now on."""
    SETTINGS_REJECTED = "16745fc53e1c4af69b7c070aab794246"
    """Settings cannot be used; the ones from before go on to hold."""
    MODULE_FAILED = "870a841def124f80b664b8ecaf3cf7e1"
    """A module could not be loaded, or one of its handlers raised."""
    AUDIT_NOT_REQUIRED = "8dd880050e9f413d8c0a82bfbdf02323"
    """The settings let commands run even if they cannot be recorded."""
    AUDIT_GAP = "f318fb2a851f4d6ea20de84fbe9eb7d5"
    """Records were lost here, because the journal could not be reached; says how many."""


class Journal(ABC):
    """Where records go. Usable from any thread.

    `record` and `log` take fields of our own by name, in upper case and without PREFIX. Both raise
    ValueError for a name that journald would drop, which is a mistake in the calling code.
    """

    def __init__(self) -> None:
        self.dropped = 0
        """How many records that came by `log` were lost since the start."""
        # Reentrant: a destructor that the garbage collector runs inside a call may log.
        self._lock = threading.RLock()

    def record(
        self, event: MessageId, message: str, priority: int = LOG_INFO, **fields: FieldValue
    ) -> None:
        """Hand a record over now, after all that wait.

        Raises JournalUnavailableError when that is not possible: the record is not kept, and what
        it was to announce must not happen.
        """
        full = entry(event, message, priority, fields)
        with self._lock:
            try:
                self._hand_over(full)
            except OSError as error:
                raise JournalUnavailableError(
                    f"the journal does not take a record: {error.strerror}"
                ) from error

    def log(
        self,
        message: str,
        priority: int = LOG_INFO,
        event: MessageId | None = None,
        **fields: FieldValue,
    ) -> None:
        """Hand a record over now or later; it may be lost, and is counted then."""
        full = entry(event, message, priority, fields)
        with self._lock:
            try:
                self._hand_over(full)
            except OSError:  # absent, restarting, busy: this is what best-effort means
                self._keep(full)

    def flush(self) -> bool:
        """Hand over what waits, as far as possible; return whether nothing waits any more."""
        return True

    def close(self) -> None:  # noqa: B027 - not every journal has something to close
        """Flush and close; what still waits is lost. Idempotent."""

    @abstractmethod
    def _hand_over(self, full: dict[str, str]) -> None:
        """Write what waits, then the record `full`; raise OSError when that is not possible."""

    def _keep(self, full: dict[str, str]) -> None:
        """Take a record that could not be handed over: for later, or as lost."""
        self.dropped += 1


def entry(
    event: MessageId | None, message: str, priority: int, fields: dict[str, FieldValue]
) -> dict[str, str]:
    """Return a record's fields by their full names, the message first.

    Raises ValueError for a name that is not upper-case ASCII or, prefixed, too long.
    """
    full = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": IDENTIFIER}
    if event is not None:
        full["MESSAGE_ID"] = event.value
    for name, value in fields.items():
        full_name = name if name in _WELL_KNOWN else PREFIX + name
        if not _FIELD_NAME.fullmatch(name) or len(full_name) > FIELD_NAME_CHARACTERS:
            raise ValueError(
                f"field {name!r}: expected upper-case ASCII letters, digits and underscores, a"
                f" letter first, {FIELD_NAME_CHARACTERS} characters at most with {PREFIX}"
            )
        if value is not None:
            full[full_name] = str(value)
    return full
