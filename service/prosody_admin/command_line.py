"""The command line of prosody-admind, and what it answers without serving anybody."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from prosody_admin import __version__
from prosody_admin.access.roles import Request, Role
from prosody_admin.config import Settings, reference
from prosody_admin.net.accounts import identity_of, policy_of
from prosody_admin.shell.lines import parse as parse_line


def answered(arguments: argparse.Namespace, settings: Settings) -> int | None:
    """Answer what needs no service, and return the exit status; None if a service is wanted."""
    if arguments.check_config:
        sys.stdout.write(effective_policy(settings))
        return os.EX_OK
    if arguments.check is not None:
        return check(settings, arguments.check, arguments.account)
    return None


def install_units(root: Path | None) -> int:
    """Put the units of an installation by pip in place; return the exit status."""
    from prosody_admin import installation  # what it loads is for nothing else

    return installation.install_units(root or Path("/"))


def effective_policy(settings: Settings) -> str:
    """Return who may do what by these settings, as the lines of a settings file."""
    policy = settings.policy
    lines = ["# The settings are in order. root and the service's own account may do everything."]
    for role in policy.roles.values():
        lines += ["", f"[roles.{role.name}]", *_keys(role)]
    lines += ["", "[grants]"]
    lines += [f'"{subject}" = {json.dumps(roles)}' for subject, roles in policy.grants.items()]
    return "\n".join(lines) + "\n"


def check(settings: Settings, line: str, account: str | None) -> int:
    """Say what the policy makes of `line` from `account`, or from whoever asks.

    Return 0 if it is allowed, 1 if not, EX_NOUSER if there is no such account. The account that
    the service runs as is taken to be `prosody`, if there is one.
    """
    identity = identity_of(account)
    if identity is None:
        sys.stderr.write(f"prosody-admind: --as {account}: expected an account of this machine\n")
        return os.EX_NOUSER
    service = identity_of("prosody")
    policy = policy_of(settings.policy, os.getuid() if service is None else service.uid)
    request = Request("admin/repl-input", parse_line(line, policy.catalogue))
    verdict = policy.authorise(identity, request)
    answer = "allowed" if verdict.allowed else f"refused, needs {verdict.needed}"
    sys.stdout.write(f"{identity}: {request}: {answer} ({verdict.rule})\n")
    return 0 if verdict.allowed else 1


def _keys(role: Role) -> list[str]:
    lists = {"allow": role.allow, "deny": role.deny, "hosts": role.hosts}
    lines = [f"{key} = {json.dumps(values)}" for key, values in lists.items() if values]
    flags = {"hostless": role.hostless, "escalate": role.escalate, "lua": role.lua}
    return lines + [f"{key} = true" for key, value in flags.items() if value]


class _HelpSettings(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's name for it
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        sys.stdout.write(reference())
        parser.exit()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
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
    arguments = parser.parse_args(argv)
    if arguments.root is not None and not arguments.install_units:
        parser.error("--root goes with --install-units")
    if arguments.account is not None and arguments.check is None:
        parser.error("--as goes with --check LINE")
    return arguments
