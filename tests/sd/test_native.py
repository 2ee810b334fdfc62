"""`sd/native.py`, against a socket like journald's."""

import array
import errno
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from syslog import LOG_ERR, LOG_NOTICE

import pytest

from fakes.journald import LARGER_THAN_A_DATAGRAM, Journald, parse
from prosody_admin.errors import JournalFullError, JournalUnavailableError
from prosody_admin.records import RECORD, MessageId
from prosody_admin.sd import native
from prosody_admin.sd.entries import FieldValue, decode, encode, entry
from prosody_admin.sd.native import NativeJournal
from prosody_admin.sd.room import Room

SEALED = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    server = Journald(tmp_path / "socket")
    yield server
    server.stop()


@pytest.fixture
def journal(journald: Journald) -> Iterator[NativeJournal]:
    journal = NativeJournal(journald.path)
    yield journal
    journal.close()


def record(journal: NativeJournal, message: str, **fields: FieldValue) -> None:
    """Hand over the record of a start, which may not wait."""
    journal.record([entry(message, LOG_NOTICE, MessageId.COMMAND_STARTED, **fields)])


def without_numbers(records: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {name: text for name, text in fields.items() if name != "PROSODY_ADMIN_RECORD"}
        for fields in records
    ]


def fill(journal: NativeJournal) -> int:
    """Have must-records fill the receiving queue of a journald that hangs; return how many fit."""
    count = 0
    while True:
        try:
            record(journal, f"before {count}")
        except JournalUnavailableError:
            return count
        count += 1


def test_a_record_has_its_fields(journal: NativeJournal, journald: Journald) -> None:
    encoded = encode({"SESSION": "a1"})
    opened = entry(
        "session opened", LOG_ERR, MessageId.SESSION_OPENED, encoded, UID=1000, UNIT=None
    )
    journal.record([opened])
    assert journald.records() == [
        {
            "MESSAGE": "session opened",
            "PRIORITY": "3",
            "SYSLOG_IDENTIFIER": "prosody-admin",
            "MESSAGE_ID": "75401407882b4735bcfdcb73d3b528a0",
            "PROSODY_ADMIN_SESSION": "a1",
            "PROSODY_ADMIN_UID": "1000",
            "PROSODY_ADMIN_RECORD": "1",
        }
    ]


def test_log_needs_no_message_id(journal: NativeJournal, journald: Journald) -> None:
    journal.log("hello", CODE_LINE=7)
    journal.log("bye", event=MessageId.SESSION_CLOSED)
    first, second = without_numbers(journald.records())
    assert first == {
        "MESSAGE": "hello",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "prosody-admin",
        "CODE_LINE": "7",
    }
    assert second["MESSAGE_ID"] == MessageId.SESSION_CLOSED.value


@pytest.mark.parametrize(
    "value",
    [
        "x\nPROSODY_ADMIN_UID=0",
        "\n",
        "x\n\nMESSAGE\n\x01\0\0\0\0\0\0\0y\n",
        "a=b=c",
        "",
        "\0\x1b[1m",
        "b\u00fccher \U0001f600",
    ],
)
def test_no_value_forges_a_field(journal: NativeJournal, journald: Journald, value: str) -> None:
    record(journal, value, LINE=value)
    (found,) = without_numbers(journald.records())
    assert found["MESSAGE"] == found["PROSODY_ADMIN_LINE"] == value
    assert found == decode(entry(value, LOG_NOTICE, MessageId.COMMAND_STARTED, LINE=value))
    assert len(found) == 5


def test_a_lone_surrogate_is_escaped(journal: NativeJournal, journald: Journald) -> None:
    record(journal, "opened", UNIT=os.fsdecode(b"odd\xff.service"))
    assert journald.records()[0]["PROSODY_ADMIN_UNIT"] == "odd\\udcff.service"


