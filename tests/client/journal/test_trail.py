"""`client/journal/trail.py`, by real journal files: which events are found, in which order."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.journal_files import START, WRITER, Fields, JournalFiles
from prosody_admin.client.journal.trail import Entry, Trail, Wanted, opened
from prosody_admin.errors import ClientError, CommandRefusedError
from prosody_admin.records import MessageId

pytestmark = pytest.mark.skipif(
    not WRITER.exists(), reason="needs systemd-journal-remote to write journal files"
)

SECOND = 1_000_000
WAIT_SECONDS = 10.0
"""After this, a test whose record does not arrive has failed."""


@pytest.fixture
def files(tmp_path: Path) -> JournalFiles:
    return JournalFiles(tmp_path)


@pytest.fixture
def written(files: JournalFiles) -> JournalFiles:
    """Two sessions, a gap, and what others say."""
    alice: Fields = {"SESSION": "aaaa", "PEER_USER": "alice", "PEER_UID": 1000}
    root: Fields = {"SESSION": "bbbb", "PEER_USER": "prosody", "PEER_UID": 100}
    root |= {"PEER_LOGIN_USER": "alice", "PEER_LOGIN_UID": 1000}
    files.add(MessageId.SERVICE_STARTED, "0")
    files.add(MessageId.SESSION_OPENED, "1", **alice)
    files.add(MessageId.COMMAND_STARTED, "2", **alice, COMMAND="user:list", SEQUENCE=1)
    files.add(MessageId.COMMAND_FINISHED, "3", **alice, COMMAND="user:list", SEQUENCE=1)
    files.add(MessageId.COMMAND_REFUSED, "4", **alice, COMMAND="user:delete", SEQUENCE=2)
    files.add(MessageId.SESSION_OPENED, "5", **root)
    files.add(MessageId.COMMAND_STARTED, "6", **root, COMMAND="muc:list", SEQUENCE=1)
    files.add(MessageId.AUDIT_GAP, "7", DROPPED=3)
    bob: Fields = {"SESSION": "cccc", "PEER_USER": "bob", "PEER_UID": 1001}
    files.add(MessageId.SESSION_REFUSED, "8", **bob)
    # None of these is ours.
    files.add(MessageId.COMMAND_STARTED, "forged", **bob, _SYSTEMD_UNIT="cron.service", COMMAND="x")
    files.add(MessageId.AUDIT_GAP, "forged", **alice, _SYSTEMD_UNIT="user@1000.service")
    files.add(None, "a line that the service logs", **alice)
    files.write()
    return files


def found(files: JournalFiles, wanted: Wanted, lines: int | None = None) -> str:
    """Return the messages found, oldest first, each a character; both directions agree."""
    with opened(files.directory) as reader:
        trail = Trail(reader, wanted)
        forward = [str(entry["MESSAGE"]) for entry in trail.forward(lines)]
        backward = [str(entry["MESSAGE"]) for entry in trail.backward(lines)]
    assert forward == backward[::-1]
    return "".join(forward)


@pytest.mark.parametrize(
    ("wanted", "messages"),
    [
        (Wanted(), "012345678"),
        (Wanted(user="alice"), "1234567"),
        (Wanted(user="1000"), "1234567"),
        (Wanted(user="prosody"), "567"),
        (Wanted(user="bob"), "78"),
        (Wanted(user="mallory"), "7"),
        (Wanted(user="no utf-8 \udcff"), "7"),
        (Wanted(session="aaaa"), "12347"),
        (Wanted(session="aaaa/1"), "237"),
        (Wanted(session="aaaa", user="bob"), "7"),
        (Wanted(commands=("user:delete",)), "47"),
        (Wanted(commands=("user:*",)), "2347"),
        (Wanted(commands=("*:list", "user:delete")), "23467"),
        (Wanted(refused=True), "478"),
        (Wanted(refused=True, user="alice", commands=("user:*",)), "47"),
        (Wanted(since=START + 3 * SECOND), "345678"),
        (Wanted(since=START + 3 * SECOND + 1), "45678"),
        (Wanted(until=START + 3 * SECOND), "0123"),
        (Wanted(until=START + 3 * SECOND - 1), "012"),
        (Wanted(since=START + 2 * SECOND, until=START + 4 * SECOND), "234"),
        (Wanted(since=START + 60 * SECOND), ""),
        (Wanted(until=START - 1), ""),
        (Wanted(until=START + 60 * SECOND), "012345678"),
        # Midnight of 1970-01-01 is before 1970 in the east, and people say it for "always".
        (Wanted(since=-3600 * SECOND), "012345678"),
        (Wanted(until=-3600 * SECOND), ""),
        (Wanted(since=2**70), ""),
        (Wanted(until=2**70), "012345678"),
    ],
)
def test_what_is_found(written: JournalFiles, wanted: Wanted, messages: str) -> None:
    assert found(written, wanted) == messages


@pytest.mark.parametrize(
    ("wanted", "lines", "messages"),
    [
        (Wanted(), 3, "678"),
        (Wanted(), 100, "012345678"),
        (Wanted(), 0, ""),
        (Wanted(commands=("user:list",)), 2, "37"),
        (Wanted(since=START + 7 * SECOND), 3, "78"),
        (Wanted(until=START + 4 * SECOND), 2, "34"),
        (Wanted(since=START + 60 * SECOND), 3, ""),
    ],
)
def test_the_last_events(written: JournalFiles, wanted: Wanted, lines: int, messages: str) -> None:
    assert found(written, wanted, lines) == messages


class Reading:
    """A pipe for `follow` to look at: whoever reads it leaves at the latest at the deadline."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        self._open = True
        self._lock = threading.Lock()
        self._timer = threading.Timer(WAIT_SECONDS, self.leave)
        self._timer.start()

    def leave(self) -> None:
        with self._lock:
            if self._open:
                os.close(self._reader)
                self._open = False

    def close(self) -> None:
        self._timer.cancel()
        self._timer.join()
        self.leave()
        os.close(self.writer)


