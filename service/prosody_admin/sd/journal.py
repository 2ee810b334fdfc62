"""The journal, from outside: where records go, and all that a writer of records needs."""

import os
import stat
import sys
from typing import Literal

from prosody_admin.sd.console import ConsoleJournal
from prosody_admin.sd.entries import FieldValue, Journal, MessageId
from prosody_admin.sd.log_handler import JournalHandler
from prosody_admin.sd.native import NativeJournal

__all__ = ["FieldValue", "Journal", "JournalHandler", "MessageId", "open_journal"]

_NULL = os.makedev(1, 3)
"""/dev/null, see null(4)."""


def open_journal(target: Literal["auto", "journal", "console"] = "auto") -> Journal:
    """Return the journal, or lines on standard error; `auto` asks where standard error goes."""
    if target == "journal" or (target == "auto" and (_stderr_is_journal() or _stderr_is_null())):
        return NativeJournal()
    return ConsoleJournal(sys.stderr)


def _stderr_is_journal() -> bool:
    """Compare standard error with JOURNAL_STREAM, as systemd.exec(5) advises."""
    found = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _stderr_is_null() -> bool:
    """Return whether nobody could read what is written there: it would be no record.

    It is what systemd gives to a service that starts while journald is absent.
    """
    found = os.fstat(2)
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == _NULL
