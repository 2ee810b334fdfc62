"""Records to journald by its native protocol, over a socket that never blocks.

systemd.io/JOURNAL_NATIVE_PROTOCOL: one datagram is one record, a line `NAME=value` for each field,
or, for a value with a newline, the name alone, the length as 64 bits little-endian, the value. What
is too large for a datagram goes as a sealed memfd by SCM_RIGHTS, with nothing else in the datagram.

`systemd.journal.send` is not used: it blocks, holding the GIL, when journald hangs, and reports
nothing when journald is absent. Here both are an answer: the record waits, or is refused.
"""

import array
import errno
import fcntl
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from syslog import LOG_INFO, LOG_WARNING

from prosody_admin.records import PREFIX, RECORD, MessageId
from prosody_admin.sd.entries import FieldValue, Journal, entry
from prosody_admin.sd.room import Room

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")

QUEUE_RECORDS = 1024
"""Records that wait for journald at most: some seconds of a busy service, as a restart takes."""

QUEUE_BYTES = 1024 * 1024
"""Bytes of records that wait for journald at most, however few they are."""

RECORDS_AT_ONCE = 256
"""Records that one call sends at most of those that wait: it takes 1 ms of the loop's time."""

MISSING_SESSIONS = 1000
"""Sessions whose missing commands the record of a gap names at most."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class NativeJournal(Journal):
    """Sends records to the datagram socket `path`, in the order of the calls.

    `log` queues what journald does not take, up to QUEUE_RECORDS and QUEUE_BYTES; once one record
    had to be dropped, all are, until the queue is empty: the loss is one gap, and a record in its
    place says how many are missing. `record` refuses while there is no `room`; None does not look.
    """

    def __init__(self, path: Path = JOURNAL_SOCKET, room: Room | None = None) -> None:
        super().__init__()
        self._room = room
        self._numbered = 0
        # Not connected: the path is looked up for each record, so that a new journald is found.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._path = os.fspath(path)
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._sending = False
        self._gap = 0  # of the dropped ones, those that no record tells about yet
        # By session, the first and the last command that they were of. All between are missing as
        # well: a session's commands are recorded in their order, and a gap has no record in it.
        self._missing: dict[str, tuple[str, str]] = {}

    def record(
        self, event: MessageId, message: str, priority: int = LOG_INFO, **fields: FieldValue
    ) -> None:
        """See Journal."""
        if self._room is not None:
            self._room.check()
        super().record(event, message, priority, **fields)

    def flush(self) -> bool:
        """See Journal."""
        with self._lock:
            try:
                with self._alone():
                    self._send_queue()
            except OSError:  # the rest waits on
                return False
            return True

    def close(self) -> None:
        """See Journal."""
        with self._lock:
            for _ in range(QUEUE_RECORDS // RECORDS_AT_ONCE + 1):
                self.flush()
            self._socket.close()

    def _hand_over(self, full: dict[str, str]) -> None:
        with self._alone():
            self._send_queue()
            self._send_numbered(full)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be busy for what a destructor logs while we send: it waits, and is sent only once."""
        if self._sending:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._sending = True
        try:
            yield
        finally:
            self._sending = False

    def _keep(self, full: dict[str, str]) -> None:
        payload = encode(self._number(full))  # also what is dropped: its number is the hole
        records, size = len(self._queue) + 1, self._queued_bytes + len(payload)
        if self._gap or records > QUEUE_RECORDS or size > QUEUE_BYTES:
            self.dropped += 1
            self._gap += 1
            self._miss(full)
        else:
            self._queue.append(payload)
            self._queued_bytes += len(payload)

    def _number(self, full: dict[str, str]) -> dict[str, str]:
        """Return a record with the next number, if it is one that has a MessageId."""
        if "MESSAGE_ID" not in full:
            return full
        self._numbered += 1
        return full | {RECORD: str(self._numbered)}

    def _send_numbered(self, full: dict[str, str]) -> None:
        """Send a record with the next number; raises OSError, and the number is free again."""
        before, payload = self._numbered, encode(self._number(full))
        taken = self._numbered
        try:
            self._send(payload)
        except OSError:
            if self._numbered == taken:  # or what was logged while sending has the next one
                self._numbered = before
            raise

    def _miss(self, lost: dict[str, str]) -> None:
        """Remember of which command a record was lost."""
        session, sequence = lost.get(PREFIX + "SESSION"), lost.get(PREFIX + "SEQUENCE")
        if session is None or sequence is None:
            return
        if session in self._missing or len(self._missing) < MISSING_SESSIONS:
            first, _ = self._missing.get(session, (sequence, sequence))
            self._missing[session] = first, sequence

    def _send_queue(self) -> None:
        """Send what waits, then the record of a gap.

        Raises OSError when journald takes no more, and after RECORDS_AT_ONCE.
        """
        sent = 0
        while self._queue:
            if sent == RECORDS_AT_ONCE:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            self._send(self._queue[0])
            self._queued_bytes -= len(self._queue.popleft())
            sent += 1
        if gap := self._gap:
            message = f"{gap} records were lost here: journald did not take them"
            missing = " ".join(
                f"{session}/{first}" if first == last else f"{session}/{first}-{last}"
                for session, (first, last) in self._missing.items()
            )
            fields: dict[str, FieldValue] = {"DROPPED": gap, "MISSING": missing}
            full = entry(MessageId.AUDIT_GAP, message, LOG_WARNING, fields)
            self._send_numbered(full)
            self._gap -= gap
            if not self._gap:  # or what was lost while this was sent is missing as well
                self._missing.clear()

    def _send(self, payload: bytes) -> None:
        """Send one record; raises OSError when journald does not take it now."""
        try:
            self._socket.sendto(payload, self._path)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            self._send_sealed(payload)

    def _send_sealed(self, payload: bytes) -> None:
        memfd = os.memfd_create("prosody-admin-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with open(memfd, "wb") as file:
            file.write(payload)
            file.flush()
            fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, _SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memfd]))
            self._socket.sendmsg([], [rights], 0, self._path)


def encode(fields: dict[str, str]) -> bytes:
    """Return a record in the native protocol; whatever a value holds, it stays one value."""
    payload = bytearray()
    for name, text in fields.items():
        # Lone surrogates are bytes of file names.
        if "\n" in text:
            value = text.encode("utf-8", "backslashreplace")
            payload += name.encode("ascii") + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
        else:
            payload += f"{name}={text}\n".encode("utf-8", "backslashreplace")
    return bytes(payload)
