"""`net/handover.py`: what is handed over and is not what it should be makes no session."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.journal import MemoryJournal
from fakes.service import running
from fakes.systemd import Systemd
from net.restarts import first, restarted, second
from prosody_admin.config import Settings
from prosody_admin.daemon import Daemon
from prosody_admin.descriptors import File
from prosody_admin.modules.registry import Modules
from prosody_admin.sd.activation import bind_listener
from prosody_admin.sd.fdstore import FdStore
from prosody_admin.sd.journal import MessageId

TOLD = "Error: the service restarted without this session"

Change = Callable[[dict[str, Any]], object]


def altered(files: list[File], change: Change) -> list[File]:
    """Return what was stored, with other values in the state of each session."""
    (note,) = [file for file in files if os.path.basename(target(file)).startswith("pipe")]
    files.remove(note)
    lines = []
    with note.borrow() as fd:
        for line in os.read(fd, 65536).splitlines():
            values = json.loads(line)
            change(values)
            lines.append(json.dumps(values).encode())
    note.close()
    reading, writing = os.pipe()
    os.write(writing, b"\n".join(lines))
    os.close(writing)
    return [*files, File.adopt(reading)]


def target(file: File) -> str:
    with file.borrow() as fd:
        return os.readlink(f"/proc/self/fd/{fd}")


def of_another(**values: Any) -> Change:
    return lambda state: state["identity"].update(values)


def damaged(**values: Any) -> Change:
    return lambda state: state.update(values)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (of_another(uid=12345), "its socket is another peer's"),
        (of_another(gid=12345), "its socket is another peer's"),
        (of_another(pid=1), "its socket is another peer's"),
        (of_another(pid=None), "pid is wrong"),
        (damaged(inode=1), "its socket is not there"),
        (damaged(version=2), "of another version"),
        (damaged(header="<stream>"), "invalid-namespace: the root is not a stream"),
        (damaged(header=""), "bad-format: not one whole header"),
        (damaged(header="<" + "x" * 5000), "policy-violation: a tag of more than 4096 bytes"),
    ],
)
async def test_a_state_that_is_not_its_own_gives_no_session(
    tmp_path: Path, systemd: Systemd, change: Change, reason: str
) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    files = altered(systemd.hands_over(), change)
    async with running(tmp_path, stored=files) as service:
        with client:
            assert service.sessions == []
            stanzas, condition = await client.last_words()
            assert [stanza.text for stanza in stanzas] == [TOLD]
            assert condition == "internal-server-error"
        with await service.client() as another:
            assert not (await another.ask("admin:version()")).failed
    failed = service.journal.of(MessageId.RESUME_FAILED)
    assert failed[0].fields["ERROR"] == reason
    assert service.journal.of(MessageId.SESSION_RESUMED) == []


async def test_a_peer_that_the_kernel_no_longer_knows_may_do_nothing(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    monkeypatch.setattr("prosody_admin.descriptors.file.peer_pidfd", lambda _: None)
    async with second(tmp_path, systemd, store=FdStore()) as service:
        assert "the process that connected is gone" in (await client.ask("admin:version()")).result
        await restarted(service)
    async with second(tmp_path, systemd) as service:
        with client:
            answer = await client.ask("admin:version()")
            assert "the process that connected is gone" in answer.result
    (refused,) = service.journal.of(MessageId.COMMAND_REFUSED)
    assert refused.fields["RULE"] == "vanished-peer"


async def test_two_of_one_id_are_one_session(tmp_path: Path, systemd: Systemd) -> None:
    async with first(tmp_path) as service:
        clients = [await service.client() for _ in range(2)]
        await restarted(service)
    files = altered(systemd.hands_over(), damaged(id="0" * 8))
    async with running(tmp_path, stored=files) as service:
        with clients[0], clients[1]:
            assert [session.id for session in service.sessions] == ["0" * 8]
            await service.journal.wait_for(MessageId.RESUME_FAILED)
    (failed,) = service.journal.of(MessageId.RESUME_FAILED)
    assert failed.fields == {"SESSION": "0" * 8, "ERROR": "there is a session with this id"}


async def test_other_descriptors_are_closed(tmp_path: Path, systemd: Systemd) -> None:
    async with first(tmp_path) as service:
        clients = [await service.client() for _ in range(2)]
        await restarted(service)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        foreign = socket.create_connection(listening.getsockname())
        others = [foreign.detach(), os.open("/dev/null", os.O_RDWR)]
        inodes = iter([os.fstat(fd).st_ino for fd in others])
        files = altered(systemd.hands_over(), lambda state: state.update(inode=next(inodes)))
        files += map(File.adopt, others)
        async with running(tmp_path, stored=files) as service:
            for client in clients:
                with client:
                    assert (await client.last_words())[1] == "internal-server-error"
    failed = service.journal.of(MessageId.RESUME_FAILED)
    assert sorted(record.fields["ERROR"] for record in failed) == [
        "a descriptor without a state",
        "a descriptor without a state",
        "its socket cannot be used: Socket operation on non-socket",
        "its socket is of another kind",
    ]
    assert all(file.closed for file in files)


async def test_a_listening_socket_is_no_session(tmp_path: Path, systemd: Systemd) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "other"))
        listening.listen()
        async with first(tmp_path) as service:
            with await service.client():
                await restarted(service)
        inode = os.fstat(listening.fileno()).st_ino
        files = altered(systemd.hands_over(), damaged(inode=inode))
        files.append(File.fget(listening.fileno()))
        async with running(tmp_path, stored=files) as service:
            assert service.sessions == []
        client.connect(str(tmp_path / "other"))  # it still listens
    assert service.journal.of(MessageId.RESUME_FAILED)


async def test_a_note_that_is_lost_closes_its_sessions(tmp_path: Path, systemd: Systemd) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    files = systemd.hands_over()
    for file in files:
        if "pipe" in target(file):
            os.read(file.fileno(), 65536)
    async with running(tmp_path, stored=files) as service:
        with client:
            assert (await client.last_words())[1] == "internal-server-error"
    (failed,) = service.journal.of(MessageId.RESUME_FAILED)
    assert failed.fields == {"ERROR": "a descriptor without a state"}


async def test_a_start_that_fails_closes_what_was_stored(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with first(tmp_path) as service:
        client = await service.client()
        await restarted(service)
    files = systemd.hands_over()

    def fails(_: object, __: object) -> None:
        raise LookupError

    monkeypatch.setattr(Modules, "set_enabled", fails)
    with bind_listener(tmp_path / "admin") as listening:
        daemon = Daemon(
            Settings(),
            [listening],
            MemoryJournal(),
            Settings,
            leaves_when_idle=False,
            stored=files,
        )
        with pytest.raises(LookupError):
            await daemon.run()
    systemd.forget()
    with client:
        assert await client.last_words() == ([], "")
    assert all(file.closed for file in files)
