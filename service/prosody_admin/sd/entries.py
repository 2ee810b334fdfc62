"""What a record in the journal is made of, whatever it is written to.

A record is a message, a priority of syslog(3), an id for its kind (systemd.journal-fields(7),
`MESSAGE_ID`) and fields. Fields of ours are prefixed; of the well-known ones only those are
taken that a logging record has.
"""

import functools
import re
import threading
from abc import ABC, abstractmethod
from syslog import LOG_INFO

from prosody_admin.errors import JournalUnavailableError
from prosody_admin.records import IDENTIFIER, PREFIX, MessageId

FIELD_NAME_CHARACTERS = 64
"""The longest name of a field; journald drops longer ones without a word."""

FieldValue = str | int | None
"""None leaves the field out."""

_WELL_KNOWN = frozenset({"CODE_FILE", "CODE_FUNC", "CODE_LINE"})
_FIELD_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


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
        """Hand over some of what waits, if possible; return whether nothing waits any more."""
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
        full_name = _full_name(name)
        if value is not None:
            full[full_name] = str(value)
    return full


@functools.lru_cache(maxsize=256)  # they stand in our code: some thirty
def _full_name(name: str) -> str:
    full_name = name if name in _WELL_KNOWN else PREFIX + name
    if not _FIELD_NAME.fullmatch(name) or len(full_name) > FIELD_NAME_CHARACTERS:
        raise ValueError(
            f"field {name!r}: expected upper-case ASCII letters, digits and underscores, a"
            f" letter first, {FIELD_NAME_CHARACTERS} characters at most with {PREFIX}"
        )
    return full_name
