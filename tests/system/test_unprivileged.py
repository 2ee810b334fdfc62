"""prosodyctl without root: by the configuration that is packaged for everybody."""

from collections.abc import Iterator

import pytest

from prosody_admin.sd.journal import MessageId
from system.gate import SERVICE_UNIT, STUB, directly, settings
from system.machine import CHECKOUT, Machine
from system.terminal import at_terminal

pytestmark = pytest.mark.system

PROSODYCTL = ("env", f"PROSODY_CONFIG={STUB}", "prosodyctl")
ACCOUNT = "rosalind@localhost"
PASSWORD = "Arden-1599"


NO_RIGHTS = '[grants]\n"%prosody-admin" = []\n'
ALL_RIGHTS = '[grants]\nhelpdesk = ["owner"]\n'
"""In place of what members of the group may do by default, which is to read."""

ONLY_13 = pytest.mark.parametrize("machine", ["trixie"], indirect=True)
"""Before, prosodyctl wrote to Prosody's storage itself, which is for nobody but Prosody."""


@pytest.fixture
def gate(gate: Machine) -> Iterator[Machine]:
    """The machine with the packaged configuration in its place, and without the account."""
    gate.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    yield gate
    directly(gate, "user", "delete", ACCOUNT)


def test_who_may_nothing_is_told_who_they_are(gate: Machine) -> None:
    settings(gate, NO_RIGHTS)
    answer = gate.run(*PROSODYCTL, "shell", "admin:whoami()", user="helpdesk")
    assert answer.returncode == 0
    assert answer.stdout.endswith(f"OK: you are helpdesk (uid {uid(gate, 'helpdesk')})\n")


def test_who_may_nothing_is_refused(gate: Machine) -> None:
    settings(gate, NO_RIGHTS)
    for words in (("server", "version"), ("server:version()",), ("> return 1",)):
        answer = gate.run(*PROSODYCTL, "shell", *words, user="helpdesk")
        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr.startswith("Error: permission denied")


def test_a_session_of_who_may_nothing(gate: Machine) -> None:
    settings(gate, NO_RIGHTS)
    with at_terminal(gate, *PROSODYCTL, "shell", user="helpdesk") as terminal:
        for line, result in (
            ("server:version()", "! Error: permission denied"),
            ("admin:whoami()", r"\| OK: you are helpdesk"),
        ):
            terminal.expect("prosody> ")
            terminal.type(line)
            terminal.expect(result)
        terminal.expect("prosody> ")
        terminal.type("quit")
        assert terminal.ended() == 0


@pytest.mark.parametrize("user", ["prosody", "helpdesk"])
def test_who_has_a_role_gets_prosodys_answer(gate: Machine, user: str) -> None:
    answer = gate.run(*PROSODYCTL, "shell", "server", "version", user=user)
    assert answer.returncode == 0
    assert answer.stdout.endswith(directly(gate, "server", "version").stdout)


def test_somebody_outside_the_group_is_not_connected(gate: Machine) -> None:
    answer = gate.run(*PROSODYCTL, "shell", "admin:whoami()", user="daemon")
    assert answer.returncode == 1
    assert "Connection error: permission denied" in answer.stdout


@ONLY_13
@pytest.mark.parametrize("user", ["prosody", "helpdesk"])
def test_accounts_without_the_shell(gate: Machine, user: str) -> None:
    settings(gate, ALL_RIGHTS)
    for command, result in (
        ("adduser", "OK: Created"),
        ("passwd", "OK: User password changed"),
        ("deluser", "OK: User deleted"),
    ):
        with at_terminal(gate, *PROSODYCTL, command, ACCOUNT, user=user) as terminal:
            if command != "deluser":
                for prompt in ("Enter new password: ", "Retype new password: "):
                    terminal.expect(prompt)
                    terminal.type(PASSWORD)
            terminal.expect(result)
            assert terminal.ended() == 0
    assert started(gate) == ["user:create", "user:password", "user:delete"]


@ONLY_13
@pytest.mark.parametrize("user", ["prosody", "helpdesk"])
def test_reload_without_the_shell(gate: Machine, user: str) -> None:
    settings(gate, ALL_RIGHTS)
    answer = gate.run(*PROSODYCTL, "reload", user=user)
    assert answer.returncode == 0
    assert "OK: Config reloaded" in answer.stdout
    assert started(gate) == ["config:reload"]


@ONLY_13
def test_who_may_only_read_changes_nothing(gate: Machine) -> None:
    for command in ("adduser", "passwd", "deluser", "reload"):
        answer = gate.run(*PROSODYCTL, command, ACCOUNT, user="helpdesk")
        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr.startswith("Error: permission denied")
    assert started(gate) == []


def uid(machine: Machine, user: str) -> str:
    return machine.run("id", "-u", user, check=True).stdout.strip()


def started(machine: Machine) -> list[str]:
    """Return the commands that were started, so far, through the service that runs now."""
    entries = machine.journal(
        f"_SYSTEMD_INVOCATION_ID={machine.unit(SERVICE_UNIT, 'InvocationID')}",
        f"MESSAGE_ID={MessageId.COMMAND_STARTED.value}",
    )
    return [entry["PROSODY_ADMIN_COMMAND"] for entry in entries]
