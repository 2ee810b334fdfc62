"""May this identity ask for this? The first policy: root and the service's own user may."""

from dataclasses import dataclass

from prosody_admin.access.identity import Identity
from prosody_admin.shell.lines import Call, Help, Line


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, the rule it came from and, where it is no, what would be needed."""

    allowed: bool
    rule: str
    needed: str = ""


_FOR_EVERYBODY = (Call("admin", "whoami"), Help("admin"))


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides by identity; denies by default.

    `service_uid` is the account that the service runs as: whoever is it can open Prosody's own
    socket, so this gate has nothing to keep from it.
    """

    service_uid: int

    def authorise(self, identity: Identity, line: Line | None) -> Verdict:
        """Decide whether `identity` may have `line` run; None is an event that is no line."""
        if not identity.known:
            return Verdict(False, "unknown-peer", "a process of this machine and a mapped account")
        if identity.uid == 0:
            return Verdict(True, "root")
        if identity.uid == self.service_uid:
            return Verdict(True, "service-user")
        if line in _FOR_EVERYBODY:
            return Verdict(True, "everybody")
        return Verdict(False, "default", "root or the account that the service runs as")
