"""`sd/journal.py`: where records go."""

import os

import pytest

from prosody_admin.sd.console import ConsoleJournal
from prosody_admin.sd.journal import open_journal
from prosody_admin.sd.native import NativeJournal


def standard_error() -> str:
    found = os.fstat(2)
    return f"{found.st_dev}:{found.st_ino}"


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("ours", NativeJournal),
        ("1:1", ConsoleJournal),
        ("", ConsoleJournal),
        (None, ConsoleJournal),
    ],
)
def test_auto_asks_where_standard_error_goes(
    monkeypatch: pytest.MonkeyPatch, stream: str | None, kind: type
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    if stream is not None:
        monkeypatch.setenv("JOURNAL_STREAM", standard_error() if stream == "ours" else stream)
    journal = open_journal()
    assert type(journal) is kind
    journal.close()


@pytest.mark.parametrize("closed", [False, True], ids=["/dev/null", "closed"])
def test_what_nobody_could_read_is_no_record(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    kept = os.dup(2)
    null = os.open("/dev/null", os.O_WRONLY)
    try:
        os.dup2(null, 2)
        if closed:
            os.close(2)
        journal = open_journal()
        journal.close()  # before its socket, which may have the free number, is overwritten
    finally:
        os.dup2(kept, 2)
        os.close(null)
        os.close(kept)
    assert type(journal) is NativeJournal


def test_a_target_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", standard_error())
    assert type(open_journal("console")) is ConsoleJournal
    monkeypatch.delenv("JOURNAL_STREAM")
    journal = open_journal("journal")
    assert type(journal) is NativeJournal
    journal.close()
