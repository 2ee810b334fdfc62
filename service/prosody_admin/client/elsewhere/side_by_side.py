"""One command line on several hosts at once, and each line of the output behind its host."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from selectors import PollSelector
from typing import TextIO

from prosody_admin.client.elsewhere.forked import (
    WHOLE_BYTES,
    Forked,
    Lines,
    Sink,
    Whole,
    end_all,
)
from prosody_admin.client.steps import steps_of_file
from prosody_admin.client.terminal.asking import agree, question_about
from prosody_admin.client.terminal.output import Colour, coloured, columns, painted
from prosody_admin.client.terminal.tables import as_json
from prosody_admin.client.words import line_of
from prosody_admin.errors import UsageError

AT_ONCE = 16
"""Hosts at the same time; the others wait for their turn."""

INPUT_BYTES = 16 << 20
"""Commands from standard input, which are kept for all hosts."""

NARROWEST = 20
"""Cells that a table is given at least."""

Work = Callable[[argparse.Namespace], int]


def run_on(hosts: Sequence[str], arguments: argparse.Namespace, work: Work) -> int:
    """Do `work` for each host in a process of its own; return the highest of the exit codes.

    With --json, what verbs about the service say becomes one object by host, with null for a host
    that did not answer. Raises UsageError for what needs one host, and ClientError.

    Every process returns from here: those that do the work with what it returned.
    """
    _check(arguments)
    if not arguments.yes:
        agree(_question(hosts, arguments))
    stdin = _kept_input(arguments)
    outputs = {host: _output(host, hosts, arguments) for host in hosts}
    cells = columns(sys.stdout)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that nothing is left behind
    waiting, running, worst = list(reversed(hosts)), list[Forked](), 0
    with PollSelector() as selector:  # unlike epoll(7), it shares nothing with a fork
        try:
            while waiting or running:
                while waiting and len(running) < AT_ONCE:
                    host = waiting.pop()
                    fork = Forked(outputs[host], _lines(host, hosts, sys.stderr))
                    if fork.is_here:
                        for other in running:
                            other.forget()
                        running.clear()
                        _take_part(stdin, cells and max(cells - _room(hosts), NARROWEST))
                        return work(_alone(host, arguments))
                    running.append(fork)
                    fork.register(selector)
                for fork in dict.fromkeys(key.data for key, _ in selector.select()):
                    if (code := fork.look(selector)) is not None:
                        running.remove(fork)
                        worst = max(worst, code)
        finally:
            end_all(running)
    answers = {host: out.value() for host, out in outputs.items() if isinstance(out, Whole)}
    if answers:
        sys.stdout.write(as_json(answers, arguments.json))
    return worst


def _check(arguments: argparse.Namespace) -> None:
    """Raise UsageError for what cannot be done on several hosts."""
    if arguments.module in {"prompt.interactive", "elsewhere.bridge", "completing.completion"}:
        raise UsageError("-H: expected a command; anything else goes to one host only")
    if arguments.verb == "log" and arguments.json == "pretty":
        raise UsageError("log --json=pretty: expected one host; short has an event a line")


def _output(host: str, hosts: Sequence[str], arguments: argparse.Namespace) -> Sink:
    """Return where the standard output for `host` goes."""
    if arguments.json and arguments.module == "about" and arguments.verb != "close":
        return Whole()
    if arguments.json == "short" and arguments.verb == "log":
        # Each event has its _HOSTNAME; a piece of one would be no JSON.
        return Lines(sys.stdout, "", WHOLE_BYTES)
    return _lines(host, hosts, sys.stdout)


def _lines(host: str, hosts: Sequence[str], stream: TextIO) -> Lines:
    prefix = f"{host}:".ljust(_room(hosts))
    return Lines(stream, painted(prefix, Colour.ASIDE, on=coloured(stream)))


def _room(hosts: Sequence[str]) -> int:
    """Return how many cells the hosts take before each line."""
    return max(map(len, hosts)) + len(": ")


def _question(hosts: Sequence[str], arguments: argparse.Namespace) -> str:
    """Return what to ask once for all hosts before something is destroyed; "" for nothing."""
    questions = list(filter(None, map(question_about, _commands(arguments))))
    if not questions:
        return ""
    more = f" (and {len(questions) - 1} more such lines)" if len(questions) > 1 else ""
    return f"On {', '.join(hosts)}: {questions[0]}{more}"


def _commands(arguments: argparse.Namespace) -> Iterator[str]:
    """Go through the lines that would run, but for those of standard input. Raises UsageError."""
    if arguments.module == "one_shot":
        yield arguments.line if arguments.verb else line_of(arguments.words)
    elif arguments.module == "script" and not _reads_input(arguments):
        yield from (step.line for step in steps_of_file(arguments.file))


def _reads_input(arguments: argparse.Namespace) -> bool:
    return arguments.module == "script" and arguments.file in {None, "-"}


def _kept_input(arguments: argparse.Namespace) -> str:
    """Return a file that has what every process finds as its standard input."""
    if not _reads_input(arguments):
        return os.devnull
    commands = sys.stdin.buffer.read(INPUT_BYTES + 1)
    if len(commands) > INPUT_BYTES:
        raise UsageError(f"standard input: expected {INPUT_BYTES} bytes at most")
    kept = os.memfd_create("commands")  # open to the end, in the forks as well
    with open(kept, "wb", closefd=False) as file:
        file.write(commands)
    return f"/proc/self/fd/{kept}"


def _take_part(stdin: str, cells: int | None) -> None:
    """Make this process, a fork, one of several: what it prints is not seen as it is."""
    opened = os.open(stdin, os.O_RDONLY | os.O_CLOEXEC)  # anew: each reads it from the beginning
    os.dup2(opened, 0)
    os.close(opened)
    os.environ["SYSTEMD_COLORS"] = "0"
    if cells is not None:
        os.environ["COLUMNS"] = str(cells)


def _alone(host: str, arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the options for one of the hosts, where nobody can be asked anything."""
    return argparse.Namespace(**{**vars(arguments), "host": host, "yes": True, "unattended": True})
