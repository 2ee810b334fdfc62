"""prosodyctl without root: by the configuration that is packaged for everybody."""

from collections.abc import Iterator

import pytest

from prosody_admin.sd.journal import MessageId
from system.conftest import CHECKOUT
from system.gate import SERVICE_UNIT, STUB, directly
from system.machine import Machine
from system.terminal import at_terminal

pytestmark = pytest.mark.system

PROSODYCTL = ("env", f"PROSODY_CONFIG={STUB}", "prosodyctl")
ACCOUNT = "rosalind@localhost"
COMMANDS = {"adduser": "user:create", "passwd": "user:password", "deluser": "user:delete"}
"""What some of prosodyctl's own commands ask the service for."""

PASSWORD = "Arden-1599"


@pytest.fixture
def gate(gate: Machine) -> Iterator[Machine]:
    """The machine with the packaged configuration in its place, and without the account."""
    gate.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    yield gate
    directly(gate, "user", "delete", ACCOUNT)


def test_who_may_nothing_is_told_who_they_are(gate: Machine) -> None:
    answer = gate.run(*PROSODYCTL, "shell", "admin:whoami()", user="helpdesk")
    assert answer.returncode == 0
    assert answer.stdout.endswith(f"OK: you are helpdesk (uid {uid(gate, 'helpdesk')})\n")


def test_who_may_nothing_is_refused(gate: Machine) -> None:
    for words in (("server", "version"), ("server:version()",), ("> return 1",)):
        answer = gate.run(*PROSODYCTL, "shell", *words, user="helpdesk")
        assert answer.returncode == 1
        assert "Error: permission denied" in answer.stderr
        assert "OK" not in answer.stdout


def test_a_session_of_who_may_nothing(gate: Machine) -> None:
    with at_terminal(gate, *PROSODYCTL, "shell", user="helpdesk") as terminal:
        terminal.expect("prosody> ")
        terminal.type("server:version()")
        terminal.expect("! Error: permission denied")
        terminal.expect("prosody> ")
        terminal.type("admin:whoami()")
        terminal.expect("OK: you are helpdesk")
        terminal.expect("prosody> ")
        terminal.type("quit")
        assert terminal.ended() == 0


def test_who_may_everything(gate: Machine) -> None:
    answer = gate.run(*PROSODYCTL, "shell", "server", "version", user="prosody")
    assert answer.returncode == 0
    assert answer.stdout.endswith(directly(gate, "server", "version").stdout)


def test_somebody_outside_the_group_is_not_connected(gate: Machine) -> None:
    answer = gate.run(*PROSODYCTL, "shell", "admin:whoami()", user="nobody")
    assert answer.returncode == 1
    assert "Permission denied" in answer.stdout


# Before 13, prosodyctl wrote to Prosody's storage itself, which is for nobody but Prosody.
@pytest.mark.parametrize("machine", ["trixie"], indirect=True)
def test_accounts_without_the_shell(gate: Machine) -> None:
    for words, asks, done in (
        (("adduser", ACCOUNT), True, "OK: Created"),
        (("passwd", ACCOUNT), True, "OK: User password changed"),
        (("deluser", ACCOUNT), False, "OK: User deleted"),
    ):
        with at_terminal(gate, *PROSODYCTL, *words, user="prosody") as terminal:
            for prompt in ("Enter new password: ", "Retype new password: ") if asks else ():
                terminal.expect(prompt)
                terminal.type(PASSWORD)
            terminal.expect(done)
            assert terminal.ended() == 0
        assert commands_recorded(gate)[-1] == COMMANDS[words[0]]


@pytest.mark.parametrize("machine", ["trixie"], indirect=True)
def test_reload_without_the_shell(gate: Machine) -> None:
    answer = gate.run(*PROSODYCTL, "reload", user="prosody")
    assert answer.returncode == 0
    assert "OK: Config reloaded" in answer.stdout
    assert commands_recorded(gate)[-1] == "config:reload"


@pytest.mark.parametrize("machine", ["trixie"], indirect=True)
@pytest.mark.parametrize("words", [*((name, ACCOUNT) for name in COMMANDS), ("reload",)])
def test_refused_without_the_shell(gate: Machine, words: tuple[str, ...]) -> None:
    answer = gate.run(*PROSODYCTL, *words, user="helpdesk")
    assert answer.returncode == 1
    assert "Error: permission denied" in answer.stderr


def uid(machine: Machine, user: str) -> str:
    return machine.run("id", "-u", user, check=True).stdout.strip()


def commands_recorded(machine: Machine) -> list[str]:
    """Return the commands that were started, so far, through the service that runs now."""
    entries = machine.journal(
        f"_SYSTEMD_INVOCATION_ID={machine.unit(SERVICE_UNIT, 'InvocationID')}",
        f"MESSAGE_ID={MessageId.COMMAND_STARTED.value}",
    )
    return [entry["PROSODY_ADMIN_COMMAND"] for entry in entries]
