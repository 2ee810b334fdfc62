"""The record of real sessions in a real journal: what it has, and what an auditor asks of it."""

import pytest

from prosody_admin.sd.journal import MessageId
from system.auditor import AUDITORS_LINES, asked
from system.gate import THROUGH, THROUGH_UNPRIVILEGED, through
from system.machine import Machine
from system.record import FINISHED, REFUSED, STARTED, operator, ours, prepare, records
from system.terminal import at_terminal

pytestmark = pytest.mark.system


@pytest.fixture
def gate(gate: Machine) -> Machine:
    """The service with somebody of the group who may read and write."""
    prepare(gate)
    return gate


def test_of_a_command_that_runs(gate: Machine) -> None:
    peer, answer = operator(gate, 'module:list("localhost")')
    (opened,) = records(gate, MessageId.SESSION_OPENED)
    command = {
        **peer,
        "SESSION": opened["PROSODY_ADMIN_SESSION"],
        "SEQUENCE": "1",
        "COMMAND": "module:list",
        "ARGUMENTS": '"localhost"',
        "HOST": "localhost",
    }
    (started,), (finished,) = records(gate, STARTED), records(gate, FINISHED)
    assert ours(started) == {
        **command,
        "VERDICT": "allowed",
        "RULE": "role operator allows @read",
        "RECORD": "3",  # after those of the service and of the session
    }
    ended = ours(finished)
    assert 0 < int(ended.pop("DURATION_USEC")) < 30_000_000
    lines = answer.count("\n")
    assert lines > 1
    assert ended == {
        **command,
        "RECORD": "4",
        "RESULT": "ok",
        "OUTPUT_LINES": str(lines),
        "OUTPUT_BYTES": str(len(answer.encode()) - lines),
    }


def test_of_a_command_that_fails(gate: Machine) -> None:
    peer, _ = operator(gate, 'user:delete("nobody@localhost")')
    (finished,) = records(gate, FINISHED)
    ended = ours(finished)
    assert ended["RESULT"] == "error"
    assert ended["ERROR"] in gate.run(*THROUGH, 'user:delete("nobody@localhost")').stderr
    assert ended["HOST"] == "localhost"
    assert peer.items() <= ended.items()


def test_of_a_command_that_is_refused(gate: Machine) -> None:
    peer, _ = operator(gate, 'user:create("nobody@localhost", nil, "prosody:admin")')
    (opened,), (refused,) = records(gate, MessageId.SESSION_OPENED), records(gate, REFUSED)
    assert ours(refused) == {
        **peer,
        "SESSION": opened["PROSODY_ADMIN_SESSION"],
        "SEQUENCE": "1",
        "COMMAND": "user:create",
        "ARGUMENTS": '"nobody@localhost", nil, "prosody:admin"',
        "HOST": "localhost",
        "VERDICT": "refused",
        "RULE": "default",
        "RECORD": "3",
    }
    assert records(gate, STARTED) == []


# What an auditor asks.

FORGED = f"""\
MESSAGE=somebody may not run user:delete("romeo@localhost"): forged
MESSAGE_ID={REFUSED.value}
SYSLOG_IDENTIFIER=prosody-admin
PROSODY_ADMIN_PEER_USER=helpdesk
PROSODY_ADMIN_PEER_LOGIN_USER=root
PROSODY_ADMIN_HOST=localhost
"""


def test_what_an_auditor_asks(gate: Machine) -> None:
    gate.run("journalctl", "--rotate", "--vacuum-size=1", check=True)  # begin with an empty one
    through(gate, "user", "delete", "juliet@localhost")
    peer, _ = operator(gate, 'user:delete("romeo@localhost")')
    gate.run(*THROUGH_UNPRIVILEGED, 'config:get("admins")', user="helpdesk")
    gate.run("logger", "--journald", user="daemon", stdin=FORGED, check=True)
    helpdesk = f"helpdesk (uid {peer['PEER_UID']})"
    deleted = f'{helpdesk} runs user:delete("romeo@localhost")'
    refused = f'{helpdesk} may not run config:get("admins"): permission denied'
    session = records(gate, STARTED)[1]["PROSODY_ADMIN_SESSION"]

    did = asked(gate, "what somebody did", alice="helpdesk")
    assert deleted in did
    assert any(message.startswith(refused) for message in did)
    assert not any("juliet" in message or "forged" in message for message in did)

    did = asked(gate, "what somebody did as another account", alice="root")
    assert (deleted in did) is ("PEER_LOGIN_USER" in peer)
    assert not any("config:get" in message or "forged" in message for message in did)

    whole = asked(gate, "one session, every field", session=session)
    assert f"MESSAGE={deleted}" in whole
    assert f"PROSODY_ADMIN_PEER_UID={peer['PEER_UID']}" in whole
    assert "PROSODY_ADMIN_RULE=role operator allows @write" in whole
    assert not any("juliet" in line or "config:get" in line for line in whole)

    (message,) = asked(gate, "refusals today")
    assert message.startswith(refused)
    assert asked(gate, "who touched this account") == [deleted]
    started, ended, *others = asked(gate, "what was done on this host")
    assert "juliet" in started
    assert ended.startswith("user:delete of prosody")
    assert others[0] == deleted
    assert len(others) == 2
    assert asked(gate, "what is missing") == []
    shown = asked(gate, "whether a number is missing")
    numbers = [int(text.partition("RECORD=")[2]) for text in shown if "RECORD=" in text]
    run = numbers[len(numbers) - numbers[-1] :]
    assert run == [*range(1, numbers[-1] + 1)]


def test_an_auditor_follows(gate: Machine) -> None:
    through(gate, "admin:version()")
    with at_terminal(gate, "sh", "-c", AUDITORS_LINES["follow"]) as terminal:
        terminal.expect("runs admin:version")
        gate.run(*THROUGH_UNPRIVILEGED, "server:uptime()", user="helpdesk")
        terminal.expect(r"helpdesk \(uid \d+\) runs server:uptime")
        terminal.expect("server:uptime of helpdesk .* ended: ok")
