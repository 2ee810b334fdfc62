"""When journald's disk is full it takes records and drops them: then no command may run.

What ran has its record, also what ran while the disk filled up. That commands are refused may be
lost: our numbers tell.
"""

import re
import time
from collections.abc import Iterator

import pytest

from prosody_admin.records import RECORD, MessageId
from system.gate import SERVICE_UNIT, THROUGH, directly, through
from system.journald import (
    MORE_THAN_WE_HOLD,
    PERSISTENT,
    VOLATILE,
    filling_disk,
    full_disk,
    small_disk,
)
from system.machine import Machine, wait_until
from system.record import GAP, NO_ROOM, STARTED, UNRECORDED, answers, ours, records, runs
from system.test_client_log import log
from system.test_pauses import DENIAL, DENIED, assert_comes_round
from system.test_unrecorded import COUNT, counted

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("measured")]

AT_ONCE = 500
"""Commands of one session, which take half a second."""

FULL_SECONDS = 25.0
"""Deadline for a disk to be full, three times what it takes."""

RAN = "Result: nil"
"""What COUNT answers."""

SOON = 1.0
"""Seconds after which the service knows of a change at the latest: ten times ROOM_SECONDS."""


@pytest.fixture(params=["volatile", "persistent"])
def directories(request: pytest.FixtureRequest, gate: Machine) -> Iterator[tuple[str, ...]]:
    """Where journald may write, on small file systems that are not full yet; no service runs."""
    places = (VOLATILE,) if request.param == "volatile" else (PERSISTENT, VOLATILE)
    with small_disk(gate, request.param, *places):
        yield places
    directly(gate, "> prosody.of_the_test = nil")


def started(machine: Machine, since: float) -> list[int]:
    """Return the numbers, in their sessions, of the commands recorded since that are COUNT."""
    of_it = ("PROSODY_ADMIN_COMMAND=raw Lua", f"--since=@{since:.6f}")
    return [int(ours(record)["SEQUENCE"]) for record in records(machine, STARTED, also=of_it)]


def test_nothing_runs_until_there_is_room(gate: Machine, directories: tuple[str, ...]) -> None:
    assert runs(gate)
    with full_disk(gate, *directories):
        wait_until(lambda: not runs(gate), "the service has looked again", SOON)
        answer = through(gate, COUNT)
        assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", NO_ROOM + "\n")
        assert counted(gate) == 0
    wait_until(lambda: runs(gate), "commands run again", SOON)


def test_the_loop_comes_round_and_what_is_lost_is_counted(
    gate: Machine, directories: tuple[str, ...]
) -> None:
    def fail() -> None:
        with full_disk(gate, *directories):
            wait_until(lambda: not runs(gate), "the service has looked again", SOON)
            assert answers(gate, [COUNT] * MORE_THAN_WE_HOLD) == [NO_ROOM] * MORE_THAN_WE_HOLD
            denied = answers(gate, [DENIED] * MORE_THAN_WE_HOLD, user="helpdesk")
            assert denied == [DENIAL] * MORE_THAN_WE_HOLD
            assert counted(gate) == 0
        wait_until(lambda: runs(gate), "commands run again, behind all that waits for journald")

    assert runs(gate)
    serving = gate.unit(SERVICE_UNIT, "MainPID")
    assert_comes_round(gate, fail)
    assert gate.unit(SERVICE_UNIT, "MainPID") == serving
    # Of the refusals some are lost, and the numbers of the others say how many.
    every = records(gate, *MessageId)
    holes = int(every[-1][RECORD]) - int(every[0][RECORD]) + 1 - len(every)
    seconds, microseconds = divmod(int(every[0]["__REALTIME_TIMESTAMP"]), 1_000_000)
    shown = log(gate, f"--since=@{seconds}.{microseconds:06}").stdout
    missing = re.findall(r"^-- (\d+) records? (?:is|are) missing here --$", shown, re.MULTILINE)
    told = sum(int(ours(gap)["DROPPED"]) for gap in every[1:] if gap["MESSAGE_ID"] == GAP.value)
    assert holes > told
    assert sum(map(int, missing)) == holes - told


def test_what_runs_while_it_fills_up_is_recorded(
    gate: Machine, directories: tuple[str, ...]
) -> None:
    ran = 0
    for _ in range(2):
        deadline = time.monotonic() + FULL_SECONDS
        with filling_disk(gate, *directories):
            given = [""]
            while NO_ROOM not in given:
                assert time.monotonic() < deadline
                since = time.time()
                given = answers(gate, [COUNT] * AT_ONCE)
                assert {*given} <= {RAN, NO_ROOM, UNRECORDED}  # it may be slow as well
                those = [number for number, answer in enumerate(given, 1) if answer == RAN]
                kept = started(gate, since)
                # Old files are deleted to make room: what is not the oldest was never written.
                assert not {*those[-len(kept) :]}.difference(kept)
                ran += len(those)
        assert counted(gate) == ran
        wait_until(lambda: runs(gate), "commands run again")
    assert ran > AT_ONCE


@pytest.mark.parametrize("directories", ["persistent"], indirect=True)
def test_while_there_is_room_in_memory_commands_run_and_nothing_is_lost(
    gate: Machine, directories: tuple[str, ...]
) -> None:
    with full_disk(gate, PERSISTENT):
        since = time.time()
        given = answers(gate, [COUNT] * MORE_THAN_WE_HOLD)
        assert {*given} <= {RAN, UNRECORDED}  # it may be slow: it tries its disk each time
        assert len(started(gate, since)) == given.count(RAN) == counted(gate) > 0


def test_nothing_runs_where_journald_keeps_nothing(gate: Machine) -> None:
    with small_disk(gate, "none", PERSISTENT, VOLATILE):
        answer = gate.run(*THROUGH, "admin:version()")
        assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", NO_ROOM + "\n")
