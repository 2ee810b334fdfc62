"""May this identity ask for this? Deny by default, deny wins, and every verdict names its rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from prosody_admin.access.identity import Identity
from prosody_admin.access.roles import Opinion, Request, Role
from prosody_admin.shell.catalogue import Catalogue, shipped
from prosody_admin.shell.lines import Call, Help


class Verdict(NamedTuple):
    """The answer, the rule it came from and, where it is no, what would be needed."""

    allowed: bool
    rule: str
    needed: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who has which roles: an account, the members of a group, or the processes of a unit.

    `user` is the name of an account, `gid` the number of a group, `unit` the name of a unit of the
    system; one of them is given.
    """

    roles: tuple[str, ...]
    user: str | None = None
    gid: int | None = None
    unit: str | None = None

    def covers(self, identity: Identity) -> bool:
        """Return whether `identity` is one that this grant is for."""
        return (
            (self.user is not None and self.user == identity.user)
            or (self.gid is not None and self.gid in {identity.gid, *identity.groups})
            or (self.unit is not None and self.unit == identity.unit)
        )


_FOR_EVERYBODY = (("whoami", 0), ("rights", 0), ("commands", 0), ("explain", 1))
"""Commands of the `admin` section, with their arguments, that tell a peer about itself."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides by identity and role; a value, so that each command has one policy from end to end.

    `service_uid` is the account that the service runs as: whoever is it can open Prosody's own
    socket, so this gate has nothing to keep from it. Nor from root.
    """

    service_uid: int
    roles: Mapping[str, Role] = field(default_factory=dict)
    grants: tuple[Grant, ...] = ()
    catalogue: Catalogue = field(default_factory=shipped)

    def roles_of(self, identity: Identity) -> tuple[Role, ...]:
        """Return the roles that are granted to `identity`, each once, in the order of grants."""
        names = dict.fromkeys(
            name for grant in self.grants if grant.covers(identity) for name in grant.roles
        )
        return tuple(self.roles[name] for name in names)

    def is_unlimited(self, identity: Identity) -> bool:
        """Return whether no role is needed for anything."""
        return identity.known and identity.uid in {0, self.service_uid}

    def authorise(self, identity: Identity, request: Request) -> Verdict:
        """Decide whether `identity` may have what it asks for."""
        if not identity.known:
            return Verdict(False, "unknown-peer", "a process of this machine and a mapped account")
        if self.is_unlimited(identity):
            return Verdict(True, "root" if identity.uid == 0 else "service-user")
        if _about_oneself(request):
            return Verdict(True, "everybody")
        judgements = [role.judge(request, self.catalogue) for role in self.roles_of(identity)]
        for opinion in (Opinion.DENY, Opinion.ALLOW):
            for judgement in judgements:
                if judgement.opinion is opinion:
                    allowed = opinion is Opinion.ALLOW
                    return Verdict(allowed, judgement.rule, "" if allowed else "no such denial")
        needed = " or ".join(dict.fromkeys(judgement.needed for judgement in judgements))
        return Verdict(False, "default", needed or f"a role, and none is granted to {identity}")


def _about_oneself(request: Request) -> bool:
    match request.line:
        case Help(topic=topic):
            return topic.lower() == "admin"
        case Call(section="admin", command=command, arguments=arguments, flags=()):
            return (command, len(arguments)) in _FOR_EVERYBODY
        case _:
            return False
