"""The sandbox of the unit: how tight systemd says it is, what it prevents, and what it must not."""

import json
import re
from typing import Any

import pytest

from prosody_admin.sd.journal import MessageId
from system.gate import (
    SERVICE_UNIT,
    SOCKET_UNIT,
    STUB,
    THROUGH_UNPRIVILEGED,
    drop_in,
    settings,
    through,
)
from system.machine import CHECKOUT, HERE, Machine

pytestmark = pytest.mark.system

UNIT = (CHECKOUT / "units" / SERVICE_UNIT).read_text(encoding="utf-8")

EXPOSURE = 0.5
"""What systemd-analyze security may say at most, of 10."""

MODULES = "/usr/local/lib/intruder"

PREVENTED = {
    "a temporary file": {"ENOENT"},
    "a file in memory": {"EPERM"},
    "a file beside Prosody's": {"EROFS"},
    "a file in /run/prosody": {"EROFS"},
    "a file in /dev/shm": {"EACCES"},
    "Prosody's settings": {"EACCES"},
    "somebody's home": {"EACCES"},
    "the bus": {"EACCES"},
    "the kernel's tunables": {"ENOENT"},
    "an IPv4 socket": {"EAFNOSUPPORT"},
    "an IPv6 socket": {"EAFNOSUPPORT"},
    "a netlink socket": {"EAFNOSUPPORT"},
    "a packet socket": {"EAFNOSUPPORT"},
    "memory to write to and run": {"EACCES", "EPERM"},
    "pages moved between pipes": {"EPERM"},
    "another account": {"EPERM"},
    "another priority": {"EPERM"},
    "a user namespace": {"exit status 1"},
}
"""What a module in the service tries, and with which of these errors it must fail."""

OPERATOR = """
test ! -e /proc/self/loginuid || echo 0 >/proc/self/loginuid
exec setpriv --reuid=helpdesk --regid=helpdesk --init-groups -- "$@"
"""
"""What somebody in the group does after a login of root's."""


def test_systemd_counts_little(installed: Machine) -> None:
    told = installed.run("systemd-analyze", "security", "--no-pager", SERVICE_UNIT).stdout
    level = re.search(r"exposure level for \S+ ([0-9.]+)", told)
    assert level is not None, told
    assert float(level[1]) <= EXPOSURE, told


def test_what_is_left_off_has_its_reason(installed: Machine) -> None:
    told = installed.run("systemd-analyze", "security", "--json=short", SERVICE_UNIT, check=True)
    counted = [entry["name"] for entry in json.loads(told.stdout) if entry["exposure"]]
    assert counted
    reasons = "\n".join(re.findall("^#.*", UNIT, re.MULTILINE))
    assert [name for name in counted if name.partition("=")[0] not in reasons] == []


def test_nothing_can_be_written_and_no_network_reached(gate: Machine) -> None:
    gate.copy(HERE / "intruder", MODULES)
    gate.put(
        f"{MODULES}/prosody_admin_intruder-1.0.dist-info/entry_points.txt",
        "[prosody_admin.modules]\nintruder = prosody_admin_intruder:load\n",
    )
    drop_in(gate, SERVICE_UNIT, f"[Service]\nEnvironment=PYTHONPATH={MODULES}\n")
    settings(gate, '[modules]\nenabled = ["intruder"]\n')
    gate.run("systemctl", "start", SERVICE_UNIT, check=True)
    found = report(gate)
    assert found["outcomes"].keys() == PREVENTED.keys()
    assert {
        what: outcome
        for what, outcome in found["outcomes"].items()
        if outcome not in PREVENTED[what]
    } == {}
    assert found["writable"] == []
    assert through(gate, "server", "version").returncode == 0  # a library that tries harms nobody


def test_systemd_has_nothing_to_complain_of(gate: Machine) -> None:
    assert through(gate, "server", "version").returncode == 0
    gate.run("systemctl", "stop", SOCKET_UNIT, SERVICE_UNIT, check=True)
    complaints = gate.journal("_PID=1", f"UNIT={SERVICE_UNIT}", "--priority=warning", "--boot")
    invocation = gate.unit(SERVICE_UNIT, "InvocationID")
    assert [
        entry["MESSAGE"] for entry in complaints if entry.get("INVOCATION_ID") == invocation
    ] == []


# What is left off, and what it is needed for.

SEEN: dict[str, str | None] = {
    "PEER_USER": "helpdesk",
    "PEER_LOGIN_USER": "root",
    "PEER_UNIT": "on-call.service",
}


def test_the_peer_is_seen_with_its_login_and_unit(gate: Machine) -> None:
    assert seen(gate) == SEEN


@pytest.mark.parametrize(
    ("option", "hidden"),
    [
        ("ProtectProc=invisible", {"PEER_LOGIN_USER": None, "PEER_UNIT": None}),
        ("PrivateUsers=yes", {"PEER_USER": "nobody"}),
    ],
)
def test_what_is_left_off_would_hide_the_peer(
    gate: Machine, option: str, hidden: dict[str, str | None]
) -> None:
    drop_in(gate, SERVICE_UNIT, f"[Service]\n{option}\n")
    assert seen(gate) == SEEN | hidden


def seen(machine: Machine) -> dict[str, str | None]:
    """Return what the service records of a peer in a unit of its own; None for what it does not."""
    machine.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    machine.run(
        *("systemd-run", "--unit=on-call", "--pipe", "--wait", "--quiet"),
        *("sh", "-euc", OPERATOR, "sh", *THROUGH_UNPRIVILEGED, "admin", "whoami"),
    )
    invocation = machine.unit(SERVICE_UNIT, "InvocationID")
    opened = machine.journal(
        f"_SYSTEMD_INVOCATION_ID={invocation}", f"MESSAGE_ID={MessageId.SESSION_OPENED.value}"
    )[-1]
    return {name: opened.get(f"PROSODY_ADMIN_{name}") for name in SEEN}


def report(machine: Machine) -> dict[str, Any]:
    """Return what the intruder found out, in the service that runs now."""
    invocation = machine.unit(SERVICE_UNIT, "InvocationID")
    for entry in machine.journal(f"_SYSTEMD_INVOCATION_ID={invocation}"):
        _, told, outcomes = entry["MESSAGE"].partition("modules.intruder:")
        if told:
            found: dict[str, Any] = json.loads(outcomes)
            return found
    raise AssertionError(f"no report: {machine.journal(f'_SYSTEMD_INVOCATION_ID={invocation}')}")
