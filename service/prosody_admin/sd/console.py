"""Records as readable lines on a text stream, for running without systemd.

`2026-11-22T12:00:00Z prosody-admin[123]: message`, a tab, and our fields as `NAME=value` with tabs
between. No value can forge a line or a field, or drive a terminal: in it, whatever is not
printable, newlines and tabs as well, is a backslash escape. A message of several lines goes on in
lines that begin with `  | `.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from prosody_admin.errors import JournalUnavailableError
from prosody_admin.records import IDENTIFIER, PREFIX
from prosody_admin.sd.entries import Journal, decode


def _now() -> datetime:
    return datetime.now(UTC)


class ConsoleJournal(Journal):
    """Writes each record to `stream`, which it does not own, at once.

    A stream that is not read blocks, as standard error does: this is for people who watch.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], datetime] = _now) -> None:
        super().__init__()
        self._stream = stream
        self._clock = clock

    def record(self, entries: Sequence[bytes]) -> None:
        """See Journal."""
        with self.lock:
            for written, payload in enumerate(entries):
                try:
                    self._write(payload)
                except OSError as error:
                    raise JournalUnavailableError(
                        f"the journal does not take a record: {error.strerror}", written
                    ) from error

    def keep(self, payload: bytes) -> None:
        """See Journal."""
        with self.lock:
            try:
                self._write(payload)
            except OSError:
                self.dropped += 1

    def _write(self, payload: bytes) -> None:
        full = decode(payload)
        first, *more = (escaped(line) for line in full["MESSAGE"].splitlines() or [""])
        time = self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = [f"{time} {IDENTIFIER}[{os.getpid()}]: {first}"]
        parts += [f"{name}={escaped(full[name])}" for name in full if name.startswith(PREFIX)]
        lines = ["\t".join(parts), *(f"  | {line}" for line in more)]
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
