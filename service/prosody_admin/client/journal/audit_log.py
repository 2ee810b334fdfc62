"""The verb `log`: who did what, out of the journal, as journalctl(1) shows it to its users."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from prosody_admin.client.exits import ExitCode
from prosody_admin.client.journal.audit_lines import (
    detailed,
    exported,
    exported_hole,
    heading,
    hole,
    line,
)
from prosody_admin.client.journal.holes import Holes
from prosody_admin.client.journal.times import moment
from prosody_admin.client.journal.trail import Entry, Trail, Wanted, opened
from prosody_admin.client.terminal.output import coloured, paged
from prosody_admin.client.terminal.tables import as_json
from prosody_admin.errors import UsageError

LINES = 10
"""How many events `-n` without a number and `-f` begin with, as with journalctl."""

_EVERYTHING = -1
_POINT = re.compile(r"-[0-9.]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` takes beside the options of every verb, for words that were `joined`."""
    parser.epilog = (
        "Where records are missing by their numbers, a line says how many; not with --user,"
        " --session, --command and --refused, which leave some out."
    )
    add = parser.add_argument
    add("--user", default=None, metavar="USER", help="of this user, or of this login (name or uid)")
    add("--session", default=None, metavar="ID[/N]", help="of this session, or its Nth command")
    add(
        "--command",
        action="append",
        default=[],
        metavar="PATTERN",
        help="of this command, such as user:delete or 'muc:*'; may be given several times",
    )
    add("--refused", action="store_true", default=False, help="only what was refused")
    since = '"2 hours ago", -2h, today, yesterday, 10:00, 2026-11-24 or "2026-11-24 10:00"'
    add("-S", "--since", type=_moment, default=None, metavar="TIME", help=f"not before: {since}")
    add("-U", "--until", type=_moment, default=None, metavar="TIME", help="not after")
    add(
        *("-n", "--lines"),
        type=_lines,
        nargs="?",
        const=LINES,
        default=None,
        metavar="N",
        help=f"the last N events, or all (default: all, {LINES} with -f)",
    )
    add("-f", "--follow", action="store_true", default=False, help="wait for more, until Ctrl-C")
    add("-r", "--reverse", action="store_true", default=False, help="the newest first")
    add("-v", "--verbose", action="store_true", default=False, help="every field of each event")
    add(
        *("-D", "--directory"),
        type=Path,
        default=None,
        metavar="DIR",
        help="the journal files in this directory instead of this machine's journal",
    )


def joined(words: Sequence[str]) -> list[str]:
    """Return the words with `--since -1h` as `--since=-1h`: argparse takes -1h for an option."""
    result: list[str] = []
    for word in words:
        if result and result[-1] in {"--since", "--until"} and _POINT.match(word):
            result[-1] += f"={word}"
        elif result and result[-1] in {"-S", "-U"} and _POINT.match(word):
            result[-1] += word
        else:
            result.append(word)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Show the events; return the exit code.

    Raises UsageError for options that do not go together, CommandRefusedError without the right to
    read the journal, ClientError if it cannot be read. Ctrl-C is a KeyboardInterrupt.
    """
    if arguments.follow and (arguments.reverse or arguments.until is not None):
        raise UsageError("--follow goes with neither --reverse nor --until")
    wanted = Wanted(
        arguments.user,
        arguments.session,
        tuple(arguments.command),
        arguments.refused,
        arguments.since,
        arguments.until,
    )
    form = arguments.json
    legend = not (form or arguments.no_legend or arguments.quiet)
    colours = coloured(sys.stdout)
    holes = Holes(reverse=arguments.reverse) if wanted.complete else None
    with (
        opened(arguments.directory) as reader,
        paged(sys.stdout, not (arguments.no_pager or arguments.follow)) as out,
    ):
        found = False
        for entry in _events(Trail(reader, wanted), arguments):
            if legend and not found:
                out.write(heading())
            found = True
            if holes is not None and (count := holes.before(entry)):
                if form:
                    out.write(as_json(exported_hole(count), form))
                else:
                    out.write(hole(count, colours=colours))
            if form:
                out.write(as_json(exported(entry), form))
            else:
                out.write((detailed if arguments.verbose else line)(entry, colours=colours))
            if arguments.follow:
                out.flush()
        if legend and not found:
            out.write("-- No entries --\n")
    return ExitCode.OK


def _events(trail: Trail, arguments: argparse.Namespace) -> Iterator[Entry]:
    lines = None if arguments.lines == _EVERYTHING else arguments.lines
    if not arguments.follow:
        return trail.backward(lines) if arguments.reverse else trail.forward(lines)
    if arguments.lines is None and arguments.since is None:
        lines = LINES
    return trail.follow(lines, sys.stdout.fileno())


def _moment(text: str) -> int:
    try:
        return moment(text, datetime.now(UTC))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _lines(text: str) -> int:
    if text == "all":
        return _EVERYTHING
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of events, or all")
    return min(int(text), sys.maxsize)  # more than can be counted is all
