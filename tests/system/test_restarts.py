"""Sessions outlive Prosody: what ran is given up, once and for all, and what follows runs."""

import pytest

from system.conftest import prosody_answers
from system.gate import THROUGH
from system.machine import Machine
from system.terminal import at_terminal

pytestmark = pytest.mark.system

COUNTED = "/var/lib/prosody/counted"
COUNTED_AND_RUNS_ON = (
    f"> local file = io.open('{COUNTED}', 'a') file:write('once ') file:close() "
    "print('it runs') require'util.async'.sleep(3600)"
)
"""A command that leaves a trace in a file for each time that it runs, and does not end."""


@pytest.mark.parametrize("how", ["kill --signal=KILL", "restart", "stop"])
def test_the_command_that_ran_is_given_up_and_the_next_one_runs(gate: Machine, how: str) -> None:
    gate.run("rm", "--force", COUNTED, check=True)
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        terminal.type(COUNTED_AND_RUNS_ON)
        terminal.expect("it runs\n")
        gate.run("systemctl", *how.split(), "prosody", check=True)
        terminal.expect("Error: the outcome of the command is unknown")
        terminal.expect("prosody> ")
        gate.run("systemctl", "start", "prosody", check=True)
        prosody_answers(gate)
        terminal.type("server:version()")
        terminal.expect("OK: ")
        terminal.expect("prosody> ")
        terminal.type("quit")
        assert terminal.ended() == 0
    assert gate.run("cat", COUNTED, check=True).stdout == "once "


def test_several_sessions_at_once(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as idle, at_terminal(gate, *THROUGH) as busy:
        for terminal in (idle, busy):
            terminal.expect("prosody> ")
            terminal.type("server:version()")
            terminal.expect("OK: ")
            terminal.expect("prosody> ")
        busy.type("> print('it runs') require'util.async'.sleep(3600)")
        busy.expect("it runs\n")
        gate.run("systemctl", "restart", "prosody", check=True)
        prosody_answers(gate)
        busy.expect("Error: the outcome of the command is unknown")
        for terminal in (idle, busy):
            terminal.type("server:version()")
            terminal.expect("OK: ")
