"""Descriptors that systemd keeps while the service restarts: its file descriptor store.

After FDSTORE=1 of sd_notify(3) and FileDescriptorStoreMax= of systemd.service(5). The store
outlives a crash, and a restart that systemd was asked for whatever the exit status; not a stop, and
no clean exit of the service's own accord (seen with systemd 252 and 257). All that is stored has
one name: what comes back, in any order, is told apart by what it is, and one message takes it out.

A note goes with the descriptors in a pipe: a file in memory is what the unit's sandbox forbids.
"""

import logging
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack

from prosody_admin.descriptors import File
from prosody_admin.errors import FdStoreError

log = logging.getLogger(__name__)

STORED_NAME = "kept"
"""FDNAME of what is stored, by which sd_listen_fds_with_names(3) tells it from the listeners."""

STORED_MAX = 4608
"""Descriptors in the store at most, FileDescriptorStoreMax= of the unit: systemd closes what is
above it without a word. The sessions of the largest limit, and 512 pipes."""

NOTE_BYTES = 64 * 1024
"""The longest note: what a new pipe holds (pipe(7))."""

FILES_AT_ONCE = 252
"""Descriptors in one message at most: 253 of unix(7) without the pipe."""


class FdStore:
    """Where the next process finds what this one keeps for it."""

    def __init__(self) -> None:
        self._stored = 0

    def keep(self, note: bytes, files: Sequence[File]) -> None:
        """Have systemd hold `files`, FILES_AT_ONCE at most, and `note`, NOTE_BYTES at most.

        The files stay open here as well. Waits while systemd takes no messages, which the unit's
        timeouts bound. Raises FdStoreError if they are not kept.
        """
        assert len(note) <= NOTE_BYTES, "a note fits a pipe"
        assert len(files) <= FILES_AT_ONCE, "the files fit a message"
        if self._stored + 1 + len(files) > STORED_MAX:
            raise FdStoreError(f"more than {STORED_MAX} descriptors cannot be kept")
        try:
            with ExitStack() as borrowed:
                pipe = borrowed.enter_context(_pipe_with(note))
                fds = [borrowed.enter_context(file.borrow()) for file in (pipe, *files)]
                # Without FDPOLL=0, systemd drops a pipe that has no writer, and a peer that went
                # meanwhile would be missing in the record.
                _notify(f"FDSTORE=1\nFDPOLL=0\nFDNAME={STORED_NAME}", fds)
        except OSError as error:
            raise FdStoreError(f"systemd keeps no descriptors: {error.strerror}") from error
        self._stored += 1 + len(files)


def take_back(stored: Sequence[File]) -> tuple[list[bytes], list[File]]:
    """Take what the process before stored out of the store: return its notes, and its files.

    Ownership of the files goes to the caller. After this nothing of it comes back, not after a
    crash either. If it cannot be taken out, there are no notes, and nothing may be gone on with.
    """
    notes, files = [], []
    for file in stored:
        with file.borrow() as fd:
            if not stat.S_ISFIFO(os.fstat(fd).st_mode):
                files.append(file)
                continue
            try:
                notes.append(os.read(fd, NOTE_BYTES))
            except OSError:
                log.exception("a note of the process before is lost")
        file.close()
    if stored:
        try:
            _notify(f"FDSTOREREMOVE=1\nFDNAME={STORED_NAME}", [])
        except OSError:
            log.exception("systemd does not give up what it kept")
            notes.clear()
    return notes, files


def _pipe_with(note: bytes) -> File:
    """Return the reading end of a pipe that holds `note`. Raises OSError, also for want of room."""
    reading, writing = (File.adopt(fd) for fd in os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK))
    with ExitStack() as owned:
        owned.enter_context(reading)
        with writing, writing.borrow() as fd:
            if os.write(fd, note) < len(note):
                raise BlockingIOError(None, "a pipe has not the room it should have")
        owned.pop_all()
    return reading


def _notify(state: str, fds: list[int]) -> None:
    """Send a message that must not be lost. Raises OSError."""
    from systemd import daemon  # here: most starts have nothing to do with the store

    if not daemon.notify(state, fds=fds):
        raise FileNotFoundError(None, "NOTIFY_SOCKET is not set")
