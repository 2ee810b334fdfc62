"""What an administrator, a package upgrade and the watchdog do to the service."""

import pytest

from prosody_admin.sd.journal import MessageId
from system.gate import SERVICE_UNIT, SOCKET, SOCKET_UNIT, THROUGH, drop_in, settings, through
from system.machine import Machine, wait_until
from system.terminal import Terminal, at_terminal

pytestmark = pytest.mark.system


def has_status(machine: Machine, text: str) -> None:
    wait_until(lambda: text in machine.unit(SERVICE_UNIT, "StatusText"), f"STATUS has {text!r}")


def is_told_of_the_end(terminal: Terminal) -> None:
    """prosodyctl reads a line from the keyboard before it looks at the connection again."""
    terminal.type("")
    terminal.expect("Error: the service is stopping")
    terminal.type("server:version()")
    terminal.expect("closed")
    terminal.ended()


def test_reload_takes_new_settings_and_keeps_the_sessions(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        settings(gate, "[service]\nidle_timeout = 1234\n")
        gate.run("systemctl", "reload", SERVICE_UNIT, check=True)
        terminal.type("admin:status()")
        terminal.expect("Leaves after: 1234 s")
        terminal.type("quit")
        assert terminal.ended() == 0
    has_status(gate, "leaving after 1234 s")
    assert gate.unit(SERVICE_UNIT, "NRestarts") == "0"


def test_reload_of_bad_settings_keeps_the_old_ones_and_says_so(gate: Machine) -> None:
    settings(gate, "[service]\nidle_timeout = 1234\n")
    through(gate, "admin:version()")
    serving = gate.unit(SERVICE_UNIT, "MainPID")
    settings(gate, "[service]\nidle_timeout = 'never'\n")
    gate.run("systemctl", "reload", SERVICE_UNIT, check=True)
    has_status(gate, "settings rejected")
    assert "Leaves after: 1234 s" in through(gate, "admin:status()").stdout
    assert gate.unit(SERVICE_UNIT, "MainPID") == serving
    invocation = gate.unit(SERVICE_UNIT, "InvocationID")
    (rejected,) = gate.journal(
        f"_SYSTEMD_INVOCATION_ID={invocation}",
        f"MESSAGE_ID={MessageId.SETTINGS_REJECTED.value}",
    )
    assert "50-test.toml" in rejected["PROSODY_ADMIN_ERROR"]
    assert "idle_timeout" in rejected["PROSODY_ADMIN_ERROR"]


def test_start_with_bad_settings_fails_and_says_why(gate: Machine) -> None:
    settings(gate, "[service]\nidle_timeout = 'never'\n")
    assert gate.run("systemctl", "start", SERVICE_UNIT).returncode != 0
    assert gate.unit(SERVICE_UNIT, "ExecMainStatus") == "78"  # EX_CONFIG of sysexits.h
    assert gate.unit(SERVICE_UNIT, "ActiveState") == "failed"  # and is not tried again
    said = [entry["MESSAGE"] for entry in gate.journal(f"--unit={SERVICE_UNIT}")]
    assert any("idle_timeout" in message for message in said)


def test_stop_ends_the_sessions_and_exits_with_0(gate: Machine) -> None:
    with at_terminal(gate, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        gate.run("systemctl", "stop", SOCKET_UNIT, SERVICE_UNIT, check=True)
        is_told_of_the_end(terminal)
    assert gate.unit(SERVICE_UNIT, "ActiveState") == "inactive"
    assert gate.unit(SERVICE_UNIT, "Result") == "success"
    assert gate.unit(SERVICE_UNIT, "ExecMainStatus") == "0"
    assert gate.run("test", "-e", SOCKET).returncode == 1
    stopping = gate.journal(
        f"_SYSTEMD_UNIT={SERVICE_UNIT}", f"MESSAGE_ID={MessageId.SERVICE_STOPPING.value}"
    )
    assert "SIGTERM" in stopping[-1]["MESSAGE"]


def test_service_alone_can_be_stopped_and_comes_back(gate: Machine) -> None:
    through(gate, "admin:version()")
    gate.run("systemctl", "stop", SERVICE_UNIT, check=True)
    assert gate.unit(SOCKET_UNIT, "ActiveState") == "active"
    assert through(gate, "server", "version").returncode == 0


@pytest.mark.parametrize("order", [(SOCKET_UNIT, SERVICE_UNIT), (SERVICE_UNIT, SOCKET_UNIT)])
def test_restart_of_both_as_a_package_upgrade_does(gate: Machine, order: tuple[str, str]) -> None:
    for _ in range(3):  # systemd refuses a sixth start of a socket within ten seconds
        gate.run("systemctl", "restart", *order, check=True)
        assert gate.unit(SOCKET_UNIT, "ActiveState") == "active"
        assert through(gate, "server", "version").returncode == 0
    assert gate.run("systemctl", "is-failed", *order).returncode != 0


def test_a_crash_is_followed_by_a_restart(gate: Machine) -> None:
    through(gate, "admin:version()")
    crashed = gate.unit(SERVICE_UNIT, "MainPID")
    gate.run("sh", "-c", f"kill -SEGV {crashed}", check=True)
    wait_until(lambda: gate.unit(SERVICE_UNIT, "NRestarts") == "1", "systemd starts it again")
    assert through(gate, "server", "version").returncode == 0


def test_watchdog_is_fed_while_the_loop_turns(gate: Machine) -> None:
    drop_in(gate, SERVICE_UNIT, "[Service]\nWatchdogSec=1\n")
    through(gate, "admin:version()")
    fed = {gate.unit(SERVICE_UNIT, "WatchdogTimestampMonotonic")}

    def fed_four_times() -> bool:  # twice as long as an unfed service would live
        fed.add(gate.unit(SERVICE_UNIT, "WatchdogTimestampMonotonic"))
        return len(fed) > 4

    wait_until(fed_four_times, "the watchdog is fed")
    assert gate.unit(SERVICE_UNIT, "NRestarts") == "0"


def test_watchdog_notices_a_loop_that_is_stuck(gate: Machine) -> None:
    drop_in(gate, SERVICE_UNIT, "[Service]\nWatchdogSec=1\nTimeoutAbortSec=2\n")
    through(gate, "admin:version()")
    stuck = gate.unit(SERVICE_UNIT, "MainPID")
    gate.run("sh", "-c", f"kill -STOP {stuck}", check=True)
    wait_until(lambda: gate.unit(SERVICE_UNIT, "NRestarts") == "1", "systemd starts it again")
    assert gate.unit(SERVICE_UNIT, "MainPID") != stuck
    assert through(gate, "server", "version").returncode == 0
    said = [entry["MESSAGE"] for entry in gate.journal(f"UNIT={SERVICE_UNIT}")]
    assert any("Watchdog timeout" in message for message in said)
