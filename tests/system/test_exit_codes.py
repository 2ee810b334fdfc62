"""What a one-shot client exits with when its command did not go well: never with 0.

Directly, prosodyctl exits with 0 whenever the connection ends before the result. Refusals are in
`test_unprivileged`, a Prosody that is not there at the beginning is in `test_prosodyctl`.
"""

import pytest

from system.gate import SERVICE_UNIT, SOCKET, THROUGH, settings, through
from system.machine import Machine
from system.terminal import at_terminal

pytestmark = pytest.mark.system

RUNS_ON = "> print('it runs') require'util.async'.sleep(3600)"
"""A command that says so once Prosody runs it, and does not end by itself."""

TOO_LONG_FOR_13 = f"> return #'{'x' * 20_000}'"
TOO_LONG_FOR_US = f"> return #'{'x' * 5_000}'"
SHORTEST_LIMIT = "[limits]\nstanza_bytes = 4096\n"

AT_ONCE = 40
"""Clients beyond a limit that come at the same time."""


def test_a_command_that_fails(gate: Machine) -> None:
    for line in ("> error('on purpose')", "host:deactivate('no.such.host')", "no:such()", "> ("):
        assert through(gate, line).returncode == 1


def test_prosody_is_killed_in_the_middle(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH, RUNS_ON) as terminal:
        terminal.expect("it runs")
        gate.run("systemctl", "kill", "--signal=KILL", "prosody", check=True)
        terminal.expect("Error: the outcome of the command is unknown: .* closed its socket")
        assert terminal.ended() == 1


def test_the_service_is_stopped_in_the_middle(gate: Machine) -> None:
    settings(gate, "[service]\ndrain_timeout = 0\n")
    with at_terminal(gate, *THROUGH, RUNS_ON) as terminal:
        terminal.expect("it runs")
        gate.run("systemctl", "stop", SERVICE_UNIT, check=True)
        terminal.expect("Error: the service is stopping; the outcome is unknown")
        assert terminal.ended() == 1


def test_a_line_that_is_too_long_for_prosody(gate: Machine) -> None:
    answer = through(gate, TOO_LONG_FOR_13)
    if gate.release == "bookworm":  # 0.12 takes more than one argument of a command line can have
        assert (answer.returncode, answer.stdout) == (0, "Result: 20000\n")
    else:
        assert answer.returncode == 1
        assert "the outcome of the command is unknown: Prosody's stream failed" in answer.stderr


def test_a_line_that_is_too_long_for_the_service(gate: Machine) -> None:
    settings(gate, SHORTEST_LIMIT)
    answer = through(gate, TOO_LONG_FOR_US)
    assert answer.returncode == 1
    assert "policy-violation" in answer.stderr


def test_clients_beyond_the_limit(gate: Machine) -> None:
    settings(gate, "[limits]\nsessions_per_uid = 1\n")
    command = f"prosodyctl shell --socket={SOCKET} 'server:version()' 2>&1; echo exit $?"
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        many = f"for _ in $(seq {AT_ONCE}); do ({command}) & done; wait"
        said = gate.run("sh", "-c", many).stdout
    assert said.count("exit 1\n") == said.count("Error: too many sessions of prosody") == AT_ONCE
