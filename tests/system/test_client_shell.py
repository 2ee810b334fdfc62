"""The interactive shell of prosody-adminctl at a terminal, before the real service and Prosody."""

import contextlib
import os
import shlex
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from system.gate import SERVICE_UNIT, SOCKET_UNIT, directly, settings
from system.keys import CONTROL_C, CONTROL_C_MOST, CONTROL_D, at_own_terminal
from system.machine import Machine, wait_until
from system.terminal import Terminal

pytestmark = pytest.mark.system

STATE = "/var/tmp/state"
HISTORY = f"{STATE}/prosody-adminctl/history"
PID = "/run/shell.pid"
ACCOUNT = "orsino@localhost"
CANARY = "Marigold-1602-\u00fc"
"""Found wherever a password leaks to; nothing else in a machine has it."""

UP, TAB, CONTROL_Z = "\x1b[A", "\t", "\x1a"


def without(*modules: str) -> tuple[str, ...]:
    """Return a client that finds no such modules, as where they are not installed."""
    hide = f"sys.modules.update(dict.fromkeys({modules}))"
    start = "from prosody_admin.client.start import main; sys.exit(main())"
    return "python3", "-c", f"import sys; {hide}; {start}"


CLIENTS = {
    "prompt_toolkit": ("prosody-adminctl",),
    "readline": without("prompt_toolkit"),
    "plain": without("prompt_toolkit", "readline"),
}


class Shell:
    """The shell at a terminal of its own, of root or of another user."""

    def __init__(self, machine: Machine, client: str) -> None:
        self._machine = machine
        self._client = CLIENTS[client]

    def command(self, *options: str, user: str = "root") -> tuple[str, ...]:
        """Return what starts it; its process id is left in PID."""
        become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups")
        surroundings = ("TERM=xterm", "PROMPT_TOOLKIT_NO_CPR=1", f"XDG_STATE_HOME={STATE}")
        leave_pid = ("sh", "-c", f'echo $$ >{PID}; exec "$0" "$@"')
        return (*leave_pid, *become, "env", *surroundings, *self._client, *options)

    @contextmanager
    def __call__(self, *options: str, user: str = "root") -> Iterator[Terminal]:
        with at_own_terminal(self._machine, *self.command(*options, user=user)) as terminal:
            yield terminal


@pytest.fixture(params=["prompt_toolkit", "readline"])
def shell(gate: Machine, request: pytest.FixtureRequest) -> Iterator[Shell]:
    """A shell with either editor of lines; nothing is left of what another test typed."""
    gate.run("rm", "--recursive", "--force", STATE, check=True)
    gate.run("install", "--directory", "--mode=1777", STATE, check=True)
    yield Shell(gate, request.param)
    directly(gate, "user", "delete", ACCOUNT)


def runs(terminal: Terminal, line: str, result: str = "OK: ") -> None:
    """Type a line at a prompt, and wait for its result and the next prompt."""
    terminal.type(line)
    terminal.expect(f"\n{result}")
    terminal.expect("prosody>")


def leaves(terminal: Terminal, word: str = "quit") -> None:
    terminal.type(word)
    assert terminal.ended() == 0


def exists(machine: Machine) -> bool:
    return ACCOUNT in directly(machine, "user", "list", "localhost").stdout


@pytest.mark.parametrize("shell", CLIENTS, indirect=True)
def test_a_session(gate: Machine, shell: Shell) -> None:
    version = directly(gate, "server", "version").stdout.splitlines()[-1]
    with shell() as terminal:
        terminal.expect(r"prosody-admin \S+: you are root \(uid 0\), and may do everything\.\n")
        terminal.expect("prosody>")
        runs(terminal, "server:version()", version)
        runs(terminal, "no:such()", ".*(Error|nil value|No such)")
        runs(terminal, "help", "Here: quit, exit, bye and Ctrl-D leave")
        leaves(terminal)


