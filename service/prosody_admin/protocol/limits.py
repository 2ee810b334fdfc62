"""What one stream may cost its reader."""

from dataclasses import dataclass
from typing import NoReturn

from prosody_admin.errors import StreamError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one stream may cost; whoever goes beyond gets `policy-violation`."""

    # Bytes from a stanza's "<" to its ">", all of which are held at some time. 1 MiB is what
    # Prosody 0.12 takes.
    stanza_bytes: int = 1 << 20
    # Bytes of one tag; text may be as long as the stanza. They are looked at again whenever more
    # of them arrive (4 KiB a byte at a time: 0.15 s at worst), and so is all up to the header.
    tag_bytes: int = 4096
    # Elements inside one another. Nothing known goes beyond 3; a level costs 130 bytes in expat
    # and one call where a stanza is compared, hashed or written.
    depth: int = 16
    # Elements in one stanza: each costs some 300 bytes here for four on the wire.
    elements: int = 256
    # Attributes of one element; the stanza with the most has three.
    attributes: int = 16
    # Different names of elements and attributes, prefixes and namespaces in one stanza, or in the
    # header: expat forgets none of them as long as it lives.
    names: int = 128


DEFAULT_LIMITS = Limits()

# Prosody is trusted not to flood us, but one line of output of a console may be megabytes.
UPSTREAM_LIMITS = Limits(stanza_bytes=16 << 20)


def violated(reason: str) -> NoReturn:
    """Raise the StreamError of somebody who went beyond a limit."""
    raise StreamError("policy-violation", reason)
