"""Runs in the machine: many `prosodyctl shell` on some sockets, for one start of Python.

A job comes as JSON on standard input, what each client did goes as JSON to standard output. This
file stands alone: nothing of the tests is in the machine.
"""

import fcntl
import itertools
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PROMPT = b"prosody> "
COLUMNS = 100
"""The terminal's width: not Prosody's default, so that it shows whether the width arrives."""

SECONDS = 30
"""Deadline of one client, which then has the exit status 124 of timeout(1)."""


def client(socket: str, *words: str) -> list[str]:
    """Return the command line of a client that connects to `socket`."""
    deadline = ("timeout", "--foreground", str(SECONDS))
    return [*deadline, "prosodyctl", "shell", f"--socket={socket}", *words]


def one_shot(socket: str, words: list[str]) -> dict[str, object]:
    """Run a command line to its end."""
    ended = subprocess.run(
        client(socket, *words), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return {
        "status": ended.returncode,
        "stdout": _text(ended.stdout),
        "stderr": _text(ended.stderr),
    }


def piped(socket: str, lines: list[str]) -> dict[str, object]:
    """Have an interactive client, off a terminal, read the lines, then the end of its input."""
    ended = subprocess.run(
        client(socket),
        input="".join(f"{line}\n" for line in lines).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return {"status": ended.returncode, "shown": _text(ended.stdout)}


def at_terminal(socket: str, lines: list[str]) -> dict[str, object]:
    """Type the lines at a terminal, each at a prompt, then `quit`; what is typed is not shown."""
    terminal, of_client = pty.openpty()
    fcntl.ioctl(of_client, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with subprocess.Popen(
        client(socket), stdin=of_client, stdout=of_client, stderr=of_client
    ) as running:
        os.close(of_client)
        shown = [_until_prompt(terminal)]
        for line in [*lines, "quit"]:
            os.write(terminal, f"{line}\n".encode())
            # readline(3) echoes in one piece or in many, as the bytes come in.
            echo_and_answer = _until_prompt(terminal)
            shown.append(echo_and_answer.partition(b"\n")[2])
    os.close(terminal)
    return {"status": running.returncode, "shown": _text(PROMPT.join(shown))}


def _text(shown: bytes) -> str:
    return shown.decode(errors="backslashreplace")


def _until_prompt(terminal: int) -> bytes:
    """Return what appears before the next prompt, or before the end."""
    shown = b""
    while not shown.endswith(PROMPT):
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has the terminal open any more, see pty(7)
            data = b""
        if not data:
            return shown
        shown += data
    return shown.removesuffix(PROMPT)


def many_one_shots(socket: str, lines: list[list[str]]) -> list[dict[str, object]]:
    """Run the command lines one after the other."""
    return [one_shot(socket, words) for words in lines]


def main() -> None:
    """Do the job that standard input describes: all sockets at the same time."""
    job = json.load(sys.stdin)
    modes: dict[str, Callable[[str, Any], object]] = {
        "one_shot": many_one_shots,
        "piped": piped,
        "at_terminal": at_terminal,
    }
    run = modes[job["mode"]]
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(run, job["sockets"], itertools.repeat(job["lines"])))
    json.dump(done, sys.stdout)


main()
