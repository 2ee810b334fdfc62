"""Keys that are no line, for a command at a terminal that is its own to be interrupted from."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from system.machine import Machine
from system.terminal import Terminal, at_terminal

CONTROL_C = "\x03"
CONTROL_D = "\x04"

CONTROL_C_MOST = 50
"""Times that Ctrl-C is pressed before a client counts as one that does not end."""


@contextmanager
def at_own_terminal(machine: Machine, *argv: str) -> Iterator[Terminal]:
    """Start a command in the machine whose Ctrl-C is a signal to it, as at a login."""
    with at_terminal(machine, "setsid", "--ctty", "--wait", *argv) as terminal:
        yield terminal


def interrupt(terminal: Terminal) -> int:
    """Press Ctrl-C until the command has ended, and return its exit status.

    Once is not always enough for prosodyctl: Lua makes an error of the first SIGINT, which
    whatever runs at that moment may catch, and lets the second one kill.
    """
    for _ in range(CONTROL_C_MOST):
        terminal.press(CONTROL_C)
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            return terminal.ended(timeout=0.2)
    raise AssertionError("Ctrl-C does not end the command")
