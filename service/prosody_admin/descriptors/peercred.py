"""What the kernel knows about the process at the other end of a socket (unix(7)).

All of it is of the moment when the peer called connect(2), listen(2) or socketpair(2).
"""

import errno
import socket
import struct

# asm-generic/socket.h; Python has no names for them.
SO_PEERGROUPS = 59
SO_PEERPIDFD = 77

_UCRED = struct.Struct("=iII")  # pid_t, uid_t, gid_t
_GID_BYTES = 4

MAX_GROUPS = 256
"""How many groups can be read: Python's getsockopt has room for 1,024 bytes. The kernel allows a
process 65,536 (NGROUPS_MAX, getgroups(2))."""


def peer_ucred(sock: socket.socket) -> tuple[int, int, int]:
    """Return pid, uid and gid of the peer (SO_PEERCRED).

    Pid 0 is a process outside our PID namespace. A socket without a peer has pid 0 too, and
    4294967295 for uid and gid.
    """
    pid, uid, gid = _UCRED.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    )
    return pid, uid, gid


def peer_groups(sock: socket.socket) -> tuple[int, ...] | None:
    """Return the supplementary groups of the peer (SO_PEERGROUPS, since Linux 4.13).

    None where the kernel cannot tell, or where they are more than MAX_GROUPS. Raises OSError with
    ENODATA for a socket that has no peer.
    """
    try:
        gids = sock.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, MAX_GROUPS * _GID_BYTES)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOPROTOOPT, errno.ERANGE}:
            return None
        raise
    return struct.unpack(f"={len(gids) // _GID_BYTES}I", gids)


def peer_pidfd(sock: socket.socket) -> int | None:
    """Return a new pidfd of the peer, close-on-exec and the caller's (SO_PEERPIDFD, Linux 6.5).

    None where the kernel does not have it. Kernels before 6.16 answer EINVAL as well for a peer
    that has been reaped, so None never means that the peer still runs. Raises OSError with EMFILE
    or ENFILE when there is no descriptor left.
    """
    try:
        return sock.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOPROTOOPT}:
            return None
        raise
