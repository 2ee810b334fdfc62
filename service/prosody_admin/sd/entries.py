"""What a record in the journal is made of, whatever it is written to.

A record is a message, a priority of syslog(3), an id for its kind (systemd.journal-fields(7),
`MESSAGE_ID`) and fields. Fields of ours are prefixed; of the well-known ones only those are
taken that a logging record has. It is written as systemd.io/JOURNAL_NATIVE_PROTOCOL says: a line
`NAME=value` for each field, or, for a value with a newline, the name alone, the length as 64 bits
little-endian, the value.
"""

import functools
import re
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from syslog import LOG_INFO

from prosody_admin.records import IDENTIFIER, PREFIX, MessageId

FIELD_NAME_CHARACTERS = 64
"""The longest name of a field; journald drops longer ones without a word."""

FieldValue = str | int | None
"""None leaves the field out."""

_WELL_KNOWN = frozenset({"CODE_FILE", "CODE_FUNC", "CODE_LINE"})
_FIELD_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


class Journal(ABC):
    """Where records go. Usable from any thread."""

    def __init__(self) -> None:
        self.dropped = 0
        """How many records that came by `log` were lost since the start."""
        # Reentrant: a destructor that the garbage collector runs inside a call may log.
        self.lock = threading.RLock()
        """Held while a record is written; for a JournalHandler, which needs no second one."""

    @abstractmethod
    def record(self, entries: Sequence[bytes]) -> None:
        """Hand over what waits and then `entries`, now.

        Raises JournalUnavailableError when that is not possible, which says how many of the
        entries were handed over: the others are not kept, and what they were to announce must not
        happen.
        """

    def log(
        self,
        message: str,
        priority: int = LOG_INFO,
        event: MessageId | None = None,
        *encoded: bytes,
        **fields: FieldValue,
    ) -> None:
        """Hand a record over now or later; it may be lost, and is counted then. See `entry`."""
        self.keep(entry(message, priority, event, *encoded, **fields))

    @abstractmethod
    def keep(self, payload: bytes) -> None:
        """Hand over an entry now or later, or count it as dropped."""

    def hold(self) -> None:  # noqa: B027 - not every journal gains by it
        """Let what is logged wait until the next `flush`: a reader is woken once for all of it."""

    def flush(self) -> bool:
        """Hand over some of what waits, if possible; return whether nothing waits any more."""
        return True

    def close(self) -> None:  # noqa: B027 - not every journal has something to close
        """Flush and close; what still waits is lost. Idempotent."""


def entry(
    message: str,
    priority: int = LOG_INFO,
    event: MessageId | None = None,
    *encoded: bytes,
    **fields: FieldValue,
) -> bytes:
    """Return a record: its message, priority and kind, and fields of our own.

    Those are given by name, in upper case and without PREFIX, or `encoded` already. Raises
    ValueError for a name that journald would drop, which is a mistake in the calling code.
    """
    return b"".join((_head(priority, event), field(b"MESSAGE", message), *encoded, encode(fields)))


def has_event(payload: bytes) -> bool:
    """Return whether a record that `entry` returned has a MessageId."""
    return _EVENT.match(payload) is not None


def encode(fields: Mapping[str, FieldValue]) -> bytes:
    """Return fields of our own as they stand in a record.

    Raises ValueError for a name that is not upper-case ASCII or, prefixed, too long.
    """
    parts = []
    for name, value in fields.items():
        if isinstance(value, str):
            parts.append(field(_full_name(name), value))
        elif value is not None:
            parts.append(b"%s=%d\n" % (_full_name(name), value))
    return b"".join(parts)


def encode_numbers(**numbers: int) -> bytes:
    """Like `encode`, of numbers only, which is what differs from record to record."""
    return _lines_of_numbers(tuple(numbers)) % tuple(numbers.values())


def decode(payload: bytes) -> dict[str, str]:
    """Return the fields of a record by their full names: what `entry` wrote."""
    fields, position = {}, 0
    while position < len(payload):
        end = payload.index(b"\n", position)
        name, assigned, value = payload[position:end].partition(b"=")
        if not assigned:
            (length,) = struct.unpack_from("<Q", payload, end + 1)
            start = end + 1 + 8
            end = start + length
            value = payload[start:end]
        fields[name.decode("ascii")] = value.decode()
        position = end + 1
    return fields


def field(name: bytes, text: str) -> bytes:
    """Return one field, by its full name; whatever the text holds, it stays one value."""
    value = text.encode("utf-8", "backslashreplace")  # lone surrogates are bytes of file names
    if b"\n" in value:
        return b"%s\n%s%s\n" % (name, struct.pack("<Q", len(value)), value)
    return b"%s=%s\n" % (name, value)


_EVENT = re.compile(rb"PRIORITY=[0-7]\nSYSLOG_IDENTIFIER=[^\n]*\nMESSAGE_ID=")  # what `_head` wrote


@functools.lru_cache(maxsize=64)  # there are some twenty
def _head(priority: int, event: MessageId | None) -> bytes:
    kind = b"" if event is None else field(b"MESSAGE_ID", event.value)
    return field(b"PRIORITY", str(priority)) + field(b"SYSLOG_IDENTIFIER", IDENTIFIER) + kind


@functools.lru_cache(maxsize=64)  # there are two
def _lines_of_numbers(names: tuple[str, ...]) -> bytes:
    return b"".join(b"%s=%%d\n" % _full_name(name) for name in names)


@functools.lru_cache(maxsize=256)  # they stand in our code: some thirty
def _full_name(name: str) -> bytes:
    full_name = name if name in _WELL_KNOWN else PREFIX + name
    if not _FIELD_NAME.fullmatch(name) or len(full_name) > FIELD_NAME_CHARACTERS:
        raise ValueError(
            f"field {name!r}: expected upper-case ASCII letters, digits and underscores, a"
            f" letter first, {FIELD_NAME_CHARACTERS} characters at most with {PREFIX}"
        )
    return full_name.encode("ascii")
