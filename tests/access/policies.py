"""Alice, roles for her, and what she is told when she asks for a line."""

from dataclasses import replace

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Grant, Policy, Verdict
from prosody_admin.access.roles import Request, Role
from prosody_admin.shell.lines import parse

SERVICE_UID = 107
ALICE = Identity(pid=4711, uid=1000, gid=1000, groups=(2000,), user="alice")
LINE = "admin/repl-input"

EVERYTHING = Role("everything", allow=("*:*", "help", "admin/*"), escalate=True, lua=True)
HELPDESK = Role("helpdesk", allow=("*:*", "help"), hosts=("example.com", "*.example.org"))


def policy(*roles: Role, grant: Grant | None = None) -> Policy:
    """Return a policy in which Alice has these roles, or whoever `grant` is for."""
    names = tuple(role.name for role in roles)
    granted = Grant(names, user="alice") if grant is None else replace(grant, roles=names)
    return Policy(SERVICE_UID, {role.name: role for role in roles}, (granted,))


def verdict(line: str, *roles: Role, identity: Identity = ALICE) -> Verdict:
    return policy(*roles).authorise(identity, Request(LINE, parse(line)))


def allowed(line: str, *roles: Role) -> bool:
    return verdict(line, *roles).allowed
