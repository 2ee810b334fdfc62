"""What pacman runs when the package for Arch Linux is installed or upgraded."""

import pytest

from system.gate import SERVICE_UNIT, SOCKET_UNIT, through
from system.machine import CHECKOUT, Machine

pytestmark = pytest.mark.system

SETTINGS = "/etc/prosody-admin/prosody-admin.toml"
SCRIPTLET = (CHECKOUT / "packaging/arch/prosody-admin.install").read_text()


def pacman(machine: Machine, function: str) -> None:
    """Call a function of the scriptlet as pacman does, in the root directory."""
    machine.run("bash", "-c", f"cd / && . /dev/stdin && {function}", stdin=SCRIPTLET, check=True)


def group_of_settings(machine: Machine) -> str:
    return machine.run("stat", "--format=%G", SETTINGS, check=True).stdout.strip()


def test_settings_get_their_group_once(gate: Machine) -> None:
    gate.run("chgrp", "root", SETTINGS, check=True)
    pacman(gate, "post_install")
    assert group_of_settings(gate) == "prosody-admin"
    gate.run("chgrp", "adm", SETTINGS, check=True)
    pacman(gate, "post_upgrade")
    assert group_of_settings(gate) == "adm", "what the administrator chose"
    assert gate.unit(SERVICE_UNIT, "ActiveState") == "inactive"
    gate.run("chgrp", "prosody-admin", SETTINGS, check=True)


def test_an_upgrade_marks_what_runs_for_a_restart(gate: Machine) -> None:
    assert through(gate, "server", "version").returncode == 0
    running = gate.unit(SERVICE_UNIT, "InvocationID")
    listening = gate.unit(SOCKET_UNIT, "InvocationID")
    pacman(gate, "post_upgrade")
    gate.run("systemctl", "reload-or-restart", "--marked", check=True)  # as systemd's hook does
    assert gate.unit(SERVICE_UNIT, "InvocationID") not in (running, "")
    assert gate.unit(SOCKET_UNIT, "InvocationID") == listening
