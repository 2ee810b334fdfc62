"""The lines that were typed, from one shell to the next: in a file, never one with a secret.

The place is that of the XDG Base Directory Specification, 0.8.
"""

import contextlib
import enum
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from prosody_admin.access.record import HIDDEN, account_of
from prosody_admin.access.roles import Request
from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.lines import Call, Help, parse

LINES = 1000
"""Lines in the file, and in the memory of a shell."""

LINE_BYTES = 4096
"""A longer line is not written: it was made by a program, or pasted."""

_LOCK_SECONDS = 1.0
"""How long another shell may take to write its line."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Keep(enum.Enum):
    """Where a line may be kept."""

    FILE = enum.auto()
    """It has no secret."""
    SHELL = enum.auto()
    """It may have one, nobody can tell: for the shell it was typed in, to correct and repeat it."""
    NOWHERE = enum.auto()
    """It has one."""


def keep(line: str) -> Keep:
    """Say where `line` may be kept, by the arguments that the catalogue calls secrets.

    Nobody can tell of raw Lua, of what is not understood, and of arguments of a command that is
    in no catalogue.
    """
    match parse(line):
        case Help():
            return Keep.FILE
        case Call() as call:
            # What the journal may have of it, the file may.
            account = account_of(Request("admin/repl-input", call), shipped())
            if HIDDEN not in (account.arguments or ""):
                return Keep.FILE
            known = shipped().get(call.section, call.command)
            return Keep.NOWHERE if known else Keep.SHELL
        case _:
            return Keep.SHELL


def history_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the history of this user is. Raises OSError for one without a home."""
    state = Path(environment.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # the specification: such a path is to be ignored
        try:
            state = Path.home() / ".local/state"
        except RuntimeError:
            raise FileNotFoundError(errno.ENOENT, "no home directory", "~") from None
    return state / "prosody-adminctl/history"


class History:
    """The file; several shells may write to it at once.

    Every method raises OSError: for a file or directory that cannot be had, and for a file that
    is somebody else's, is no regular file, or is a symbolic link (root may run this with the home
    of another).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[str]:
        """Return the lines, the latest last; the file is made if there is none."""
        with self._locked() as fd:
            return _lines(fd)

    def append(self, line: str) -> None:
        """Write one line more, unless it is the same as the last one, or too long.

        A command of several lines is written as one if it means the same, otherwise not at all.
        """
        text = " ".join(line.split("\n"))
        if len(text.encode()) > LINE_BYTES or parse(text) != parse(line):
            return
        with self._locked() as fd:
            before = _lines(fd)
            if before[-1:] == [text]:
                return
            data = "".join(f"{entry}\n" for entry in [*before, text][-LINES:]).encode()
            # In this order: whoever is interrupted leaves lines too many, never too few.
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.path, _FLAGS, mode=0o600)
        try:
            status = os.fstat(fd)
            if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
                raise PermissionError(errno.EPERM, "not a file of yours", str(self.path))
            _lock(fd)
            os.fchmod(fd, 0o600)
            yield fd
        finally:
            os.close(fd)


def _lines(fd: int) -> list[str]:
    most = LINES * (LINE_BYTES + 1)
    data = os.pread(fd, most, max(0, os.fstat(fd).st_size - most))
    return data.decode("utf-8", errors="replace").split("\n")[:-1][-LINES:]


def _lock(fd: int) -> None:
    """Have the file for oneself until it is closed. Raises BlockingIOError after a second."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
