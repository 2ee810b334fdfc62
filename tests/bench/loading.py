"""Load on a server: what the load generator did, and what the servers behind took for it."""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.process import Command, Process, UntakenError, becoming, process
from bench.servers import Place, Server, Sink

RECORD_SECONDS = 10.0
"""How long the last records of a load may take to arrive."""


@dataclass(frozen=True)
class Sample:
    """What one load came to.

    `busy` is the share of its time that the load generator was on a processor; `processor` is the
    processor time of each server per command, in seconds.
    """

    commands: int
    errors: int
    seconds: float
    received: int
    busy: float
    processor: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Commands a second."""
        return self.commands / self.seconds


@dataclass(frozen=True)
class Burst:
    """What became of sessions that were opened all at once; times in seconds to the header."""

    sessions: int
    refused: int
    median: float
    max: float


class Sessions:
    """Open sessions that wait for the word to run their command in a closed loop."""

    def __init__(self, running: Process, served_by: Sequence[Process]) -> None:
        self._running = running
        self._served_by = served_by

    def run(self) -> Sample:
        """Run the load that they were opened for."""
        before = [server.processor_seconds() for server in self._served_by]
        assert self._running.popen.stdin is not None
        self._running.popen.stdin.write("\n")
        self._running.popen.stdin.flush()
        told = _told(self._running)
        after = [server.processor_seconds() for server in self._served_by]
        commands = int(told["commands"])
        return Sample(
            commands,
            int(told["errors"]),
            told["seconds"],
            int(told["received"]),
            told["processor"] / told["seconds"],
            tuple((to - since) / commands for since, to in zip(before, after, strict=True)),
        )


@contextmanager
def sessions(
    place: Place,
    server: Server,
    line: str,
    *,
    active: int = 1,
    idle: int = 0,
    seconds: float = 1.0,
    count: int | None = None,
    account: str | None = None,
    behind: Sequence[Server] = (),
) -> Iterator[Sessions]:
    """Open sessions, each of which runs `line` once; `idle` of them then wait beside the others.

    A load lasts `seconds`, or until `count` commands were answered. They are of `account`, by
    default the one of the place. What `behind` the server takes is sampled after the server's own.
    """
    amount = ["-t", f"{seconds}"] if count is None else ["-c", f"{count}"]
    arguments = ["-n", str(active), "-i", str(idle), *amount]
    command: Command = [*becoming(account or place.account), place.directory / "load"]
    command += ["-s", server.socket, "-l", line, *arguments]
    with process(command, place.directory / "load.log") as running:
        _told(running)
        yield Sessions(running, [each.process for each in (server, *behind)])
        assert running.popen.stdin is not None
        running.popen.stdin.close()


def load(
    place: Place,
    server: Server,
    line: str,
    *,
    active: int = 1,
    seconds: float = 1.0,
    count: int | None = None,
    account: str | None = None,
    behind: Sequence[Server] = (),
    refused: bool = False,
    sink: Sink | None = None,
    records: int = 2,
) -> Sample:
    """Run one load in sessions of its own; see `sessions`.

    Raises UntakenError unless every answer is an error exactly if it should be `refused`, and every
    command left `records` records in the sink.
    """
    before = 0 if sink is None else sink.records()
    with sessions(
        place,
        server,
        line,
        active=active,
        seconds=seconds,
        count=count,
        account=account,
        behind=behind,
    ) as opened:
        sample = opened.run()
    expected = sample.commands if refused else 0
    if sample.errors != expected:
        raise UntakenError(
            f"{line}: {sample.errors} of {sample.commands} answers were errors, not {expected}"
        )
    if sink is not None:
        _count_records(sink, before + records * (sample.commands + active), line)
    return sample


def burst(place: Place, server: Server, line: str, count: int) -> Burst:
    """Open `count` sessions at once."""
    command: Command = [*becoming(place.account), place.directory / "load"]
    command += ["-s", server.socket, "-l", line, "-n", str(count), "-b"]
    with process(command, place.directory / "load.log") as running:
        told = _told(running)
    return Burst(int(told["sessions"]), int(told["refused"]), told["median"], told["max"])


def _told(running: Process) -> dict[str, float]:
    """Return the next line of the load generator; raises UntakenError with its message."""
    assert running.popen.stdout is not None
    line = running.popen.stdout.readline()
    if line:
        told: dict[str, float] = json.loads(line)
        return told
    try:
        running.popen.wait(1)
    except subprocess.TimeoutExpired:
        raise UntakenError("the load generator says nothing") from None
    said = running.log.read_text(encoding="utf-8").strip().splitlines()
    raise UntakenError(f"the load generator: {said[-1] if said else 'no word'}")


def _count_records(sink: Sink, expected: int, line: str) -> None:
    deadline = time.monotonic() + RECORD_SECONDS
    while (came := sink.records()) < expected:
        if time.monotonic() > deadline:
            raise UntakenError(f"{line}: {expected - came} records are missing in the sink")
        time.sleep(0.02)
