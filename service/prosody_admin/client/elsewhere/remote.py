"""Other hosts and containers: the command that runs `prosody-adminctl` there.

After `systemctl -H` and `-M`: systemctl(1), and bus_set_address_system_remote and
bus_set_address_machine of systemd's src/libsystemd/sd-bus/sd-bus.c.
"""

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from prosody_admin.client.exits import ExitCode
from prosody_admin.client.options import parse_arguments
from prosody_admin.client.terminal.output import coloured, paged
from prosody_admin.client.verbs import DEFAULT_SOCKET, SOCKET_VARIABLE
from prosody_admin.errors import ServiceUnreachableError, UsageError

PROGRAM = "prosody-adminctl"

SSH_VARIABLE = "SYSTEMD_SSH"
"""The variable of the environment that names the `ssh` to use, as for systemctl."""

_USER = r"[\w.+][\w.+@-]*\$?"
_MACHINE = rf"(?:(?P<as_user>{_USER})@)?(?P<machine>\.host|[A-Za-z0-9][\w.-]*)"
_HOST = re.compile(
    rf"(?:(?P<user>{_USER})@)?"
    r"(?:\[(?P<address>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>\w[\w.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    rf"(?:/(?P<container>{_MACHINE}))?",
    re.ASCII,
)
_CONTAINER = re.compile(_MACHINE, re.ASCII)


def run(arguments: argparse.Namespace) -> int:
    """Run what the command line says elsewhere, and return the exit code.

    Raises UsageError and other ClientErrors.
    """
    if arguments.host is not None and arguments.machine is not None:
        raise UsageError("-H and -M do not go together; a container there is -H HOST/CONTAINER")
    hosts = hosts_of(arguments.host) if arguments.host is not None else []
    if len(hosts) > 1:
        from prosody_admin.client.elsewhere.side_by_side import run_on

        return run_on(hosts, arguments, run)
    if arguments.stdio_bridge:
        argv = bridge(arguments)
        try:
            os.execvp(argv[0], argv)  # noqa: S606 - no shell is what we want
        except OSError as error:
            raise ServiceUnreachableError(f"{argv[0]}: {error.strerror}") from error
    if arguments.verb == "log":
        return _log(arguments)
    module = importlib.import_module(f"prosody_admin.client.{arguments.module}")
    return int(module.run(arguments))


def hosts_of(text: str) -> list[str]:
    """Return the hosts of `[user@]host[:port][/container],...`, each of them checked.

    Raises UsageError.
    """
    hosts = text.split(",")
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise UsageError(f"-H: {host!r}: expected [USER@]HOST[:PORT][/CONTAINER]")
        if hosts.count(host) > 1:
            raise UsageError(f"-H: {host} is there twice")
    return hosts


def bridge(arguments: argparse.Namespace) -> list[str]:
    """Return the command that is connected to the service's socket where the options say.

    Raises UsageError for anything but one host or one container.
    """
    command = [PROGRAM, "--stdio-bridge"]
    if arguments.socket not in {DEFAULT_SOCKET, os.environ.get(SOCKET_VARIABLE)}:
        command.append(f"--socket={arguments.socket}")
    return there(arguments, command)


def there(arguments: argparse.Namespace, command: Sequence[str]) -> list[str]:
    """Return the command that runs `command`, of our program, where the options say.

    Raises UsageError for anything but one host or one container.
    """
    if arguments.host is None:
        return in_container(arguments.machine, command)
    hosts = hosts_of(arguments.host)
    if len(hosts) > 1:
        raise UsageError("-H: expected one host for this")
    # Neither a completion nor one of several hosts is the place for ssh to ask anything.
    unattended = arguments.module == "completing.completion" or getattr(
        arguments, "unattended", False
    )
    return over_ssh(hosts[0], command, unattended=unattended)


def over_ssh(host: str, command: Sequence[str], *, unattended: bool = False) -> list[str]:
    """Return the command that runs `command` on one of `hosts_of`.

    What a container there is given becomes its option --machine. When `unattended`, ssh asks for
    nothing and fails instead.
    """
    found = _HOST.fullmatch(host)
    assert found
    if found["container"]:
        command = [*command, f"--machine={found['container']}"]
    return [
        os.environ.get(SSH_VARIABLE) or "ssh",
        "-xT",
        *(("-o", "BatchMode=yes") if unattended else ()),
        *(("-p", found["port"]) if found["port"] else ()),
        *(("-l", found["user"]) if found["user"] else ()),
        "--",
        found["address"] or found["name"],
        shlex.join(command),  # a shell reads it there
    ]


def in_container(container: str, command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` in `[user@]container`. Raises UsageError."""
    found = _CONTAINER.fullmatch(container)
    if not found:
        raise UsageError(f"-M: {container!r}: expected [USER@]CONTAINER")
    return [
        *("systemd-run", f"--machine={found['machine']}"),
        *("--pipe", "--quiet", "--collect", "--wait"),
        *((f"-pUser={found['as_user']}", "-pPAMName=login") if found["as_user"] else ()),
        "--",
        *(word.replace("$", "$$") for word in command),  # systemd.service(5), COMMAND LINES
    ]


def _log(arguments: argparse.Namespace) -> int:
    """Run `log` over there, where the journal is; what it writes to a pipe gets our colours."""
    words = _without_place(arguments.words)
    colours = f"SYSTEMD_COLORS={int(coloured(sys.stdout))}"
    argv = there(arguments, ["env", colours, PROGRAM, *words])
    code = ExitCode.UNREACHABLE
    with paged(sys.stdout, not (arguments.no_pager or arguments.follow)) as out:
        try:
            ended = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, check=False)
        except OSError as error:
            raise ServiceUnreachableError(f"{argv[0]}: {error.strerror}") from error
        with suppress(ValueError):  # ssh's own is 255, a shell's without our program 127
            code = ExitCode(ended.returncode)
    return code


def _without_place(words: Sequence[str]) -> list[str]:
    """Return the words of a verb without -H and -M. Raises UsageError if they cannot be told."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for names in (("-H", "--host"), ("-M", "--machine")):
        parser.add_argument(*names)
    _, rest = parser.parse_known_args(words)
    again = parse_arguments(rest)
    if again.host is not None or again.machine is not None:  # as in `log -rH HOST`
        raise UsageError(f"{words[0]}: give -H and -M by themselves")
    return rest
