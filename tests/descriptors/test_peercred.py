"""Who is at the other end: of real sockets, and of kernels that know less than this one."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from descriptors.table import full_table
from prosody_admin.descriptors import File
from prosody_admin.descriptors.peercred import (
    SO_PEERGROUPS,
    SO_PEERPIDFD,
    peer_groups,
    peer_pidfd,
    peer_ucred,
)

CONNECT_AND_WAIT_FOR_EOF = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    client.recv(1)
"""


class OldKernelSocket(socket.socket):
    """A socket of a kernel that answers some options with an error."""

    refused: dict[int, int]

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> bytes:  # type: ignore[override] # one of three overloads
        if optname in self.refused:
            raise OSError(self.refused[optname], os.strerror(self.refused[optname]))
        return super().getsockopt(level, optname, buflen)


@pytest.fixture
def old_socket() -> Iterator[OldKernelSocket]:
    with OldKernelSocket(socket.AF_UNIX) as sock:
        yield sock


def process_of(pidfd: File) -> int:
    """Return the pid that a pidfd stands for, -1 once it has been reaped (pidfd_open(2))."""
    with pidfd.borrow() as fd:
        lines = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))


def test_the_peer_of_a_socket_pair_is_this_process() -> None:
    near, far = (File.adopt(sock.detach()) for sock in socket.socketpair())
    with near, far:
        credential = near.cred()
        assert (credential.pid, credential.uid, credential.gid) == (
            os.getpid(),
            os.getuid(),
            os.getgid(),
        )
        assert credential.groups is not None
        assert sorted(credential.groups) == sorted(os.getgroups())
        assert credential.pidfd is not None
        with credential.pidfd:
            assert process_of(credential.pidfd) == os.getpid()
            assert not os.get_inheritable(credential.pidfd.fileno())


def test_the_pidfd_is_a_handle_and_no_part_of_the_value() -> None:
    near, far = (File.adopt(sock.detach()) for sock in socket.socketpair())
    with near, far:
        one, other = near.cred(), far.cred()
        assert one == other
        for credential in (one, other):
            assert credential.pidfd is not None
            credential.pidfd.close()


def test_the_peer_of_an_accepted_connection_is_the_process_that_connected(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with File.adopt(listener.detach()) as listening:
        client = subprocess.Popen([sys.executable, "-c", CONNECT_AND_WAIT_FOR_EOF, path])
        with listening.borrow_socket() as sock:
            accepted = sock.accept()[0].detach()
        with File.adopt(accepted) as connection:
            alive = connection.cred()
            assert alive.pid == client.pid
            assert alive.pidfd is not None
            assert process_of(alive.pidfd) == client.pid
            with connection.borrow_socket() as sock:
                sock.shutdown(socket.SHUT_RDWR)
            assert client.wait(timeout=60) == 0

            with alive.pidfd, alive.pidfd.borrow() as fd, pytest.raises(ProcessLookupError):
                signal.pidfd_send_signal(fd, 0)
            gone = connection.cred()  # of the moment of connect, so it still answers
            assert gone == alive
            if gone.pidfd is not None:  # Linux 6.16
                with gone.pidfd:
                    assert process_of(gone.pidfd) == -1
        own = listening.cred()
        assert own.pid == os.getpid()
        assert own.pidfd is not None
        own.pidfd.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change its groups")
def test_all_groups_of_the_peer_are_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        client = subprocess.Popen(
            [sys.executable, "-c", CONNECT_AND_WAIT_FOR_EOF, tmp_path / "socket"],
            extra_groups=[7, 4_294_967_294, 1000],
        )
        with listener.accept()[0] as connection:
            groups = peer_groups(connection)
    assert client.wait(timeout=60) == 0
    assert groups == (7, 1000, 4_294_967_294)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change its groups")
def test_more_groups_than_can_be_read_are_unknown(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        client = subprocess.Popen(
            [sys.executable, "-c", CONNECT_AND_WAIT_FOR_EOF, tmp_path / "socket"],
            extra_groups=range(1, 258),
        )
        with listener.accept()[0] as connection:
            assert peer_groups(connection) is None
    assert client.wait(timeout=60) == 0


def test_a_socket_without_a_peer_has_nobody() -> None:
    with socket.socket(socket.AF_UNIX) as alone:
        assert peer_ucred(alone) == (0, 2**32 - 1, 2**32 - 1)
        with File.fget(alone.fileno()) as file, pytest.raises(OSError, match="No data available"):
            file.cred()


def test_what_is_no_socket_has_no_peer() -> None:
    null = File.adopt(os.open("/dev/null", os.O_RDONLY))
    with null, pytest.raises(OSError, match="non-socket"):
        null.cred()


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.ENOPROTOOPT])
def test_an_older_kernel_leaves_groups_and_pidfd_unknown(
    old_socket: OldKernelSocket, refusal: int
) -> None:
    old_socket.refused = {SO_PEERGROUPS: refusal, SO_PEERPIDFD: refusal}
    assert peer_groups(old_socket) is None
    assert peer_pidfd(old_socket) is None


def test_any_other_error_is_passed_on(old_socket: OldKernelSocket) -> None:
    old_socket.refused = {SO_PEERGROUPS: errno.EPERM, SO_PEERPIDFD: errno.EPERM}
    with pytest.raises(PermissionError):
        peer_groups(old_socket)
    with pytest.raises(PermissionError):
        peer_pidfd(old_socket)


def test_a_credential_without_a_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prosody_admin.descriptors.file.peer_pidfd", lambda _sock: None)
    near, far = (File.adopt(sock.detach()) for sock in socket.socketpair())
    with near, far:
        assert near.cred().pidfd is None


def test_no_number_left_for_the_pidfd_is_an_error_and_not_an_unknown() -> None:
    near, far = (File.adopt(sock.detach()) for sock in socket.socketpair())
    with near, far, full_table(), pytest.raises(OSError, match="Too many open files"):
        near.cred()
