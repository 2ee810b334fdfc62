"""Which commands to offer somebody: what completion shows, not what decides."""

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Policy
from prosody_admin.access.roles import Request
from prosody_admin.shell.catalogue import Command
from prosody_admin.shell.lines import Call


def offered(policy: Policy, identity: Identity) -> list[Command]:
    """Return the known commands that `identity` may run with some arguments, by name.

    The policy itself is asked: with no argument, with one, and with each host of a role.
    """
    hosts = {host for role in policy.roles_of(identity) for host in role.hosts}
    return sorted(
        (
            command
            for command in policy.catalogue
            if any(
                policy.authorise(identity, Request("admin/repl-input", call)).allowed
                for call in _calls(command, hosts)
            )
        ),
        key=lambda command: (command.section, command.name),
    )


def _calls(command: Command, hosts: set[str]) -> list[Call]:
    """Return calls that differ in what they are about."""
    calls = [Call(command.section, command.name, arguments) for arguments in ((), ("",))]
    for position in command.hosts[:1]:
        before = (None,) * (position - 1)
        for host in hosts:
            # Of a wildcard, some host below the name.
            named = (*before, host.replace("*", "host"))
            calls.append(Call(command.section, command.name, named))
    return calls
