"""Runs in the machine: many `prosodyctl shell` on some sockets, for one start of Python.

A job comes as JSON on standard input, what each client did goes as JSON to standard output. This
file stands alone: nothing of the tests is in the machine.
"""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios

PROMPT = b"prosody> "
SECONDS = 20
"""Deadline of one client, which then has the exit status 124 of timeout(1)."""


def client(socket: str, *words: str) -> list[str]:
    """Return the command line of a client that connects to `socket`."""
    return ["timeout", "--foreground", str(SECONDS), "prosodyctl", "shell", f"--socket={socket}", *words]


def one_shot(socket: str, words: list[str]) -> dict[str, object]:
    """Run a command line to its end."""
    ended = subprocess.run(
        client(socket, *words), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return {
        "status": ended.returncode,
        "stdout": ended.stdout.decode(errors="backslashreplace"),
        "stderr": ended.stderr.decode(errors="backslashreplace"),
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
    return {"status": ended.returncode, "shown": ended.stdout.decode(errors="backslashreplace")}


def at_terminal(socket: str, lines: list[str], columns: int) -> dict[str, object]:
    """Type the lines at a terminal, each at a prompt, then `quit`; what is typed is not shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execvp("timeout", client(socket))
    shown = [_until_prompt(terminal)]
    for line in lines:
        os.write(terminal, f"{line}\n".encode())
        # readline(3) echoes in one piece or in many, as the bytes come in.
        echo_and_answer = _until_prompt(terminal)
        shown.append(echo_and_answer.partition(b"\n")[2])
    os.write(terminal, b"quit\n")
    shown.append(_until_prompt(terminal).partition(b"\n")[2])
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "shown": PROMPT.join(shown).decode(errors="backslashreplace"),
    }


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


def main() -> None:
    """Do the job that standard input describes."""
    job = json.load(sys.stdin)
    sockets, lines = job["sockets"], job["lines"]
    match job["mode"]:
        case "one_shot":  # in turns, so that what a clock shows is as near as can be
            turns = [[one_shot(socket, words) for socket in sockets] for words in lines]
            done: list[object] = [list(results) for results in zip(*turns, strict=True)]
        case "piped":
            done = [piped(socket, lines) for socket in sockets]
        case "terminal":
            done = [at_terminal(socket, lines, job["columns"]) for socket in sockets]
    json.dump(done, sys.stdout)


main()
