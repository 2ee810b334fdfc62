"""The records of the service in a machine's journal, and somebody whose commands are recorded."""

import json

from prosody_admin.sd.journal import MessageId
from system.gate import SERVICE_UNIT, SOCKET, STUB, THROUGH_UNPRIVILEGED, settings
from system.machine import CHECKOUT, HERE, Machine

PREFIX = "PROSODY_ADMIN_"
STARTED, FINISHED = MessageId.COMMAND_STARTED, MessageId.COMMAND_FINISHED
REFUSED, GAP = MessageId.COMMAND_REFUSED, MessageId.AUDIT_GAP

UNRECORDED = "Error: refused, it cannot be recorded now"
"""What a command gets whose start cannot be recorded."""

NO_ROOM = UNRECORDED + ": journald has no room to write"
"""The same where that is why."""

RAW_CLIENT = "/usr/local/lib/raw_client.py"

SETTINGS = """
[service]
log_level = "debug"

[grants]
"%prosody-admin" = []
helpdesk = ["operator"]
"""


def prepare(machine: Machine) -> None:
    """Have somebody of the group who may read and write, and the raw client."""
    machine.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    machine.put(RAW_CLIENT, (HERE / "differential/raw_client.py").read_text())
    settings(machine, SETTINGS)


def records(
    machine: Machine, *kinds: MessageId, also: tuple[str, ...] = ()
) -> list[dict[str, str]]:
    """Return the records of these kinds of the service that runs now, oldest first."""
    invocation = f"_SYSTEMD_INVOCATION_ID={machine.unit(SERVICE_UNIT, 'InvocationID')}"
    return machine.journal(invocation, *(f"MESSAGE_ID={kind.value}" for kind in kinds), *also)


def ours(record: dict[str, str]) -> dict[str, str]:
    """Return the fields of a record that are the service's own, by their names without prefix."""
    return {name.removeprefix(PREFIX): record[name] for name in record if name.startswith(PREFIX)}


def answers(machine: Machine, lines: list[str], user: str | None = None) -> list[str]:
    """Send all lines at once; return the text of each result."""
    command = ("python3", RAW_CLIENT, SOCKET)
    sent = machine.run(*command, user=user, stdin=json.dumps(lines), check=True)
    return [text.strip() for text, _ in json.loads(sent.stdout)]


def runs(machine: Machine) -> bool:
    """Return whether a command runs, now."""
    return answers(machine, ["admin:version()"])[0].startswith("OK: ")


COMMAND_OF_AN_OPERATOR = """
test ! -e /proc/self/loginuid || echo 0 >/proc/self/loginuid
exec setpriv --reuid=helpdesk --regid=helpdesk --init-groups -- sh -c 'echo $$; exec "$@"' sh "$@"
"""


def operator(machine: Machine, line: str) -> tuple[dict[str, str], str]:
    """Run a line in a unit of its own, after a login of root's; return who it was, and stdout."""
    machine.put("/usr/local/bin/operator", f"#!/bin/sh\nset -eu{COMMAND_OF_AN_OPERATOR}", 0o755)
    said = machine.run(
        *("systemd-run", "--unit=on-call", "--pipe", "--wait", "--quiet"),
        *("/usr/local/bin/operator", *THROUGH_UNPRIVILEGED, line),
    )
    pid, _, answer = said.stdout.partition("\n")
    has_login = machine.run("test", "-e", "/proc/self/loginuid").returncode == 0
    peer = {
        "PEER_PID": pid,
        "PEER_UID": machine.run("id", "-u", "helpdesk").stdout.strip(),
        "PEER_GID": machine.run("id", "-g", "helpdesk").stdout.strip(),
        "PEER_USER": "helpdesk",
        "PEER_UNIT": "on-call.service",
        **({"PEER_LOGIN_UID": "0", "PEER_LOGIN_USER": "root"} if has_login else {}),
    }
    return peer, answer or said.stderr
