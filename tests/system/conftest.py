"""The machines of the system tests: booted once per release, with the project installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.machine import Machine, unavailable, wait_until

CHECKOUT = Path(__file__).parents[2]
LAUNCHER = """\
#!/usr/bin/python3
import sys
from prosody_admin.{module} import main
sys.exit(main())
"""
RESET = """
systemctl stop prosody-admin.socket prosody-admin.service
rm -rf /etc/prosody-admin /etc/systemd/system/prosody-admin.*.d
systemctl daemon-reload
systemctl reset-failed
systemctl start prosody prosody-admin.socket
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
    """The machine with the project in it, where and as its package would put it."""
    package = "/usr/lib/python3/dist-packages/prosody_admin"
    machine.copy(CHECKOUT / "service/prosody_admin", package)
    machine.run("python3", "-m", "compileall", "-q", package, check=True)
    for command, module in (("prosody-admind", "daemon"), ("prosody-adminctl", "client.start")):
        machine.put(f"/usr/bin/{command}", LAUNCHER.format(module=module), mode=0o755)
    for unit in ("prosody-admin.socket", "prosody-admin.service"):
        machine.put(f"/usr/lib/systemd/system/{unit}", (CHECKOUT / "units" / unit).read_text())
    machine.run("groupadd", "--system", "prosody-admin", check=True)
    machine.run("useradd", "--system", "--groups=prosody-admin", "helpdesk", check=True)
    machine.run("systemctl", "daemon-reload", check=True)
    return machine


@pytest.fixture
def gate(installed: Machine) -> Machine:
    """The machine with Prosody running, our socket listening at default settings, no service."""
    installed.run("sh", "-euc", RESET, check=True)
    prosody_answers(installed)
    return installed


def prosody_answers(machine: Machine) -> None:
    """Wait until Prosody's own admin socket answers: its unit is active before that."""
    wait_until(
        lambda: machine.run("prosodyctl", "shell", "server", "version").returncode == 0,
        "Prosody answers on its own socket",
    )
