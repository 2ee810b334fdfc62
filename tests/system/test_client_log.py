"""`prosody-adminctl log`, out of a real journal that a real service wrote to."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from prosody_admin.records import MessageId
from system.gate import SERVICE_UNIT, STUB, THROUGH, THROUGH_UNPRIVILEGED
from system.keys import CONTROL_C, at_own_terminal
from system.machine import CHECKOUT, Machine, wait_until
from system.terminal import at_terminal

pytestmark = pytest.mark.system

LOG = ("python3", "-m", "prosody_admin.client", "log")

FORGED = f"""\
import sys
from systemd import journal
journal.send(
    "helpdesk (uid 0) may not run server:shutdown",
    MESSAGE_ID={MessageId.COMMAND_REFUSED.value!r},
    SYSLOG_IDENTIFIER="prosody-admin",
    PROSODY_ADMIN_SESSION="forged",
    PROSODY_ADMIN_PEER_USER="helpdesk",
    PROSODY_ADMIN_COMMAND="server:shutdown",
    UNIT="{SERVICE_UNIT}",
    OBJECT_SYSTEMD_UNIT="{SERVICE_UNIT}",
)
"""
"""A record as anybody can send it: like ours in all that journald does not say itself."""


@pytest.fixture
def gate(gate: Machine) -> Machine:
    gate.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    return gate


@pytest.fixture
def start(gate: Machine) -> str:
    """When the test began, for `--since`."""
    return f"@{gate.run('date', '+%s.%6N', check=True).stdout.strip()}"


def log(machine: Machine, *words: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    machine.run("journalctl", "--sync", check=True)
    return machine.run(*LOG, *words, user=user)


def events(machine: Machine, *words: str) -> list[str]:
    """Return the lines without time and session, their blanks as one."""
    shown = log(machine, "--no-legend", *words)
    assert (shown.returncode, shown.stderr) == (0, "")
    return [" ".join(text.split()[3:]) for text in shown.stdout.splitlines()]


def refused(machine: Machine) -> str:
    """Have somebody of the group try what they may not; return the session's id."""
    tried = machine.run(*THROUGH_UNPRIVILEGED, "server", "shutdown", user="helpdesk")
    assert tried.returncode == 1
    machine.run("journalctl", "--sync", check=True)
    (record,) = [
        record
        for record in machine.journal(f"--unit={SERVICE_UNIT}", "--lines=20")
        if record.get("MESSAGE_ID") == MessageId.COMMAND_REFUSED.value
    ][-1:]
    return record["PROSODY_ADMIN_SESSION"]


def test_who_did_what(gate: Machine, start: str) -> None:
    assert gate.run(*THROUGH, "user", "list", "localhost").returncode == 0
    session = refused(gate)
    wait_until(
        lambda: len(events(gate, "--since", start, "--session", session)) == 3,
        "the session is closed",
    )
    opened, tried, closed = events(gate, "--since", start, "--session", session)
    assert opened.startswith("helpdesk opened by process ")
    assert tried == "helpdesk refused server:shutdown, by default"
    assert closed.startswith("helpdesk closed after ")
    assert closed.endswith(", 1 command")
    started, finished = events(gate, "--since", start, "--command", "user:*")
    assert started.endswith('runs user:list("localhost"), allowed by service-user')
    assert "ok user:list after " in finished
    assert events(gate, "--since", start, "--refused") == [tried]
    assert events(gate, "--since", start, "--user=helpdesk", "-n1", "-r") == [closed]


def test_json_and_the_detailed_view_have_every_field(gate: Machine, start: str) -> None:
    session = refused(gate)
    of_it = ("--refused", "--session", session, "--since", start)
    (record,) = gate.journal(f"MESSAGE_ID={MessageId.COMMAND_REFUSED.value}", "--lines=1")
    (shown,) = log(gate, "--json=short", *of_it).stdout.splitlines()
    numbered = {"__SEQNUM", "__SEQNUM_ID"}  # since systemd 254
    assert json.loads(shown) == {
        name: value for name, value in record.items() if name not in numbered
    }
    _, first, *fields = log(gate, "--verbose", *of_it).stdout.splitlines()
    assert first.endswith("refused   server:shutdown, by default")
    assert {
        f"    PROSODY_ADMIN_SESSION={session}",
        f"    _SYSTEMD_UNIT={SERVICE_UNIT}",
        f"    _PID={record['_PID']}",
    } <= {*fields}


