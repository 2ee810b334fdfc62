"""What the terminal gets: colour, its width, and a pager, decided as systemd's tools do.

After systemd's docs/ENVIRONMENT.md and the section ENVIRONMENT of systemctl(1).
"""

import codecs
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from subprocess import Popen

LESS = "FRSXMK"
"""Options of less(1): quit if it fits, colours, chop long lines, leave the screen, long prompt,
quit at Ctrl-C."""

PAGERS = ("pager", "less", "more")
"""What is tried where nobody named a pager; `pager` is Debian's alternative."""

_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_FALSE = frozenset({"0", "no", "n", "false", "f", "off"})
_DEPTHS = frozenset({"16", "256", "24bit"})


class Colour(StrEnum):
    """Colours by what they say, of the 16 that every terminal has (ECMA-48, SGR)."""

    WRONG = "\x1b[0;1;31m"
    WARNING = "\x1b[0;1;33m"
    GOOD = "\x1b[0;32m"
    ASIDE = "\x1b[0;90m"


def painted(text: str, colour: Colour | None, *, on: bool) -> str:
    """Return the text in a colour, if colours are on."""
    return f"{colour.value}{text}\x1b[0m" if on and colour else text


def coloured(stdout: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether to write colours to `stdout`.

    SYSTEMD_COLORS decides first (a boolean, `16`, `256` or `24bit`; with `auto-` before it like
    anything else), then NO_COLOR; then it has to be a terminal that is not dumb.
    """
    wanted = environment.get("SYSTEMD_COLORS", "").lower()
    if wanted in _TRUE | _DEPTHS:
        return True
    if wanted in _FALSE or "NO_COLOR" in environment:
        return False
    return stdout.isatty() and not _dumb(environment)


def columns(stdout: TextIO, environment: Mapping[str, str] = os.environ) -> int | None:
    """Return how wide tables may be: by COLUMNS, or the terminal's width; None without either."""
    if (given := environment.get("COLUMNS", "")).isdecimal() and int(given) > 0:
        return int(given)
    if not stdout.isatty():
        return None
    # A terminal may say 0: nobody told it. 80 is systemd's answer to that.
    return os.get_terminal_size(stdout.fileno()).columns or 80


@contextmanager
def paged(
    stdout: TextIO, enabled: bool, environment: Mapping[str, str] = os.environ
) -> Iterator[IO[str]]:
    """Give where to write to: a pager's input if `enabled` and a terminal is there, or `stdout`.

    Waits for the pager at the end. When nobody reads on, because the pager was quit or a pipe was
    closed, the rest of the block is left and no error raised: a block that sets the exit code does
    so outside.
    """
    pager = _started(stdout, environment) if enabled else None
    out = stdout if pager is None or pager.stdin is None else pager.stdin
    try:
        yield out
        out.flush()
    except BrokenPipeError:
        _discard(out)
    finally:
        if pager is not None:
            try:
                with suppress(BrokenPipeError):
                    out.close()
            finally:  # a Ctrl-C while the pager does not read
                _wait(pager)


def _discard(out: IO[str]) -> None:
    """Let what is still in the buffer go nowhere, or flushing it at exit would be an error."""
    nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nothing, out.fileno())
    os.close(nothing)


def _wait(pager: "Popen[str]") -> None:
    """Wait until the pager is quit; Ctrl-C is for the pager meanwhile."""
    while True:
        try:
            pager.wait()
        except KeyboardInterrupt:
            continue
        return


def _started(stdout: TextIO, environment: Mapping[str, str]) -> "Popen[str] | None":
    """Start a pager that writes to `stdout`; None where none is wanted or there is none."""
    named = environment.get("SYSTEMD_PAGER", environment.get("PAGER"))
    if named is not None and named.split() in ([], ["cat"]):
        return None
    if not stdout.isatty() or _dumb(environment):
        return None
    secure, trusted = _secure(environment)
    commands = [[name] for name in PAGERS if name == "less" or not secure]
    if named is not None and trusted:
        commands.insert(0, named.split())
    for command in commands:
        if path := shutil.which(command[0]):
            return _run([path, *command[1:]], stdout, _for_less(stdout, environment, secure))
    return None


def _run(command: list[str], stdout: TextIO, environment: dict[str, str]) -> "Popen[str]":
    import subprocess  # here: 10 ms that only who reads pages has to wait for

    stdout.flush()
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=stdout,
        env=environment,
        encoding=stdout.encoding,
        errors="backslashreplace",
    )


def _for_less(stdout: TextIO, environment: Mapping[str, str], secure: bool) -> dict[str, str]:
    charset = "utf-8" if codecs.lookup(stdout.encoding).name == "utf-8" else ""
    changes = {
        "LESS": environment.get("SYSTEMD_LESS", LESS),
        "LESSCHARSET": environment.get("SYSTEMD_LESSCHARSET", charset),
        "LESSSECURE": "1" if secure else "",
    }
    return {key: value for key, value in ({**environment, **changes}).items() if value}


def _secure(environment: Mapping[str, str]) -> tuple[bool, bool]:
    """Return whether the pager must not start anything itself, and whether any pager may be used.

    SYSTEMD_PAGERSECURE says both; without it only `less` is known to be secure, and has to be if
    whoever logged in is somebody else, as with sudo(8).
    """
    said = environment.get("SYSTEMD_PAGERSECURE")
    if said is not None:
        return said.lower() not in _FALSE, True
    return _owner() != os.geteuid(), False


def _owner(cgroup: Path = Path("/proc/self/cgroup")) -> int | None:
    """Return the user whose slice this process is in, as sd_pid_get_owner_uid(3); None if none."""
    try:
        path = cgroup.read_text("utf-8")
    except FileNotFoundError:  # without /proc nobody is known
        return None
    found = re.search(r"/user-([0-9]+)\.slice(?:/|$)", path, re.MULTILINE)
    return int(found[1]) if found else None


def _dumb(environment: Mapping[str, str]) -> bool:
    return environment.get("TERM", "dumb") == "dumb"
