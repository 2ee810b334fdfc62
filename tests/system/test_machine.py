"""The ground that the other system tests stand on: systemd and Prosody of each release."""

import pytest

from system.machine import Machine
from system.terminal import at_terminal

pytestmark = pytest.mark.system

SYSTEMD = {"bookworm": "252", "trixie": "257"}
PROSODY = {"bookworm": "0.12.", "trixie": "13.0."}


def test_systemd_of_the_release_runs_the_machine(machine: Machine) -> None:
    assert machine.run("cat", "/proc/1/comm").stdout == "systemd\n"
    assert machine.run("systemctl", "is-system-running", "--wait").stdout == "running\n"
    version = machine.run("systemctl", "--version").stdout.split()[1]
    assert version == SYSTEMD[machine.release]


def test_prosody_of_the_release_answers_directly(machine: Machine) -> None:
    answer = machine.run("prosodyctl", "shell", "server", "version")
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"OK: {PROSODY[machine.release]}")


def test_a_command_gets_its_input_and_user_and_gives_its_status(machine: Machine) -> None:
    result = machine.run("sh", "-c", "id -un; cat; exit 7", user="prosody", stdin="typed\n")
    assert (result.returncode, result.stdout) == (7, "prosody\ntyped\n")


def test_a_command_at_a_terminal_has_one(machine: Machine) -> None:
    with at_terminal(
        machine, "sh", "-c", "test -t 0 && stty size && read line && exit $line"
    ) as terminal:
        terminal.expect("40 120\n")
        terminal.type("7")
        assert terminal.ended() == 7


def test_the_journal_has_what_was_just_sent(machine: Machine) -> None:
    machine.run("logger", "--tag=just-sent", "hello", check=True)
    assert [entry["MESSAGE"] for entry in machine.journal("--identifier=just-sent")] == ["hello"]