@pytest.mark.parametrize("another", [False, True])
def test_what_is_too_large_comes_as_a_sealed_memfd(
    journal: NativeJournal, journald: Journald, another: bool
) -> None:
    if another:
        record(journal, "to the first")
        journald.stop()
        journald.start()
    line = "x" * LARGER_THAN_A_DATAGRAM
    record(journal, "command started", LINE=line)
    numbers = array.array("i", [-1])
    payload, ancillary, _, _ = journald.socket.recvmsg(16, socket.CMSG_SPACE(numbers.itemsize))
    assert payload == b""
    ((level, kind, data),) = ancillary
    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    numbers.frombytes(data)
    with open(numbers[-1], "rb") as memfd:
        assert fcntl.fcntl(memfd, fcntl.F_GET_SEALS) == SEALED
        memfd.seek(0)
        found = parse(memfd.read())
    assert found["PROSODY_ADMIN_LINE"] == line
    assert found["MESSAGE"] == "command started"


def test_what_is_held_waits(journal: NativeJournal, journald: Journald) -> None:
    journal.hold()
    journal.log("first")
    journal.log("second")
    assert journald.records() == []
    record(journal, "third")
    assert journald.messages() == ["first", "second", "third"]
    journal.log("fourth")
    assert journald.records() == []
    assert journal.flush()
    assert journald.messages() == ["fourth"]
    journal.log("not held any more")
    assert journald.messages() == ["not held any more"]


def test_what_is_held_is_bounded(
    journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "HELD_RECORDS", 3)
    journal.hold()
    for number in range(4):
        journal.log(f"{number}")
    assert journald.messages() == ["0", "1", "2"]


def test_without_room_nothing_is_handed_over_and_best_effort_goes_on(
    journald: Journald, tmp_path: Path
) -> None:
    journal = NativeJournal(journald.path, Room("machine", tmp_path, tmp_path))
    with pytest.raises(JournalFullError, match=r"neither .*/machine nor .*/machine"):
        record(journal, "refused")
    journal.log("the refusal", event=MessageId.COMMAND_REFUSED)
    (found,) = journald.records()
    assert (found["MESSAGE"], found[RECORD]) == ("the refusal", "1")
    journal.close()


def test_records_are_counted_and_nothing_else(journal: NativeJournal, journald: Journald) -> None:
    journal.log("opened", event=MessageId.SESSION_OPENED)
    journal.log("what the code says")
    record(journal, "started")
    assert [found.get(RECORD) for found in journald.records()] == ["1", None, "2"]


def test_what_waited_goes_in_parts_while_records_are_held(
    journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "RECORDS_AT_ONCE", 3)
    monkeypatch.setattr(native, "HELD_RECORDS", 1)
    fill(journal)
    for number in range(8):
        journal.log(f"{number}")
    journald.records()
    journal.hold()
    for _ in range(4):
        with pytest.raises(JournalUnavailableError):
            record(journal, "refused")
        journal.hold()
        journal.log("refused")
    assert journald.messages() == ["0", "1", "2"]
    assert not journal.flush()
    assert journald.messages() == ["3", "4", "5"]
    while not journal.flush():
        pass
    assert journald.messages() == ["6", "7", *["refused"] * 4]


