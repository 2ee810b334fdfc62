"""Whether journald has room to write, which it does not say.

It takes records as ever when its file system is full, and drops what it cannot write: there is no
receipt. So the service looks itself, more carefully than need be.

journald keeps its files in directories named after the machine's id (journald.conf(5), `Storage=`).
While there is one below RUNTIME, it may write to that and to nothing else. Without one it writes
below PERSISTENT, and makes one below RUNTIME when it can write no more (journald-server.c,
`system_journal_open`). That one is gone after `journalctl --flush`; but if nothing could be written
to it, it stays, empty, until somebody removes it. What is in there we may not see, so that while it
is there only RUNTIME counts.

A file grows in steps of 8 MiB (journal-file.c, FILE_SIZE_INCREASE) or to its largest size, if that
is less; a new one begins with such a step. Measured with systemd 252 and 257, on file systems of
24 MiB to 4 GiB: as long as a step was free nothing was lost, and with less everything, once the
file was full that journald had begun. Here room is two steps: others write between this look and
journald's. The largest size is by default an eighth of what all files may take, which is a tenth of
the file system. As an eighth of the whole, it holds for any `SystemMaxUse=`.

What cannot be seen here, so that records are lost all the same: quotas, errors of the disk, a file
system that is filled faster than by a step in ROOM_SECONDS or while journald hangs, on one of less
than 64 MiB a `SystemMaxFileSize=` of more than an eighth of it, a record that is larger than a file
may be, and `Storage=none` where files of earlier are left. Without any, it is refused.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from prosody_admin.errors import JournalFullError

RUNTIME, PERSISTENT = Path("/run/log/journal"), Path("/var/log/journal")
MACHINE_ID = Path("/etc/machine-id")

ROOM_SECONDS = 0.1
"""How long an answer holds: a look takes 15 microseconds, and every command asks."""

STEP = 8 * 1024 * 1024
"""Bytes by which journald's files grow."""

SMALLEST_FILE = 512 * 1024
"""Bytes of the smallest file that journald makes, in one step."""

log = logging.getLogger(__name__)


class Room:
    """Looks at the file systems of journald's directories `runtime` and `persistent`.

    `machine` is the name of this machine's directory in them; `clock` is in seconds and never goes
    back. Of several threads, each may look: that costs nothing but a second warning.
    """

    def __init__(
        self,
        machine: str,
        runtime: Path = RUNTIME,
        persistent: Path = PERSISTENT,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime, self._runtime_files = runtime, runtime / machine
        self._persistent_files = persistent / machine
        self._statvfs = statvfs
        self._clock = clock
        self._known_until = float("-inf")
        self._lack: str | None = None

    def check(self) -> None:
        """Raise JournalFullError if there is no room, or was none ROOM_SECONDS ago.

        The first time in a row, that is logged as a warning.
        """
        now = self._clock()
        if now >= self._known_until:
            before, self._lack = self._lack, self._look()
            self._known_until = now + ROOM_SECONDS
            if self._lack is not None and before is None:
                log.warning("journald has no room to write, commands are refused: %s", self._lack)
        if self._lack is not None:
            raise JournalFullError(self._lack)

    def _look(self) -> str | None:
        """Return why there is no room, None if there is."""
        try:
            return self._lack_at(self._runtime_files)
        except FileNotFoundError:
            pass
        try:
            if (lack := self._lack_at(self._persistent_files)) is None:
                return None
        except FileNotFoundError:
            return f"there is neither {self._runtime_files} nor {self._persistent_files}"
        try:
            return lack if self._lack_at(self._runtime) is not None else None
        except FileNotFoundError:
            return lack

    def _lack_at(self, directory: Path) -> str | None:
        """Return what a file system lacks. Raises FileNotFoundError without the directory."""
        try:
            found = self._statvfs(directory)
        except FileNotFoundError:
            raise
        except OSError as error:  # it cannot be told, and may be
            return f"{directory}: {error.strerror}"
        free = found.f_bavail * found.f_frsize
        needed = min(2 * STEP, max(2 * SMALLEST_FILE, found.f_blocks * found.f_frsize // 8))
        if free < needed:
            return f"{directory} has {free // 1024} KiB free, {needed // 1024} KiB are needed"
        if found.f_files and not found.f_favail:  # some file systems do not count them
            return f"{directory} has no inode free"
        return None


def journald_room() -> Room:
    """Return the room of this machine's journald."""
    try:
        machine = MACHINE_ID.read_text("ascii").strip()
    except OSError:  # journald does not start without; then there is nothing to find either
        machine = "no-machine-id"
    return Room(machine)
