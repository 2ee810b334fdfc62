"""Bytes between standard input and output and a socket, both ways, up to the end of either side."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.adminctl import SERVICE
from fakes.waiting import PATIENCE

MUCH = 4 << 20
"""Bytes that no buffer on the way has room for: the bridge's, and those of pipes and sockets."""


@dataclass
class Bridge:
    """The bridge as a process, and the service's end of its socket."""

    process: subprocess.Popen[bytes]
    service: socket.socket

    @property
    def input(self) -> int:
        assert self.process.stdin is not None
        return self.process.stdin.fileno()

    @property
    def output(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def ended(self) -> int:
        return self.process.wait(PATIENCE)


def started(
    path: Path,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "prosody_admin.client", "--stdio-bridge", f"--socket={path}"],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(SERVICE)},
    )


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    """The bridge, whose socket is accepted."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(PATIENCE)
        listening.bind(str(tmp_path / "admin"))
        listening.listen()
        with started(tmp_path / "admin") as process:
            try:
                service, _ = listening.accept()
                with service:
                    service.settimeout(PATIENCE)
                    yield Bridge(process, service)
            finally:
                process.kill()


def read_all(descriptor: int) -> bytes:
    """Read up to the end, of whatever comes in time."""
    found = b""
    while select.select([descriptor], [], [], PATIENCE)[0] and (data := os.read(descriptor, 65536)):
        found += data
    return found


def fill(descriptor: int) -> int:
    """Write until nothing goes any more, and return how many bytes went."""
    os.set_blocking(descriptor, False)
    written = 0
    while written < MUCH and select.select([], [descriptor], [], 0.5)[1]:
        with contextlib.suppress(BlockingIOError):
            written += os.write(descriptor, b"x" * 65536)
    return written


def test_bytes_go_both_ways(bridge: Bridge) -> None:
    os.write(bridge.input, b"\x00question\xff")
    assert bridge.service.recv(100) == b"\x00question\xff"
    bridge.service.sendall(b"\x00answer\xff")
    assert os.read(bridge.output, 100) == b"\x00answer\xff"


def test_the_end_of_the_input_is_passed_on_and_answers_still_come(bridge: Bridge) -> None:
    os.write(bridge.input, b"last words")
    assert bridge.process.stdin
    bridge.process.stdin.close()
    assert bridge.service.recv(100) == b"last words"
    assert bridge.service.recv(100) == b""
    bridge.service.sendall(b"answer")
    bridge.service.close()
    assert read_all(bridge.output) == b"answer"
    assert bridge.ended() == 0


def test_the_end_of_the_service_is_the_end(bridge: Bridge) -> None:
    bridge.service.sendall(b"x" * 100_000)
    bridge.service.close()
    assert len(read_all(bridge.output)) == 100_000
    assert bridge.ended() == 0


def test_without_a_reader_it_is_the_end_though_nothing_is_said(bridge: Bridge) -> None:
    os.write(bridge.input, b"question")
    assert bridge.service.recv(100) == b"question"
    assert bridge.process.stdout
    bridge.process.stdout.close()
    assert bridge.ended() == 0
    assert bridge.service.recv(100) == b""


def test_without_a_reader_of_what_is_on_its_way(bridge: Bridge) -> None:
    assert fill(bridge.service.fileno()) < MUCH
    assert bridge.process.stdout
    bridge.process.stdout.close()
    assert bridge.ended() == 0


def test_who_does_not_read_holds_back_the_other_and_not_what_goes_the_other_way(
    bridge: Bridge,
) -> None:
    said = fill(bridge.service.fileno())
    assert said < MUCH
    os.write(bridge.input, b"meanwhile")
    assert bridge.service.recv(100) == b"meanwhile"
    asked = fill(bridge.input)
    assert asked < MUCH
    os.set_blocking(bridge.service.fileno(), True)
    bridge.service.shutdown(socket.SHUT_WR)
    assert read_all(bridge.output) == b"x" * said
    assert bridge.ended() == 0


def test_a_service_that_reads_no_more_still_says_something(bridge: Bridge) -> None:
    bridge.service.shutdown(socket.SHUT_RD)
    os.write(bridge.input, b"question")
    bridge.service.sendall(b"I do not listen")
    assert os.read(bridge.output, 100) == b"I do not listen"
    bridge.service.close()
    assert bridge.ended() == 0


def test_waiting_takes_no_time_of_the_processor(bridge: Bridge) -> None:
    fill(bridge.service.fileno())
    assert bridge.process.stdin
    bridge.process.stdin.close()  # which would be readable for ever
    assert bridge.service.recv(100) == b""
    wait_until(lambda: sleeps(bridge.process.pid))


def sleeps(pid: int) -> bool:
    """Return whether a process waits, by its state in proc(5); what goes round does not."""
    return (
        Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "S"
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_descriptors_are_left_as_they_were(tmp_path: Path) -> None:
    """Whoever has the same open file would find it non-blocking."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(PATIENCE)
        listening.bind(str(tmp_path / "admin"))
        listening.listen()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            with started(tmp_path / "admin", theirs.fileno(), theirs.fileno()) as process:
                service, _ = listening.accept()
                with service:
                    ours.sendall(b"question")
                    assert service.recv(100) == b"question"
                    assert not os.get_blocking(theirs.fileno())
                assert process.wait(PATIENCE) == 0
            assert os.get_blocking(theirs.fileno())


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    with started(tmp_path / "nowhere") as process:
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert stderr.startswith(f"prosody-adminctl: {tmp_path}/nowhere: not there".encode())


def test_interrupted(bridge: Bridge) -> None:
    bridge.process.send_signal(signal.SIGINT)
    assert bridge.ended() == 130
