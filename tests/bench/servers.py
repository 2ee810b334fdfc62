"""What is measured, and what it is measured against: started in a directory of the run's own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import Command, Process, UntakenError, becoming, process

HERE = Path(__file__).parent
SERVICE = HERE.parents[1] / "service" / "prosody_admin"
PYTHON = "/usr/bin/python3"
"""What the packaged service runs with."""

START_SECONDS = 15.0
"""Deadline of the first answer of a server."""

QUEUED_RECORDS = 512
"""Records that wait for the sink at most before a sender has to: what systemd sets at boot."""

OUTSIDER = "games"
"""An account that Debian always has: it has the role `viewer` here, and is refused the rest."""

PROSODY = """\
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
admin_socket = "{socket}"
log = {{ error = "*console" }}
modules_enabled = {{ "admin_socket", "admin_shell" }}
c2s_ports, c2s_direct_tls_ports, s2s_ports, http_ports, https_ports = {{}}, {{}}, {{}}, {{}}, {{}}
component_ports = {{}}
authentication = "internal_hashed"
VirtualHost "localhost"
"""
SETTINGS = """\
[prosody]
socket = "{socket}"
[limits]
sessions = 4096
sessions_per_uid = 4096
[grants]
{outsider} = ["viewer"]
"""


@dataclass(frozen=True)
class Server:
    """Something that listens on an admin socket."""

    socket: Path
    process: Process


@dataclass(frozen=True)
class Sink:
    """What takes the records of the service in place of journald."""

    process: Process

    def records(self) -> int:
        """Return how many records were taken so far, all that were sent before included."""
        to, back = self.process.popen.stdin, self.process.popen.stdout
        assert to is not None
        assert back is not None
        self.process.check()
        to.write("?")
        to.flush()
        return int(back.readline())


class Place:
    """The directory of a run, with the compiled programs and a copy of the service.

    `account` owns what is in it, and runs everything; None: whoever runs this, which serves for
    trying the suite, since nobody but root can have records go to a sink.
    """

    def __init__(self, directory: Path, account: str | None) -> None:
        self.directory = directory
        self.account = account
        self.code = directory / "code"
        self._started = 0
        for name in ("load", "echo", "pump", "sink"):
            compile_program(HERE / f"{name}.c", directory / name)
        # Where the account can read it, and with byte code, as installed.
        shutil.copytree(
            SERVICE, self.code / "prosody_admin", ignore=shutil.ignore_patterns("__pycache__")
        )
        subprocess.run([PYTHON, "-m", "compileall", "-q", self.code], check=True)

    def new_directory(self) -> Path:
        """Make a directory of the account's, which everybody can go through."""
        self._started += 1
        made = self.directory / str(self._started)
        made.mkdir(mode=0o711)
        if self.account is not None:
            owner = pwd.getpwnam(self.account)
            os.chown(made, owner.pw_uid, owner.pw_gid)
        return made

    @contextmanager
    def prosody(self) -> Iterator[Server]:
        """A Prosody of its own, on which nothing but the admin socket listens."""
        directory = self.new_directory()
        place, config = directory / "prosody.sock", directory / "prosody.cfg.lua"
        config.write_text(PROSODY.format(directory=directory, socket=place), encoding="utf-8")
        command: Command = [*becoming(self.account), "prosody", "--config", config, "-F"]
        with process(command, directory / "prosody.log") as running:
            yield answering(Server(place, running))

    @contextmanager
    def service(self, prosody: Server, sink_directory: Path | None) -> Iterator[Server]:
        """Run the service in front of `prosody`, its audit on.

        Records go where `sink_directory` has a sink: in a mount namespace of the service's own it
        is what is at /run. None: to the journald of this machine.
        """
        directory = self.new_directory()
        place, settings = directory / "admin.sock", directory / "prosody-admin.toml"
        settings.write_text(
            SETTINGS.format(socket=prosody.socket, outsider=OUTSIDER), encoding="utf-8"
        )
        aside: Command = []
        if sink_directory is not None:
            mount = 'mount --bind "$0" /run && exec "$@"'
            aside += ["unshare", "--mount", "--propagation", "private", "--"]
            aside += ["sh", "-c", mount, sink_directory]
        command: Command = [*aside, *becoming(self.account), PYTHON, "-m", "prosody_admin"]
        command += ["--config", settings, "--listen", place, "--log-target=journal"]
        environment = {"PYTHONPATH": os.fspath(self.code)}
        with process(command, directory / "service.log", environment) as running:
            server = answering(Server(place, running))
            place.chmod(0o666)  # the outsider comes as well
            yield server

    @contextmanager
    def sink(self) -> Iterator[tuple[Path, Sink]]:
        """A sink that takes every record, and the directory to mount at /run."""
        directory = self.new_directory()
        place = _records_of(directory)
        place.parent.mkdir(parents=True)
        # As journald would have it, with room: without, the service refuses commands.
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
        (directory / "log" / "journal" / machine).mkdir(parents=True)
        # In a network of its own, which has this limit apart; a path is the same in each.
        limit = f"echo {QUEUED_RECORDS} >/proc/sys/net/unix/max_dgram_qlen"
        aside: Command = ["unshare", "--net", "--", "sh", "-c", f'{limit} && exec "$0" "$@"']
        command: Command = [*aside, self.directory / "sink", place]
        with process(command, directory / "sink.log") as running:
            wait_for(running, place.exists)
            place.chmod(0o666)
            yield directory, Sink(running)

    @contextmanager
    def echo(self, sink_directory: Path | None = None) -> Iterator[Server]:
        """A server that does nothing but answer, and leave records if there is a sink."""
        records = [] if sink_directory is None else [_records_of(sink_directory)]
        yield from self._program("echo", *records)

    @contextmanager
    def pump(self, upstream: Server) -> Iterator[Server]:
        """A pump of bytes in front of another server."""
        yield from self._program("pump", upstream.socket)

    def _program(self, name: str, *arguments: Path) -> Iterator[Server]:
        directory = self.new_directory()
        place = directory / f"{name}.sock"
        command: Command = [*becoming(self.account), self.directory / name, place, *arguments]
        with process(command, directory / f"{name}.log") as running:
            yield answering(Server(place, running))


def _records_of(sink_directory: Path) -> Path:
    return sink_directory / "systemd" / "journal" / "socket"


@contextmanager
def place(account: str | None) -> Iterator[Place]:
    """A directory for a run, removed at its end."""
    with tempfile.TemporaryDirectory(prefix="prosody-admin-bench.") as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield Place(directory, account)


def compile_program(source: Path, target: Path) -> None:
    """Compile one of the C programs; raises UntakenError with what the compiler said."""
    command = ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
    ran = subprocess.run(
        [*command, "-o", target, source], stderr=subprocess.PIPE, text=True, check=False
    )
    if ran.returncode:
        raise UntakenError(f"{source.name} does not compile: {ran.stderr}")
    target.chmod(0o755)


def answering(server: Server) -> Server:
    """Wait until a server accepts connections; raises UntakenError if it ends before."""

    def accepts() -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            return client.connect_ex(os.fspath(server.socket)) == 0

    wait_for(server.process, accepts)
    return server


def wait_for(running: Process, condition: Callable[[], bool]) -> None:
    """Ask until the condition holds; raises UntakenError if the process ends, or in the end."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        running.check()
        if time.monotonic() > deadline:
            raise UntakenError(f"{running.log.stem} does not start within {START_SECONDS:g} s")
        time.sleep(0.02)
