"""The options and verbs of `prosody-adminctl`."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from prosody_admin import __version__
from prosody_admin.client.verbs import COMPLETE, DEFAULT_SOCKET, SOCKET_VARIABLE, VERBS

_USAGE = "prosody-adminctl [OPTION...] [VERB | SECTION COMMAND] [ARGUMENT...]"
_DESCRIPTION = """\
Talk to Prosody through the gate that knows who you are and what you may do, and records it.

  prosody-adminctl                           an interactive shell
  prosody-adminctl user list example.com     a command of Prosody's shell, in words
  prosody-adminctl help [SECTION]            what Prosody has to offer
  prosody-adminctl VERB [OPTION...]          one of these:

"""
_EPILOG = """\
Without a command and without a terminal, commands are read from standard input, one a line.

exit codes:
  0  it went well     1  the command failed     2  the command line is wrong, nothing ran
  3  it was refused   4  the service or Prosody cannot be reached

environment: PROSODY_ADMIN_SOCKET, NO_COLOR, SYSTEMD_COLORS, SYSTEMD_PAGER; see prosody-adminctl(1)
"""


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options, the module to run, and the verb or else the words of a command.

    Ends the process, with the exit code 2, for what is no option, and with 0 after --help.
    """
    parser = command_line_parser()
    arguments = parser.parse_args(argv)
    if arguments.file is not None and arguments.words:
        parser.error("-f SCRIPT goes with no other command")
    first, *rest = arguments.words or [""]
    if first == COMPLETE:
        arguments.module, arguments.words = "completing.completion", rest
    elif first in VERBS:
        arguments.module, _ = VERBS[first]
        module = importlib.import_module(f"prosody_admin.client.{arguments.module}")
        arguments.verb = first
        # `log` joins `--since -1h`, whose -1h argparse takes for an option.
        verb_parser(first).parse_args(getattr(module, "joined", list)(rest), arguments)
    else:
        arguments.module = _module_without_verb(arguments)
    return arguments


def _module_without_verb(arguments: argparse.Namespace) -> str:
    if arguments.stdio_bridge:
        return "elsewhere.bridge"
    if arguments.file is not None:
        return "script"
    if arguments.words:
        return "one_shot"
    return "prompt.interactive" if sys.stdin is not None and sys.stdin.isatty() else "script"


def command_line_parser() -> argparse.ArgumentParser:
    """Return what reads a command line up to its first word."""
    verbs = "".join(f"  {name:10} {summary}\n" for name, (_, summary) in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="prosody-adminctl",
        usage=_USAGE,
        description=_DESCRIPTION + verbs,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_options(None)],
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-f", "--file", metavar="SCRIPT", help="run commands from a file, one a line; - is stdin")
    add("--keep-going", action="store_true", help="go on with a script after an error")
    add("-y", "--yes", action="store_true", help="do not ask before a command destroys something")
    add("--version", action="version", version=f"prosody-admin {__version__}")
    add("--stdio-bridge", action="store_true", help=argparse.SUPPRESS)
    add("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(verb="")
    return parser


def verb_parser(verb: str) -> argparse.ArgumentParser:
    """Return what reads the words behind a verb; what is not given leaves what was before it."""
    module, summary = VERBS[verb]
    parser = argparse.ArgumentParser(
        prog=f"prosody-adminctl {verb}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        parents=[_options(argparse.SUPPRESS)],
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.set_defaults(verb=verb)
    importlib.import_module(f"prosody_admin.client.{module}").add_arguments(parser)
    return parser


def _options(default: str | None) -> argparse.ArgumentParser:
    """Return what stands before the command, and behind a verb as well.

    With `default` SUPPRESS, what is not given leaves what was given before.
    """
    options = argparse.ArgumentParser(add_help=False, argument_default=default)
    off, add = default or False, options.add_argument
    socket = default or os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET

    def switch(*names: str, text: str) -> None:
        add(*names, action="store_true", default=off, help=text)

    add("-H", "--host", metavar="[USER@]HOST,...", help="on other hosts, over ssh")
    add("-M", "--machine", metavar="CONTAINER", help="in a local container")
    add("--json", choices=("short", "pretty"), help="what verbs say as JSON")
    switch("--no-legend", text="tables without headings and totals")
    switch("--no-pager", text="do not pipe long output into a pager")
    switch("-q", "--quiet", text="only output, without the result that says OK")
    add("--socket", metavar="PATH", default=socket, help=f"instead of {DEFAULT_SOCKET}")
    return options
