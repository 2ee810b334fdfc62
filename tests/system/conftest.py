"""The machines of the system tests: booted once per release, with the project installed."""

from collections.abc import Iterator

import pytest

from system.gate import settings
from system.machine import HERE, Machine, unavailable, wait_until
from system.packages import apt, bring
from system.record import prepare

RESET = """
systemctl stop prosody-admin.socket prosody-admin.service
rm -rf /etc/prosody-admin/prosody-admin.toml.d/* /etc/systemd/system/prosody-admin.*.d
systemctl daemon-reload
systemctl reset-failed
systemctl start prosody prosody-admin.socket
"""


PACKAGES = "/usr/lib/python3/dist-packages"

WITH_PAUSES = """
[modules]
enabled = ["pauses"]

[grants]
helpdesk = ["viewer"]
"""


@pytest.fixture(scope="session", params=["bookworm", "trixie"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A booted machine of each Debian release, whose Prosody answers."""
    if (reason := unavailable()) is not None:
        pytest.skip(reason)
    with Machine(request.param) as booted:
        prosody_answers(booted)
        yield booted


@pytest.fixture(scope="session")
def installed(machine: Machine) -> Machine:
    """The machine with the package installed, and somebody who may connect."""
    apt(machine, "install", bring(machine))
    machine.run("useradd", "--system", "--groups=prosody-admin", "helpdesk", check=True)
    return machine


@pytest.fixture
def gate(installed: Machine) -> Machine:
    """The machine with Prosody running, our socket listening at default settings, no service."""
    installed.run("sh", "-euc", RESET, check=True)
    prosody_answers(installed)
    return installed


@pytest.fixture
def measured(gate: Machine) -> Iterator[Machine]:
    """The service with a module that measures the pauses of its loop."""
    prepare(gate)
    gate.copy(HERE / "pauses", PACKAGES)
    settings(gate, WITH_PAUSES)
    yield gate
    gate.run("sh", "-c", f"rm -r {PACKAGES}/prosody_admin_pauses*", check=True)


def prosody_answers(machine: Machine) -> None:
    """Wait until Prosody's own admin socket answers: its unit is active before that."""
    wait_until(
        lambda: machine.run("prosodyctl", "shell", "server", "version").returncode == 0,
        "Prosody answers on its own socket",
    )
