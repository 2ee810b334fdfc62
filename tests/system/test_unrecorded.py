"""When there is nobody to record a command: it does not run, and later the journal says so."""

import time
from collections.abc import Iterator

import pytest

from prosody_admin.sd.journal import MessageId
from system.auditor import asked
from system.gate import SERVICE_UNIT, THROUGH, directly, drop_in, settings, through
from system.journald import (
    MORE_THAN_JOURNALD_HOLDS,
    MORE_THAN_WE_HOLD,
    hung_journald,
    stopped_journald,
)
from system.machine import Machine, wait_until
from system.record import GAP, REFUSED, STARTED, UNRECORDED, answers, ours, prepare, records
from system.terminal import at_terminal

pytestmark = pytest.mark.system

AT_ONCE = 1.0
"""Seconds in which a loop that is not blocked answers, ten times what it takes."""

COUNT = "> prosody.of_the_test = (prosody.of_the_test or 0) + 1"
COUNTED = "> return prosody.of_the_test or 0"


@pytest.fixture
def gate(gate: Machine) -> Machine:
    """The service with somebody of the group who may read and write."""
    prepare(gate)
    return gate


@pytest.fixture
def counting(gate: Machine) -> Iterator[Machine]:
    """The machine whose Prosody counts how often it ran COUNT, with a service that is watched."""
    drop_in(gate, SERVICE_UNIT, "[Service]\nWatchdogSec=1\n")
    yield gate
    directly(gate, "> prosody.of_the_test = nil")


def counted(machine: Machine) -> int:
    """Return how often Prosody ran COUNT, as it says itself."""
    return int(directly(machine, COUNTED).stdout.split()[-1])


def sequence(found: list[dict[str, str]]) -> list[int]:
    """Return the numbers of the commands in their session, in the order of the records."""
    return [int(record["PROSODY_ADMIN_SEQUENCE"]) for record in found]


def of_root(machine: Machine, *kinds: MessageId) -> list[dict[str, str]]:
    """Return the records of these kinds about root, who is nobody but the raw client."""
    return records(machine, *kinds, also=("PROSODY_ADMIN_PEER_UID=0",))


def is_fed(machine: Machine) -> None:
    """Wait until the watchdog was fed again, for twice as long as an unfed service would live."""
    fed: set[str] = set()

    def four_times() -> bool:
        fed.add(machine.unit(SERVICE_UNIT, "WatchdogTimestampMonotonic"))
        return len(fed) > 4

    wait_until(four_times, "the watchdog is fed")
    assert machine.unit(SERVICE_UNIT, "NRestarts") == "0"


def test_journald_is_stopped(counting: Machine) -> None:
    with at_terminal(counting, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        with stopped_journald(counting):
            answer = through(counting, COUNT)
            assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", UNRECORDED + "\n")
            assert set(answers(counting, [COUNT] * 20)) == {UNRECORDED}
            terminal.type("admin:version()")
            terminal.expect("! " + UNRECORDED, timeout=AT_ONCE)
            is_fed(counting)
        terminal.expect("prosody> ")
        terminal.type("admin:version()")
        terminal.expect(r"\| OK: ")
    assert counted(counting) == 0
    assert sequence(of_root(counting, REFUSED)) == list(range(1, 21))
    assert {record["PROSODY_ADMIN_RULE"] for record in records(counting, REFUSED)} == {"unrecorded"}
    assert len(records(counting, REFUSED)) == 22
    assert records(counting, GAP) == []
    assert through(counting, COUNT).returncode == 0


def test_journald_is_stopped_before_the_service_starts(counting: Machine) -> None:
    with stopped_journald(counting):
        answer = through(counting, COUNT)
        assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", UNRECORDED + "\n")
    assert through(counting, COUNT).returncode == 0
    assert counted(counting) == 1
    assert [ours(record)["VERDICT"] for record in records(counting, STARTED, REFUSED)] == [
        "refused",
        "allowed",
    ]


def test_a_site_may_waive_the_record_and_that_is_on_record(counting: Machine) -> None:
    settings(counting, "[audit]\nrequired = false\n")
    with stopped_journald(counting):
        assert through(counting, COUNT).returncode == 0
        assert counted(counting) == 1
    wait_until(lambda: len(records(counting, STARTED)) == 1, "what waited for journald is there")
    assert len(records(counting, MessageId.AUDIT_NOT_REQUIRED)) == 1


def test_journald_hangs(counting: Machine) -> None:
    with at_terminal(counting, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        with hung_journald(counting):
            texts = answers(counting, [COUNT] * MORE_THAN_JOURNALD_HOLDS)
            ran = texts.index(UNRECORDED)
            assert 0 < ran == counted(counting)
            assert set(texts[ran:]) == {UNRECORDED}
            started = time.monotonic()
            terminal.type("admin:version()")
            terminal.expect("! " + UNRECORDED)
            assert time.monotonic() - started < AT_ONCE
            assert through(counting, COUNT).returncode == 1
            is_fed(counting)
        wait_until(lambda: through(counting, COUNT).returncode == 0, "commands run again")
    assert counted(counting) == ran + 1
    found = of_root(counting, STARTED, REFUSED)
    assert sequence(found) == list(range(1, MORE_THAN_JOURNALD_HOLDS + 1))
    assert [ours(record)["VERDICT"] for record in found] == [
        *["allowed"] * ran,
        *["refused"] * (MORE_THAN_JOURNALD_HOLDS - ran),
    ]
    assert records(counting, GAP) == []


def test_journald_is_away_for_too_long(counting: Machine) -> None:
    through(counting, "admin:version()")
    with stopped_journald(counting):
        assert set(answers(counting, [COUNT] * MORE_THAN_WE_HOLD)) == {UNRECORDED}
    wait_until(lambda: through(counting, COUNT).returncode == 0, "commands run again")
    assert counted(counting) == 1
    kept = of_root(counting, REFUSED)
    assert sequence(kept) == list(range(1, len(kept) + 1))
    assert 0 < len(kept) < MORE_THAN_WE_HOLD
    *_, last, gap, _ = records(counting, REFUSED, GAP, STARTED)
    assert last["PROSODY_ADMIN_SEQUENCE"] == str(len(kept))
    assert gap["MESSAGE_ID"] == GAP.value
    # It counts the end of the session as well.
    assert int(ours(gap)["DROPPED"]) >= MORE_THAN_WE_HOLD - len(kept)
    session = last["PROSODY_ADMIN_SESSION"]
    lost = range(len(kept) + 1, MORE_THAN_WE_HOLD + 1)
    assert f"{session}/{lost[0]}-{lost[-1]}" in ours(gap)["MISSING"].split()
    assert asked(counting, "what is missing")[-1] == gap["MESSAGE"]
