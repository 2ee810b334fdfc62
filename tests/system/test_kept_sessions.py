"""Sessions outlive a restart of the service, and nothing else: not a stop, not a crash."""

import pytest

from prosody_admin.sd.journal import MessageId
from system.gate import SERVICE_UNIT, SOCKET, SOCKET_UNIT, THROUGH, settings, through
from system.machine import HERE, Machine, wait_until
from system.terminal import Terminal, at_terminal

pytestmark = pytest.mark.system

CLIENTS = "/usr/local/lib/waiting_clients.py"
MANY = 300
"""Sessions that are more than one message and one note take."""

RUNS_FOR_A_SECOND = "> print('it runs') require'util.async'.sleep(1) return 'it ended'"
RUNS_ON = "> print('it runs') require'util.async'.sleep(3600)"


def asked(terminal: Terminal, line: str, answer: str) -> str:
    """Type a line at the prompt, and return the first group of its answer."""
    terminal.type(line)
    found = terminal.expect(answer)
    terminal.expect("prosody> ")
    return found[1]


def session_of(terminal: Terminal) -> str:
    return asked(terminal, "admin:whoami()", r"Session: ([0-9a-f]{8})\n")


def process_of(terminal: Terminal) -> str:
    return asked(terminal, "admin:status()", r"Process: (\d+)\n")


def is_over(terminal: Terminal) -> None:
    """prosodyctl reads a line from the keyboard before it looks at the connection again."""
    terminal.type("")
    terminal.expect("session closed")
    terminal.ended()


def of_session(machine: Machine, session: str) -> list[MessageId]:
    """Return the kinds of the records of a session, of whatever process, in their order."""
    found = machine.journal(f"_SYSTEMD_UNIT={SERVICE_UNIT}", f"PROSODY_ADMIN_SESSION={session}")
    return [MessageId(entry["MESSAGE_ID"]) for entry in found]


def test_a_restart_keeps_the_sessions_and_lets_commands_end(gate: Machine) -> None:
    with (
        at_terminal(gate, *THROUGH) as first,
        at_terminal(gate, *THROUGH) as second,
        at_terminal(gate, *THROUGH) as busy,
    ):
        terminals = [first, second, busy]
        for terminal in terminals:
            terminal.expect("prosody> ")
        sessions = [session_of(terminal) for terminal in terminals]
        before = process_of(first)
        busy.type(RUNS_FOR_A_SECOND)
        busy.expect("it runs\n")
        gate.run("systemctl", "restart", SERVICE_UNIT, check=True)
        busy.expect("it ended")
        busy.expect("prosody> ")
        assert [session_of(terminal) for terminal in terminals] == sessions
        assert process_of(first) != before
        for terminal in terminals:
            asked(terminal, "server:version()", "(OK: )")
            terminal.type("quit")
            assert terminal.ended() == 0
    assert gate.unit(SERVICE_UNIT, "NFileDescriptorStore") == "0"
    assert gate.unit(SERVICE_UNIT, "Result") == "success"
    started, finished = MessageId.COMMAND_STARTED, MessageId.COMMAND_FINISHED
    wait_until(
        lambda: (
            of_session(gate, sessions[1])
            == [
                MessageId.SESSION_OPENED,
                *(started, finished),
                *(MessageId.SESSION_KEPT, MessageId.SESSION_RESUMED),
                *(started, finished) * 2,
                MessageId.SESSION_CLOSED,
            ]
        ),
        "the session's records",
    )
    opened, resumed = (
        gate.journal(f"MESSAGE_ID={kind.value}", f"PROSODY_ADMIN_SESSION={sessions[1]}")
        for kind in (MessageId.SESSION_OPENED, MessageId.SESSION_RESUMED)
    )
    names = ("USER", "UID", "GID", "PID", "LOGIN_UID", "LOGIN_USER", "UNIT")
    assert [(opened[0].get(f"PROSODY_ADMIN_PEER_{name}"), name) for name in names] == [
        (resumed[0].get(f"PROSODY_ADMIN_PEER_{name}"), name) for name in names
    ]


def test_again_and_again_and_who_comes_meanwhile_waits(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        session = session_of(terminal)
        for _ in range(3):
            with gate.spawn("systemctl", "restart", SERVICE_UNIT) as restart:
                assert through(gate, "server", "version").stdout.startswith("OK: ")
                assert restart.wait() == 0
            assert session_of(terminal) == session
    wait_until(
        lambda: MessageId.SESSION_CLOSED in of_session(gate, session), "the session is closed"
    )


def test_more_than_one_message_holds(gate: Machine) -> None:
    gate.put(CLIENTS, (HERE / "waiting_clients.py").read_text())
    settings(gate, f"[limits]\nsessions = {MANY}\nsessions_per_uid = {MANY}\n")
    with gate.spawn("python3", CLIENTS, str(MANY), SOCKET) as clients:
        assert clients.stdin is not None
        assert clients.stdout is not None
        assert clients.stdout.readline() == "open\n"
        found = []
        for _ in range(2):
            clients.stdin.write("\n")
            clients.stdin.flush()
            found.append(clients.stdout.readline().split())
            gate.run("systemctl", "restart", SERVICE_UNIT, check=True)
        assert len({*found[0]}) == MANY
        assert found[1] == found[0]


@pytest.mark.parametrize("order", [(SOCKET_UNIT,), (SOCKET_UNIT, SERVICE_UNIT)])
def test_a_restart_of_the_socket_too(gate: Machine, order: tuple[str, ...]) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        session = session_of(terminal)
        gate.run("systemctl", "restart", *order, check=True)
        assert session_of(terminal) == session


def test_a_command_that_does_not_end_ends_its_session(gate: Machine) -> None:
    settings(gate, "[service]\ndrain_timeout = 1\n")
    with at_terminal(gate, *THROUGH) as idle, at_terminal(gate, *THROUGH) as busy:
        for terminal in (idle, busy):
            terminal.expect("prosody> ")
        session = session_of(idle)
        busy.type(RUNS_ON)
        busy.expect("it runs\n")
        gate.run("systemctl", "restart", SERVICE_UNIT, check=True)
        busy.expect("Error: the service is stopping; the outcome is unknown")
        assert session_of(idle) == session
        is_over(busy)


def test_a_stop_ends_them_and_leaves_nothing_with_systemd(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        gate.run("systemctl", "restart", SERVICE_UNIT, check=True)
        session = session_of(terminal)
        gate.run("systemctl", "stop", SERVICE_UNIT, check=True)
        assert gate.unit(SERVICE_UNIT, "NFileDescriptorStore") == "0"
        is_over(terminal)
    assert of_session(gate, session)[-1] is MessageId.SESSION_CLOSED


def test_a_crash_ends_them(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        gate.run("systemctl", "restart", SERVICE_UNIT, check=True)
        session_of(terminal)
        gate.run("systemctl", "kill", "--signal=KILL", SERVICE_UNIT, check=True)
        wait_until(lambda: gate.unit(SERVICE_UNIT, "NRestarts") == "1", "systemd starts it again")
        is_over(terminal)
    assert through(gate, "server", "version").returncode == 0


def test_settings_that_are_wrong_end_them(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        settings(gate, "wrong = 1\n")
        assert gate.run("systemctl", "restart", SERVICE_UNIT).returncode != 0
        is_over(terminal)
    assert gate.unit(SERVICE_UNIT, "NFileDescriptorStore") == "0"
