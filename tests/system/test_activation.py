"""systemd owns the socket, and starts the service for the first who connects."""

import pytest

from system.gate import SERVICE_UNIT, SOCKET, SOCKET_UNIT, THROUGH, through
from system.machine import Machine, wait_until
from system.terminal import at_terminal

pytestmark = pytest.mark.system


def test_units_are_in_order(installed: Machine) -> None:
    verified = installed.run("systemd-analyze", "verify", "--man=no", SOCKET_UNIT, SERVICE_UNIT)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_socket_is_for_prosody_and_the_group_alone(gate: Machine) -> None:
    shown = gate.run("stat", "--format=%F %a %U %G", SOCKET, check=True).stdout
    assert shown == "socket 660 prosody prosody-admin\n"
    assert gate.run("setpriv", "--reuid=nobody", "test", "-w", SOCKET).returncode == 1


def test_listening_starts_nothing(gate: Machine) -> None:
    assert gate.unit(SOCKET_UNIT, "SubState") == "listening"
    assert gate.unit(SERVICE_UNIT, "ActiveState") == "inactive"


def test_first_connection_starts_the_service(gate: Machine) -> None:
    answer = through(gate, "admin:version()")
    assert (answer.returncode, answer.stdout[:18]) == (0, "OK: prosody-admin ")
    assert gate.unit(SERVICE_UNIT, "ActiveState") == "active"  # only after READY=1: Type=notify
    assert gate.unit(SERVICE_UNIT, "NRestarts") == "0"


def test_runs_as_prosody_without_capabilities(gate: Machine) -> None:
    through(gate, "admin:version()")
    status = gate.run("cat", f"/proc/{gate.unit(SERVICE_UNIT, 'MainPID')}/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    uid = gate.run("id", "-u", "prosody").stdout.strip()
    assert fields["Uid"].split() == [uid] * 4
    assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert fields["NoNewPrivs"] == "1"


def test_status_tells_how_many_are_connected(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        assert gate.unit(SERVICE_UNIT, "StatusText") == "1 session"
        terminal.type("quit")
        assert terminal.ended() == 0
    wait_until(
        lambda: (
            gate.unit(SERVICE_UNIT, "StatusText") == "0 sessions, leaving after 60 s without one"
        ),
        "the status says that nobody is connected",
    )
