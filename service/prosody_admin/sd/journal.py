"""The journal, from outside: where records go, and all that a writer of records needs."""

import os
import stat
import sys
from typing import Literal

from prosody_admin.records import MessageId
from prosody_admin.sd.console import ConsoleJournal
from prosody_admin.sd.entries import Journal, encode, encode_numbers, entry
from prosody_admin.sd.log_handler import JournalHandler
from prosody_admin.sd.native import NativeJournal
from prosody_admin.sd.room import journald_room

__all__ = [
    "Journal",
    "JournalHandler",
    "MessageId",
    "encode",
    "encode_numbers",
    "entry",
    "open_journal",
]

_NULL = os.makedev(1, 3)
"""/dev/null, see null(4)."""


def open_journal(target: Literal["auto", "journal", "console"] = "auto") -> Journal:
    """Return the journal, or lines on standard error; `auto` asks where standard error goes."""
    if target == "console" or (target == "auto" and _stderr_is_for_people()):
        return ConsoleJournal(sys.stderr)
    return NativeJournal(room=journald_room())


def _stderr_is_for_people() -> bool:
    """Return whether somebody could read standard error, other than in the journal.

    /dev/null is what systemd gives to a service that starts while journald is absent; a record
    that nobody could read would be none.
    """
    try:
        found = os.fstat(2)
    except OSError:  # closed
        return False
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == _NULL:
        return False
    # As systemd.exec(5) advises.
    return os.environ.get("JOURNAL_STREAM") != f"{found.st_dev}:{found.st_ino}"
