"""Processes that are measured: started as some account, asked what they took, and stopped."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
"""All that a measured process finds in its environment, but for what it is started with."""

STOP_SECONDS = 15.0
"""How long a process may take to stop before it is killed."""


Command = list[str | Path]
"""A program and its arguments."""


class UntakenError(Exception):
    """A measure could not be taken; the text says why."""


@dataclass(frozen=True)
class Process:
    """A running process; `log` is where its standard error goes."""

    popen: subprocess.Popen[str]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def processor_seconds(self) -> float:
        """Return the processor time of all its threads so far, in seconds.

        The id of another process's clock is made as in clock_getcpuclockid(3): two of its low
        bits say that it is of what the scheduler counted, in nanoseconds.
        """
        return time.clock_gettime((~self.pid << 3) | 2)

    def resident(self, key: str = "VmRSS") -> int:
        """Return its resident memory in bytes; `key` is VmRSS, or VmHWM for the most it was."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{key}:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise UntakenError(f"the kernel does not tell {key}")
        return int(found[1]) * 1024

    def forget_peak(self) -> None:
        """Let VmHWM begin anew at what is resident now (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def check(self) -> None:
        """Raise UntakenError, with what it wrote last, if it has ended."""
        if (status := self.popen.poll()) is not None:
            said = self.log.read_text(encoding="utf-8", errors="replace")[-1000:].strip()
            raise UntakenError(f"{self.log.stem} ended with {status}: {said or 'no word'}")


def becoming(account: str | None) -> list[str]:
    """Return the words before a command that run it as `account`, with its groups; None: as is.

    Not runuser(1): PAM would set its own limit of descriptors.
    """
    if account is None:
        return []
    return ["setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups", "--"]


@contextmanager
def process(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run a command, with pipes for standard input and output, while the context is open."""
    with (
        log.open("a", encoding="utf-8") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd="/",
            env={**ENVIRONMENT, **(environment or {})},
            start_new_session=True,  # Ctrl-C is for the runner, which then leaves the context
        ) as popen,
    ):
        running = Process(popen, log)
        try:
            yield running
        finally:
            _stop(popen)


def _stop(popen: subprocess.Popen[str]) -> None:
    popen.send_signal(signal.SIGTERM)
    try:
        popen.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        popen.kill()


def commit(checkout: Path) -> str:
    """Return which commit is measured, or "unknown"."""
    git = ["git", "-c", "safe.directory=*", "-C", os.fspath(checkout)]
    try:
        ran = subprocess.run(
            [*git, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "unknown"
    return ran.stdout.strip() or "unknown"
