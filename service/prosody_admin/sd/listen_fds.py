"""sd_listen_fds_with_names(3) and sd_is_socket_unix(3), in Python.

`systemd.daemon` has them as well, but loads libsystemd, which with all that it needs takes 5 ms of
each start and 1 MB.
"""

import errno
import os
import socket
import stat

FIRST = 3
"""The number of the first descriptor, SD_LISTEN_FDS_START."""

UNNAMED = "unknown"
"""The name of every descriptor where LISTEN_FDNAMES gives none."""


def listen_fds_with_names() -> dict[int, str]:
    """Return the name of each descriptor that LISTEN_* hands to this process, close-on-exec.

    Raises OSError: EINVAL where the variables make no sense, EBADF where a descriptor is not open.
    """
    if "LISTEN_PID" not in os.environ or "LISTEN_FDS" not in os.environ:
        return {}
    if _number("LISTEN_PID") != os.getpid():
        return {}
    descriptors = range(FIRST, FIRST + _number("LISTEN_FDS"))
    for fd in descriptors:
        os.set_inheritable(fd, False)
    names = os.environ.get("LISTEN_FDNAMES")
    found = [UNNAMED] * len(descriptors) if names is None else names.split(":")
    if len(found) != len(descriptors):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return dict(zip(descriptors, found, strict=True))


def is_unix_listener(fd: int) -> bool:
    """Return whether a descriptor is a listening AF_UNIX SOCK_STREAM socket."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    with socket.socket(fileno=os.dup(fd)) as sock:
        kind = sock.family, sock.type
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return kind == (socket.AF_UNIX, socket.SOCK_STREAM) and bool(listens)


def _number(variable: str) -> int:
    """Return the whole number in a variable, more than zero."""
    value = os.environ[variable]
    # 2**31 and above is no number of a process or a descriptor.
    if not (value.isascii() and value.isdecimal() and len(value) <= 10 and int(value) > 0):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return int(value)
