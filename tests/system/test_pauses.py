"""A journald that hangs or is not there holds up nobody: the loop comes round all the time."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from system.journald import MORE_THAN_WE_HOLD, hung_journald, stopped_journald
from system.machine import Machine, wait_until
from system.record import GAP, UNRECORDED, answers, records, runs

pytestmark = pytest.mark.system

LONGEST = 10_000
"""Microseconds in which the loop of the service has to come round, whatever journald does."""

ATTEMPTS = 3
"""Measurements at most: now and then the host of a virtual machine takes its processor away for
longer, which no clock in the machine tells. What the service does shows each time."""

DENIED = 'user:delete("nobody@localhost")'
DENIAL = "Error: permission denied (default): needs a role that allows user:delete"


def longest_pause(machine: Machine) -> int:
    """Return the longest pause of the loop since the last call, in microseconds."""
    (text,) = answers(machine, ["pauses:longest()"])
    return int(text.removeprefix("OK: "))


def assert_comes_round(machine: Machine, fail: Callable[[], None]) -> None:
    """Have something fail and be mended again; the loop must not pause meanwhile."""
    longest_pause(machine)  # until here it started
    found: list[int] = []
    while not found or (found[-1] >= LONGEST and len(found) < ATTEMPTS):
        fail()
        found.append(longest_pause(machine))
    assert found[-1] < LONGEST, found


@pytest.mark.parametrize("failing", [hung_journald, stopped_journald])
def test_the_loop_comes_round(
    measured: Machine, failing: Callable[[Machine], AbstractContextManager[None]]
) -> None:
    def fail() -> None:
        with failing(measured):
            assert answers(measured, ["server:version()"] * MORE_THAN_WE_HOLD)[-1] == UNRECORDED
            denied = answers(measured, [DENIED] * MORE_THAN_WE_HOLD, user="helpdesk")
            assert set(denied) == {DENIAL}
        # It takes records again: those that were kept, the gap, and new ones meanwhile.
        answers(measured, [DENIED] * MORE_THAN_WE_HOLD, user="helpdesk")
        wait_until(lambda: runs(measured), "commands run again")

    assert_comes_round(measured, fail)
    assert len(records(measured, GAP)) > 0