@pytest.mark.parametrize("word", ["exit", "bye", CONTROL_D])
def test_words_to_leave(shell: Shell, word: str) -> None:
    with shell("--quiet") as terminal:
        terminal.expect("^prosody>")  # and no greeting
        terminal.press(word if word == CONTROL_D else f"{word}\r")
        assert terminal.ended() == 0


def test_the_greeting_of_somebody_with_a_role(gate: Machine, shell: Shell) -> None:
    settings(gate, '[grants]\nhelpdesk = ["helpdesk", "viewer"]\n')
    with shell(user="helpdesk") as terminal:
        terminal.expect(r"you are helpdesk \(uid \d+\), with the roles viewer, helpdesk\.\n")
        terminal.expect("prosody>")
        runs(terminal, 'config:get("x")', "Error: permission denied")
        leaves(terminal)


def test_control_c_clears_the_line(shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        terminal.press("server:shut")
        terminal.expect("server:shut")
        clear(terminal)
        runs(terminal, "admin:version()")
        terminal.type("user:list(")
        terminal.expect("\\.\\.>")
        clear(terminal)
        runs(terminal, "admin:version()")
        leaves(terminal)


def clear(terminal: Terminal) -> None:
    """Press Ctrl-C at a prompt until there is another.

    Once is not always enough for Python's readline: a signal that comes right before it waits for
    a key is noticed at the next one.
    """
    for _ in range(CONTROL_C_MOST):
        terminal.press(CONTROL_C)
        with contextlib.suppress(AssertionError):
            terminal.expect("prosody>", timeout=0.5)
            return
    terminal.expect("prosody>")  # says what is there instead


def test_control_c_ends_a_command_that_hangs(gate: Machine, shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        gate.run("systemctl", "kill", "--signal=STOP", "prosody", check=True)
        try:
            terminal.type("server:version()")
            wait_until(lambda: "runs server:version" in last_record(gate), "the line is sent")
            terminal.press(CONTROL_C)
            terminal.expect("interrupted")
        finally:
            gate.run("systemctl", "kill", "--signal=CONT", "prosody", check=True)
        terminal.expect("prosody>")
        runs(terminal, "server:version()")
        leaves(terminal)


def last_record(machine: Machine) -> str:
    return machine.journal(f"--unit={SERVICE_UNIT}", "--lines=1")[0]["MESSAGE"]


@pytest.mark.parametrize("machine", ["trixie"], indirect=True)  # 0.12 has nothing to watch
def test_control_c_ends_a_watch(gate: Machine, shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        terminal.type("watch:log()")
        terminal.expect("\tdebug\t")
        terminal.press(CONTROL_C)
        terminal.expect("interrupted")
        terminal.expect("prosody>")
        runs(terminal, "server:version()")
        leaves(terminal)


def test_pasted_lines_run_up_to_the_first_that_fails(gate: Machine, shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        paste(terminal, f'user:create("{ACCOUNT}", "{CANARY}")\nserver:version()\nuser:list(')
        terminal.expect(r"user:list\(")
        terminal.type("")
        terminal.expect("\\.\\.>")
        assert not exists(gate)
        terminal.type('"localhost")')
        terminal.expect("(?s)OK: .*OK: .*orsino.*OK: ")
        terminal.expect("prosody>")
        paste(terminal, f'server:version()\nuser:list("nowhere.example")\nuser:delete("{ACCOUNT}")')
        terminal.expect("user:delete")
        terminal.type("")
        terminal.expect("OK: ")
        terminal.expect("1 more pasted line not run")
        terminal.expect("prosody>")
        assert exists(gate)
        leaves(terminal)


def paste(terminal: Terminal, text: str) -> None:
    """Paste as terminals do it where it was asked for: in brackets, each newline as a Return."""
    terminal.press("\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~")


def test_the_history_has_no_secret(gate: Machine, shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        runs(terminal, f'user:create("{ACCOUNT}", "{CANARY}")')
        terminal.press(UP)
        runs(terminal, "admin:version()")
        runs(terminal, f'> return "{CANARY}"', "Result: ")
        runs(terminal, f'user:password("{ACCOUNT}", "{CANARY}" .. "x")')
        runs(terminal, f'nonesuch:f("{CANARY}")', "")
        runs(terminal, 'user:list("localhost")')
        leaves(terminal)
    assert gate.run("cat", HISTORY).stdout == 'admin:version()\nuser:list("localhost")\n'
    assert gate.run("grep", "--recursive", CANARY, STATE).stdout == ""
    modes = gate.run("stat", "--format=%a", HISTORY, os.path.dirname(HISTORY)).stdout.split()
    assert modes == ["600", "700"]
    with shell() as terminal:
        terminal.expect("prosody>")
        terminal.press(UP)
        terminal.expect(r'user:list\("localhost"\)')
        terminal.press(UP)
        terminal.type("")
        terminal.expect("OK: prosody-admin")
        leaves(terminal)


def test_a_restart_of_the_service(gate: Machine, shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        runs(terminal, "server:version()")
        gate.run("systemctl", "restart", SERVICE_UNIT, check=True)
        runs(terminal, "server:version()")
        gate.run("systemctl", "stop", SOCKET_UNIT, SERVICE_UNIT, check=True)
        runs(terminal, "server:version()", "prosody-adminctl: .*systemctl start prosody-admin.sock")
        gate.run("systemctl", "start", SOCKET_UNIT, check=True)
        runs(terminal, "server:version()")
        leaves(terminal)


def test_a_restart_of_the_service_while_a_command_runs(gate: Machine, shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        gate.run("systemctl", "kill", "--signal=STOP", "prosody", check=True)
        try:
            terminal.type("server:version()")
            wait_until(lambda: "runs server:version" in last_record(gate), "the line is sent")
            gate.run("systemctl", "kill", "--signal=KILL", SERVICE_UNIT, check=True)
            terminal.expect("outcome of the command is unknown")
        finally:
            gate.run("systemctl", "kill", "--signal=CONT", "prosody", check=True)
        terminal.expect("prosody>")
        runs(terminal, "admin:version()")
        leaves(terminal)


@pytest.mark.parametrize("machine", ["trixie"], indirect=True)  # 0.12 asks for nothing
def test_a_password_is_asked_for(gate: Machine, shell: Shell) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        terminal.type(f'user:create("{ACCOUNT}")')
        for prompt in ("Password: ", "Again: "):
            terminal.expect(prompt)
            terminal.type(CANARY)
        assert CANARY not in terminal.expect("(?s).*OK: Created")[0]
        terminal.expect("prosody>")
        terminal.type(f'user:password("{ACCOUNT}")')
        terminal.expect("Password: ")
        terminal.press(CONTROL_C)
        terminal.expect("interrupted")
        terminal.expect("prosody>")
        runs(terminal, "server:version()")
        leaves(terminal)
    assert exists(gate)
    assert CANARY not in gate.run("cat", HISTORY).stdout


def test_what_destroys_is_asked_about(gate: Machine, shell: Shell) -> None:
    directly(gate, "user", "create", ACCOUNT, CANARY)
    line = f'user:delete("{ACCOUNT}")'
    with shell() as terminal:
        terminal.expect("prosody>")
        terminal.type(line)
        terminal.expect(r"Really run .*\[y/N\] ")
        terminal.type("")
        terminal.expect("not run")
        terminal.expect("prosody>")
        assert exists(gate)
        terminal.type(line)
        terminal.expect(r"Really run .*\[y/N\] ")
        terminal.type("y")
        terminal.expect("OK: ")
        leaves(terminal)
    assert not exists(gate)


@pytest.mark.parametrize(("signal", "status"), [("TERM", 143), ("HUP", 129)])
def test_a_signal_leaves_the_terminal_as_it_was(
    gate: Machine, shell: Shell, signal: str, status: int
) -> None:
    with shell() as terminal:
        terminal.expect("prosody>")
        terminal.press("server:")
        terminal.expect("server:")
        assert not is_as_usual(terminal)
        # Python's readline looks for signals, and then waits for keys: one between is seen late.
        wait_until(lambda: sleeps(gate), "it waits for a key")
        gate.run("sh", "-c", f"kill -{signal} $(cat {PID})", check=True)
        assert terminal.ended() == status
        assert is_as_usual(terminal)


def sleeps(machine: Machine) -> bool:
    """Say whether the shell waits for something (proc_pid_status(5))."""
    found = machine.run("sh", "-c", f"cat /proc/$(cat {PID})/status", check=True).stdout
    return "\nState:\tS" in found


def is_as_usual(terminal: Terminal) -> bool:
    """Say whether lines are echoed and edited by the terminal itself (termios(3))."""
    local_modes = termios.tcgetattr(terminal._terminal)[3]
    usual = termios.ECHO | termios.ICANON | termios.ISIG
    return bool(local_modes & usual == usual)


def test_tab_completes_what_this_user_may_run(gate: Machine, shell: Shell) -> None:
    settings(gate, '[grants]\nhelpdesk = ["helpdesk"]\n')
    directly(gate, "user", "create", ACCOUNT, CANARY)
    with shell(user="helpdesk") as terminal:
        terminal.expect("prosody>")
        terminal.press("user:" + TAB + TAB)
        offered = terminal.expect(r"(?s)activity\(.*password\(")[0]
        assert "delete(" not in offered  # it is no business of a help desk
        terminal.press("de" + TAB + "x")
        terminal.expect("de\x07?x")
        clear(terminal)
        terminal.press("user:pass" + TAB)
        terminal.expect(r"word\(")
        terminal.press('"ors' + TAB)
        terminal.expect("ino@localhost")
        terminal.press(f', "{CANARY}")')
        terminal.type("")
        terminal.expect("OK: ")
        terminal.expect("prosody>")
        terminal.press('user:list("loc' + TAB)
        terminal.expect("alhost")
        terminal.type(")")
        terminal.expect("orsino")
        terminal.expect("prosody>")
        terminal.press("help us" + TAB)
        terminal.expect("help user")
        terminal.type("")
        terminal.expect("user[: ]create")
        terminal.expect("prosody>")
        leaves(terminal)


def test_tab_waits_for_nobody(gate: Machine, shell: Shell) -> None:
    """A second at most, and what it asked costs no more than the connection."""
    with shell() as terminal:
        terminal.expect("prosody>")
        gate.run("systemctl", "kill", "--signal=STOP", "prosody", check=True)
        try:
            terminal.press('user:list("loc' + TAB)
            terminal.press("al")
            terminal.expect(r"loc.*al", timeout=5)
        finally:
            gate.run("systemctl", "kill", "--signal=CONT", "prosody", check=True)
        clear(terminal)
        runs(terminal, "server:version()")
        leaves(terminal)


def test_control_z_and_back(gate: Machine, shell: Shell) -> None:
    with at_own_terminal(gate, "bash", "--norc", "--noediting", "-i") as terminal:
        terminal.type(shlex.join(shell.command()))
        terminal.expect("Type help.*\n.*prosody>")
        terminal.press(CONTROL_Z)
        terminal.expect("Stopped")
        terminal.type("echo $((6 * 7))")
        terminal.expect("42\n")
        terminal.type("fg")
        terminal.expect("prosody-admin|python3")
        terminal.type("")
        terminal.expect("prosody>")
        runs(terminal, "server:version()")
        terminal.type("quit")
        terminal.expect("bash-")
        terminal.type("exit")
        assert terminal.ended() == 0


def test_a_home_that_cannot_be_written_to(gate: Machine, shell: Shell) -> None:
    gate.run("chmod", "0755", STATE, check=True)
    with shell(user="helpdesk") as terminal:
        terminal.expect(f"lines will not be kept for the next time: {STATE}.*: Permission denied")
        terminal.expect("prosody>")
        runs(terminal, "server:version()")
        leaves(terminal)
