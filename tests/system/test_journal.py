"""What journalctl finds of a session and its commands."""

import pytest

from prosody_admin.sd.journal import MessageId
from system.gate import (
    SERVICE_UNIT,
    SOCKET,
    STUB,
    THROUGH,
    THROUGH_UNPRIVILEGED,
    through,
)
from system.machine import Machine, wait_until

pytestmark = pytest.mark.system


def records(machine: Machine, kind: MessageId, *matches: str) -> list[dict[str, str]]:
    """Return the records of a kind of the service that runs now, oldest first."""
    invocation = machine.unit(SERVICE_UNIT, "InvocationID")
    return machine.journal(
        f"_SYSTEMD_INVOCATION_ID={invocation}", f"MESSAGE_ID={kind.value}", *matches
    )


def test_a_session_is_recorded_from_opening_to_close(gate: Machine) -> None:
    through(gate, "server", "version")
    wait_until(lambda: bool(records(gate, MessageId.SESSION_CLOSED)), "the session is closed")
    (opened,) = records(gate, MessageId.SESSION_OPENED)
    (started,) = records(gate, MessageId.COMMAND_STARTED)
    (finished,) = records(gate, MessageId.COMMAND_FINISHED)
    (closed,) = records(gate, MessageId.SESSION_CLOSED)
    uid = gate.run("id", "-u", "prosody").stdout.strip()
    for record in (opened, started, finished, closed):
        assert record["SYSLOG_IDENTIFIER"] == "prosody-admin"
        assert record["_SYSTEMD_UNIT"] == SERVICE_UNIT
        assert record["PROSODY_ADMIN_SESSION"] == opened["PROSODY_ADMIN_SESSION"]
        assert record["PROSODY_ADMIN_PEER_PID"] == opened["PROSODY_ADMIN_PEER_PID"]
        assert record["PROSODY_ADMIN_PEER_UID"] == uid
        assert record["PROSODY_ADMIN_PEER_USER"] == "prosody"
    assert started["PROSODY_ADMIN_COMMAND"] == "server:version"
    assert started["PROSODY_ADMIN_VERDICT"] == "allowed"
    assert started["PROSODY_ADMIN_RULE"] == "service-user"
    assert finished["PROSODY_ADMIN_COMMAND"] == "server:version"
    assert finished["PROSODY_ADMIN_RESULT"] == "ok"
    assert int(finished["PROSODY_ADMIN_DURATION_USEC"]) > 0
    assert closed["PROSODY_ADMIN_COMMANDS"] == "1"


def test_a_refused_command_is_recorded(gate: Machine) -> None:
    gate.put(STUB, f'admin_socket = "{SOCKET}"\n')
    gate.run(*THROUGH_UNPRIVILEGED, "server:insane_reload()", user="helpdesk")
    (refused,) = records(gate, MessageId.COMMAND_REFUSED)
    assert refused["PROSODY_ADMIN_PEER_USER"] == "helpdesk"
    assert refused["PROSODY_ADMIN_PEER_UID"] == gate.run("id", "-u", "helpdesk").stdout.strip()
    assert refused["PROSODY_ADMIN_COMMAND"] == "server:insane_reload"
    assert refused["PROSODY_ADMIN_VERDICT"] == "refused"
    assert not records(gate, MessageId.COMMAND_STARTED)


def test_the_unit_of_the_peer_is_recorded(gate: Machine) -> None:
    gate.run("systemd-run", "--unit=operator", "--pipe", "--wait", *THROUGH, "admin:version()")
    (opened,) = records(gate, MessageId.SESSION_OPENED)
    assert opened["PROSODY_ADMIN_PEER_UNIT"] == "operator.service"


def test_a_password_enters_no_record(gate: Machine) -> None:
    created = through(gate, "user", "create", "romeo@localhost", "Wherefore-9")
    assert created.returncode == 0, created
    assert through(gate, "user", "delete", "romeo@localhost").returncode == 0
    (first, _) = records(gate, MessageId.COMMAND_STARTED)
    assert first["PROSODY_ADMIN_COMMAND"] == "user:create"
    ours = gate.journal(f"_SYSTEMD_UNIT={SERVICE_UNIT}")
    assert "Wherefore-9" not in str(ours)


def test_prosody_failing_is_recorded_as_such(gate: Machine) -> None:
    gate.run("systemctl", "stop", "prosody", check=True)
    through(gate, "server", "version")
    (finished,) = records(gate, MessageId.COMMAND_FINISHED)
    assert finished["PROSODY_ADMIN_RESULT"] == "error"


def test_malformed_xml_is_one_line_in_the_journal(gate: Machine) -> None:
    send = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
    send += " s.sendall(b'<stream:stream <>'); print(s.recv(65536))"
    answer = gate.run("python3", "-c", send, SOCKET)
    assert "not-well-formed" in answer.stdout, answer
    wait_until(lambda: bool(records(gate, MessageId.STREAM_ERROR)), "the error is recorded")
    (failed,) = records(gate, MessageId.STREAM_ERROR)
    assert failed["PROSODY_ADMIN_CONDITION"] == "not-well-formed"
    assert through(gate, "server", "version").returncode == 0
