"""`logging` into the journal: what the code says, besides what it records."""

import logging
from syslog import LOG_CRIT, LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_WARNING

from prosody_admin.sd.entries import Journal

_PRIORITIES = (
    (logging.CRITICAL, LOG_CRIT),
    (logging.ERROR, LOG_ERR),
    (logging.WARNING, LOG_WARNING),
    (logging.INFO, LOG_INFO),
)


class JournalHandler(logging.Handler):
    """Logs to `journal`, best-effort: the message with its traceback, and where it was said.

    The arguments of a logging call go nowhere but into its message. python-systemd's handler sends
    them as CODE_ARGS, and `logging.Handler.handleError` prints them.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        super().__init__()

    def createLock(self) -> None:  # noqa: N802 - the name that logging has for it
        """Share the journal's lock.

        With one of its own, two threads could wait for each other: one logs, and the other is
        writing a record when the garbage collector runs a destructor that logs.
        """
        self.lock = self._journal.lock

    def emit(self, record: logging.LogRecord) -> None:
        """Log `record`; one that cannot be formatted is replaced by a record that says so."""
        try:
            message, priority = self.format(record), priority_of(record.levelno)
        except Exception as error:  # noqa: BLE001 - arguments may raise anything, callers expect nothing
            message = f"a message that cannot be formatted: {type(error).__name__}"
            priority = LOG_ERR
        self._journal.log(
            message,
            priority,
            LOGGER=record.name,
            CODE_FILE=record.pathname,
            CODE_LINE=record.lineno,
            CODE_FUNC=record.funcName,
        )


def priority_of(level: int) -> int:
    """Return the priority of syslog(3) for a level of `logging`, rounded to the lower one."""
    for threshold, priority in _PRIORITIES:
        if level >= threshold:
            return priority
    return LOG_DEBUG
