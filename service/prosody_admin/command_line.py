"""The command line of prosody-admind."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from prosody_admin import __version__
from prosody_admin.arguments import Arguments
from prosody_admin.config import reference


class _HelpSettings(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's name for it
        super().__init__(option_strings, dest, nargs=0, help=help, default=argparse.SUPPRESS)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        sys.stdout.write(reference())
        parser.exit()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def parse(words: Sequence[str]) -> Arguments:
    """Read the command line. Exits with EX_USAGE, and says why, if it is wrong."""
    parser = _Parser(
        prog="prosody-admind",
        description="The gate in front of Prosody's admin socket. Started by systemd, which hands "
        "over the listening socket; see prosody-admin.socket.",
        epilog="Exit status, after sysexits.h: 0 stopped or idle, 64 wrong usage, 70 internal "
        "error, 73 cannot listen on PATH, 78 wrong settings or wrong sockets handed "
        "over. With --check: 0 allowed, 1 refused, 67 no such account. With "
        "--install-units: 69 nothing to install, 73 cannot write.",
    )
    add = parser.add_argument
    add("--version", action="version", version=f"prosody-admin {__version__}")
    add("--config", type=Path, metavar="FILE", help="read this file and FILE.d/*.toml as settings")
    add(
        "--check-config",
        action="store_true",
        help="check the settings, show who may do what, and exit",
    )
    add("--check", metavar="LINE", help="say whether the policy allows this line, and exit")
    add(
        "--as",
        dest="account",
        metavar="USER",
        help="with --check: to this account, with its groups (default: yourself)",
    )
    add("--help-settings", action=_HelpSettings, help="describe every setting and exit")
    add(
        "--listen",
        type=Path,
        metavar="PATH",
        help="without systemd: listen on this path, for this user only, and never leave when idle",
    )
    add(
        "--log-target",
        choices=("auto", "journal", "console"),
        default="auto",
        help="where records go: auto is the journal if standard error goes there, or nowhere",
    )
    add(
        "--install-units",
        action="store_true",
        help="after an installation by pip: put the units and what goes with them where systemd "
        "looks for them, say which files these are, and exit",
    )
    add(
        "--root",
        type=Path,
        metavar="DIR",
        help="with --install-units: put them below this directory (default: /)",
    )
    arguments = parser.parse_args(words, Arguments())
    if arguments.root is not None and not arguments.install_units:
        parser.error("--root goes with --install-units")
    if arguments.account is not None and arguments.check is None:
        parser.error("--as goes with --check LINE")
    return arguments
