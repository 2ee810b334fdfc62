"""When journald's disk is full: it goes on to take records, and those it cannot write are lost.

Neither its socket nor the journal says so, and its own numbers have no hole. All that tells of it
afterwards are our numbers: of the commands of a session, some are missing.
"""

from collections.abc import Iterator

import pytest

from system.gate import SERVICE_UNIT, THROUGH, through
from system.journald import MORE_THAN_WE_HOLD, PERSISTENT, VOLATILE, full_disk, small_disk
from system.machine import Machine, wait_until
from system.record import FINISHED, GAP, REFUSED, STARTED, UNRECORDED, answers, records
from system.terminal import at_terminal
from system.test_pauses import DENIAL, DENIED, LONGEST, longest_pause

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("measured")]

COMMANDS = MORE_THAN_WE_HOLD
"""Twice as many records, three times what fits into a file of journald's on the small disk."""


@pytest.fixture(params=[VOLATILE, PERSISTENT])
def directory(request: pytest.FixtureRequest, gate: Machine) -> Iterator[str]:
    """Where journald writes, on a small file system that is not full yet; no service runs."""
    with small_disk(gate, request.param):
        yield request.param


def numbers(found: list[dict[str, str]]) -> list[int]:
    """Return the numbers of the commands in their session, in the order of the records."""
    return [int(record["PROSODY_ADMIN_SEQUENCE"]) for record in found]


def is_taken_again(machine: Machine) -> None:
    """Wait until commands run: a journald that fails again and again is slow, its queue full."""
    wait_until(lambda: through(machine, "admin:version()").returncode == 0, "commands run")


def test_the_loop_comes_round(gate: Machine, directory: str) -> None:
    longest_pause(gate)  # until here it started
    serving = gate.unit(SERVICE_UNIT, "MainPID")
    with full_disk(gate, directory):
        given = answers(gate, ["server:version()"] * COMMANDS)
        assert len(given) == COMMANDS
        assert {text for text in given if not text.startswith("OK: ")} <= {UNRECORDED}
        denied = answers(gate, [DENIED] * COMMANDS, user="helpdesk")
        assert denied == [DENIAL] * COMMANDS
        is_taken_again(gate)
    is_taken_again(gate)
    assert longest_pause(gate) < LONGEST
    assert gate.unit(SERVICE_UNIT, "MainPID") == serving


@pytest.mark.parametrize("directory", [VOLATILE], indirect=True)
def test_what_does_not_fit_is_lost_and_a_session_has_a_hole(gate: Machine, directory: str) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        terminal.type("admin:version()")
        terminal.expect(r"\| OK: ")
        session = records(gate, STARTED)[0]["PROSODY_ADMIN_SESSION"]
        with full_disk(gate, directory):
            given = answers(gate, ["server:version()"] * COMMANDS)
            ran = 1 + COMMANDS - given.count(UNRECORDED)
            written = len(records(gate, STARTED))
            assert 0 < written < ran
            is_taken_again(gate)
            terminal.type("admin:version()")
            terminal.expect(r"\| OK: ")
            assert len(records(gate, STARTED)) == written
        terminal.type("admin:version()")
        terminal.expect(r"\| OK: ")
        of_it = (f"PROSODY_ADMIN_SESSION={session}",)
        wait_until(lambda: len(records(gate, FINISHED, also=of_it)) == 2, "it is written again")
    assert numbers(records(gate, STARTED, also=of_it)) == [1, 3]
    assert records(gate, GAP) == []


@pytest.mark.parametrize("directory", [PERSISTENT], indirect=True)
def test_while_there_is_room_in_memory_nothing_is_lost(gate: Machine, directory: str) -> None:
    with full_disk(gate, directory):
        given = answers(gate, ["server:version()"] * COMMANDS)
        found = records(gate, STARTED, REFUSED)
        assert numbers(found) == list(range(1, COMMANDS + 1))
        assert [record["PROSODY_ADMIN_VERDICT"] for record in found] == [
            "refused" if text == UNRECORDED else "allowed" for text in given
        ]
        assert records(gate, GAP) == []
