"""`client/journal/holes.py`: what numbers tell, and what they cannot tell."""

import pytest

from prosody_admin.client.journal.holes import Holes
from prosody_admin.client.journal.trail import Entry
from prosody_admin.records import MessageId

GAP = MessageId.AUDIT_GAP.value


def record(
    run: str,
    number: int | None,
    *,
    machine: str = "m",
    dropped: int = 0,
    boot: str = "1",
    invocation: str = "",
) -> Entry:
    """Return a record of a run, with a number if that version counts; a gap if some `dropped`."""
    kind = GAP if dropped else MessageId.SETTINGS_LOADED.value
    entry: Entry = {
        "_PID": run,
        "_BOOT_ID": boot,
        "_SYSTEMD_INVOCATION_ID": invocation or run,
        "_MACHINE_ID": machine,
        "MESSAGE_ID": kind,
    }
    if number is not None:
        entry["PROSODY_ADMIN_RECORD"] = str(number)
    if dropped:
        entry["PROSODY_ADMIN_DROPPED"] = str(dropped)
    return entry


@pytest.mark.parametrize(
    ("entries", "missing"),
    [
        ([], []),
        ([record("a", 1), record("a", 2)], [0, 0]),
        ([record("a", 1), record("a", 3)], [0, 1]),
        # Older files are deleted: what was before the first is not known.
        ([record("a", 900), record("a", 902)], [0, 1]),
        ([record("a", 7), record("b", 1)], [0, 0]),
        ([record("a", 7), record("b", 4)], [0, 3]),
        # Process ids begin again with each boot.
        ([record("a", 7), record("a", 9, boot="2")], [0, 8]),
        # A busy journald takes the last records of a run for the next one's.
        ([record("a", 7), record("a", 8, invocation="b"), record("b", 1)], [0, 0, 0]),
        # Before the service counted.
        ([record("a", None), record("a", None), record("b", 1)], [0, 0, 0]),
        ([record("a", None), record("b", 2)], [0, 1]),
        # A gap says itself what was dropped, also what has no number.
        ([record("a", 1), record("a", 5, dropped=3)], [0, 0]),
        ([record("a", 1), record("a", 5, dropped=9)], [0, 0]),
        ([record("a", 1), record("a", 5, dropped=2)], [0, 1]),
        ([record("a", 1, dropped=9), record("a", 5)], [0, 3]),
        # Of several machines, each has its own order.
        (
            [
                record("a", 1),
                record("b", 8, machine="n"),
                record("a", 2),
                record("b", 9, machine="n"),
            ],
            [0, 0, 0, 0],
        ),
    ],
)
def test_what_is_missing(entries: list[Entry], missing: list[int]) -> None:
    forward, backward = Holes(reverse=False), Holes(reverse=True)
    assert [forward.before(entry) for entry in entries] == missing
    # The same, between the same entries.
    found = [backward.before(entry) for entry in reversed(entries)]
    assert found[1:] == missing[:0:-1]
    assert sum(found[:1]) == 0


def test_without_the_run_the_process_tells() -> None:
    holes = Holes(reverse=False)
    for pid, number, missing in ((7, 1, 0), (7, 3, 1), (8, 1, 0), (8, 2, 0)):
        assert holes.before({"_PID": pid, "PROSODY_ADMIN_RECORD": str(number)}) == missing