class TestJournaldHangs:
    def test_what_is_dropped_has_a_number_what_is_refused_has_none(
        self, journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(native, "QUEUE_RECORDS", 1)
        count = fill(journal)
        for message in ("waits", "dropped", "dropped"):
            journal.log(message, event=MessageId.COMMAND_REFUSED)
            with pytest.raises(JournalUnavailableError):
                record(journal, "refused")
        journald.records()
        record(journal, "after")
        assert [(found["MESSAGE"][:9], found[RECORD]) for found in journald.records()] == [
            ("waits", str(count + 1)),
            ("2 records", str(count + 4)),
            ("after", str(count + 5)),
        ]

    def test_a_must_record_is_refused_and_not_kept(
        self, journal: NativeJournal, journald: Journald
    ) -> None:
        count = fill(journal)
        assert count > 0
        with pytest.raises(JournalUnavailableError) as raised:
            record(journal, "refused")
        assert str(raised.value) == (
            "the journal does not take a record: Resource temporarily unavailable"
        )
        assert journald.messages() == [f"before {n}" for n in range(count)]
        record(journal, "again")
        assert journald.messages() == ["again"]

    def test_best_effort_records_wait_in_order(
        self, journal: NativeJournal, journald: Journald
    ) -> None:
        fill(journal)
        journal.log("first")
        journal.log("second")
        assert not journal.flush()
        journald.records()
        assert journal.flush()
        assert journald.messages() == ["first", "second"]
        assert journal.dropped == 0

    def test_nothing_overtakes_what_waits(self, journal: NativeJournal, journald: Journald) -> None:
        fill(journal)
        journal.log("first")
        with pytest.raises(JournalUnavailableError):
            record(journal, "refused")
        journald.records()
        record(journal, "second")
        journal.log("third")
        assert journald.messages() == ["first", "second", "third"]

    def test_a_must_record_is_refused_while_only_some_of_the_queue_fits(
        self, journal: NativeJournal, journald: Journald
    ) -> None:
        count = fill(journal)
        for number in range(2 * count):
            journal.log(f"waiting {number}")
        journald.records()
        with pytest.raises(JournalUnavailableError):
            record(journal, "refused")
        received = journald.messages()
        while not journal.flush():  # where the queue is long, it takes more than one call
            received += journald.messages()
        assert received + journald.messages() == [f"waiting {n}" for n in range(2 * count)]

    def test_of_several_must_records_the_first_may_be_taken(
        self, journal: NativeJournal, journald: Journald
    ) -> None:
        fill(journal)
        numbered = int(journald.records()[-1]["PROSODY_ADMIN_RECORD"])
        fill(journal)
        for _ in range(2):
            journald.socket.recv(LARGER_THAN_A_DATAGRAM)
        with pytest.raises(JournalUnavailableError) as raised:
            journal.record([entry(f"{n}", event=MessageId.COMMAND_STARTED) for n in range(5)])
        assert raised.value.recorded == 2
        taken = journald.records()
        assert [found["MESSAGE"] for found in taken[-2:]] == ["0", "1"]
        record(journal, "the next")
        (found,) = journald.records()
        expected = numbered + 2 + len(taken) + 1
        assert int(found["PROSODY_ADMIN_RECORD"]) == expected, "what was refused has no number"

    def test_a_gap_is_in_its_place(
        self, journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(native, "QUEUE_RECORDS", 2)
        fill(journal)
        for number in range(5):
            journal.log(f"{number}")
        assert journal.dropped == 3
        journald.records()
        journal.log("after")
        records = journald.records()
        assert [found["MESSAGE"] for found in records] == [
            "0",
            "1",
            "3 records were lost here: journald did not take them",
            "after",
        ]
        assert records[2]["MESSAGE_ID"] == MessageId.AUDIT_GAP.value
        assert records[2]["PROSODY_ADMIN_DROPPED"] == "3"
        assert records[2]["PRIORITY"] == "4"
        journal.log("no second gap")
        assert journald.messages() == ["no second gap"]
        assert journal.dropped == 3, "counted since the start"

    def test_a_gap_names_the_commands_that_are_missing(
        self, journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(native, "QUEUE_RECORDS", 1)
        monkeypatch.setattr(native, "MISSING_SESSIONS", 2)
        fill(journal)
        journal.log("the queue is full of this")
        for session, sequence in (("1a2b", 7), ("3c4d", 1), ("1a2b", 8), ("5e6f", 1), ("1a2b", 9)):
            journal.log("", event=MessageId.COMMAND_REFUSED, SESSION=session, SEQUENCE=sequence)
            journal.log("of no command", SESSION=session)
        journald.records()
        assert journal.flush()
        gap = journald.records()[-1]
        assert gap["PROSODY_ADMIN_MISSING"] == "1a2b/7-9 3c4d/1"
        assert gap["PROSODY_ADMIN_DROPPED"] == "10"

    def test_a_gap_is_one_even_if_room_comes_back_in_between(
        self, journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(native, "QUEUE_RECORDS", 2)
        fill(journal)
        for number in range(3):
            journal.log(f"{number}")
        journald.socket.recv(4096)  # room for one: "0"
        journal.log("lost too, although the queue has room")
        journald.records()
        assert journal.flush()
        assert journald.messages() == [
            "1",
            "2 records were lost here: journald did not take them",
        ]

    def test_bytes_that_wait_are_bounded(self, journal: NativeJournal, journald: Journald) -> None:
        fill(journal)
        for _ in range(20):
            journal.log("x" * (native.QUEUE_BYTES // 10))
        assert journal.dropped == 20 - 9
        journald.records()
        while not journal.flush():
            journald.records()
        journald.records()
        fill(journal)
        journal.log("x" * (native.QUEUE_BYTES // 2))
        assert journal.dropped == 20 - 9, "what was sent no longer counts"


class TestJournaldGoes:
    @pytest.mark.parametrize("removed", [True, False])
    def test_a_restart_is_survived(
        self, journal: NativeJournal, journald: Journald, removed: bool
    ) -> None:
        journal.log("before")
        assert journald.messages() == ["before"]
        journald.stop(removed=removed)
        journal.log("meanwhile")
        with pytest.raises(JournalUnavailableError, match=r"Connection refused|No such file"):
            record(journal, "refused")
        journald.path.unlink(missing_ok=True)
        journald.start()
        record(journal, "after")
        assert journald.messages() == ["meanwhile", "after"]

    def test_it_need_not_be_there_at_first(self, tmp_path: Path) -> None:
        journal = NativeJournal(tmp_path / "socket")
        journal.log("early")
        journald = Journald(tmp_path / "socket")
        journal.close()
        assert journald.messages() == ["early"], "close flushes"
        journald.stop()

    def test_after_close_every_record_is_refused(
        self, journal: NativeJournal, journald: Journald
    ) -> None:
        journal.close()
        journal.close()
        journal.log("lost")
        with pytest.raises(JournalUnavailableError, match="Bad file descriptor"):
            record(journal, "refused")
        assert journald.records() == []


def test_no_descriptor_for_a_memfd_is_not_now(
    journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    def memfd_create(name: str, flags: int) -> int:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    line = "x" * LARGER_THAN_A_DATAGRAM
    with monkeypatch.context() as patched:
        patched.setattr(os, "memfd_create", memfd_create)
        with pytest.raises(JournalUnavailableError, match="Too many open files"):
            record(journal, "refused", LINE=line)
    record(journal, "works")
    assert journald.messages() == ["works"]


def test_where_no_memfd_may_be_made_what_is_too_large_is_lost_and_in_nobodys_way(
    journal: NativeJournal, journald: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the unit's sandbox."""

    def memfd_create(name: str, flags: int) -> int:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "memfd_create", memfd_create)
    line = "x" * (native.QUEUE_BYTES // 2)
    journal.hold()
    journal.log("too large", event=MessageId.MODULE_FAILED, LINE=line)
    journal.log("waits behind it", event=MessageId.SESSION_CLOSED)
    assert journal.flush()
    with pytest.raises(JournalUnavailableError, match="Message too long"):
        record(journal, "refused", LINE=line)
    record(journal, "after")
    assert [(found["MESSAGE"], found[RECORD]) for found in journald.records()] == [
        ("waits behind it", "2"),
        ("1 records were lost here: journald did not take them", "3"),
        ("after", "4"),
    ]
    assert journal.dropped == 1
    journal.log("bytes are free again", LINE="x" * 1000)
    assert journald.messages() == ["bytes are free again"]


def test_what_is_logged_while_sending_waits(journald: Journald) -> None:
    """As a destructor does, which the garbage collector may run anywhere."""

    class Interrupted(NativeJournal):
        nested = 0

        def _send(self, payload: bytes) -> None:
            if self.nested < 2:
                self.nested += 1
                self.log(f"nested {self.nested}", event=MessageId.SESSION_CLOSED)
            super()._send(payload)

    journal = Interrupted(journald.path)
    record(journal, "outer")
    assert journald.messages() == ["outer"]
    journal.close()
    assert journald.messages() == ["nested 1", "nested 2"]


def test_threads_do_not_mix(journal: NativeJournal, journald: Journald) -> None:
    def log_some(name: str) -> None:
        for number in range(50):
            journal.log(f"{name} {number}")

    threads = [threading.Thread(target=log_some, args=[name]) for name in "ab"]
    for thread in threads:
        thread.start()
    received: list[str] = []
    for thread in threads:
        thread.join()
    while not journal.flush():
        received += journald.messages()
    received += journald.messages()
    for name in "ab":
        mine = [message for message in received if message.startswith(name)]
        assert mine == [f"{name} {number}" for number in range(50)]
