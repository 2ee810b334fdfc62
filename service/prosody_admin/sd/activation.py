"""The descriptors that systemd hands over, listening sockets first of all, or one bound here.

After sd_listen_fds(3), sd_is_socket(3) and unix(7). What systemd hands over stays systemd's: it is
never bound, unlinked, chmodded or shut down here. What `bind_listener` binds is ours to remove.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from prosody_admin.descriptors import File, OpenFlags
from prosody_admin.errors import ActivationError
from prosody_admin.sd.fdstore import STORED_NAME
from prosody_admin.sd.listen_fds import UNNAMED, is_unix_listener, listen_fds_with_names

SOCKET_PATH_BYTES = 107
"""The longest path of a Unix socket; `sun_path` has one more, to end the string (unix(7))."""

_FILE_TYPES = {
    stat.S_IFREG: "a regular file",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFLNK: "a symbolic link",
}


class HandedOver(NamedTuple):
    """What systemd handed to this process, close-on-exec; whoever asked for it owns it.

    `listening`, at least one, are listening AF_UNIX SOCK_STREAM sockets, non-blocking, in their
    order. `stored` is what the process before had systemd keep, in no order, see sd/fdstore.py:
    nobody has looked at it yet.
    """

    listening: list[File]
    stored: list[File]


def adopt_descriptors(name: str = "admin") -> HandedOver:
    """Take over what systemd handed to this process; LISTEN_* is removed from the environment.

    Each descriptor that is not named STORED_NAME has to be a listener and named `name`
    (`FileDescriptorName=` of systemd.socket(5)).

    Raises ActivationError, which says of each descriptor what is wrong and what was expected. All
    are closed then, but for an environment that does not tell which ones were meant.
    """
    with ExitStack() as owned:
        names = _handed_over(name)
        files = {fd: owned.enter_context(File.adopt(fd)) for fd in names}
        stored = [files.pop(fd) for fd, found in names.items() if found == STORED_NAME]
        complaints = [
            f"descriptor {fd} ({names[fd]}): {complaint}"
            for fd, file in files.items()
            if (complaint := _complaint(file, names[fd], name))
        ]
        if not files:
            complaints = [f"no socket was handed over, only what was stored: {_wanted(name)}"]
        if complaints:
            raise ActivationError("; ".join(complaints))
        for file in files.values():
            if OpenFlags.NONBLOCK not in file.flags():  # NonBlocking= of systemd.service(5)
                with file.borrow() as fd:
                    os.set_blocking(fd, False)
        owned.pop_all()  # ownership goes to the caller
        return HandedOver([*files.values()], stored)


@contextmanager
def bind_listener(path: Path, backlog: int = 128) -> Iterator[File]:
    """Listen on `path` while the context lasts, for running without systemd.

    The socket has mode 0600 from its first moment. A socket at `path` that nobody listens on is
    replaced. At the end the path is removed, if it is still this socket, and then the `File` is
    closed: in this order, or somebody else's new socket could have got the old one's inode number.
    Two processes that start on one path in the same moment are not kept apart.

    `backlog` is in connections (listen(2)). Raises ActivationError when the path is too long, in
    use, not a socket, or cannot be bound.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise ActivationError(
            f"{path}: the path of a socket has {SOCKET_PATH_BYTES} bytes at most,"
            f" this one has {len(os.fsencode(path))}"
        )
    try:
        _remove_dead_socket(path)
        file = _listen(path, backlog)
    except OSError as error:
        raise ActivationError(f"{path}: cannot listen there: {error.strerror}") from error
    with file:
        bound = path.lstat()
        try:
            yield file
        finally:
            _remove(path, bound)


def listening_path(file: File) -> str:
    """Return where a Unix socket listens, for people: a path, or `@name` of an abstract one."""
    with file.borrow_socket() as listener:
        address: str | bytes = listener.getsockname()
    if isinstance(address, bytes):  # abstract (unix(7)): begins with a zero byte
        return "@" + address[1:].decode("utf-8", "backslashreplace")
    return address


