"""`sd/fdstore.py`, against a store like systemd's."""

import errno
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.systemd import Systemd
from prosody_admin.descriptors import File
from prosody_admin.errors import FdStoreError
from prosody_admin.sd import fdstore
from prosody_admin.sd.fdstore import FILES_AT_ONCE, NOTE_BYTES, STORED_MAX, FdStore, take_back

UNIT = (Path(__file__).parents[2] / "units/prosody-admin.service").read_text(encoding="utf-8")


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    with Systemd(tmp_path / "notify") as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
        yield systemd


@pytest.fixture
def pair() -> Iterator[tuple[File, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    with File.adopt(ours.detach()) as file, theirs:
        yield file, theirs


def inode(fd: int) -> int:
    return os.fstat(fd).st_ino


def test_a_socket_and_a_note_come_back_in_another_process(
    systemd: Systemd, pair: tuple[File, socket.socket]
) -> None:
    ours, theirs = pair
    FdStore().keep(b"about it", [ours])
    assert len(systemd.stored) == 2
    number = inode(ours.fileno())
    ours.close()  # as the end of this process does
    notes, (file,) = take_back(systemd.hands_over())
    assert notes == [b"about it"]
    assert systemd.stored == []
    with file:
        assert inode(file.fileno()) == number
        theirs.send(b"ping")
        assert os.read(file.fileno(), 9) == b"ping"


def test_several_messages_have_several_notes(
    systemd: Systemd, pair: tuple[File, socket.socket]
) -> None:
    store = FdStore()
    store.keep(b"1", [])
    store.keep(b"2", [pair[0]])
    notes, (file,) = take_back(systemd.hands_over())
    file.close()
    assert sorted(notes) == [b"1", b"2"]
    assert systemd.stored == []


def test_as_much_as_a_message_and_a_note_hold(
    systemd: Systemd, pair: tuple[File, socket.socket]
) -> None:
    FdStore().keep(b"x" * NOTE_BYTES, [pair[0]] * FILES_AT_ONCE)
    notes, files = take_back(systemd.hands_over())
    for file in files:
        file.close()
    assert notes == [b"x" * NOTE_BYTES]
    assert len(files) == FILES_AT_ONCE


def test_nothing_stored_is_nothing_said(systemd: Systemd) -> None:
    assert take_back([]) == ([], [])
    assert systemd.stored == []
    assert systemd.told == []


def test_the_unit_has_room_for_as_many_as_are_stored() -> None:
    found = re.search("^FileDescriptorStoreMax=(.*)$", UNIT, re.MULTILINE)
    assert found is not None
    assert int(found[1]) == STORED_MAX
    assert STORED_MAX > 4096, "what [limits] sessions may be"


def test_no_more_than_there_is_room_for(
    systemd: Systemd, pair: tuple[File, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fdstore, "STORED_MAX", 4)
    store = FdStore()
    store.keep(b"", [pair[0]])
    with pytest.raises(FdStoreError, match="more than 4 descriptors cannot be kept"):
        store.keep(b"", [pair[0]] * 2)
    store.keep(b"", [pair[0]])
    assert len(systemd.stored) == 4


@pytest.mark.parametrize("path", [None, "missing"])
def test_without_systemd_nothing_is_kept(
    path: str | None,
    tmp_path: Path,
    pair: tuple[File, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if path is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / path))
    with pytest.raises(FdStoreError, match="systemd keeps no descriptors: "):
        FdStore().keep(b"", [pair[0]])


def test_a_pipe_without_its_room(
    systemd: Systemd, pair: tuple[File, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fdstore, "NOTE_BYTES", NOTE_BYTES + 1)  # more than the kernel's
    with pytest.raises(FdStoreError, match="has not the room"):
        FdStore().keep(b"x" * (NOTE_BYTES + 1), [pair[0]])
    assert systemd.stored == []


def test_what_cannot_be_taken_out_is_nothing_to_go_on_with(
    systemd: Systemd,
    pair: tuple[File, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    FdStore().keep(b"about it", [pair[0]])
    stored = systemd.hands_over()
    monkeypatch.delenv("NOTIFY_SOCKET")
    notes, (file,) = take_back(stored)
    file.close()
    assert notes == []
    assert "systemd does not give up what it kept" in caplog.text


def test_a_pipe_that_was_read_already(systemd: Systemd, caplog: pytest.LogCaptureFixture) -> None:
    reading, writing = os.pipe2(os.O_NONBLOCK)
    try:
        assert take_back([File.adopt(reading)]) == ([], [])
    finally:
        os.close(writing)
    assert "a note of the process before is lost" in caplog.text
    assert os.strerror(errno.EAGAIN) in caplog.text
    assert systemd.stored == []
