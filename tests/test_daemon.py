"""`daemon.py` in this process: start, stop, reload, idle exit, and what systemd is told."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from syslog import LOG_ERR

import pytest

from fakes.client import Client
from fakes.journal import MemoryJournal
from fakes.prosody import FakeProsody, Held
from fakes.service import changed, running
from fakes.waiting import one_turn, until
from prosody_admin.config import Settings
from prosody_admin.daemon import Daemon
from prosody_admin.errors import SettingsError
from prosody_admin.modules.registry import Modules
from prosody_admin.sd.activation import bind_listener
from prosody_admin.sd.journal import MessageId


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """What systemd was told since the last call, a message a line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def told() -> list[str]:
            messages = []
            while True:
                try:
                    messages.append(receiver.recv(4096).decode("ascii"))
                except BlockingIOError:
                    return messages

        yield told


async def test_systemd_is_told_of_start_sessions_and_stop(
    tmp_path: Path, systemd: Callable[[], list[str]]
) -> None:
    async with running(tmp_path, service={"drain_timeout": 3}) as service:
        assert systemd() == ["STATUS=0 sessions", "READY=1"]
        with await service.client(), await service.client() as second:
            assert systemd() == ["STATUS=1 session", "STATUS=2 sessions"]
            await second.close()
            await until(lambda: len(service.sessions) == 1)
            assert systemd() == ["STATUS=1 session"]
            service.daemon.stop("a test")
            service.daemon.stop("not again")
            assert await service.ended() is None
            assert systemd() == [
                "STOPPING=1",
                "STATUS=stopping: a test",
                "EXTEND_TIMEOUT_USEC=10000000",
            ]
    assert service.journal.of(MessageId.SERVICE_STARTED)[0].message.endswith(f"on {service.path}")
    assert service.journal.of(MessageId.SERVICE_STOPPING)[0].message == "Stopping: a test"


