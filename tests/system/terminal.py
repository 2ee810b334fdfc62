"""A command at a terminal in a machine, for what behaves differently when somebody looks on."""

import errno
import os
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from system.machine import Machine

ROWS, COLUMNS = 40, 120
"""The terminal's size; wide enough that no line of the tests is broken."""

# Moves of the cursor, colours and the like (ECMA-48, section 5.4): what stays is the text.
_MOVES = re.compile(r"\r|\x1b\[[0-?]*[ -/]*[@-~]")


class Terminal:
    """What stands at the terminal: types lines and waits for what appears."""

    def __init__(self, process: subprocess.Popen[str], terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self._shown = ""

    def type(self, line: str) -> None:
        """Type a line, and Return."""
        os.write(self._terminal, line.encode("utf-8") + b"\n")

    def press(self, key: str) -> None:
        """Press a key, without Return."""
        os.write(self._terminal, key.encode())

    def expect(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait until what appeared since the last match has the pattern, and take all up to there.

        Raises AssertionError after `timeout` seconds or at the command's end.
        """
        deadline = time.monotonic() + timeout
        while (found := re.search(pattern, self._shown)) is None:
            assert self._read(deadline), f"no {pattern!r} but {self._shown!r}"
        self._shown = self._shown[found.end() :]
        return found

    def ended(self, timeout: float = 10.0) -> int:
        """Wait for the command's end, at most `timeout` seconds, and return its exit status.

        Raises AssertionError or subprocess.TimeoutExpired for a command that goes on.
        """
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        left = deadline - time.monotonic()
        assert left > 0, f"goes on after {self._shown!r}"
        return self._process.wait(left)

    def _read(self, deadline: float) -> bool:
        """Read what there is; False past the deadline and once the command is gone."""
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._terminal], [], [], left)[0]:
            return False
        try:
            data = os.read(self._terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # pty(7): nobody has the other side open
                raise
            return False
        self._shown = _MOVES.sub("", self._shown + data.decode("utf-8", errors="replace"))
        return True


@contextmanager
def at_terminal(machine: Machine, *argv: str, user: str | None = None) -> Iterator[Terminal]:
    """Start a command in the machine at a terminal of its own."""
    ours, theirs = os.openpty()
    try:
        termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
        with machine.spawn(*argv, user=user, streams=theirs) as process:
            os.close(theirs)
            yield Terminal(process, ours)
    finally:
        os.close(ours)
