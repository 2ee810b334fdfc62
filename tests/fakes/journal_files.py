"""Journal files as journald writes them, with any field: also those that only journald can set."""

import os
import subprocess
from pathlib import Path

from prosody_admin.records import IDENTIFIER, PREFIX, UNIT, MessageId
from prosody_admin.sd.entries import field

WRITER = Path("/lib/systemd/systemd-journal-remote")
"""Writes what is in the export format (systemd.io/JOURNAL_EXPORT_FORMATS) to a journal file."""

START = 1_790_000_000_000_000
"""When the first record was made, in microseconds since 1970: 2026-09-21 14:13:20 UTC."""

BOOT = "ba23c4a5c2b84c0f8fd5c5c0ea2d8a3f"

Fields = dict[str, str | int]
"""Fields of a record; ours without their prefix."""


class JournalFiles:
    """A directory with a journal, to which records are added a second after each other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._count = 0
        self._waiting = b""

    def add(self, event: MessageId | None, message: str = "", /, **fields: str | int) -> None:
        """Make a record of ours; `fields` without prefix, but for those that begin with `_`.

        `write` writes it, with all that were made before.
        """
        time = START + self._count * 1_000_000
        self._count += 1
        full = {
            "__REALTIME_TIMESTAMP": str(time),
            "__MONOTONIC_TIMESTAMP": str(time - START),
            "_BOOT_ID": BOOT,
            "_MACHINE_ID": BOOT,
            "_SYSTEMD_UNIT": UNIT,
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "MESSAGE": message,
        }
        if event is not None:
            full["MESSAGE_ID"] = event.value
        for name, value in fields.items():
            full[name if name.startswith("_") else PREFIX + name] = str(value)
        self._waiting += b"".join(field(name.encode(), text) for name, text in full.items()) + b"\n"

    def write(self) -> None:
        """Append to the journal what was added."""
        subprocess.run(
            [WRITER, f"--output={self.directory}/test.journal", "--split-mode=none", "-"],
            input=self._waiting,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
            check=True,
        )
        self._waiting = b""
