"""The service as its users see it in a machine: by its socket, its unit and prosodyctl."""

import subprocess

from system.machine import Machine

SOCKET = "/run/prosody-admin.sock"
SOCKET_UNIT = "prosody-admin.socket"
SERVICE_UNIT = "prosody-admin.service"
STUB = "/usr/share/prosody-admin/prosodyctl.cfg.lua"
"""A configuration that everybody may read: what prosodyctl needs where it is not run by root."""

THROUGH = ("prosodyctl", "shell", f"--socket={SOCKET}")
"""The command, unmodified, that goes through the service; a line's words may follow."""

THROUGH_UNPRIVILEGED = ("prosodyctl", "--config", STUB, "shell", f"--socket={SOCKET}")


def through(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    """Have prosodyctl, started by root, run a line through the service."""
    return machine.run(*THROUGH, *words)


def directly(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    """Have prosodyctl run a line on Prosody's own socket."""
    return machine.run("prosodyctl", "shell", *words)


def settings(machine: Machine, toml: str) -> None:
    """Put settings where an administrator would."""
    machine.put("/etc/prosody-admin/prosody-admin.toml.d/50-test.toml", toml)


def drop_in(machine: Machine, unit: str, lines: str) -> None:
    """Change a unit as `systemctl edit` does."""
    machine.put(f"/etc/systemd/system/{unit}.d/50-test.conf", lines)
    machine.run("systemctl", "daemon-reload", check=True)