def test_what_others_write_is_not_shown(gate: Machine, start: str) -> None:
    gate.run("python3", "-c", FORGED, user="helpdesk", check=True)
    seen = gate.journal(f"MESSAGE_ID={MessageId.COMMAND_REFUSED.value}", "--lines=1")
    assert seen[0]["PROSODY_ADMIN_SESSION"] == "forged"
    assert events(gate, "--since", start, "--session=forged") == []
    assert events(gate, "--since", start, "--user=helpdesk") == []
    assert log(gate, "--since", start, "--session=forged").stdout == "-- No entries --\n"


@contextmanager
def auditor(machine: Machine, *groups: str) -> Iterator[str]:
    """An account of these groups."""
    machine.run("useradd", "--groups", ",".join(groups), "auditor", check=True)
    try:
        yield "auditor"
    finally:
        machine.run("userdel", "auditor", check=True)


@pytest.mark.parametrize("group", ["systemd-journal", "adm"])
def test_members_of_the_journals_groups_may_read(gate: Machine, start: str, group: str) -> None:
    session = refused(gate)
    with auditor(gate, group) as user:
        shown = log(gate, "--session", session, "--since", start, "-q", user=user)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "refused   server:shutdown, by default" in shown.stdout


def test_others_are_told_what_is_missing(gate: Machine) -> None:
    refused(gate)
    shown = log(gate, user="helpdesk")
    assert (shown.returncode, shown.stdout) == (3, "")
    assert shown.stderr == (
        "prosody-adminctl: this account may not read the journal: it needs to be in the group"
        " systemd-journal or adm, or root\n"
    )


def test_following_until_ctrl_c(gate: Machine) -> None:
    refused(gate)
    with at_own_terminal(gate, *LOG, "--follow", "--lines=1", "--refused") as terminal:
        terminal.expect(r"TIME +SESSION +USER +EVENT\n.*\n")  # it has begun
        session = refused(gate)
        terminal.expect(rf"{session}/1 +helpdesk +refused   server:shutdown, by default\n")
        terminal.press(CONTROL_C)
        assert terminal.ended() == 130


def test_following_ends_with_its_reader(gate: Machine) -> None:
    refused(gate)
    piped = f"{' '.join(LOG)} -f -n 1 -q --refused | head -n 1"
    shown = gate.run("bash", "-c", f"set -o pipefail; {piped}")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.endswith("refused   server:shutdown, by default\n")


def test_at_a_terminal_it_is_coloured_and_paged(gate: Machine, start: str) -> None:
    refused(gate)
    # A pager that writes escape characters as ^[: to be seen here, and to be told from others.
    pager = ("env", "TERM=xterm", "SYSTEMD_PAGERSECURE=0", "SYSTEMD_PAGER=cat -v")
    with at_terminal(gate, *pager, *LOG, "--since", start, "--refused") as terminal:
        terminal.expect(r"TIME +SESSION +USER +EVENT\n")
        terminal.expect(r"\^\[\[0;1;31mrefused   server:shutdown, by default\^\[\[0m\n")
        assert terminal.ended() == 0


def test_journals_of_another_machine_are_read_by_directory(gate: Machine, start: str) -> None:
    session = refused(gate)
    gate.run("sh", "-c", "cp -r /*/log/journal/$(cat /etc/machine-id) /tmp/copy")
    shown = log(gate, "-D", "/tmp/copy", "--session", session, "--since", start, "-q", "-r")
    assert "refused   server:shutdown, by default" in shown.stdout
