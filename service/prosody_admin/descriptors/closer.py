"""Closing a descriptor only after everything that was queued for its number has run.

The one part of this package that knows asyncio: what must not see a reused number are the
callbacks of the event loop, and only the loop can say when they have run.
"""

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable

from prosody_admin.descriptors.file import File
from prosody_admin.errors import BadFd, BadFdError, TaskWorkUnavailable

CLOSE_DEADLINE = 5.0
"""Seconds that `wait_closed` waits by default. Only a borrower can hold a number up, and those make
short system calls."""


class DeferredFdCloser:
    """Ends files in order: out of the poller, shut down, closed when the loop comes round.

    Serves the files of one event loop, and is called in that loop's thread. How many wait to be
    closed is bounded by the descriptor table, since each of them still has its number.
    """

    def __init__(self) -> None:
        self._pending: set[asyncio.Future[None]] = set()

    def close_fd(self, file: File, *, shutdown: bool = True) -> None:
        """Close `file`: for its users now, for the kernel after what is queued has run.

        The number stays taken until the loop has been through everything that is queued at this
        moment and nobody borrows the file, so no callback meets a stranger under it. `shutdown`
        tells the peer at once, and any duplicate with it; say False where the connection shall
        live on in a duplicate, as in systemd's FD store. A listening socket is never shut down:
        that would also stop its other owner, systemd, from accepting.

        Raises TaskWorkUnavailable if no loop is running, BadFd if the file is closed already or on
        its way there, RuntimeError if an asyncio transport uses the number, OSError if shutdown(2)
        fails with anything but ENOTCONN or ENOTSOCK. After an error the file is not closed, but
        may be unregistered.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise TaskWorkUnavailable("no event loop is running") from error
        with contextlib.ExitStack() as stack:
            try:
                fd = stack.enter_context(file.borrow())
            except BadFdError as error:
                raise BadFd(f"{file!r} cannot be closed again") from error
            loop.remove_reader(fd)
            loop.remove_writer(fd)
            if shutdown:
                _shut_down(file)
            file.close(when_free=self._expect(loop))
            loop.call_soon(stack.pop_all().close)

    async def wait_closed(self, *, within: float = CLOSE_DEADLINE) -> None:
        """Wait until everything given to `close_fd` so far is closed for the kernel too.

        Raises TimeoutError if after `within` seconds something is still borrowed; it is closed
        all the same as soon as its borrower is done.
        """
        if self._pending:
            _, late = await asyncio.wait(self._pending, timeout=within)
            if late:
                raise TimeoutError(f"{len(late)} descriptors are still in use after {within} s")

    def _expect(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Count one more as pending, until the returned function is called, in any thread."""
        closed = loop.create_future()
        self._pending.add(closed)
        closed.add_done_callback(self._pending.discard)

        thread = threading.get_ident()

        def announce() -> None:
            # The last borrower may outlive the loop, and then nobody is left to tell.
            with contextlib.suppress(RuntimeError):
                if threading.get_ident() == thread:
                    # Nobody need be woken. It would take a byte of the loop's pipe, which some 280
                    # bytes fill, and a signal that does not get in there is lost.
                    closed.set_result(None)
                else:
                    loop.call_soon_threadsafe(closed.set_result, None)

        return announce


def _shut_down(file: File) -> None:
    """End both directions of a connected socket; leave everything else alone."""
    try:
        with file.borrow_socket() as sock:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sock.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        # EBADF of a descriptor that is pinned: it was opened with O_PATH.
        if error.errno not in {errno.ENOTCONN, errno.ENOTSOCK, errno.EBADF}:
            raise
