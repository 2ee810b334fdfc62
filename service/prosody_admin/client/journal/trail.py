"""The audit trail in the journal: which entries are ours, and reading them in either direction."""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from prosody_admin.errors import ClientError, CommandRefusedError
from prosody_admin.records import PREFIX, UNIT, MessageId

if TYPE_CHECKING:
    from systemd.journal import Reader

JOURNALS = (Path("/run/log/journal"), Path("/var/log/journal"))
"""Where journald keeps its files, in a directory of the machine's id each (journald.conf(5))."""

REFUSALS = (MessageId.COMMAND_REFUSED, MessageId.SESSION_REFUSED)

_LAST_MOMENT = 2**63 - 1
"""The last point in time that is looked for, in microseconds since 1970; 64 bits hold it."""

Value = str | bytes | int
"""What a field holds: text, bytes that are no UTF-8, or microseconds."""

Entry = dict[str, Value | list[Value]]
"""An entry's fields by name, as journalctl(1) exports them; a field can be there several times.

Its addresses are `__CURSOR`, and `__REALTIME_TIMESTAMP` in microseconds since 1970.
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; each that is not given leaves nothing out.

    `user` is a name or a uid, of the peer or of its login; `session` an id, or an id, a slash and
    a command's number; `commands` are patterns, of which one has to match. Points in time are
    microseconds since 1970, both included.
    """

    user: str | None = None
    session: str | None = None
    commands: tuple[str, ...] = ()
    refused: bool = False
    since: int | None = None
    until: int | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left out between `since` and `until`."""
        return self.user is None and self.session is None and not (self.commands or self.refused)

    def accepts(self, entry: Entry) -> bool:
        """Decide what the journal's matches cannot: patterns. A gap may hide any command."""
        if not self.commands or entry["MESSAGE_ID"] == MessageId.AUDIT_GAP.value:
            return True
        command = entry.get(PREFIX + "COMMAND", "")
        return any(fnmatchcase(str(command), pattern) for pattern in self.commands)


class Trail:
    """The events that are `wanted`, read from `reader`.

    Only what journald itself says to come from our unit counts: fields that begin with an
    underscore cannot be given by who sends a record, all others can, by anybody on the machine.
    """

    def __init__(self, reader: "Reader", wanted: Wanted) -> None:
        self._reader = reader
        self._wanted = wanted
        self._match()

    def forward(self, lines: int | None = None) -> Iterator[Entry]:
        """Go from the oldest event, or the last but `lines`, to the newest."""
        if lines is None:
            self._seek_start()
        elif not self._seek_back(lines):
            return
        yield from self._rest()

    def backward(self, lines: int | None = None) -> Iterator[Entry]:
        """Go from the newest event to the oldest, `lines` at most."""
        return islice(self._backward(), lines)

    def follow(self, lines: int | None, out: int) -> Iterator[Entry]:
        """Go on from the oldest event, or the last but `lines` now, waiting for new ones.

        Ends when nobody reads any more what is written to the descriptor `out`.
        """
        # sd_journal_wait(3) would go on after Ctrl-C without telling Python; poll does not. The
        # descriptor comes first: from then on changes are noticed.
        poller = select.poll()
        poller.register(self._reader.fileno(), self._reader.get_events())
        poller.register(out, 0)
        if lines is None or not self._seek_back(lines):
            self._seek_start()
        return self._arriving(poller, out)

    def _arriving(self, poller: select.poll, out: int) -> Iterator[Entry]:
        while True:
            yield from self._rest()
            timeout = self._reader.get_timeout_ms()
            if out in dict(poller.poll(None if timeout < 0 else timeout)):
                return
            self._reader.process()

    def _rest(self) -> Iterator[Entry]:
        until = self._wanted.until
        while entry := self._reader.get_next():
            if until is not None and entry["__REALTIME_TIMESTAMP"] > until:
                return
            if self._wanted.accepts(entry):
                yield entry

    def _backward(self) -> Iterator[Entry]:
        since = self._wanted.since
        self._seek_end()
        while entry := self._reader.get_previous():
            if since is not None and entry["__REALTIME_TIMESTAMP"] < since:
                return
            if self._wanted.accepts(entry):
                yield entry

    def _seek_back(self, lines: int) -> bool:
        """Go before the last `lines` events, however few there are; False if there are none."""
        first = None
        for first in self.backward(max(lines, 1)):  # noqa: B007 - the last one is used below
            pass
        if first is None:
            return False
        self._reader.seek_cursor(first["__CURSOR"])
        if lines == 0:
            self._reader.get_next()
        return True

    def _seek_start(self) -> None:
        if self._wanted.since is None:
            self._reader.seek_head()
        else:
            self._reader.seek_realtime(_possible(self._wanted.since))

    def _seek_end(self) -> None:
        if self._wanted.until is None:
            self._reader.seek_tail()
        else:
            self._reader.seek_realtime(_possible(self._wanted.until))

    def _match(self) -> None:
        """Have the journal find: of our unit, the kinds, session and user wanted, or a gap."""
        add = self._reader.add_match
        add(f"_SYSTEMD_UNIT={UNIT}")
        self._reader.add_conjunction()
        kinds = REFUSALS if self._wanted.refused else tuple(MessageId)
        for person in self._persons():
            for kind in kinds:
                add(f"MESSAGE_ID={kind.value}")
            for match in (*self._session(), *person):
                # As it was said, whatever bytes it has: then nobody has that name.
                add((PREFIX + match).encode("utf-8", "surrogateescape"))
            self._reader.add_disjunction()
        add(f"MESSAGE_ID={MessageId.AUDIT_GAP.value}")

    def _persons(self) -> list[tuple[str, ...]]:
        """Return matches one of which has to hold: whom the kernel saw, or who logged in."""
        user = self._wanted.user
        if user is None:
            return [()]
        field = "UID" if user.isdecimal() else "USER"
        return [(f"PEER_{field}={user}",), (f"PEER_LOGIN_{field}={user}",)]

    def _session(self) -> list[str]:
        if self._wanted.session is None:
            return []
        session, _, sequence = self._wanted.session.partition("/")
        return [f"SESSION={session}", *([f"SEQUENCE={sequence}"] if sequence else [])]


