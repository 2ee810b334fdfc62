"""Both ways to Prosody, side by side: its own socket, and the service's."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
"""

FRESH = """
systemctl stop prosody
find /var/lib/prosody -mindepth 1 -delete
systemctl reset-failed
systemctl start prosody
"""

_DRIVER = "/usr/local/lib/differential_driver.py"
_PROMPT = "prosody> "
_BATCH_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class OneShot:
    """What one run of a client left behind."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What an interactive client showed: the banner, what followed each prompt, and the rest."""

    status: int
    answers: tuple[str, ...]


def prepare(machine: Machine) -> None:
    """Give Prosody the hosts and components of the table, and nothing else that is in no package."""
    machine.put(HOSTS, HOSTS_LUA)
    machine.put(_DRIVER, (Path(__file__).parent / "driver.py").read_text())
    fresh(machine)


def restore(machine: Machine) -> None:
    """Leave Prosody as it was found: without accounts and with its own hosts."""
    machine.run("rm", HOSTS, _DRIVER, check=True)
    fresh(machine)


def fresh(machine: Machine) -> None:
    """Start Prosody anew, with nothing stored."""
    machine.run("sh", "-euc", FRESH, check=True)
    prosody_answers(machine)


def one_shot(machine: Machine, lines: Iterable[Line], *ways: str) -> list[list[OneShot]]:
    """Run each command line each way, in turns; return the results of each way."""
    words = [line.words for line in lines]
    done = _drive(machine, mode="one_shot", sockets=ways, lines=words)
    return [[OneShot(**result) for result in results] for results in done]


def piped(machine: Machine, lines: Sequence[Line], *ways: str) -> list[Transcript]:
    """Send the typed lines to an interactive client each way, one session each."""
    return _interactive(machine, lines, ways, mode="piped")


def at_terminal(
    machine: Machine, lines: Sequence[Line], *ways: str, columns: int
) -> list[Transcript]:
    """Type the lines at a terminal each way, one session each; it is `columns` wide."""
    return _interactive(machine, lines, ways, mode="terminal", columns=columns)


def differences(lines: Iterable[Line], pair: Sequence[Sequence[OneShot]]) -> list[str]:
    """Say what is not equal of the command lines, but for what the table allows."""
    direct, through = pair
    found = zip(lines, direct, through, strict=True)
    return [
        difference
        for line, *results in found
        for difference in _different(line, *map(_told, results))
    ]


def session_differences(lines: Sequence[Line], pair: Sequence[Transcript]) -> list[str]:
    """Say what is not equal of two sessions, but for what the table allows."""
    direct, through = pair
    both = zip(_by_line(lines, direct), _by_line(lines, through), strict=True)
    return [
        difference
        for (line, shown), (_, other) in both
        for difference in _different(line, shown, other)
    ]


def _interactive(
    machine: Machine, lines: Sequence[Line], ways: Iterable[str], **job: object
) -> list[Transcript]:
    typed = [line.typed for line in lines]
    done = _drive(machine, sockets=ways, lines=typed, **job)
    return [Transcript(shown["status"], tuple(shown["shown"].split(_PROMPT))) for shown in done]


def _drive(machine: Machine, **job: object) -> list:
    ended = machine.run(
        "python3", _DRIVER, stdin=json.dumps(job, default=list), timeout=_BATCH_SECONDS, check=True
    )
    return json.loads(ended.stdout)
