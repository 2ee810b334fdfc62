"""A whole Debian machine to test in: its own systemd as PID 1, journald, Prosody and Python.

    with Machine("trixie") as machine:
        print(machine.run("systemctl", "is-active", "prosody").stdout)

Booting takes half a second once the root filesystem is there (see `rootfs` beside this file),
stopping a tenth. Several may run at once, and the host needs no systemd as its own PID 1.
"""

import contextlib
import functools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
"""All that a command in a machine finds in its environment: nothing comes from the host."""

BOOT_SECONDS = 60.0
"""Deadline of a boot, a hundred times what it takes: the host may be busy."""

RUN_SECONDS = 30.0
"""Deadline of a command whose caller names no other."""


@functools.cache
def unavailable() -> str | None:
    """Return why no machine can be booted on this host, None where one can."""
    if os.geteuid() != 0:
        return "booting a machine needs root"
    missing = [tool for tool in ("mmdebstrap", "systemd-nspawn") if shutil.which(tool) is None]
    if missing:
        return f"booting a machine needs {' and '.join(missing)}"
    probe = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "cgroup2", "cgroup2", "/mnt"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return f"a machine may not be booted here: {probe.stderr.strip()}" if probe.returncode else None


class BootError(Exception):
    """The machine ended or said nothing in time; a note has what it wrote to its console."""


class Machine:
    """A machine of a Debian release ("bookworm", "trixie"), booted while its context is open."""

    def __init__(self, release: str) -> None:
        self.release = release
        self._pid1 = 0
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._pid1 = self._boot(stack)
            self._resources = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def _boot(self, stack: contextlib.ExitStack) -> int:
        """Start the machine and wait for its READY=1. Return the process id of its PID 1.

        Raises BootError, and subprocess.CalledProcessError without a root filesystem.
        """
        rootfs = subprocess.run(
            [HERE / "rootfs", self.release], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
        console = stack.enter_context(
            tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - the stack closes it
        )
        # PID 1 notifies for as long as it lives, and waits where nobody reads: an end to that.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
            notifications.bind("")  # the kernel picks an abstract address: no file to remove later
            address = "@" + notifications.getsockname()[1:].decode("ascii")
            supervisor = stack.enter_context(
                # Leaving its context closes its standard input, which is what ends it, and waits.
                subprocess.Popen(
                    [HERE / "boot", rootfs],
                    stdin=subprocess.PIPE,
                    stdout=console,
                    stderr=console,
                    env={**os.environ, "NOTIFY_SOCKET": address},
                    start_new_session=True,  # Ctrl-C is for pytest, which then leaves the context
                )
            )
            try:
                return _leader_when_ready(notifications, supervisor.pid)
            except BootError as error:
                console.seek(0)
                error.add_note(f"The console of {self.release}:\n{console.read()}")
                raise

    def _entering(self, argv: tuple[str, ...], user: str | None) -> list[str]:
        """Return the command of the host that runs `argv` in the machine."""
        become = [f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return [
            # Its root as well: on a host that is a chroot, its mounts begin with the host's.
            *("/usr/bin/nsenter", f"--target={self._pid1}", "--all", "--root", "--wd", "--"),
            *(("setpriv", *become, "--") if user else ()),
            *argv,
        ]

    @contextlib.contextmanager
    def spawn(
        self, *argv: str, user: str | None = None, streams: int = subprocess.PIPE
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a command in the machine, as root or as `user` with all groups of the user.

        Its three standard streams are pipes, or all the descriptor `streams`. It is killed, if it
        still runs, when the context is left.
        """
        with subprocess.Popen(
            self._entering(argv, user),
            stdin=streams,
            stdout=streams,
            stderr=streams,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    # nsenter waits for the command that it forked into the machine: end both.
                    os.killpg(process.pid, signal.SIGKILL)

    def run(
        self,
        *argv: str,
        user: str | None = None,
        stdin: str = "",
        timeout: float = RUN_SECONDS,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine to its end; `timeout` in seconds.

        Raises subprocess.TimeoutExpired; with `check` AssertionError unless it exits with 0.
        """
        with self.spawn(*argv, user=user) as process:
            stdout, stderr = process.communicate(stdin, timeout)
        result = subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)
        assert not check or result.returncode == 0, result
        return result

    def put(self, path: str, content: str, mode: int = 0o644) -> None:
        """Write a file of root's, and the directories above it."""
        self.run("install", "-D", f"--mode={mode:o}", "/dev/stdin", path, stdin=content, check=True)

    def copy(self, source: Path, target: str) -> None:
        """Copy a directory of the host, without hidden files at its top and without byte code.

        The copy is root's and readable for all.
        """
        self.run("mkdir", "--parents", target, check=True)
        archive = subprocess.run(
            [
                *("tar", "--create", "--owner=0", "--group=0", "--mode=u+w,go=rX"),
                *("--exclude=./.*", "--exclude=__pycache__", f"--directory={source}", "."),
            ],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        unpack = self._entering(("tar", "--extract", f"--directory={target}"), user=None)
        subprocess.run(unpack, input=archive, env=ENVIRONMENT, check=True)

    def journal(self, *matches: str) -> list[dict[str, str]]:
        """Return the journal's entries that journalctl(1) finds with `matches`, oldest first.

        Whatever was sent to journald before the call is among them.
        """
        self.run("journalctl", "--sync", check=True)
        found = self.run("journalctl", "--output=json", "--all", "--quiet", *matches, check=True)
        return [json.loads(line) for line in found.stdout.splitlines()]

    def unit(self, name: str, wanted: str) -> str:
        """Return a property of a unit, as `systemctl show` writes it."""
        shown = self.run("systemctl", "show", f"--property={wanted}", "--value", name, check=True)
        return shown.stdout.strip()


def _leader_when_ready(notifications: socket.socket, supervisor: int) -> int:
    """Wait for READY=1 (sd_notify(3)) and return the process id of the machine's PID 1.

    Raises BootError if the supervisor ends before, or after BOOT_SECONDS.
    """
    state: dict[str, str] = {}
    deadline = time.monotonic() + BOOT_SECONDS
    told, ended = notifications.fileno(), os.pidfd_open(supervisor)
    try:
        while state.get("READY") != "1":
            left = max(0.0, deadline - time.monotonic())
            if told not in select.select([told, ended], [], [], left)[0]:
                raise BootError("the machine did not boot")
            lines = notifications.recv(4096).decode("utf-8").splitlines()
            state.update((key, value) for key, _, value in (line.partition("=") for line in lines))
    finally:
        os.close(ended)
    leader = int(state["X_NSPAWN_LEADER_PID"])
    if os.path.samefile(f"/proc/{leader}/root", "/"):
        raise BootError("the machine has the host's root: what is run in it would be run here")
    return leader


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    """Ask until the condition holds: only for what no event announces. `timeout` in seconds.

    Raises AssertionError that says `what` did not come about in time.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.02)
