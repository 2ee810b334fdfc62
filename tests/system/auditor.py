"""What an auditor asks the journal in a machine."""

from system.machine import Machine

AUDITORS_LINES = {
    "what somebody did": "journalctl -u prosody-admin PROSODY_ADMIN_PEER_USER=alice",
    "what somebody did as another account": (
        "journalctl -u prosody-admin PROSODY_ADMIN_PEER_LOGIN_USER=alice"
    ),
    "one session, every field": (
        "journalctl -u prosody-admin PROSODY_ADMIN_SESSION=3c6c19e4 -o verbose"
    ),
    "refusals today": (
        "journalctl -u prosody-admin -S today MESSAGE_ID=3692dc31b7eb42ee9737e7ca3e8f2ef3"
    ),
    "who touched this account": "journalctl -u prosody-admin -g '\"romeo@example\\.com\"'",
    "what was done on this host": "journalctl -u prosody-admin PROSODY_ADMIN_HOST=example.com",
    "what is missing": "journalctl -u prosody-admin MESSAGE_ID=f318fb2a851f4d6ea20de84fbe9eb7d5",
    "whether a number is missing": (
        "journalctl -u prosody-admin -o verbose --output-fields=_PID,PROSODY_ADMIN_RECORD"
    ),
    "follow": "journalctl -u prosody-admin -f",
}
"""As the README has them, for alice, session 3c6c19e4, and romeo of example.com.

With `-u`, for anybody can write records that look like the service's, but for their unit.
"""


def asked(machine: Machine, what: str, *, alice: str = "", session: str = "") -> list[str]:
    """Return the messages that an auditor gets."""
    line = AUDITORS_LINES[what].replace("alice", alice).replace("3c6c19e4", session)
    line = line.replace("example\\.com", "localhost").replace("example.com", "localhost")
    line += " -q" if " -o " in line else " -q -o cat"  # without time and name of the machine
    machine.run("journalctl", "--sync", check=True)
    found = machine.run("sh", "-c", line).stdout
    return [message.strip() for message in found.splitlines()]
