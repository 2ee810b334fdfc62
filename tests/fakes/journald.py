"""journald's end of its socket, which reads only when asked to."""

import socket
import struct
from pathlib import Path

LARGER_THAN_A_DATAGRAM = 1024 * 1024


def parse(payload: bytes) -> dict[str, str]:
    """Read a record as the protocol describes it, written independently of `encode`."""
    fields = {}
    while payload:
        line, _, payload = payload.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", payload)
            value, end, payload = (
                payload[8 : 8 + length],
                payload[8 + length : 9 + length],
                payload[9 + length :],
            )
            assert end == b"\n"
        fields[name.decode("ascii")] = value.decode("utf-8")
    return fields


class Journald:
    """Takes records when told to, hangs meanwhile, and can be stopped and started."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start()

    def start(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(str(self.path))

    def stop(self, *, removed: bool = True) -> None:
        self.socket.close()
        if removed:
            self.path.unlink(missing_ok=True)

    def records(self) -> list[dict[str, str]]:
        """Return the records that have arrived since."""
        received: list[dict[str, str]] = []
        while True:
            try:
                payload = self.socket.recv(LARGER_THAN_A_DATAGRAM)
            except BlockingIOError:
                return received
            received.append(parse(payload))

    def messages(self) -> list[str]:
        return [record["MESSAGE"] for record in self.records()]