@pytest.fixture
def reading() -> Iterator[Reading]:
    pipe = Reading()
    yield pipe
    pipe.close()


def messages(events: Iterator[Entry], count: int) -> list[str]:
    return [str(next(events)["MESSAGE"]) for _ in range(count)]


def test_following_begins_with_the_last_and_waits(written: JournalFiles, reading: Reading) -> None:
    with opened(written.directory) as reader:
        events = Trail(reader, Wanted(user="alice")).follow(2, reading.writer)
        assert messages(events, 2) == ["6", "7"]
        for round_ in ("a", "b"):
            written.add(MessageId.SESSION_OPENED, "of bob", PEER_USER="bob")
            written.add(MessageId.SESSION_OPENED, round_, PEER_USER="alice")
            written.write()
            assert messages(events, 1) == [round_]
        reading.leave()
        assert list(events) == []


@pytest.mark.parametrize(
    ("wanted", "lines", "first"),
    [
        (Wanted(), 0, ""),
        (Wanted(), None, "012345678"),
        (Wanted(since=START + 7 * SECOND), None, "78"),
        (Wanted(session="new"), 0, ""),
        (Wanted(since=START + 60 * SECOND), 10, ""),
    ],
)
def test_where_following_begins(
    written: JournalFiles, reading: Reading, wanted: Wanted, lines: int | None, first: str
) -> None:
    with opened(written.directory) as reader:
        events = Trail(reader, wanted).follow(lines, reading.writer)
        assert messages(events, len(first)) == list(first)
        for _ in range(60):
            written.add(None)
        written.add(MessageId.SESSION_OPENED, "new", SESSION="new")
        written.write()
        assert messages(events, 1) == ["new"]


def test_following_waits_without_turning_round(written: JournalFiles, reading: Reading) -> None:
    rounds = 10
    taken = threading.Semaphore(1)

    def write() -> None:
        for number in range(rounds):
            taken.acquire(timeout=WAIT_SECONDS)
            written.add(MessageId.SESSION_OPENED, str(number))
            written.write()

    with opened(written.directory) as reader:
        events = Trail(reader, Wanted()).follow(0, reading.writer)
        writer = threading.Thread(target=write)
        writer.start()
        started, used = time.monotonic(), time.thread_time()
        try:
            for number in range(rounds):
                assert messages(events, 1) == [str(number)]
                taken.release()
        finally:
            writer.join()
        assert time.thread_time() - used < (time.monotonic() - started) / 10


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert found(JournalFiles(tmp_path), Wanted()) == ""


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ClientError, match="nowhere: No such file or directory"),
        opened(tmp_path / "nowhere"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody who may not read")
def test_who_may_not_read_is_told(written: JournalFiles) -> None:
    (written.directory / "test.journal").chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(CommandRefusedError, match="systemd-journal or adm, or root"):
            opened(written.directory).__enter__()
    finally:
        os.seteuid(0)
