"""Records to journald by its native protocol, over a socket that never blocks.

systemd.io/JOURNAL_NATIVE_PROTOCOL: one datagram is one record, as `entries` writes it. (Of several
with an empty line between them 252 takes all, 257 the first, and drops the rest without a word.)
What is too large for a datagram goes as a sealed memfd by SCM_RIGHTS, with nothing else in the
datagram; in the sandbox of the unit, which forbids files in memory, it does not go at all.

`systemd.journal.send` is not used: it blocks, holding the GIL, when journald hangs, and reports
nothing when journald is absent. Here both are an answer: the record waits, or is refused.
"""

import array
import errno
import fcntl
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from syslog import LOG_WARNING

from prosody_admin.errors import JournalUnavailableError
from prosody_admin.records import PREFIX, RECORD, MessageId
from prosody_admin.sd.entries import Journal, decode, entry, has_event
from prosody_admin.sd.room import Room

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")

QUEUE_RECORDS = 1024
"""Records that wait for journald at most: some seconds of a busy service, as a restart takes."""

QUEUE_BYTES = 1024 * 1024
"""Bytes of records that wait for journald at most, however few they are."""

RECORDS_AT_ONCE = 128
"""Records of those that wait that one call sends at most, and all calls from a `hold` to its
`flush` together: it takes 1 ms of the loop's time."""

HELD_RECORDS = 32
"""Records that are held at most: their time is when journald gets them."""

MISSING_SESSIONS = 1000
"""Sessions whose missing commands the record of a gap names at most."""

_RECORD = RECORD.encode("ascii")

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class NativeJournal(Journal):
    """Sends records to the datagram socket `path`, in the order of the calls.

    `log` queues what journald does not take, up to QUEUE_RECORDS and QUEUE_BYTES; once one record
    had to be dropped, all are, until the queue is empty: the loss is one gap, and a record in its
    place says how many are missing.

    `record` refuses while there is no `room`; None does not look. What has a MessageId is numbered
    from 1: a number that is missing is a record that was lost.
    """

    def __init__(self, path: Path = JOURNAL_SOCKET, room: Room | None = None) -> None:
        super().__init__()
        self._room = room
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._path = os.fspath(path)
        self._number = 0  # of the last record
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._sending = False
        self._holding = False
        self._may_send = RECORDS_AT_ONCE  # of those that wait, while records are held
        self._gap = 0  # of the dropped ones, those that no record tells about yet
        # By session, the first and the last command that they were of. All between are missing as
        # well: a session's commands are recorded in their order, and a gap has no record in it.
        self._missing: dict[str, tuple[str, str]] = {}

    def record(self, entries: Sequence[bytes]) -> None:
        """See Journal."""
        if self._room is not None:
            self._room.check()  # not under the lock: it may log
        handed_over = 0
        with self.lock:
            try:
                with self._alone():
                    self._send_queue()
                    for payload in entries:
                        self._send_numbered(payload)
                        handed_over += 1
            except OSError as error:  # journald is absent, restarting or busy
                raise JournalUnavailableError(
                    f"the journal does not take a record: {error.strerror}", handed_over
                ) from error

    def keep(self, payload: bytes) -> None:
        """See Journal."""
        with self.lock:
            kept = self._may_keep(payload)
            if not kept:
                self._try_to_send_queue()  # journald may be there again
                kept = self._may_keep(payload)
            payload = self._numbered(payload)
            if not kept:
                self._drop(payload)
                return
            self._queue.append(payload)
            self._queued_bytes += len(payload)
            if not self._holding or len(self._queue) >= HELD_RECORDS:
                self._try_to_send_queue()

    def hold(self) -> None:
        """See Journal."""
        if not self._holding:
            self._holding = True
            self._may_send = RECORDS_AT_ONCE

    def flush(self) -> bool:
        """See Journal."""
        with self.lock:
            self._holding = False
            return self._try_to_send_queue()

    def close(self) -> None:
        """See Journal."""
        with self.lock:
            for _ in range(QUEUE_RECORDS // RECORDS_AT_ONCE + 1):
                self.flush()
            self._socket.close()

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

    def _try_to_send_queue(self) -> bool:
        try:
            with self._alone():
                self._send_queue()
        except OSError:  # the rest waits on
            return False
        return True

    def _may_keep(self, payload: bytes) -> bool:
        size = self._queued_bytes + len(payload)
        return not self._gap and len(self._queue) < QUEUE_RECORDS and size <= QUEUE_BYTES

    def _drop(self, payload: bytes) -> None:
        """Count a record as lost, and remember of which command it was."""
        self.dropped += 1
        self._gap += 1
        lost = decode(payload)
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
        if not self._holding:
            self._may_send = RECORDS_AT_ONCE
        while self._queue:
            if not self._may_send:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            self._may_send -= 1
            try:
                self._send(self._queue[0])
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    raise
                self._drop(self._queue[0])  # or it would be in the way of all others for ever
            self._queued_bytes -= len(self._queue.popleft())
        if gap := self._gap:
            message = f"{gap} records were lost here: journald did not take them"
            missing = " ".join(
                f"{session}/{first}" if first == last else f"{session}/{first}-{last}"
                for session, (first, last) in self._missing.items()
            )
            told = entry(message, LOG_WARNING, MessageId.AUDIT_GAP, DROPPED=gap, MISSING=missing)
            self._send_numbered(told)
            self._gap -= gap
            if not self._gap:  # or what was lost while this was sent is missing as well
                self._missing.clear()

    def _numbered(self, payload: bytes) -> bytes:
        if not has_event(payload):
            return payload
        self._number += 1
        return b"%s%s=%d\n" % (payload, _RECORD, self._number)

    def _send_numbered(self, payload: bytes) -> None:
        """Number a record and send it; raises OSError, and the number is given again."""
        before, payload = self._number, self._numbered(payload)
        taken = self._number
        try:
            self._send(payload)
        except OSError:
            if self._number == taken:  # or what was logged while sending has the next one
                self._number = before
            raise

    def _send(self, payload: bytes) -> None:
        """Send one record; raises OSError when journald does not take it now.

        With EMSGSIZE it never will: the record is too large.

        The socket stays connected, for to look up the path takes as long as to send; once nobody
        is there any more, the path may lead to another journald. Not while one hangs: what it has
        not read fills our own socket's buffer, whoever the next record is for.
        """
        try:
            self._send_connected(payload)
        except OSError as error:
            if error.errno not in {errno.ENOTCONN, errno.ECONNREFUSED}:
                raise
            self._socket.connect(self._path)
            self._send_connected(payload)

    def _send_connected(self, payload: bytes) -> None:
        try:
            self._socket.send(payload)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            try:
                self._send_sealed(payload)
            except PermissionError:  # no file in memory may be made
                raise error from None

    def _send_sealed(self, payload: bytes) -> None:
        memfd = os.memfd_create("prosody-admin-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with open(memfd, "wb") as file:
            file.write(payload)
            file.flush()
            fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, _SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memfd]))
            self._socket.sendmsg([], [rights])
