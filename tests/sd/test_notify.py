"""`sd/notify.py`, against a socket like systemd's."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prosody_admin.sd.notify import STATUS_CHARACTERS, Notifier, watchdog_interval


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The receiving end of NOTIFY_SOCKET."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as receiver:
        receiver.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield receiver


@pytest.fixture
def notifier(systemd: socket.socket) -> Iterator[Notifier]:
    notifier = Notifier()
    yield notifier
    notifier.close()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (Notifier.ready, b"READY=1"),
        (Notifier.stopping, b"STOPPING=1"),
        (Notifier.watchdog, b"WATCHDOG=1"),
        (lambda n: n.extend_timeout(2.5), b"EXTEND_TIMEOUT_USEC=2500000"),
        (lambda n: n.status("3 sessions"), b"STATUS=3 sessions"),
        (lambda n: n.status("one\nREADY=1\t two"), b"STATUS=one READY=1 two"),
        (lambda n: n.status("b\u00fccher \u20ac\x1b[1m~ \\"), b"STATUS=b?cher ??[1m~ ?"),
        (lambda n: n.status("x" * 9999), b"STATUS=" + b"x" * STATUS_CHARACTERS),
    ],
)
def test_messages(
    notifier: Notifier, systemd: socket.socket, call: Callable[[Notifier], None], message: bytes
) -> None:
    call(notifier)
    assert systemd.recv(4096) == message
    with pytest.raises(BlockingIOError):
        systemd.recv(4096)


def test_reloading_carries_the_time(notifier: Notifier, systemd: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    state, _, since = systemd.recv(4096).decode("ascii").partition("\nMONOTONIC_USEC=")
    assert state == "RELOADING=1"
    assert before <= int(since) <= time.monotonic_ns() // 1000


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"prosody-admin-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        notifier = Notifier()
        notifier.ready()
        notifier.close()
        assert receiver.recv(4096) == b"READY=1"


def test_without_systemd_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.ready()
    notifier.status("text")
    notifier.close()
    assert caplog.records == []


def test_a_stuck_systemd_blocks_nobody_and_is_logged(
    notifier: Notifier, systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    while not caplog.records:  # net.unix.max_dgram_qlen messages fit
        notifier.watchdog()
    assert caplog.messages == ["systemd does not take WATCHDOG=: Resource temporarily unavailable"]
    while True:
        try:
            systemd.recv(4096)
        except BlockingIOError:
            break
    notifier.ready()
    assert systemd.recv(4096) == b"READY=1", "it works again as soon as systemd does"


def test_a_systemd_that_went_away_is_logged(
    notifier: Notifier, systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    systemd.close()
    notifier.stopping()
    assert caplog.messages == ["systemd does not take STOPPING=: Connection refused"]


# sdnotify drops the socket that it cannot connect, for the garbage collector to close.
@pytest.mark.filterwarnings("ignore:unclosed <socket")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_socket_that_is_not_there_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "missing"))
    Notifier().ready()
    assert caplog.messages == ["NOTIFY_SOCKET cannot be used: No such file or directory"]


def test_after_close_nothing_is_sent(notifier: Notifier, systemd: socket.socket) -> None:
    notifier.close()
    notifier.close()
    notifier.ready()
    with pytest.raises(BlockingIOError):
        systemd.recv(4096)


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_PID": str(os.getpid())}, None),
    ],
)
def test_watchdog_interval(environ: dict[str, str], interval: float | None) -> None:
    assert watchdog_interval(environ) == interval


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "soon", "\u0663"])
def test_a_watchdog_interval_that_makes_no_sense(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert watchdog_interval({"WATCHDOG_USEC": value}) is None
    assert caplog.messages == [
        f"WATCHDOG_USEC: expected microseconds, found {value!r}: no watchdog"
    ]
