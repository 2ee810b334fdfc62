"""The service leaves when idle, and no client is lost over it: two hundred times."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.gate import SERVICE_UNIT, settings, through
from system.machine import Machine, wait_until

pytestmark = pytest.mark.system

GATES = 10
ROUNDS = 20
"""Per gate: 200 in all. At a second each, the shortest idle_timeout, they run side by side."""


def test_leaves_when_idle_and_comes_back(gate: Machine) -> None:
    settings(gate, "[service]\nidle_timeout = 1\n")
    through(gate, "admin:version()")
    first = gate.unit(SERVICE_UNIT, "InvocationID")
    wait_until(lambda: gate.unit(SERVICE_UNIT, "ActiveState") == "inactive", "the service leaves")
    assert gate.unit(SERVICE_UNIT, "Result") == "success"
    assert through(gate, "server", "version").returncode == 0
    assert gate.unit(SERVICE_UNIT, "InvocationID") != first


def test_stays_while_somebody_is_connected(gate: Machine) -> None:
    settings(gate, "[service]\nidle_timeout = 1\n")
    hold = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); input()"
    with gate.spawn("python3", "-c", hold, "/run/prosody-admin.sock") as client:
        through(gate, "admin:version()")
        held_by = gate.unit(SERVICE_UNIT, "MainPID")
        gate.run("sleep", "3")  # nothing announces what does not happen
        assert gate.unit(SERVICE_UNIT, "MainPID") == held_by
        client.communicate("\n")


@pytest.fixture
def gates(gate: Machine) -> Iterator[list[str]]:
    """Ten copies of the units side by side, as instances of templates; returns their sockets."""
    settings(gate, "[service]\nidle_timeout = 1\n")
    for kind in ("socket", "service"):
        unit = gate.run("cat", f"/usr/lib/systemd/system/prosody-admin.{kind}").stdout
        unit = unit.replace("prosody-admin.socket", "gate@%i.socket")
        unit = unit.replace("/run/prosody-admin.sock", "/run/gate-%i.sock")
        gate.put(f"/run/systemd/system/gate@.{kind}", unit)
    gate.run("systemctl", "daemon-reload", check=True)
    units = [f"gate@{number}.socket" for number in range(GATES)]
    gate.run("systemctl", "start", *units, check=True)
    yield [f"/run/gate-{number}.sock" for number in range(GATES)]
    gate.run("systemctl", "stop", "gate@*.socket", "gate@*.service", check=True)


def test_no_client_is_lost_over_two_hundred_departures(gate: Machine, gates: list[str]) -> None:
    gate.put("/srv/racing_client.py", (Path(__file__).parent / "racing_client.py").read_text())
    raced = gate.run("python3", "/srv/racing_client.py", str(ROUNDS), *gates, timeout=180)
    assert raced.stderr == ""
    assert raced.stdout.splitlines() == [f"{ROUNDS} 0"] * GATES
    failed = gate.run("systemctl", "--failed", "--plain", "--no-legend").stdout
    assert failed == ""