def _possible(moment: int) -> int:
    """Return the nearest point in time that an entry can have: others would wrap around."""
    return min(max(moment, 0), _LAST_MOMENT)


@contextmanager
def opened(directory: Path | None = None) -> "Iterator[Reader]":
    """Open this machine's journal, or the journal files in a directory, of whatever machine.

    Raises CommandRefusedError without the right to read it, ClientError if it cannot be read for
    any other reason.
    """
    try:
        from systemd import journal  # here: 25 ms that only who reads the journal has to wait for
    except ImportError as error:
        raise ClientError("to read the journal, the package python3-systemd is needed") from error
    if _forbidden(_files() if directory is None else _files_in(directory)):
        raise CommandRefusedError(
            "this account may not read the journal: it needs to be in the group systemd-journal"
            " or adm, or root"
        )
    try:
        reader = journal.Reader(path=None if directory is None else os.fspath(directory))
    except OSError as error:
        raise ClientError(f"{directory or 'the journal'}: {error.strerror}") from error
    # As text: what is exported is what journald keeps.
    reader.converters = {
        "__REALTIME_TIMESTAMP": int,
        "__MONOTONIC_TIMESTAMP": lambda monotonic: monotonic[0],
        "__CURSOR": str,
    }
    with reader:
        yield reader


def _files() -> list[Path]:
    """Return where the journal of the system's services may be on this machine."""
    try:
        machine = Path("/etc/machine-id").read_text("ascii").strip()
    except FileNotFoundError:  # then journald does not run either
        return []
    return [directory / machine / "system.journal" for directory in JOURNALS]


def _files_in(directory: Path) -> list[Path]:
    """Return the journal files in a directory, or itself if they cannot be listed."""
    try:
        return [file for file in directory.iterdir() if file.suffix == ".journal"]
    except OSError:  # opening it says what is wrong
        return [directory]


def _forbidden(files: list[Path]) -> bool:
    """Return whether there are journal files, and none that this account may read.

    libsystemd leaves out what it may not read without a word.
    """
    return not any(map(_readable, files)) and any(map(_exists, files))


def _readable(file: Path) -> bool:
    return os.access(file, os.R_OK, effective_ids=True)


def _exists(file: Path) -> bool:
    try:
        file.stat()
    except PermissionError:  # its directory is as secret as itself
        return True
    except OSError:
        return False
    return True
