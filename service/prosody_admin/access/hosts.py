"""Which host an argument of a command is about, and whether a role reaches it.

Whatever is not surely a host or a JID as Prosody would read it (util/jid.lua) is about no host that
a role could have.
"""

import re

# What nameprep (RFC 3491) leaves as it is, but for upper case. Other spellings of a host exist, and
# a role with limits does not reach them.
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_JID = re.compile(r"(?:[^@/]+@)?([^@/]+)(?:/.+)?", re.DOTALL)


def host_of(argument: str) -> str | None:
    """Return the host that a host name or JID is about, in lower case; None if that is unsure."""
    found = _JID.fullmatch(argument)
    if found is None:
        return None
    host = found[1].lower()
    return host if found[1].isascii() and _HOST.fullmatch(host) else None


def is_host_pattern(text: str) -> bool:
    """Return whether `text` can stand in a role's `hosts`."""
    return _HOST.fullmatch(text.removeprefix("*.")) is not None


def reaches(patterns: tuple[str, ...], host: str) -> bool:
    """Return whether one of the patterns is `host`, or `*.` and a parent of it."""
    return any(
        host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
        for pattern in patterns
    )
