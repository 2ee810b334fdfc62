"""`net/peer.py`: what the kernel says, and what a /proc that a test wrote says."""

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prosody_admin.access.identity import OVERFLOW_UID, Identity
from prosody_admin.descriptors import Credential, File
from prosody_admin.errors import PeerError
from prosody_admin.net.peer import NO_LOGIN, Peer, identify

PID = os.getpid()


@pytest.fixture
def connection() -> Iterator[File]:
    """One end of a pair, whose other end is this process as well."""
    ours, theirs = socket.socketpair()
    with theirs, File.adopt(ours.detach()) as file:
        yield file


def proc(directory: Path, **files: str) -> Path:
    """Write a /proc with one process, this one."""
    (directory / str(PID)).mkdir()
    for name, text in files.items():
        (directory / str(PID) / name).write_text(text, encoding="utf-8")
    return directory


def identity(connection: File, proc: Path) -> Identity:
    peer = identify(connection, proc)
    assert peer.pidfd is not None
    peer.close()
    assert peer.pidfd.closed
    return peer.identity


def test_the_kernel_names_this_process(connection: File, tmp_path: Path) -> None:
    found = identity(connection, tmp_path)
    assert (found.pid, found.uid, found.gid) == (PID, os.getuid(), os.getgid())
    assert sorted(found.groups) == sorted(os.getgroups())
    assert found.user == pwd.getpwuid(os.getuid()).pw_name
    assert (found.login_uid, found.login_user, found.unit) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "uid"),
    [("0", 0), ("1234567", 1234567), (str(NO_LOGIN), None), ("", None), ("none", None)],
)
def test_login(connection: File, tmp_path: Path, text: str, uid: int | None) -> None:
    found = identity(connection, proc(tmp_path, loginuid=text))
    assert found.login_uid == uid
    assert found.login_user == ("root" if uid == 0 else None)


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/cron.service\n", "cron.service"),
        ("0::/user.slice/user-1.slice/session-3.scope\n", "session-3.scope"),
        ("0::/user.slice/user@1.service/app.slice/app-x.scope\n", "user@1.service"),
        ("0::/user.slice/user@1.service/evil.slice/backup.service\n", "user@1.service"),
        ("0::/system.slice/payload/backup.service\n", None),
        ("0::/system.slice/a.service/payload\n", "a.service"),
        ("1:name=systemd:/x.service\n0::/y.service\n", "y.service"),
        ("1:name=systemd:/x.service\n", None),
        ("0::/\n", None),
        ("", None),
        ("0::/a.service/x\u20280::/b.service\n", "a.service"),
        ("1:name=systemd:/a.service/x\u20280::/b.service\n", None),
        ("1:name=systemd:/a.service/x\r0::/b.service\n", None),
        ("0::/a\x1b[1m.service\n", "a\ufffd[1m.service"),
    ],
)
def test_unit(connection: File, tmp_path: Path, cgroup: str, unit: str | None) -> None:
    assert identity(connection, proc(tmp_path, cgroup=cgroup)).unit == unit


def test_the_real_proc_is_readable(connection: File) -> None:
    assert identity(connection, Path("/proc")).pid == PID


def test_of_a_process_that_is_gone_nothing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        connects = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        with subprocess.Popen([sys.executable, "-c", connects, path]) as process:
            pid = process.pid
        accepted, _ = listening.accept()
    with File.adopt(accepted.detach()) as connection:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "loginuid").write_text("0")  # a stranger's with the same number
        peer = identify(connection, tmp_path)
        peer.close()
    assert peer.identity.pid == pid
    assert peer.identity.uid == os.getuid()
    assert peer.identity.login_uid is None


@pytest.mark.parametrize("pid", [0, PID])
def test_without_a_pinned_process_nothing_is_read(
    connection: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: int
) -> None:
    credential = Credential(pid, OVERFLOW_UID + 1, 7, None, None)
    monkeypatch.setattr(File, "cred", lambda _: credential)
    peer = identify(connection, proc(tmp_path, loginuid="0"))
    peer.close()
    assert peer.identity == Identity(pid, OVERFLOW_UID + 1, 7)


def test_a_socket_without_a_peer() -> None:
    with (
        File.adopt(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()) as lonely,
        pytest.raises(PeerError, match="does not say who the peer is"),
    ):
        identify(lonely)


@pytest.mark.parametrize(
    ("name", "shown"), [("j\udcfcrgen", "j\ufffdrgen"), ("e\x01ve", "e\ufffdve")]
)
def test_a_name_that_no_stanza_could_carry_is_made_harmless(
    connection: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    entry = pwd.struct_passwd((name, "x", os.getuid(), 0, "", "/", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
    assert identity(connection, tmp_path).user == shown


@pytest.mark.parametrize(
    ("status_uid", "expected", "same"), [(0, 0, True), (1000, 0, False), (1000, 1000, True)]
)
def test_where_root_owns_the_directory_the_status_decides(
    tmp_path: Path, status_uid: int, expected: int, same: bool
) -> None:
    """So it is for a process whose memory may not be dumped, and for root's own."""
    where = proc(tmp_path, status=f"Name:\tx\nUid:\t1\t{status_uid}\t1\t1\n")
    if os.stat(where / str(PID)).st_uid != 0:
        pytest.skip("only root has directories of root's")
    with File.adopt(os.pidfd_open(PID)) as pidfd:
        assert Peer(Identity(PID, expected, 1), pidfd).is_what_it_was(str(where)) is same


def test_a_process_that_ended_is_gone_even_if_nobody_has_waited_for_it() -> None:
    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process,
        File.adopt(os.pidfd_open(process.pid)) as pidfd,
    ):
        peer = Peer(Identity(process.pid, os.getuid(), 1), pidfd)
        assert peer.is_what_it_was()
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PIDFD, pidfd.fileno(), os.WEXITED | os.WNOWAIT)
        assert not peer.is_what_it_was(), "it is a zombie"
        process.wait()
        assert not peer.is_what_it_was()


def test_who_owns_its_directory_is_who_it_was(tmp_path: Path) -> None:
    where = proc(tmp_path)
    owner = os.getuid() or 1000
    if os.getuid() == 0:
        os.chown(where / str(PID), owner, -1)
    with File.adopt(os.pidfd_open(PID)) as pidfd:
        assert Peer(Identity(PID, owner, 1), pidfd).is_what_it_was(str(where))