def _handed_over(name: str) -> dict[int, str]:
    """Return the name of each descriptor that LISTEN_* gives to this process; at least one."""
    variables = {
        key: os.environ[key]
        for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
        if key in os.environ
    }
    environment = " ".join(f"{key}={value!r}" for key, value in variables.items())
    try:
        names = listen_fds_with_names()
    except OSError as error:
        raise ActivationError(
            f"cannot make out which sockets were handed over: {error.strerror} in {environment};"
            " expected two whole numbers, and every descriptor from 3 on that they count open"
        ) from error
    finally:
        for key in variables:
            del os.environ[key]
    if names:
        return names
    if variables.keys() >= {"LISTEN_PID", "LISTEN_FDS"}:
        raise ActivationError(
            f"the sockets were handed over to another process: LISTEN_PID is"
            f" {variables['LISTEN_PID']}, this process is {os.getpid()};"
            " nothing may stand between systemd and the service"
        )
    raise ActivationError(f"no socket was handed over (LISTEN_FDS and LISTEN_PID): {_wanted(name)}")


def _wanted(name: str) -> str:
    return (
        f"start prosody-admin.socket, use systemd-socket-activate --fdname={name},"
        " or let the service bind a path itself with --listen PATH"
    )


def _complaint(file: File, found_name: str, name: str) -> str:
    """Say what is wrong with a descriptor that was handed over; nothing if it fits."""
    if found_name == UNNAMED:
        return (
            f"expected the name {name}, found none: set FileDescriptorName={name} in the socket"
            f" unit, or --fdname={name} of systemd-socket-activate, once for each socket"
        )
    if found_name != name:
        return f"expected the name {name}: set FileDescriptorName={name} in the socket unit"
    with file.borrow() as fd:
        fits = is_unix_listener(fd)
    return "" if fits else f"expected a listening AF_UNIX SOCK_STREAM socket, found {_what(file)}"


def _what(file: File) -> str:
    with file.borrow() as fd:
        file_type = stat.S_IFMT(os.fstat(fd).st_mode)
    if file_type != stat.S_IFSOCK:
        return _FILE_TYPES.get(file_type, "something that is no socket")
    with file.borrow_socket() as sock:
        family = getattr(sock.family, "name", f"family {sock.family}")
        kind = getattr(sock.type, "name", f"type {sock.type}")
        listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listening or sock.type != socket.SOCK_STREAM:
        return f"an {family} {kind} socket"
    return f"an {family} {kind} socket that does not listen (does the unit say Accept=yes?)"


def _listen(path: Path, backlog: int) -> File:
    """Bind and listen on `path`; bind(2) gives the path the mode that the socket has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(os.fspath(path))
        listener.listen(backlog)
        return File.adopt(listener.detach())


def _remove_dead_socket(path: Path) -> None:
    """Make `path` free if only a socket that nobody listens on is in the way.

    Raises ActivationError if something else is.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    file_type = stat.S_IFMT(found.st_mode)
    if file_type != stat.S_IFSOCK:
        raise ActivationError(
            f"{path}: expected nothing or an unused socket there, found"
            f" {_FILE_TYPES.get(file_type, 'something else')}, which is left alone"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        result = probe.connect_ex(os.fspath(path))
    if result in {0, errno.EAGAIN, errno.EPROTOTYPE}:  # EAGAIN: its backlog is full
        raise ActivationError(f"{path}: in use by another process")
    if result != errno.ECONNREFUSED:
        raise OSError(result, os.strerror(result))
    _remove(path, found)


def _remove(path: Path, expected: os.stat_result) -> None:
    """Unlink `path` if it is still the file that `expected` describes."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if (found.st_dev, found.st_ino) == (expected.st_dev, expected.st_ino):
        path.unlink()
