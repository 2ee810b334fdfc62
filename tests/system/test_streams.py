"""Commands of Prosody 13 that print until somebody has seen enough, and ones that overtake."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from system.gate import (
    SERVICE_UNIT,
    SOCKET,
    STUB,
    THROUGH,
    THROUGH_UNPRIVILEGED,
    directly,
    settings,
)
from system.keys import at_own_terminal, interrupt
from system.machine import CHECKOUT, Machine, wait_until
from system.record import FINISHED, ours, records
from system.terminal import Terminal, at_terminal

pytestmark = [
    pytest.mark.system,
    # 0.12 has no such commands.
    pytest.mark.parametrize("machine", ["trixie"], indirect=True),
]

RAW_CLIENT = Path(__file__).parent / "differential/raw_client.py"
"""Sends all lines at once."""

PROSODY_SOCKET = "/var/lib/prosody/prosody.sock"

AT_ONCE = 2.8
"""Seconds in which Prosody has to notice that somebody left: it looks every 3 by itself."""

DRAIN_TIMEOUT = 0.5
STOPPED = 2.0
"""Seconds in which a service with that drain_timeout has stopped, when everybody reads."""

WATCHER = '[roles.watcher]\nallow = ["watch:log"]\n[grants]\n"%prosody-admin" = [{roles}]\n'

REMOTE_SESSION = """\
> local session = { id = 'fake', type = 's2sin', from_host = 'remote.test' }
require'prosody.util.filters'.initialize(session)
prosody.incoming_s2s[session], prosody.of_the_test = true, session"""
REMOTE_STANZA = """\
> local message = require'prosody.util.stanza'.message({{ to = 'a@localhost' }}, '{text}')
prosody.of_the_test.filter('stanzas/in', message)"""
WATCH_STANZAS = ("watch", "stanzas", "remote.test")
ATTACHED = "<!-- session fake attached -->\n"
NO_REMOTE_SESSION = "> prosody.incoming_s2s[prosody.of_the_test] = nil prosody.of_the_test = nil"


def connections(machine: Machine) -> int:
    """Return how many connections to Prosody's own socket the service has.

    03 is connected, see linux/net.h. Both ends are in the network namespace of who connected.
    """
    pid = machine.unit(SERVICE_UNIT, "MainPID")
    sockets = machine.run("cat", f"/proc/{pid}/net/unix", check=True).stdout.splitlines()
    at_prosody = [line.split() for line in sockets if line.endswith(PROSODY_SOCKET)]
    return sum(fields[5] == "03" for fields in at_prosody)


def log(machine: Machine, text: str) -> None:
    """Have Prosody log a line."""
    assert directly(machine, f"> prosody.log('info', '{text}')").returncode == 0


@contextmanager
def watching_the_log(machine: Machine) -> Iterator[Terminal]:
    """Start a session in which `watch:log()` has begun.

    One at a time: two would show each other what is sent to them, without end.
    """
    with at_own_terminal(machine, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        terminal.type("watch:log()")
        terminal.expect("debug\t")
        yield terminal


@pytest.fixture
def remote_session(gate: Machine) -> Iterator[Machine]:
    """The machine whose Prosody has a session of another server to watch."""
    directly(gate, REMOTE_SESSION)
    yield gate
    directly(gate, NO_REMOTE_SESSION)


@contextmanager
def asking(machine: Machine) -> Iterator[Terminal]:
    """Start a session that is expected to work until it is left."""
    with at_terminal(machine, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        works(terminal)
        yield terminal
        works(terminal)


def works(terminal: Terminal) -> None:
    terminal.type("server:version()")
    terminal.expect("OK: 13")
    terminal.expect("prosody> ")


def test_log_lines_come_when_they_are_logged(gate: Machine) -> None:
    with watching_the_log(gate) as terminal:
        for number in range(3):
            log(gate, f"line {number} of the test")
            terminal.expect(f"\\| general\tinfo\tline {number} of the test\n")


def test_stanzas_come_when_they_are_sent(remote_session: Machine) -> None:
    with at_own_terminal(remote_session, *THROUGH, *WATCH_STANZAS) as terminal:
        terminal.expect(ATTACHED)
        for text in ("one", "two"):
            directly(remote_session, REMOTE_STANZA.format(text=text))
            terminal.expect("<!-- received from fake -->\n<message.*>" + text + "</body></message>")
        assert interrupt(terminal) != 0


@pytest.mark.parametrize("leave", [interrupt, lambda _: None], ids=["Ctrl-C", "vanishing"])
def test_leaving_ends_it_at_prosody_and_for_nobody_else(
    remote_session: Machine, leave: Callable[[Terminal], object]
) -> None:
    with (
        asking(remote_session) as other,
        at_own_terminal(remote_session, *THROUGH, *WATCH_STANZAS) as another,
    ):
        another.expect(ATTACHED)
        with watching_the_log(remote_session) as terminal:
            assert connections(remote_session) == 3
            leave(terminal)
        wait_until(lambda: connections(remote_session) == 2, "Prosody has one less", AT_ONCE)
        works(other)
        directly(remote_session, REMOTE_STANZA.format(text="still watched"))
        another.expect("still watched")


def test_stopping_the_service_ends_all_in_order(remote_session: Machine) -> None:
    settings(remote_session, f"[service]\ndrain_timeout = {DRAIN_TIMEOUT}\n")
    with (
        at_terminal(remote_session, *THROUGH) as session,
        at_terminal(remote_session, *THROUGH, *WATCH_STANZAS) as command,
    ):
        session.expect("prosody> ")
        session.type("watch:stanzas('remote.test')")
        session.expect(ATTACHED)
        command.expect(ATTACHED)
        started = time.monotonic()
        remote_session.run("systemctl", "stop", SERVICE_UNIT, check=True)
        assert time.monotonic() - started < STOPPED
        session.expect("! Error: the service is stopping; the outcome is unknown")
        session.expect("prosody> ")
        session.type("server:version()")
        session.expect("--- session closed ---")
        command.expect("Error: the service is stopping; the outcome is unknown")
        assert command.ended() == 1
    assert remote_session.unit(SERVICE_UNIT, "Result") == "success"


def test_a_reload_ends_what_somebody_may_no_longer_watch(gate: Machine) -> None:
    gate.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    settings(gate, WATCHER.format(roles='"watcher"'))
    with at_terminal(gate, *THROUGH_UNPRIVILEGED, user="helpdesk") as terminal:
        terminal.expect("prosody> ")
        terminal.type("watch:log()")
        log(gate, "seen")
        terminal.expect("general\tinfo\tseen\n")
        gate.run("systemctl", "reload", SERVICE_UNIT, check=True)
        log(gate, "seen after a reload that changes nothing for it")
        terminal.expect("changes nothing for it\n")
        settings(gate, WATCHER.format(roles=""))
        gate.run("systemctl", "reload", SERVICE_UNIT, check=True)
        terminal.expect(
            r"! Error: permission withdrawn \(default\): needs a role, and none is granted to "
            r"helpdesk \(uid \d+\); the outcome is unknown"
        )
        terminal.expect("prosody> ")
        wait_until(lambda: connections(gate) == 0, "Prosody has nobody who watches", AT_ONCE)
        terminal.type("watch:log()")
        terminal.expect(r"! Error: permission denied \(default\)")
        terminal.expect("prosody> ")
        terminal.type("admin:whoami()")
        terminal.expect("OK: you are helpdesk")
    ended = ours(records(gate, FINISHED)[0])
    assert (ended["COMMAND"], ended["RESULT"], ended["RULE"]) == (
        "watch:log",
        "cancelled",
        "default",
    )


def test_a_ping_that_takes_longer_is_not_overtaken(gate: Machine) -> None:
    """As Prosody lets it: the results of its own socket are not in the order of the lines."""
    gate.put("/srv/raw_client.py", RAW_CLIENT.read_text())
    ping = "xmpp:ping('localhost', 'nobody.test', 0.05)"
    lines = [ping if number % 10 == 0 else f"> return {number}" for number in range(50)]
    expected = [None if line == ping else line.split()[-1] for line in lines]

    def answers(path: str) -> list[str | None]:
        asked = gate.run("python3", "/srv/raw_client.py", path, stdin=json.dumps(lines), check=True)
        return [None if failed else text.split()[-1] for text, failed in json.loads(asked.stdout)]

    assert answers(SOCKET) == expected
    assert answers(PROSODY_SOCKET) != expected
