"""Records as readable lines on a text stream, for running without systemd.

`2026-11-22T12:00:00Z prosody-admin[123]: message`, a tab, and our fields as `NAME=value` with tabs
between. No value can forge a line or a field, or drive a terminal: in it, whatever is not
printable, newlines and tabs as well, is a backslash escape. A message of several lines goes on in
lines that begin with `  | `.
"""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from syslog import LOG_INFO
from typing import TextIO

from prosody_admin.errors import JournalUnavailableError
from prosody_admin.sd.entries import IDENTIFIER, PREFIX, FieldValue, Journal, MessageId, entry


def _now() -> datetime:
    return datetime.now(UTC)


class ConsoleJournal(Journal):
    """Writes each record to `stream`, which it does not own, at once.

    A stream that is not read blocks, as standard error does: this is for people who watch.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], datetime] = _now) -> None:
        self._stream = stream
        self._clock = clock
        self._dropped = 0
        self._lock = threading.RLock()  # reentrant for the same reason as NativeJournal's

    @property
    def dropped(self) -> int:
        """See Journal."""
        return self._dropped

    def record(
        self, event: MessageId, message: str, priority: int = LOG_INFO, **fields: FieldValue
    ) -> None:
        """See Journal."""
        try:
            self._write(entry(event, message, priority, fields))
        except OSError as error:
            raise JournalUnavailableError(f"cannot write a record: {error.strerror}") from error

    def log(
        self,
        message: str,
        priority: int = LOG_INFO,
        event: MessageId | None = None,
        **fields: FieldValue,
    ) -> None:
        """See Journal."""
        try:
            self._write(entry(event, message, priority, fields))
        except OSError:  # counted, and there is nowhere left to say so
            self._dropped += 1

    def flush(self) -> bool:
        """See Journal; nothing ever waits."""
        return True

    def close(self) -> None:
        """See Journal; the stream stays open."""

    def _write(self, fields: dict[str, str]) -> None:
        first, *more = (escaped(line) for line in fields["MESSAGE"].splitlines() or [""])
        time = self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = [f"{time} {IDENTIFIER}[{os.getpid()}]: {first}"]
        parts += [f"{name}={escaped(fields[name])}" for name in fields if name.startswith(PREFIX)]
        lines = ["\t".join(parts), *(f"  | {line}" for line in more)]
        with self._lock:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


def escaped(text: str) -> str:
    """Return `text` with backslashes and all that is not printable as Python's escapes."""
    return "".join(
        character
        if character.isprintable() and character != "\\"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
