"""What the interactive shell says first: who is behind the socket, and whom it sees."""

from collections.abc import Mapping

from prosody_admin.client.connection import Connection
from prosody_admin.errors import CommandFailedError, CommandRefusedError
from prosody_admin.protocol.structured import Fact

_HINT = "Type help for the commands, quit to leave."


def greeting(connection: Connection) -> str:
    """Return the lines to begin with, without what the service does not tell this user.

    Raises ServiceUnreachableError.
    """
    versions = _asked(connection, "admin:version()")
    identities = _asked(connection, "admin:whoami()")
    service = " ".join(["prosody-admin", *(str(facts["version"]) for facts in versions)])
    if not identities:  # Prosody's own socket, say
        return _HINT
    who = identities[0]
    name = who.get("user") or "nobody known"
    roles = _roles(_asked(connection, "admin:rights()"))
    return f"{service}: you are {name} (uid {who.get('uid')}), {roles}.\n{_HINT}"


def _roles(rights: tuple[Mapping[str, Fact], ...]) -> str:
    if any(facts.get("unlimited") for facts in rights):
        return "and may do everything"
    names = [str(facts["name"]) for facts in rights]
    if not names:
        return "without a role"
    return f"with the role{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _asked(connection: Connection, line: str) -> tuple[Mapping[str, Fact], ...]:
    try:
        return connection.query(line)
    except (CommandFailedError, CommandRefusedError):
        return ()