async def test_the_watchdog_is_fed_from_the_loop(
    tmp_path: Path, systemd: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    async with running(tmp_path):
        assert "WATCHDOG=1" in systemd()
        for _ in range(3):
            await until(lambda: "WATCHDOG=1" in systemd())


async def test_records_that_wait_for_the_journal_are_flushed_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prosody_admin.daemon.JOURNAL_FLUSH_INTERVAL", 0.02)
    flushed = asyncio.Event()
    monkeypatch.setattr(MemoryJournal, "flush", lambda _: flushed.set())
    async with running(tmp_path):
        async with asyncio.timeout(5):
            for _ in range(3):
                flushed.clear()
                await flushed.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_in_order(tmp_path: Path, number: signal.Signals) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            signal.raise_signal(number)
            _, condition = await client.last_words()
            assert await service.ended() is None
    assert condition == "system-shutdown"
    assert service.journal.of(MessageId.SERVICE_STOPPING)[0].message == (
        f"Stopping: {number.name} received"
    )
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_second_signal_is_immediate(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": Held()}) as prosody,
        running(tmp_path, service={"drain_timeout": 300}) as service,
    ):
        with await service.client() as client:
            await client.enter("held()")
            await prosody.wait_for_line()
            started = loop.time()
            signal.raise_signal(signal.SIGTERM)
            await service.journal.wait_for(MessageId.SERVICE_STOPPING)
            signal.raise_signal(signal.SIGINT)
            assert await service.ended() is signal.SIGINT
            assert loop.time() - started < 5
    closed = service.journal.of(MessageId.SESSION_CLOSED)[0]
    assert closed.message.endswith("closed: the session was cut off")


async def test_modules_hear_of_the_stop_before_sessions_do(tmp_path: Path) -> None:
    sessions: list[bool] = []

    async def stopping(_: None) -> None:
        await one_turn()
        sessions.extend(session.ending is None for session in service.sessions)

    async with running(tmp_path) as service:
        service.daemon._events.hook("server-stopping", stopping)
        with await service.client():
            service.daemon.stop("a test")
            await service.ended()
    assert sessions == [True]


@pytest.mark.parametrize("fails_with", [None, LookupError, asyncio.CancelledError])
async def test_a_module_cannot_prevent_the_stop(
    tmp_path: Path, fails_with: type[BaseException] | None
) -> None:
    async def fails(_: None) -> None:
        if fails_with is not None:
            raise fails_with
        await asyncio.get_running_loop().create_future()

    async with running(tmp_path, service={"drain_timeout": 0.05}) as service:
        service.daemon._events.hook("server-stopping", fails)
        with await service.client() as client:
            service.daemon.stop("a test")
            _, condition = await client.last_words()
    assert condition == "system-shutdown"
    (logged,) = (record for record in service.journal.records if record.priority == LOG_ERR)
    assert logged.message.startswith("a handler of server-stopping failed\nTraceback")


async def test_it_leaves_when_idle_and_not_before(
    tmp_path: Path, systemd: Callable[[], list[str]]
) -> None:
    async with running(tmp_path, leaves_when_idle=True, service={"idle_timeout": 0.1}) as service:
        assert systemd() == ["STATUS=0 sessions, leaving after 0.1 s without one", "READY=1"]
        with await service.client() as client:
            await asyncio.wait({service.task}, timeout=0.2)
            assert not service.task.done()
            assert not (await client.ask("admin:version()")).failed
        assert await service.ended() is None
    assert systemd()[:4] == [
        "STATUS=1 session",
        "STATUS=0 sessions, leaving after 0.1 s without one",
        "STOPPING=1",
        "STATUS=stopping: idle",
    ]
    assert service.journal.of(MessageId.SERVICE_STOPPING)[0].message == "Stopping: idle"


async def test_being_idle_begins_with_the_end_of_the_last_session(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with running(tmp_path, leaves_when_idle=True, service={"idle_timeout": 0.2}) as service:
        with await service.client():
            await asyncio.wait({service.task}, timeout=0.1)
        since = loop.time()
        await service.ended()
        assert loop.time() - since > 0.19


@pytest.mark.parametrize(("leaves", "idle_timeout"), [(False, 0.01), (True, 0.0)])
async def test_it_stays_when_told_so(tmp_path: Path, leaves: bool, idle_timeout: float) -> None:
    async with running(
        tmp_path, leaves_when_idle=leaves, service={"idle_timeout": idle_timeout}
    ) as service:
        await asyncio.wait({service.task}, timeout=0.05)
        assert not service.task.done()


async def test_whoever_comes_while_it_leaves_stays_in_the_backlog(tmp_path: Path) -> None:
    async with running(tmp_path, leaves_when_idle=True) as service:
        service.daemon._leave()
        late = await Client.connect(service.path)
        await service.ended()
        assert service.journal.of(MessageId.SESSION_OPENED) == []
        with service.listening.borrow_socket() as listening, late:
            accepted, _ = listening.accept()  # as the next service would
            accepted.close()


async def test_it_does_not_leave_when_somebody_just_came(tmp_path: Path) -> None:
    async with running(tmp_path, leaves_when_idle=True) as service:
        with await service.client() as client:
            service.daemon._leave()
            assert not (await client.ask("admin:version()")).failed


async def test_reload_takes_new_settings_or_keeps_the_old(
    tmp_path: Path, systemd: Callable[[], list[str]]
) -> None:
    results: list[Settings | SettingsError] = []

    def read() -> Settings:
        result = results.pop(0)
        if isinstance(result, SettingsError):
            raise result
        return result

    async def reload() -> list[str]:
        systemd()
        signal.raise_signal(signal.SIGHUP)
        await until(lambda: not results)
        return [message.split("\n")[0] for message in systemd()]

    async with running(tmp_path, read_settings=read) as service:
        results.append(changed(service.settings, limits={"sessions": 1}))
        assert await reload() == ["RELOADING=1", "STATUS=0 sessions", "READY=1"]
        assert service.journal.of(MessageId.SETTINGS_LOADED)
        with await service.client(), await service.client() as second:
            assert "too many sessions (1)" in (await second.ask("admin:version()")).result
            await until(lambda: len(service.sessions) == 1)
            results.append(SettingsError("x.toml: wrong"))
            assert await reload() == [
                "RELOADING=1",
                "STATUS=1 session; settings rejected, the old ones hold: x.toml: wrong",
                "READY=1",
            ]
            (rejected,) = service.journal.of(MessageId.SETTINGS_REJECTED)
            assert rejected.fields["ERROR"] == "x.toml: wrong"
            with await service.client() as third:
                assert "too many sessions (1)" in (await third.ask("admin:version()")).result
        await until(lambda: not len(service.sessions))
        results.append(service.settings)
        assert (await reload())[-2].startswith("STATUS=")
        assert "rejected" not in service.daemon._complaint


async def test_a_reload_comes_before_the_command_that_is_here_with_it(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.enter("admin:version()")
            signal.raise_signal(signal.SIGHUP)
            await client.answer()
    kinds = [record.event for record in service.journal.records]
    assert kinds.index(MessageId.SETTINGS_LOADED) < kinds.index(MessageId.COMMAND_STARTED)


async def test_no_reload_once_it_stops(tmp_path: Path, systemd: Callable[[], list[str]]) -> None:
    async with running(tmp_path) as service:
        service.daemon.stop("a test")
        service.daemon._reload()
        await service.ended()
    assert not [message for message in systemd() if message.startswith("RELOADING")]


async def test_a_start_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Modules, __: object) -> None:
        raise LookupError

    monkeypatch.setattr(Modules, "set_enabled", fails)
    with bind_listener(tmp_path / "admin") as listening:
        daemon = Daemon(Settings(), [listening], MemoryJournal(), Settings, leaves_when_idle=False)
        with pytest.raises(LookupError):
            await daemon.run()
