"""What is asked of the person at the terminal."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from types import FrameType
from typing import NoReturn

from prosody_admin.client.destructive import DESTRUCTIVE
from prosody_admin.errors import UsageError
from prosody_admin.protocol.stanza import sanitised
from prosody_admin.shell.canonical import written
from prosody_admin.shell.lines import Call, parse

_NO_CHARACTERS = "prosody-adminctl: keys in the password that are no characters: cancelled"


def ask_password(kind: str) -> str | None:
    """Ask for a password twice without showing it; None where it is not to be had.

    That is without a terminal, for any other kind of question, after end of file, when the two
    differ, or for keys that are no characters, such as the arrows: XML cannot carry them.
    """
    if kind != "password" or not at_terminal():
        print("prosody-adminctl: a question that needs a terminal: cancelled", file=sys.stderr)
        return None
    try:
        with _left_in_order():
            password = getpass("Password: ")
            again = getpass("Again: ")
    except EOFError:
        return None
    except UnicodeDecodeError:
        print(_NO_CHARACTERS, file=sys.stderr)
        return None
    if password != again:
        print("prosody-adminctl: the passwords differ: cancelled", file=sys.stderr)
        return None
    if sanitised(password) != password:
        print(_NO_CHARACTERS, file=sys.stderr)
        return None
    return password


@contextmanager
def _left_in_order() -> Iterator[None]:
    """Have getpass() end before the process when a signal ends it, and turn on the echo again."""
    ending = [
        number
        for number in (signal.SIGHUP, signal.SIGTERM)
        if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in ending:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in ending:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def question_about(line: str) -> str:
    """Return what to ask before `line` runs, "" for a line that nobody needs to be asked about."""
    match parse(line):
        case Call(section=section, command=command) as call if (section, command) in DESTRUCTIVE:
            # Passwords are no arguments of these.
            arguments = ", ".join(map(written, call.arguments))
            return f"Really run {section}:{command}({arguments})?"
        case _:
            return ""


def agree(question: str) -> None:
    """Ask a question, unless it is "". Raises UsageError for a no."""
    if question and not confirmed(question):
        raise UsageError("not run")


def confirmed(question: str) -> bool:
    """Ask whether to go on, where somebody can answer; without a terminal that is a yes."""
    if not at_terminal():
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def at_terminal() -> bool:
    """Return whether a person can be asked: standard input and error are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
