"""Measure the service against Prosody's own mod_admin_socket, on this machine, in one run.

Everything is a ratio of medians. What is compared is measured by turns, A B A B, with the same load
generator (load.c): sessions in a closed loop, one command in flight in each. The service runs as it
does installed, with policy and audit on; its records go to a sink that takes every record (sink.c),
which counts them: a command that is allowed leaves two, a refusal one, or the measure is not taken.
With --journal=real they go to this machine's journald.

answered-16    `admin:whoami()`, answered by the service, in 16 sessions, against Prosody answering
               `server:version()`. Goal: 2.5 times as many a second.
answered-1     the same in 1 session. Goal: as many.
relay-16       `server:version()` through the service in 16 sessions, against Prosody directly.
               Goal: 0.85.
relay-1        the same in 1 session, against a byte pump in C (pump.c) before the same Prosody.
               Goal: 0.8.
refusals       a line that the policy refuses to another account, in 16 sessions, against Prosody's
               answers. Goal: 4 times as many, or 50,000 a second on a free core.
client         `prosody-adminctl user list localhost` from start to end, against `prosodyctl shell
               user list localhost`. Goal: 1.2 times as long at most.
idle-service   resident memory of the service after a session. Goal: 20 MB at most.
idle-sessions  what each of 2,000 idle sessions adds to it, once each ran a command and memory
               keeps still. Goal: 8 KiB at most.
output         a command of 20 MB of output through the service, against Prosody directly. Goal:
               0.8, and memory that grows by less than 2 MB.
open-sessions  processor time of a command in one session, with 0 to 3,999 idle ones beside it.
               Goal: the dearest takes 1.5 times the one alone at most.
burst          1,000 sessions opened at once: none refused, the last has its stream header after
               twice as long as at Prosody at most.
machine        in a booted machine, with the package installed: the first connection to the stopped
               service, from connecting to the stream header, against `python3 -c 'import asyncio'`
               there (goal: 1.5 times as long at most), and how many records a second journald
               takes.
load           the load generator against a server in C that only answers (echo.c), beside Prosody.
               Goal: 4 times as many a second, so that it is not what is measured elsewhere.
records        the same server when it leaves two records for each command, in 16 sessions and in 1,
               beside Prosody: no server that keeps this record is faster. No goal.

Beside each figure is the processor time per command of the service and of what it is compared with:
where four processes share two processors, that says more than the clock.
"""

import argparse
import dataclasses
import json
import os
import platform
import pwd
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import crowds, memory, rates, starting
from bench.figures import Figure, table
from bench.process import UntakenError, commit
from bench.rates import Suite
from bench.servers import OUTSIDER, PYTHON, place
from system.machine import BootError

Measure = Callable[[Suite], Figure | list[Figure]]

MEASURES: Mapping[str, Measure] = {
    "load": rates.head_room,
    "records": rates.recorded_in_c,
    "answered-16": rates.answered_here_16,
    "answered-1": rates.answered_here_1,
    "relay-16": rates.relay_16,
    "relay-1": rates.relay_1,
    "refusals": rates.refusals,
    "client": starting.client,
    "idle-service": memory.idle_service,
    "idle-sessions": memory.idle_sessions,
    "output": memory.big_output,
    "open-sessions": crowds.open_sessions,
    "burst": crowds.opened_at_once,
    "machine": starting.in_machine,
}

ACCOUNT = "prosody"

DESCRIPTORS = 20_000
"""What a server with 4,000 sessions needs: the service has up to three descriptors for each."""

NEEDED = {"cc": "gcc libc6-dev", "prosody": "prosody", "setpriv": "util-linux"}
"""Programs, and the Debian packages that have them."""


