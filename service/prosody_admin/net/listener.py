"""Accept clients: a descriptor is reserved before, so that none is lost and nothing spins."""

import asyncio
import contextlib
import errno
import logging
from collections.abc import Callable

from prosody_admin.descriptors import File, FileDescriptorReservation
from prosody_admin.errors import PeerError
from prosody_admin.net.peer import identify
from prosody_admin.net.sessions import Sessions
from prosody_admin.protocol.stream import Role, Stream
from prosody_admin.protocol.structured import REFUSED, failed_result

log = logging.getLogger(__name__)

ACCEPTS_AT_ONCE = 16
"""Clients accepted before the loop gets its turn for those that are connected."""

BREATHER = 1.0
"""Seconds without accepting after the kernel had no descriptor or memory for a client."""

_OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE}
_OVERLOADED = _OUT_OF_DESCRIPTORS | {errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts on `file`, a listening descriptor, and begins a session for each client.

    Whoever made `file` owns it: it is neither shut down nor unlinked here. `on_failure` is called
    once if it can never be accepted on again.
    """

    def __init__(
        self, file: File, sessions: Sessions, on_failure: Callable[[OSError], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._file = file
        self._sessions = sessions
        self._on_failure = on_failure
        # Given up to accept one more client, only to tell it that there is no room.
        self._last_resort: FileDescriptorReservation | None = FileDescriptorReservation()
        self._turned_away: File | None = None
        self._breather: asyncio.TimerHandle | None = None
        self._listening = False

    def start(self) -> None:
        """Accept from now on. Idempotent."""
        if not self._listening:
            self._listening = True
            self._loop.add_reader(self._file.fileno(), self._readable)

    def stop(self) -> None:
        """Accept no more; whoever waits in the backlog stays there. Idempotent."""
        if self._breather is not None:
            self._breather.cancel()
            self._breather = None
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._file.fileno())

    def close(self) -> None:
        """Stop, and give back what is held for accepting; `file` is left as it is."""
        self.stop()
        self._part()
        if self._last_resort is not None:
            self._last_resort.drop()
            self._last_resort = None

    def _readable(self) -> None:
        try:
            for _ in range(ACCEPTS_AT_ONCE):
                if not self._accept():
                    return
        except OSError as error:
            if error.errno in _OVERLOADED:
                log.warning("no room for a client: %s", error.strerror)
                self._turn_away_next()
            else:  # to try again would be to try for ever
                self.stop()
                self._on_failure(error)
        except PeerError as error:
            log.warning("a client was refused: %s", error)
            self._breathe()

    def _accept(self) -> bool:
        """Take one client into a session, within this callback; False when none waits.

        Raises OSError with EMFILE and the like while the client is still in the backlog, and
        PeerError for a client that is then turned away.
        """
        with FileDescriptorReservation() as slot:
            accepted = self._next_client()
            if accepted is None:
                return False
            connection = slot.install(accepted)
        try:
            peer = identify(connection)
        except PeerError:
            self._turn_away(connection)
            raise
        self._sessions.begin(connection, peer)
        return True

    def _turn_away_next(self) -> None:
        """Tell one client that there is no room for it, then accept nothing for a while."""
        if self._last_resort is not None:
            self._last_resort.drop()
            self._last_resort = None
            try:
                client = self._next_client()
            except OSError:  # somebody else took the number: the client stays in the backlog
                log.exception("not even room to say so")
            else:
                if client is not None:
                    self._turn_away(client)
        self._breathe()

    def _turn_away(self, client: File) -> None:
        """Answer a command that the client has not sent yet; it is closed after the breather.

        Closed at once, `prosodyctl` would fail to send its header and exit 0.
        """
        self._turned_away = client
        with client.borrow_socket() as connected, contextlib.suppress(ConnectionError):
            connected.send(_NO_ROOM)  # fits an empty socket's buffer whole

    def _breathe(self) -> None:
        self.stop()
        self._breather = self._loop.call_later(BREATHER, self._go_on)

    def _go_on(self) -> None:
        self._part()
        try:
            self._last_resort = self._last_resort or FileDescriptorReservation()
        except OSError:
            log.exception("still no room")
            self._breathe()
        else:
            self.start()

    def _part(self) -> None:
        if self._turned_away is not None:
            self._turned_away.close()  # never given to the loop: no callback knows its number
            self._turned_away = None

    def _next_client(self) -> File | None:
        """Accept a client that is still there; None when none waits."""
        while True:
            try:
                with self._file.borrow_socket() as listening:
                    accepted, _ = listening.accept()
            except BlockingIOError:
                return None
            except (ConnectionAbortedError, InterruptedError):
                continue
            accepted.setblocking(False)
            return File.adopt(accepted.detach())  # the File owns it from here


def _turning_away() -> bytes:
    """Return all that is ever said to a client that there is no room to listen to."""
    client, server = Stream(Role.CLIENT), Stream(Role.SERVER)
    client.open()
    server.receive_data(client.data_to_send())
    server.send(failed_result("Error: no room for another client, try again later", REFUSED))
    server.close()
    return server.data_to_send()


_NO_ROOM = _turning_away()
