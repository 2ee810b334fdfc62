"""What prosody-admind answers about its settings without serving anybody."""

import json
import os
import sys

from prosody_admin.access.roles import Request, Role
from prosody_admin.arguments import Arguments
from prosody_admin.config import Settings
from prosody_admin.net.accounts import identity_of, policy_of
from prosody_admin.shell.lines import parse as parse_line


def answer(arguments: Arguments, settings: Settings) -> int:
    """Answer what needs no service, and return the exit status."""
    if arguments.check is not None and not arguments.check_config:
        return check(settings, arguments.check, arguments.account)
    sys.stdout.write(effective_policy(settings))
    return os.EX_OK


def effective_policy(settings: Settings) -> str:
    """Return who may do what by these settings, as the lines of a settings file."""
    policy = settings.policy
    lines = ["# The settings are in order. root and the service's own account may do everything."]
    for role in policy.roles.values():
        lines += ["", f"[roles.{role.name}]", *_keys(role)]
    lines += ["", "[grants]"]
    lines += [
        f"{json.dumps(subject)} = {json.dumps(roles)}"  # names of units have backslashes
        for subject, roles in policy.grants.items()
    ]
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
