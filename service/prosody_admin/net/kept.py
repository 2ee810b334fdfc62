"""A session at rest, as a line of JSON: what one process keeps for the next.

At a stanza boundary a session is its socket and these few values; a parser is made anew from the
header that the peer sent. The next process may be of another version of this code, so a line is
read like anything from outside: it is a state, or KeptSessionError says what is wrong with it.
"""

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import NoReturn

from prosody_admin.access.identity import Identity
from prosody_admin.errors import KeptSessionError
from prosody_admin.protocol.stanza import sanitised

VERSION = 1
"""Of the line; another one is not read. To be raised when a value changes or is added."""

_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_UINT32, _UINT64 = 2**32 - 1, 2**64 - 1
"""Bounds of what the kernel counts: pids, uids and gids; inodes, bytes and commands."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """All that there is to know of a session at rest, besides its socket.

    `inode` is that socket's number (stat(2)), by which it is found again. `pinned` tells whether
    there was a pidfd of the peer. `header` is what the peer sent up to the end of its stream
    header. `started` is of CLOCK_MONOTONIC, in seconds: the same for all processes since the boot.
    """

    inode: int
    id: str
    identity: Identity
    pinned: bool
    header: bytes
    commands: int
    started: float
    sent_bytes: int
    sent_lines: int


def encode(state: SessionState) -> bytes:
    """Return `state` as a line, without its end."""
    values = asdict(state) | {"version": VERSION, "header": state.header.decode()}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def decode(line: bytes) -> SessionState:
    """Return the state that a line is. Raises KeptSessionError, whatever else it is."""
    try:
        values = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise KeptSessionError(f"no JSON: {type(error).__name__}") from None
    fields = _Fields(values)
    if fields.whole("version") != VERSION:
        raise KeptSessionError("of another version")
    return SessionState(
        inode=fields.whole("inode", _UINT64),
        id=fields.id(),
        identity=_identity(_Fields(fields.get("identity"))),
        pinned=fields.flag("pinned"),
        header=fields.text("header").encode(),
        commands=fields.whole("commands", _UINT64),
        started=fields.seconds("started"),
        sent_bytes=fields.whole("sent_bytes", _UINT64),
        sent_lines=fields.whole("sent_lines", _UINT64),
    )


def _identity(fields: "_Fields") -> Identity:
    return Identity(
        pid=fields.whole("pid"),
        uid=fields.whole("uid"),
        gid=fields.whole("gid"),
        groups=fields.wholes("groups"),
        user=fields.optional_text("user"),
        login_uid=fields.optional_whole("login_uid"),
        login_user=fields.optional_text("login_user"),
        unit=fields.optional_text("unit"),
    )


class _Fields:
    """The values of a JSON object by their types. All raise KeptSessionError for any other value.

    Messages name the field and never quote what is there.
    """

    def __init__(self, values: object) -> None:
        if not isinstance(values, dict):
            raise KeptSessionError("no object")
        self._values: dict[str, object] = values

    def get(self, name: str) -> object:
        try:
            return self._values[name]
        except KeyError:
            raise KeptSessionError(f"{name} is missing") from None

    def whole(self, name: str, most: int = _UINT32) -> int:
        return _whole(name, self.get(name), most)

    def optional_whole(self, name: str) -> int | None:
        return None if self.get(name) is None else self.whole(name)

    def wholes(self, name: str) -> tuple[int, ...]:
        values = self.get(name)
        if not isinstance(values, list):
            _wrong(name)
        return tuple(_whole(name, value, _UINT32) for value in values)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        return value if isinstance(value, bool) else _wrong(name)

    def seconds(self, name: str) -> float:
        value = self.get(name)
        if not isinstance(value, float) or not math.isfinite(value) or value < 0:
            _wrong(name)
        return value

    def text(self, name: str) -> str:
        """Return text that XML, and so the record and a stanza, can carry."""
        value = self.get(name)
        return value if isinstance(value, str) and sanitised(value) == value else _wrong(name)

    def optional_text(self, name: str) -> str | None:
        return None if self.get(name) is None else self.text(name)

    def id(self) -> str:
        value = self.text("id")
        return value if _ID.fullmatch(value) else _wrong("id")


def _whole(name: str, value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:  # a bool is none
        _wrong(name)
    return value


def _no_number(constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(constant)


def _wrong(name: str) -> NoReturn:
    raise KeptSessionError(f"{name} is wrong")
