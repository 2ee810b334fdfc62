"""The unmodified prosodyctl of Prosody 0.12 and 13, and the real Prosody behind the service."""

import pytest

from system.conftest import prosody_answers
from system.gate import STUB, THROUGH, THROUGH_UNPRIVILEGED, directly, through
from system.machine import CHECKOUT, Machine
from system.terminal import at_terminal

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    "words",
    [
        ("server", "version"),
        ("server:version()",),
        ("host", "list"),
        ("module", "list", "localhost"),
        ("help", "user"),
        ("c2s", "show"),
        ("> return 6 * 7",),
        ("no", "such", "command"),
        ("> error('on purpose')",),
        ("module", "reload", "no_such_module", "localhost"),
    ],
    ids=" ".join,
)
def test_answer_and_status_are_those_of_prosody_itself(
    gate: Machine, words: tuple[str, ...]
) -> None:
    expected, answer = directly(gate, *words), through(gate, *words)
    assert answer.stdout == expected.stdout
    assert answer.stderr == expected.stderr
    assert answer.returncode == expected.returncode


def test_a_command_that_fails_exits_with_1(gate: Machine) -> None:
    assert through(gate, "host", "deactivate", "no.such.host").returncode == 1


def test_a_user_created_through_the_service_is_there(gate: Machine) -> None:
    created = through(gate, "user", "create", "juliet@localhost", "a-balcony")
    assert created.returncode == 0, created
    listed = through(gate, "user", "list", "localhost")
    assert listed.stdout == directly(gate, "user", "list", "localhost").stdout
    assert "juliet" in listed.stdout
    assert through(gate, "user", "delete", "juliet@localhost").returncode == 0
    assert "juliet" not in directly(gate, "user", "list", "localhost").stdout


def test_interactive_session(gate: Machine) -> None:
    version = directly(gate, "server", "version").stdout.splitlines()[-1].removeprefix("OK: ")
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        for _ in range(3):
            terminal.type("server:version()")
            terminal.expect(f"OK: {version}\n")
            terminal.expect("prosody> ")
        terminal.type("admin:whoami()")
        terminal.expect("OK: you are prosody")  # what root becomes within prosodyctl
        terminal.expect("prosody> ")
        terminal.type("no:such()")
        terminal.expect("(?i)(error|no such|!)")
        terminal.expect("prosody> ")
        terminal.type("quit")
        assert terminal.ended() == 0


def test_somebody_in_the_group_may_read_and_nothing_else(gate: Machine) -> None:
    gate.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    for line in ('user:delete("nobody@localhost")', 'config:get("x")', "> return 1"):
        refused = gate.run(*THROUGH_UNPRIVILEGED, line, user="helpdesk")
        assert refused.returncode == 1
        assert refused.stderr.startswith("Error: permission denied (default): needs a role")
        assert refused.stdout == ""
    read = gate.run(*THROUGH_UNPRIVILEGED, "server:version()", user="helpdesk")
    assert (read.returncode, read.stdout) == (0, directly(gate, "server:version()").stdout)
    answer = gate.run(*THROUGH_UNPRIVILEGED, "admin:whoami()", user="helpdesk")
    assert answer.returncode == 0
    assert "OK: you are helpdesk" in answer.stdout


def test_without_prosody_a_command_fails_and_says_why(gate: Machine) -> None:
    gate.run("systemctl", "stop", "prosody", check=True)
    answer = through(gate, "server", "version")
    assert answer.returncode == 1
    assert "not run" in answer.stdout + answer.stderr
    own = through(gate, "admin:version()")
    assert own.returncode == 0
    gate.run("systemctl", "start", "prosody", check=True)
    prosody_answers(gate)
    again = through(gate, "server", "version")
    assert (again.returncode, again.stdout) == (0, directly(gate, "server", "version").stdout)


def test_a_session_outlives_a_restart_of_prosody(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        terminal.type("server:version()")
        terminal.expect("OK: ")
        terminal.expect("prosody> ")
        gate.run("systemctl", "stop", "prosody", check=True)
        terminal.type("server:version()")
        terminal.expect("not run")
        terminal.expect("prosody> ")
        gate.run("systemctl", "start", "prosody", check=True)
        prosody_answers(gate)
        terminal.type("server:version()")
        terminal.expect("OK: ")
        terminal.expect("prosody> ")
        terminal.type("quit")
        assert terminal.ended() == 0
