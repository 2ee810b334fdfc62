"""`sd/console.py`: what people see, and that no peer can draw there."""

import io
import os
from datetime import UTC, datetime

import pytest

from prosody_admin.errors import JournalUnavailableError
from prosody_admin.records import MessageId
from prosody_admin.sd.console import ConsoleJournal, escaped
from prosody_admin.sd.entries import entry

NOON = datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC)
START = f"2026-11-22T12:00:00Z prosody-admin[{os.getpid()}]: "


class Unwritable(io.StringIO):
    """A stream whose reader is gone."""

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def journal(stream: io.StringIO) -> ConsoleJournal:
    return ConsoleJournal(stream, clock=lambda: NOON)


def test_a_record_is_one_line(journal: ConsoleJournal, stream: io.StringIO) -> None:
    journal.log("session opened", event=MessageId.SESSION_OPENED, SESSION="a1", UID=0, UNIT=None)
    assert stream.getvalue() == (
        f"{START}session opened\tPROSODY_ADMIN_SESSION=a1\tPROSODY_ADMIN_UID=0\n"
    )


def test_what_the_journal_needs_is_left_out(journal: ConsoleJournal, stream: io.StringIO) -> None:
    journal.log("", CODE_FILE="daemon.py", CODE_LINE=1)
    assert stream.getvalue() == f"{START}\n"


def test_it_is_there_at_once_and_nothing_waits() -> None:
    raw = io.BytesIO()
    journal = ConsoleJournal(io.TextIOWrapper(raw, encoding="utf-8"))
    journal.log("hello")
    assert raw.getvalue().endswith(b"]: hello\n")
    assert journal.flush()
    journal.close()
    journal.log("the stream is not ours to close")
    assert raw.getvalue().endswith(b"close\n")


@pytest.mark.parametrize(
    "breaks", ["\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]
)
def test_several_lines_go_on_visibly(
    journal: ConsoleJournal, stream: io.StringIO, breaks: str
) -> None:
    journal.log(breaks.join(["failed", "Traceback:", f"  {START}forged"]), SESSION="a1")
    assert stream.getvalue() == (
        f"{START}failed\tPROSODY_ADMIN_SESSION=a1\n  | Traceback:\n  |   {START}forged\n"
    )


def test_no_value_forges_a_line_or_a_field(journal: ConsoleJournal, stream: io.StringIO) -> None:
    attack = f"x\n{START}forged\tPROSODY_ADMIN_UID=0\x1b]0;title\x07"
    journal.record([entry("a\tPROSODY_ADMIN_UID=0", LINE=attack)])
    assert stream.getvalue() == (
        f"{START}a\\tPROSODY_ADMIN_UID=0\t"
        f"PROSODY_ADMIN_LINE=x\\n{START}forged\\tPROSODY_ADMIN_UID=0\\x1b]0;title\\x07\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b\u00fccher = 1", "b\u00fccher = 1"),
        ("a\\n", "a\\\\n"),
        ("\0\t\r\n\x7f\x9b", "\\x00\\t\\r\\n\\x7f\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),  # right-to-left override
        ("\u2028\ufeff\U000e0001", "\\u2028\\ufeff\\U000e0001"),
        ("\udcff", "\\udcff"),  # a byte of a file name
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_stream_that_cannot_be_written() -> None:
    journal = ConsoleJournal(Unwritable())
    with pytest.raises(JournalUnavailableError, match=r"record: Broken pipe$"):
        journal.record([entry("refused")])
    assert journal.dropped == 0
    journal.log("lost")
    assert journal.dropped == 1


def test_a_name_that_journald_would_drop_is_a_mistake_here_too(journal: ConsoleJournal) -> None:
    with pytest.raises(ValueError, match="expected upper-case"):
        journal.log("hello", lower="x")
