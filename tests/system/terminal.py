"""A command at a terminal in a machine, for what behaves differently when somebody looks on."""

import os
import re
import select
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from system.machine import Machine

COLUMNS = 120
"""The terminal's width; wide enough that no line of the tests is broken."""


class Terminal:
    """What stands at the terminal: types lines and waits for what appears."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._keyboard = process.stdin.fileno()
        self._screen = process.stdout.fileno()
        self._unread = b""

    def type(self, line: str) -> None:
        """Type a line, and Return."""
        os.write(self._keyboard, line.encode("utf-8") + b"\n")

    def expect(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait until what appeared since the last match has the pattern, and take all up to there.

        Raises AssertionError after `timeout` seconds or at the end of the output.
        """
        deadline = time.monotonic() + timeout
        while (found := re.search(pattern, shown := self._shown())) is None:
            more = self._read(deadline)
            assert more, f"no {pattern!r} but {shown!r}"
        self._unread = shown[found.end() :].encode("utf-8")
        return found

    def ended(self, timeout: float = 10.0) -> int:
        """Wait for the command's end and return its exit status; `timeout` in seconds."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        return self._process.wait(max(0.0, deadline - time.monotonic()))

    def _shown(self) -> str:
        return self._unread.decode("utf-8", errors="replace").replace("\r\n", "\n")

    def _read(self, deadline: float) -> bool:
        """Read what there is; False at the end of the output and past the deadline."""
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._screen], [], [], left)[0]:
            return False
        data = os.read(self._screen, 65536)
        self._unread += data
        return bool(data)


@contextmanager
def at_terminal(machine: Machine, *argv: str, user: str | None = None) -> Iterator[Terminal]:
    """Start a command at a terminal of the machine's own, which script(1) makes."""
    command = f"stty columns {COLUMNS} && exec {shlex.join(argv)}"
    recorded = ("script", "--quiet", "--return", "--flush", "--command", command, "/dev/null")
    with machine.spawn(*recorded, user=user) as process:
        yield Terminal(process)