def main() -> int:
    """Run the measures; return 1 if one could not be taken, or with --strict if one is missed."""
    arguments = _parse()
    if arguments.list:
        print("\n".join(MEASURES))
        return 0
    if reasons := _missing() or _raise_limit():
        sys.stderr.write("".join(f"bench: {reason}\n" for reason in reasons))
        return 1
    started = time.monotonic()
    figures: list[Figure] = []
    untaken: dict[str, str] = {}
    try:
        with place(ACCOUNT) as here:
            suite = Suite(here, arguments.seconds, arguments.rounds, arguments.journal == "real")
            for name in arguments.only or MEASURES:
                _measure(name, suite, figures, untaken)
    except UntakenError as error:
        untaken["all"] = str(error)
    facts = _facts(arguments, time.monotonic() - started)
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()), end="\n\n")
    print(table(figures))
    for name, reason in untaken.items():
        print(f"could not be taken: {name}: {reason}")
    if arguments.json is not None:
        rows = [dataclasses.asdict(figure) for figure in figures]
        text = json.dumps({"facts": facts, "figures": rows, "untaken": untaken}, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    missed = arguments.strict and not all(figure.met for figure in figures)
    return 1 if untaken or missed else 0


def _measure(name: str, suite: Suite, figures: list[Figure], untaken: dict[str, str]) -> None:
    """Take one measure, and say on standard error how long that took."""
    started = time.monotonic()
    try:
        taken = MEASURES[name](suite)
    except (UntakenError, BootError, AssertionError, OSError, subprocess.SubprocessError) as error:
        untaken[name] = str(error)
    else:
        figures += [taken] if isinstance(taken, Figure) else taken
    sys.stderr.write(f"bench: {name}: {time.monotonic() - started:.0f} s\n")


def _missing() -> list[str]:
    """Return what this machine lacks, in words."""
    if os.geteuid() != 0:
        return ["this needs root: it starts servers as the user prosody"]
    reasons = [
        f"{program} is missing: apt-get install {packages}"
        for program, packages in NEEDED.items()
        if shutil.which(program) is None
    ]
    imports = "import systemd.daemon, sdnotify, defusedxml"
    if subprocess.run([PYTHON, "-c", imports], stderr=subprocess.DEVNULL, check=False).returncode:
        packages = "python3-systemd python3-sdnotify python3-defusedxml"
        reasons.append(f"what the service runs on is missing: apt-get install {packages}")
    for account in (ACCOUNT, OUTSIDER):
        try:
            pwd.getpwnam(account)
        except KeyError:
            reasons.append(f"there is no account {account}")
    return reasons


def _raise_limit() -> list[str]:
    """Let the servers have the descriptors they need, or return why that cannot be."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    except (ValueError, OSError) as error:
        return [f"{DESCRIPTORS} descriptors a process are needed (ulimit -n): {error}"]
    return []


def _facts(arguments: argparse.Namespace, seconds: float) -> dict[str, str]:
    sink = "a sink that takes every record, and counts them"
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "prosody"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return {
        "commit": commit(Path(__file__).parents[2]),
        "Prosody": version or "unknown",
        "Python": platform.python_version(),
        "kernel": platform.release(),
        "processors": f"{os.cpu_count()}",
        "records go to": "journald" if arguments.journal == "real" else sink,
        "loads": f"{arguments.rounds} by turns of {arguments.seconds:g} s",
        "taken in": f"{seconds:.0f} s",
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/bench/run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 all was measured, 1 something could not be, 2 wrong usage.",
    )
    add = parser.add_argument
    add("--only", nargs="+", choices=MEASURES, metavar="NAME", help="take only these measures")
    add("--list", action="store_true", help="print the names of the measures and exit")
    add("--seconds", type=_seconds, default=2.0, metavar="S", help="length of a load (2)")
    add("--rounds", type=_rounds, default=5, metavar="N", help="loads of each side (5)")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    add("--journal", choices=("sink", "real"), default="sink", help="where records go (sink)")
    add("--strict", action="store_true", help="exit with 1 if a goal is missed")
    return parser.parse_args()


def _seconds(text: str) -> float:
    if not 0.1 <= (value := float(text)) <= 600:
        raise ValueError(text)
    return value


def _rounds(text: str) -> int:
    if not 1 <= (value := int(text)) <= 100:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
