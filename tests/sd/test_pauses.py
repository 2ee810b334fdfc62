"""`sd/native.py`: whatever journald does, no call holds up the loop."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from syslog import LOG_NOTICE

import pytest

from fakes.journald import LARGER_THAN_A_DATAGRAM, Journald
from prosody_admin.errors import JournalUnavailableError
from prosody_admin.records import MessageId
from prosody_admin.sd.entries import entry
from prosody_admin.sd.native import QUEUE_BYTES, RECORDS_AT_ONCE, NativeJournal

LONGEST_PAUSE = 0.010
"""Seconds of the processor for one call, several times what the longest takes.

This thread's, and not those of the clock, in which others run as well on a busy machine. What a
call could spend in waiting has no part in them: there is nothing to wait for at a socket that does
not block.
"""

SIZES = {"many": 400, "large": 100_000, "sealed": QUEUE_BYTES // 2}
"""Bytes of a record: a thousand wait, a dozen, one that is too large for a datagram."""


class Measured(NativeJournal):
    """Counts records that are sent. With `reads_at_once`, journald takes it before the next."""

    def __init__(self, journald: Journald) -> None:
        super().__init__(journald.path)
        self.journald = journald
        self.reads_at_once = False
        self.sent = 0

    def _send(self, payload: bytes) -> None:
        self.sent += 1
        super()._send(payload)
        if self.reads_at_once:
            self.journald.socket.recvmsg(LARGER_THAN_A_DATAGRAM)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Measured]:
    journald = Journald(tmp_path / "socket")
    journal = Measured(journald)
    yield journal
    journal.close()
    journald.stop()


def must(journal: Measured, text: str) -> None:
    try:
        journal.record(
            [entry(text, LOG_NOTICE, MessageId.COMMAND_STARTED, SESSION="1a2b", SEQUENCE=1)]
        )
    except JournalUnavailableError:
        return
    assert journal.reads_at_once, "only then it can be taken"


def may(journal: Measured, text: str) -> None:
    journal.log(text, event=MessageId.COMMAND_REFUSED, SESSION="1a2b", SEQUENCE=1)


def flush(journal: Measured, _: str) -> None:
    journal.flush()


@pytest.mark.parametrize("call", [must, may, flush])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(
    ("journald_does", "sent_at_most"),
    [
        ("hangs", 1),
        ("is absent", 1),
        ("takes everything", RECORDS_AT_ONCE + 2),
    ],
)
def test_the_longest_call(
    journal: Measured,
    journald_does: str,
    sent_at_most: int,
    size: int,
    call: Callable[[Measured, str], None],
) -> None:
    assert not journal._socket.getblocking()
    while journal.dropped < 100:
        may(journal, "x" * size)
    if journald_does == "is absent":
        journal.journald.stop()
    if journald_does == "takes everything":
        journal.journald.records()
        journal.reads_at_once = True
    for _ in range(20):
        journal.sent = 0  # some that waited, the record of the gap, and the new one
        started = time.thread_time()
        call(journal, "y" * size)
        assert time.thread_time() - started < LONGEST_PAUSE
        assert journal.sent <= sent_at_most
    assert journal.flush() is (journald_does == "takes everything")
