"""The end of NOTIFY_SOCKET that is systemd's: what it is told, and its store of descriptors."""

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from prosody_admin.descriptors import File

_MOST_DESCRIPTORS = 253


class Systemd:
    """Holds what is stored in it until it is taken out; `told` has every message."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))
        self.path = path
        self.told: list[str] = []
        self._stored: list[int] = []

    @property
    def stored(self) -> list[int]:
        """The descriptors in the store now, which stay systemd's."""
        self._look()
        return self._stored

    def hands_over(self) -> list[File]:
        """Return what the next process gets, in another order than it came."""
        return [File.fget(fd) for fd in reversed(self.stored)]

    def forget(self) -> None:
        """Take everything out, as at a stop."""
        self._look()
        self._close_stored()

    def _close_stored(self) -> None:
        while self._stored:
            os.close(self._stored.pop())

    def _look(self) -> None:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._socket, 4096, _MOST_DESCRIPTORS)
            except BlockingIOError:
                return
            message = data.decode("ascii")
            self.told.append(message)
            variables = dict(line.split("=", 1) for line in message.splitlines())
            if "FDSTORE" in variables:
                assert variables == {"FDSTORE": "1", "FDPOLL": "0", "FDNAME": "kept"}
                for fd in fds:
                    os.set_inheritable(fd, False)
                self._stored += fds
            else:
                assert not fds
            if "FDSTOREREMOVE" in variables:
                assert variables == {"FDSTOREREMOVE": "1", "FDNAME": "kept"}
                self._close_stored()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.forget()
        self._socket.close()
