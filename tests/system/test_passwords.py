"""Passwords that Prosody 13 asks for: typed at a terminal, and read by nobody but Prosody."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS
from system.gate import SERVICE_UNIT, SOCKET, THROUGH, directly, through
from system.keys import CONTROL_D, at_own_terminal, interrupt
from system.machine import HERE, Machine
from system.terminal import Terminal, at_terminal

pytestmark = [
    pytest.mark.system,
    # 0.12 asks for nothing.
    pytest.mark.parametrize("machine", ["trixie"], indirect=True),
]

ACCOUNT = "giselle@localhost"
CANARY = "Willow-1841-ph\u00e6ton"
"""Found wherever a password leaks to; nothing else in a machine has it."""

OLD = "/opt/prosody-0.12"
OLD_PROSODYCTL = f"{OLD}/prosodyctl"


@pytest.fixture
def gate(gate: Machine) -> Iterator[Machine]:
    """The machine without the account, before and after."""
    yield gate
    directly(gate, "user", "delete", ACCOUNT)


def answer(terminal: Terminal, password: str) -> None:
    """Type the password twice; each prompt comes when nothing typed is shown any more."""
    for prompt in ("Enter new password: ", "Retype new password: "):
        terminal.expect(prompt)
        terminal.type(password)


def opens_the_account(machine: Machine, password: str) -> bool:
    """Ask Prosody itself, in escapes: this line is none that a record is searched for."""
    quoted = "".join(f"\\{byte}" for byte in password.encode())
    user, _, host = ACCOUNT.partition("@")
    lua = f"> require'core.usermanager'.test_password('{user}', '{host}', '{quoted}')"
    return directly(machine, lua).stdout == "Result: true\n"


def exists(machine: Machine) -> bool:
    return ACCOUNT in directly(machine, "user", "list", "localhost").stdout


def is_on_record(machine: Machine, text: str) -> bool:
    """Search the whole journal, all that it has of every entry, and what systemd shows of us."""
    said = f"journalctl --sync; journalctl --output=export --all; systemctl status {SERVICE_UNIT}"
    search = f'{{ {said}; }} | grep --text --fixed-strings --quiet -- "$1"'
    return machine.run("sh", "-c", search, "search", text).returncode == 0


def test_of_one_shot_commands(gate: Machine) -> None:
    for command, password in (("create", f"{CANARY}-1"), ("password", f"{CANARY}-2")):
        with at_own_terminal(gate, *THROUGH, f'user:{command}("{ACCOUNT}")') as terminal:
            answer(terminal, password)
            terminal.expect("OK: ")
            assert terminal.ended() == 0
        assert opens_the_account(gate, password)
    assert is_on_record(gate, "user:password")
    assert not is_on_record(gate, CANARY)


def test_in_a_session(gate: Machine) -> None:
    with at_own_terminal(gate, *THROUGH) as terminal:
        for command in ("create", "password"):
            terminal.expect("prosody> ")
            terminal.type(f'user:{command}("{ACCOUNT}")')
            answer(terminal, f"{CANARY} of {command}")
            terminal.expect("OK: ")
        terminal.expect("prosody> ")
        terminal.type("server:version()")
        terminal.expect("OK: ")
        terminal.type("quit")
        assert terminal.ended() == 0
    assert opens_the_account(gate, f"{CANARY} of password")
    assert not is_on_record(gate, CANARY)


def test_an_empty_one_is_one(gate: Machine) -> None:
    """As it is without the service."""
    with at_own_terminal(gate, *THROUGH, f'user:create("{ACCOUNT}")') as terminal:
        answer(terminal, "")
        terminal.expect("OK: ")
        assert terminal.ended() == 0
    assert opens_the_account(gate, "")


def test_cancelled(gate: Machine) -> None:
    with at_own_terminal(gate, *THROUGH, f'user:create("{ACCOUNT}")') as terminal:
        terminal.expect("Enter new password: ")
        terminal.press(CONTROL_D)
        terminal.expect("Error: cancelled")
        assert terminal.ended() == 1
    assert not exists(gate)


def test_interrupted(gate: Machine) -> None:
    """Whether prosodyctl cancels or dies of it depends on what it does at that moment."""
    with at_own_terminal(gate, *THROUGH, f'user:create("{ACCOUNT}")') as terminal:
        terminal.expect("Enter new password: ")
        assert interrupt(terminal) != 0
    assert not exists(gate)


def test_cancelled_in_a_session_which_goes_on(gate: Machine) -> None:
    with at_own_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        terminal.type(f'user:create("{ACCOUNT}")')
        terminal.expect("Enter new password: ")
        terminal.press(CONTROL_D)
        terminal.expect("Error: cancelled")
        terminal.expect("prosody> ")
        terminal.type(f'user:create("{ACCOUNT}")')
        answer(terminal, CANARY)
        terminal.expect("OK: ")
    assert not is_on_record(gate, CANARY)


def test_a_client_that_leaves_instead_of_answering(gate: Machine) -> None:
    with at_own_terminal(gate, *THROUGH, f'user:create("{ACCOUNT}")') as terminal:
        terminal.expect("Enter new password: ")
    assert not exists(gate)
    assert through(gate, "server", "version").returncode == 0


def test_an_answer_that_was_not_asked_for(gate: Machine) -> None:
    send = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(sys.stdin.buffer.read());"
        "print(''.join(iter(lambda: s.recv(65536).decode(), '')))"
    )
    stanzas = (
        f"<stream:stream xmlns:stream='{STREAMS_NS}' xmlns='{ADMIN_NS}'>"
        f"<repl-requested-input type='password' id='1'>{CANARY}</repl-requested-input>"
        "<repl-input>server:version()</repl-input></stream:stream>"
    )
    answered = gate.run("python3", "-c", send, SOCKET, stdin=stanzas, check=True).stdout
    assert "<repl-result type='error'>No module handled this query." in answered
    assert "<repl-result>OK: 13." in answered
    assert not is_on_record(gate, CANARY)


@pytest.fixture(scope="module")
def old_client(installed: Machine) -> str:
    """The path of Prosody 0.12's prosodyctl in a machine that has 13 otherwise."""
    rootfs = Path(
        subprocess.run(
            [HERE / "rootfs", "bookworm"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
    )
    installed.copy(rootfs / "usr/lib/prosody", OLD)
    # The one module that needs a library of its release.
    installed.run("ln", "-sf", "/usr/lib/prosody/util/encodings.so", f"{OLD}/util", check=True)
    program = (rootfs / "usr/bin/prosodyctl").read_text()
    installed.put(OLD_PROSODYCTL, program.replace("/usr/lib/prosody", OLD), mode=0o755)
    return OLD_PROSODYCTL


def test_a_client_of_0_12_cannot_be_asked_and_does_not_wait(gate: Machine, old_client: str) -> None:
    assert "Prosody 0.12." in gate.run(old_client, "about").stdout
    words = ("shell", f"--socket={SOCKET}")
    alone = gate.run(old_client, *words, f'user:create("{ACCOUNT}")')
    assert (alone.returncode, alone.stderr) == (1, "Error: cancelled\n")
    with at_terminal(gate, old_client, *words) as terminal:
        for line, result in (
            (f'user:create("{ACCOUNT}")', "! Error: cancelled"),
            ("server:version()", r"\| OK: 13\."),
        ):
            terminal.expect("prosody> ")
            terminal.type(line)
            terminal.expect(result)
    assert not exists(gate)
