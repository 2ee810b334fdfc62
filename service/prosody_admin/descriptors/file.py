"""A descriptor with one owner."""

import errno
import fcntl
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import NoReturn, Self

from prosody_admin.descriptors.flags import OpenFlags
from prosody_admin.descriptors.peercred import peer_groups, peer_pidfd, peer_ucred
from prosody_admin.errors import BadFdError, ReservationError


@dataclass(frozen=True, slots=True)
class Credential:
    """Who was at the other end when the connection was made.

    `groups` are the supplementary ones, None where the kernel does not tell. `pidfd` belongs to
    whoever asked, who closes it; without one, nothing proves that `pid` is still the same process.
    """

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...] | None
    pidfd: "File | None" = field(compare=False)  # a handle on the process, no part of who it is


class File:
    """The owner of one descriptor. Make one with `adopt`, `fget` or `clone`.

    The number is the File's alone: nobody else closes it, and it is closed once. `close` ends the
    File at once, while the number stays taken for as long as anybody borrows it, so a borrower
    never finds a stranger's file under it. All methods may be called from any thread.
    """

    __slots__ = ("__weakref__", "_closed", "_fd", "_lock", "_pins", "_when_free")

    def __init__(self, fd: int) -> None:
        """Own `fd`, known to be open, close-on-exec and nobody else's."""
        self._fd = fd
        self._closed = False
        self._pins = 0
        self._when_free: list[Callable[[], object]] = []
        self._lock = threading.Lock()  # over the three above, for one step at a time

    @classmethod
    def adopt(cls, fd: int) -> Self:
        """Take over a descriptor from whoever owned it, and make it close-on-exec.

        Raises BadFdError if `fd` is not open.
        """
        _fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        return cls(fd)

    @classmethod
    def fget(cls, fd: int) -> Self:
        """Take a reference of one's own to the open file behind `fd`, which stays its owner's.

        Raises BadFdError if `fd` is not open, OSError with EMFILE if there is no number left.
        """
        return cls(_fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0))

    def clone(self) -> Self:
        """Return a second owner of the same open file, with a number of its own.

        Offset, status flags and a shutdown(2) are shared, being the open file's (open(2)).
        Raises BadFdError if this one is closed, OSError with EMFILE if there is no number left.
        """
        with self.borrow() as fd:
            return self.fget(fd)

    @contextmanager
    def borrow(self) -> Iterator[int]:
        """Lend the number: it stays what it is until the block ends, whoever closes the File.

        Raises BadFdError if the File is closed already.
        """
        with self._lock:
            self._check_open()
            self._pins += 1
        try:
            yield self._fd
        finally:
            with self._lock:
                self._pins -= 1
                free = self._closed and self._pins == 0
            if free:
                self._free()

    @contextmanager
    def borrow_socket(self) -> Iterator[socket.socket]:
        """Lend the number as a socket object, for accept, connect, shutdown and the options.

        The object is dead after the block. Closing it inside would close what it does not own.
        Raises BadFdError if the File is closed already, OSError with ENOTSOCK if it is no socket.
        """
        with self.borrow() as fd:
            sock = socket.socket(fileno=fd)
            try:
                yield sock
            finally:
                sock.detach()

    def flags(self) -> OpenFlags:
        """Return access mode and status flags (F_GETFL). Raises BadFdError if closed."""
        with self.borrow() as fd:
            return OpenFlags(fcntl.fcntl(fd, fcntl.F_GETFL))

    def cred(self) -> Credential:
        """Ask the kernel who is at the other end of this socket.

        Of a listening socket it is whoever called listen(2). Raises BadFdError if closed, and
        OSError: ENOTSOCK if it is no socket, ENODATA if it has no peer, EMFILE if there is no
        number left for the pidfd.
        """
        with self.borrow_socket() as sock:
            pid, uid, gid = peer_ucred(sock)
            groups = peer_groups(sock)
            pidfd = peer_pidfd(sock)  # last, so that no error can strand it
            return Credential(pid, uid, gid, groups, None if pidfd is None else File(pidfd))

    def fileno(self) -> int:
        """Return the number without pinning it, for the poller. Raises BadFdError if closed."""
        self._check_open()
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether `close` was called; a borrower may still hold the number."""
        return self._closed

    def close(self, when_free: Callable[[], object] | None = None) -> None:
        """End the File; its number is closed now or, if it is lent, by the last borrower.

        `when_free` is called when that happens, in the thread where it happens, but not if it
        has happened before. Otherwise closing twice does nothing.

        Raises OSError if the kernel reports a failed write of earlier (EIO and the like, close(2));
        the number is free all the same, so there is nothing to try again.
        """
        with self._lock:
            free = not self._closed and self._pins == 0
            self._closed = True
            if when_free is not None:
                self._when_free.append(when_free)
        if free:
            self._free()

    def move_to(self, fd: int) -> None:
        """Put the open file under `fd`, a number that the caller owns, and close this File.

        What `fd` was before is closed in the same step (dup3(2)), which needs no free number.

        Raises BadFdError if the File is closed, ReservationError if it is borrowed, OSError as
        dup3(2) does; in each case nothing has changed.
        """
        with self._lock:
            self._check_open()
            if self._pins:
                raise ReservationError(f"descriptor {self._fd} is borrowed and cannot move")
            os.dup2(self._fd, fd, inheritable=False)
            self._closed = True
        self._free()

    def _check_open(self) -> None:
        if self._closed:
            raise BadFdError(self._fd)

    def _free(self) -> None:
        """Close the number: by whoever made the File closed and unpinned, so once."""
        try:
            os.close(self._fd)
        finally:
            for callback in self._when_free:
                callback()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._closed:
            return
        try:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
        finally:  # the warning may have been made an error
            self.close()

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled: a copy would close the number a second time."""
        raise TypeError("a File cannot be copied, only cloned")

    def __repr__(self) -> str:
        return f"<File {self._fd} {'closed' if self._closed else 'open'}>"


def _fcntl(fd: int, command: int, argument: int) -> int:
    """Call fcntl(2), with BadFdError for a number that is not open or cannot be one."""
    try:
        return fcntl.fcntl(fd, command, argument)
    except (ValueError, OverflowError):  # Python's own check: negative, or no C int
        raise BadFdError(fd) from None
    except OSError as error:
        if error.errno == errno.EBADF:
            raise BadFdError(fd) from None
        raise
