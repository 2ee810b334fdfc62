"""`daemon.py` as a process: its command line, its exit status, and how it dies."""

import faulthandler
import fcntl
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from fakes.client import Client
from fakes.systemd import Systemd
from fakes.waiting import PATIENCE
from prosody_admin import __version__
from prosody_admin.config import Settings, load
from prosody_admin.daemon import Daemon
from prosody_admin.main import main

SERVICE = Path(__file__).parent.parent / "service"
PROGRAM = [sys.executable, "-m", "prosody_admin"]
# Not the environment of whoever runs the tests: it may be a service itself.
ENVIRONMENT = {"PYTHONPATH": str(SERVICE), "PATH": os.environ["PATH"]}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        check=False,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@contextmanager
def service(
    *command: str | Path,
    pass_fds: tuple[int, ...] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[subprocess.Popen[str]]:
    """Run a service that logs to the console, until it exits; killed if it never does."""
    with subprocess.Popen(
        command,
        env={**ENVIRONMENT, **environment},
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    ) as process:
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        try:
            logged(process, "listens on ")
            yield process
            process.wait()
        finally:
            process.kill()
            guard.cancel()
            guard.join()


def logged(process: subprocess.Popen[str], text: str) -> str:
    """Wait for a record."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return line
    pytest.fail(f"{text!r} was not logged, but {lines}")


def mapped_by(process: subprocess.Popen[str]) -> str:
    """Return what a process has mapped, as proc_pid_maps(5) has it."""
    return Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")


def listen(directory: Path, settings: str = "") -> list[str | Path]:
    (directory / "toml").write_text(settings)
    return [
        *PROGRAM,
        "--log-target=console",
        *("--listen", directory / "admin"),
        *("--config", directory / "toml"),
    ]


def test_version() -> None:
    ran = run("--version")
    assert (ran.returncode, ran.stdout) == (0, f"prosody-admin {__version__}\n")


def test_help_settings_is_a_file_of_settings(tmp_path: Path) -> None:
    ran = run("--help-settings")
    assert ran.returncode == 0
    (tmp_path / "toml").write_text(ran.stdout)
    assert load([tmp_path / "toml"]) == Settings()
    assert tomllib.loads(ran.stdout)["service"]["idle_timeout"] == 60


def test_wrong_usage() -> None:
    ran = run("--no-such-option")
    assert ran.returncode == os.EX_USAGE == 64
    assert "usage: prosody-admind" in ran.stderr
    assert "prosody-admind: unrecognized arguments: --no-such-option" in ran.stderr
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ("", os.EX_OK, "The settings are in order."),
        (
            "[grants]\n'unit:on\\x2dcall.service' = ['viewer']\n",
            os.EX_OK,
            '"unit:on\\\\x2dcall.service" = ["viewer"]',
        ),
        ("[limits]\nsessions = 0\n", os.EX_CONFIG, "[limits] sessions: expected a whole number"),
    ],
)
def test_check_config(tmp_path: Path, settings: str, status: int, said: str) -> None:
    (tmp_path / "toml").write_text(settings)
    ran = run("--check-config", "--config", tmp_path / "toml")
    assert ran.returncode == status
    assert said in ran.stdout + ran.stderr


def test_wrong_settings(tmp_path: Path) -> None:
    ran = run("--config", tmp_path / "absent", "--listen", tmp_path / "admin")
    assert ran.returncode == os.EX_CONFIG == 78
    assert ran.stderr == (
        f"prosody-admind: {tmp_path}/absent: cannot be read: No such file or directory\n"
    )


def test_no_socket_was_handed_over(tmp_path: Path) -> None:
    (tmp_path / "toml").touch()
    ran = run("--log-target=console", "--config", tmp_path / "toml")
    assert ran.returncode == os.EX_CONFIG
    assert "no socket was handed over" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_path_in_use(tmp_path: Path) -> None:
    command = listen(tmp_path)
    with service(*command) as process:
        ran = run(*command[len(PROGRAM) :])
        assert ran.returncode == os.EX_CANTCREAT == 73
        assert f"{tmp_path}/admin: in use by another process" in ran.stderr
        process.terminate()
    assert process.returncode == 0


async def test_listen_serves_its_own_user_and_removes_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "admin"
    with service(*listen(tmp_path)) as process:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with await Client.session(path) as client:
            answer = await client.ask("admin:status()")
            assert f"Process: {process.pid}" in answer.output
            process.send_signal(signal.SIGHUP)
            logged(process, "Settings loaded")
            process.send_signal(signal.SIGINT)
            assert await client.last_words() == ([], "system-shutdown")
        process.wait()
    assert process.returncode == 0
    assert not path.exists()


async def test_the_second_signal_kills_and_still_cleans_up(tmp_path: Path) -> None:
    path, silent = tmp_path / "admin", tmp_path / "prosody"
    settings = f"[service]\ndrain_timeout = 300\n[prosody]\nsocket = '{silent}'\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as prosody:
        prosody.bind(str(silent))
        prosody.listen()
        with (
            service(*listen(tmp_path, settings)) as process,
            await Client.session(path) as client,
        ):
            await client.enter("server:version()")
            logged(process, "runs server:version")
            process.terminate()
            logged(process, "Stopping: SIGTERM received")
            process.terminate()
            await client.last_words()
            process.wait()
    assert process.returncode == -signal.SIGTERM
    assert not path.exists()


async def test_a_socket_that_was_handed_over_stays_when_the_service_leaves(tmp_path: Path) -> None:
    (tmp_path / "toml").write_text("[service]\nidle_timeout = 1\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "admin"))
        listening.listen()
        hand_over = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update("
            "LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='admin');"
            " os.execv(sys.argv[2], sys.argv[2:])"
        )
        command = [sys.executable, "-c", hand_over, str(listening.fileno()), *PROGRAM]
        options = ("--log-target=console", "--config", tmp_path / "toml")
        with service(*command, *options, pass_fds=(listening.fileno(),)) as process:
            with await Client.session(tmp_path / "admin") as client:
                assert not (await client.ask("admin:version()")).failed
                mapped = mapped_by(process)
                for megabytes in ("libcrypto", "libssl", "libsystemd"):
                    assert megabytes not in mapped, "a start has no time for it, nor memory"
            process.wait()
            assert process.returncode == 0
            with await Client.connect(tmp_path / "admin"):
                listening.accept()[0].close()  # it still listens


async def test_a_restart_goes_on_with_the_same_session_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "toml").touch()
    options = ("--log-target=console", "--config", tmp_path / "toml")
    with (
        Systemd(tmp_path / "notify") as systemd,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening,
    ):
        listening.bind(str(tmp_path / "admin"))
        listening.listen()
        with started_by_systemd(systemd, [listening.fileno()], *options) as before:
            client = await Client.session(tmp_path / "admin")
            answer = await client.ask("admin:whoami()")
            before.send_signal(signal.SIGINT)
        assert before.returncode == 0
        assert len(systemd.stored) == 2
        handed_over = [*systemd.stored, listening.fileno()]
        with client, started_by_systemd(systemd, handed_over, *options) as after:
            assert systemd.stored == []
            assert (await client.ask("admin:whoami()")).output == answer.output
            assert f"Process: {after.pid}" in (await client.ask("admin:status()")).output
            after.send_signal(signal.SIGTERM)
            assert await client.last_words() == ([], "system-shutdown")
        assert after.returncode == 0


HAND_OVER = (
    "import os, sys; given = [int(number) for number in sys.argv[1].split()];"
    " [os.dup2(number, 3 + place) for place, number in enumerate(given)];"
    " os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)));"
    " os.execv(sys.argv[2], sys.argv[2:])"
)


@contextmanager
def started_by_systemd(
    systemd: Systemd, descriptors: list[int], *options: str | Path
) -> Iterator[subprocess.Popen[str]]:
    """Run a service that gets `descriptors`, the last of which listens, and is told of systemd."""
    above = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in descriptors]
    names = ":".join(["kept"] * (len(above) - 1) + ["admin"])
    numbers = " ".join(map(str, above))
    command = [sys.executable, "-c", HAND_OVER, numbers, *PROGRAM, *options]
    environment = {"LISTEN_FDNAMES": names, "NOTIFY_SOCKET": str(systemd.path)}
    with service(*command, pass_fds=tuple(above), environment=environment) as process:
        for fd in above:
            os.close(fd)
        yield process


def test_an_internal_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(_: Daemon) -> None:
        raise LookupError

    monkeypatch.setattr(Daemon, "_start", fails)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(faulthandler, "enable", lambda: None)  # pytest has one of its own
    assert main([str(word) for word in listen(tmp_path)[len(PROGRAM) :]]) == os.EX_SOFTWARE == 70
    assert "internal error" in capfd.readouterr().err
    assert not (tmp_path / "admin").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--check", "server:shutdown()"], 0, "server:shutdown: allowed (root)"),
        (["--check", ">x", "--as", "daemon"], 1, "raw Lua: refused, needs a role"),
        (["--check", "admin:whoami()", "--as", "daemon"], 0, "admin:whoami: allowed (everybody)"),
        (["--check", "help", "--as", "no-such-account"], 67, "expected an account of this machine"),
        (["--as", "root"], 64, "--as goes with --check LINE"),
    ],
)
@pytest.mark.skipif(os.getuid() != 0, reason="another account has other rights")
def test_check(arguments: list[str], status: int, said: str) -> None:
    asked = run(*arguments)
    assert asked.returncode == status
    assert said in asked.stdout + asked.stderr
