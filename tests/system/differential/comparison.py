"""Both ways to Prosody, side by side: its own socket, and the service's."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from system.conftest import prosody_answers
from system.differential.line import Line
from system.gate import SOCKET
from system.machine import Machine

DIRECT = "/var/lib/prosody/prosody.sock"
WAYS = (DIRECT, SOCKET)

HOSTS = "/etc/prosody/conf.d/differential.cfg.lua"
HOSTS_LUA = """
VirtualHost "example.test"
	modules_enabled = { "flags", "announce" }
Component "rooms.localhost" "muc"
Component "pubsub.localhost" "pubsub"
	modules_enabled = { "admin_shell" }
"""

FRESH = """
systemctl stop prosody
find /var/lib/prosody -mindepth 1 -delete
systemctl reset-failed
systemctl start prosody
"""

_HERE = Path(__file__).parent
_DRIVER = "/usr/local/lib/differential/driver.py"
_RAW_CLIENT = "/usr/local/lib/differential/raw_client.py"
_PROMPT = "prosody> "

_BATCH_SECONDS = 120.0
"""Deadline of one run of the driver, ten times what it takes where nothing else runs."""


@dataclass(frozen=True, slots=True)
class OneShot:
    """What a client with a command line left behind."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Session:
    """What an interactive client showed: before the first prompt, and after each one."""

    status: int
    parts: tuple[str, ...]


def prepare(machine: Machine) -> None:
    """Give Prosody the hosts and components of the table, and nothing stored."""
    machine.put(HOSTS, HOSTS_LUA)
    for program in (_DRIVER, _RAW_CLIENT):
        machine.put(program, (_HERE / Path(program).name).read_text())
    fresh(machine)


def restore(machine: Machine) -> None:
    """Leave Prosody as it was found: without accounts and with its own hosts."""
    machine.run("rm", HOSTS, _DRIVER, _RAW_CLIENT, check=True)
    fresh(machine)


def fresh(machine: Machine) -> None:
    """Start Prosody anew, with nothing stored."""
    machine.run("sh", "-euc", FRESH, check=True)
    prosody_answers(machine)


def one_shot(machine: Machine, lines: Sequence[Line], *ways: str) -> list[list[OneShot]]:
    """Run the command lines one after the other, each way; return the results of each way."""
    done = _drive(machine, "one_shot", ways, [line.words for line in lines])
    return [[OneShot(**result) for result in results] for results in done]


def piped(machine: Machine, lines: Sequence[Line], *ways: str) -> list[Session]:
    """Send the lines to an interactive client off a terminal, each way."""
    return [_session(shown) for shown in _drive(machine, "piped", ways, _typed(lines))]


def at_terminal(machine: Machine, lines: Sequence[Line], *ways: str) -> list[Session]:
    """Type the lines to an interactive client at a terminal, each way."""
    return [_session(shown) for shown in _drive(machine, "at_terminal", ways, _typed(lines))]


def raw(machine: Machine, way: str, lines: Iterable[str]) -> list[tuple[str, bool]]:
    """Send all lines at once; return the text and whether it failed, result by result."""
    ended = machine.run(
        *("runuser", "--user=prosody", "--", "python3", _RAW_CLIENT, way),
        stdin=json.dumps(list(lines)),
        check=True,
    )
    return [(text, failed) for text, failed in json.loads(ended.stdout)]


def one_shot_differences(
    lines: Iterable[Line], direct: Iterable[OneShot], through: Iterable[OneShot]
) -> list[str]:
    """Say which command lines are answered differently, but for what the table allows."""
    return [
        f"{line.words}: directly {one}, through the service {other}"
        for line, one, other in zip(lines, direct, through, strict=True)
        if _masked(line, one) != _masked(line, other)
    ]


def session_differences(lines: Sequence[Line], direct: Session, through: Session) -> list[str]:
    """Say which lines are answered differently, but for what the table allows."""
    asked = [Line(("(the beginning)",)), *lines, Line(("(the end)",))]
    for way, session in (("directly", direct), ("through the service", through)):
        if (answered := len(session.parts)) != len(asked):
            last = asked[min(answered, len(asked)) - 1]
            return [f"{way} the session ended at {last.words}: {session.parts[-1]!r}"]
    differences = [
        f"{line.words}: directly {one!r}, through the service {other!r}"
        for line, one, other in zip(asked, direct.parts, through.parts, strict=True)
        if line.mask(one) != line.mask(other)
    ]
    if direct.status != through.status:
        differences.append(f"exit status: directly {direct.status}, else {through.status}")
    return differences


def _masked(line: Line, result: OneShot) -> OneShot:
    return OneShot(result.status, line.mask(result.stdout), line.mask(result.stderr))


def _typed(lines: Iterable[Line]) -> list[str]:
    assert all(line.can_be_typed for line in lines)
    return [line.words[0] for line in lines]


def _session(shown: dict[str, Any]) -> Session:
    return Session(shown["status"], tuple(shown["shown"].split(_PROMPT)))


def _drive(machine: Machine, mode: str, ways: Sequence[str], lines: Sequence[object]) -> list[Any]:
    job = {"mode": mode, "sockets": ways, "lines": lines}
    ended = machine.run(
        *("python3", _DRIVER), stdin=json.dumps(job), timeout=_BATCH_SECONDS, check=True
    )
    done: list[Any] = json.loads(ended.stdout)
    return done
