"""Whole processes: the client, and the service as its first connection starts it."""

import json
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, by_turns, middle, spread
from bench.loading import load
from bench.process import ENVIRONMENT, UntakenError, becoming
from bench.rates import Suite, scene
from bench.servers import PYTHON
from system.machine import Machine, unavailable, wait_until
from system.packages import apt, bring

RELEASE = "bookworm"
"""The Debian release of the booted machine."""

ROUNDS_PER_ROUND = 4
"""A process is a short measure: it is repeated more often than a load."""

COMMAND_SECONDS = 30
ACCOUNTS = 10

CLIENT = """\
#!/usr/bin/python3
# -*- coding: utf-8 -*-
import re
import sys
from prosody_admin.client.start import main
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit(main())
"""
"""What Debian's build makes of the entry point of prosody-adminctl."""

MACHINE_SECONDS = 300.0
"""Deadline of a script in the machine."""

COLD_START = f"""
import json, socket, subprocess, sys, time

HEADER = (b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' "
          b"xmlns='xmpp:prosody.im/admin' xml:lang='en' id=''>")

def first_connection():
    subprocess.run(["systemctl", "stop", "prosody-admin.service"], check=True)
    subprocess.run(["systemctl", "start", "prosody-admin.socket"], check=True)
    started = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout({COMMAND_SECONDS})
        client.connect("/run/prosody-admin.sock")
        client.sendall(HEADER)
        said = b""
        while b"stream:stream" not in said or not said.endswith(b">"):
            data = client.recv(65536)
            if not data:
                sys.exit("closed without a header")
            said += data
        return time.perf_counter() - started

def importing():
    started = time.perf_counter()
    subprocess.run(["/usr/bin/python3", "-c", "import asyncio"], check=True)
    return time.perf_counter() - started

first_connection(), importing()  # what is read from the disk for the first time
times = [(first_connection(), importing()) for _ in range(int(sys.argv[1]))]
print(json.dumps(times))
"""

JOURNALD = """
import socket, sys, time

FIELDS = dict(line.split("=", 1) for line in sys.stdin.read().splitlines())
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
    journald.connect("/run/systemd/journal/socket")
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < float(sys.argv[1]):
        for _ in range(100):
            FIELDS["PROSODY_ADMIN_SEQUENCE"] = str(count)
            journald.send("".join(f"{k}={v}\\n" for k, v in FIELDS.items()).encode())
            count += 1
    print(count / (time.perf_counter() - started))
"""
RECORD = """\
MESSAGE=prosody (uid 100) runs server:version
PRIORITY=5
SYSLOG_IDENTIFIER=prosody-admin-bench
MESSAGE_ID=5bbdbba1f6ac4c1eb5fd0fcd0f2a3d11
PROSODY_ADMIN_SESSION=3c6c19e4
PROSODY_ADMIN_PEER_PID=4128
PROSODY_ADMIN_PEER_UID=100
PROSODY_ADMIN_PEER_GID=102
PROSODY_ADMIN_PEER_USER=prosody
PROSODY_ADMIN_PEER_UNIT=session-1.scope
PROSODY_ADMIN_COMMAND=server:version
PROSODY_ADMIN_VERDICT=allowed
PROSODY_ADMIN_RULE=service-account
"""
"""The fields of a record like those of a command, one a line."""


@dataclass(frozen=True)
class Ran:
    """What one process took, from starting it to its end, in seconds."""

    seconds: float
    processor: float


def client(suite: Suite) -> Figure:
    """`prosody-adminctl user list localhost` against `prosodyctl shell user list localhost`."""
    with scene(suite) as here:
        for number in range(ACCOUNTS):
            line = f'user:create("user{number}@localhost", "a-password")'
            # The line runs once before what is counted, and says then that it is there.
            load(suite.place, here.prosody, line, count=1, refused=True)
        script = suite.place.directory / "prosody-adminctl"
        script.write_text(CLIENT, encoding="utf-8")
        script.chmod(0o755)
        words = ["user", "list", "localhost"]
        config = here.prosody.socket.with_name("prosody.cfg.lua")
        environment = {
            "PYTHONPATH": os.fspath(suite.place.code),
            "PROSODY_ADMIN_SOCKET": os.fspath(here.service.socket),
        }
        become = becoming(suite.place.account)
        ours, theirs = by_turns(
            suite.rounds * ROUNDS_PER_ROUND,
            lambda: _ran([*become, script, *words], environment),
            lambda: _ran([*become, "prosodyctl", "--config", config, "shell", *words], {}),
        )
    our_time, their_time = (middle(runs, _seconds) for runs in (ours, theirs))
    return Figure(
        "prosody-adminctl user list",
        our_time,
        their_time,
        "s",
        our_time / their_time,
        "<= 1.2 x",
        our_time <= 1.2 * their_time,
        middle(ours, lambda run: run.processor),
        middle(theirs, lambda run: run.processor),
        f"against prosodyctl shell, whole processes with setpriv, "
        f"runs within {spread(ours, _seconds)} and {spread(theirs, _seconds)}",
    )


def _seconds(run: Ran) -> float:
    return run.seconds


def _ran(command: Sequence[str | Path], environment: Mapping[str, str]) -> Ran:
    """Run the command, and see that it lists the accounts."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
        cwd="/",
        env={**ENVIRONMENT, **environment},
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode or ran.stdout.count("@localhost") != ACCOUNTS:
        raise UntakenError(f"{command[-4:]} did not list the accounts: {ran.stdout}{ran.stderr}")
    return Ran(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


@contextmanager
def booted() -> Iterator[Machine]:
    """A machine of tests/system with the package of this checkout installed."""
    if (reason := unavailable()) is not None:
        raise UntakenError(reason)
    with Machine(RELEASE) as machine:
        apt(machine, "install", bring(machine))
        machine.run("systemctl", "start", "prosody-admin.socket", check=True)
        wait_until(
            lambda: machine.run("prosodyctl", "shell", "server", "version").returncode == 0,
            "Prosody answers on its own socket",
        )
        yield machine


def in_machine(suite: Suite) -> list[Figure]:
    """First connection to the stopped service under systemd; what journald takes."""
    with booted() as machine:
        rounds = str(suite.rounds * ROUNDS_PER_ROUND)
        cold = machine.run(PYTHON, "-c", COLD_START, rounds, timeout=MACHINE_SECONDS)
        if cold.returncode:
            raise UntakenError(f"cold start: {cold.stderr.strip()}")
        sending = (PYTHON, "-c", JOURNALD, str(suite.seconds))
        rate = machine.run(*sending, stdin=RECORD, timeout=MACHINE_SECONDS, check=True).stdout
    starts: list[tuple[float, float]] = json.loads(cold.stdout)
    ours, theirs = (statistics.median(side) for side in zip(*starts, strict=True))
    return [
        Figure(
            "first connection",
            ours,
            theirs,
            "s",
            ours / theirs,
            "<= 1.5 x",
            ours <= 1.5 * theirs,
            note="stopped service, connect to stream header, in a booted machine, against "
            "python3 -c 'import asyncio' there; "
            f"within {spread(starts, lambda pair: pair[0])} and "
            f"{spread(starts, lambda pair: pair[1])}",
        ),
        Figure(
            "records that journald takes",
            float(rate),
            None,
            "/s",
            None,
            "",
            met=True,
            note="from one sender in the machine, its journal in memory; no goal",
        ),
    ]
