"""The other end of a stream, in bytes, and what arrives from it in terms that compare."""

from collections.abc import Iterable

from prosody_admin.protocol.stream import Event, Role, Stream, StreamFailed

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'"
    b" xmlns='xmpp:prosody.im/admin' xml:lang='en' id=''>"
)
CLOSING_TAG = b"</stream:stream>"


def error(condition: str) -> bytes:
    """Return what ends a stream of ours with that error."""
    name = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
    return f"<stream:error>{name}</stream:error></stream:stream>".encode()


def failed(condition: str, by_peer: bool = False) -> tuple[str, str, bool]:
    """Return what `told` makes of a failure."""
    return ("failed", condition, by_peer)


def told(stream: Stream) -> list[Event | tuple[str, str, bool]]:
    """Take the stream's events, failures as values: two exceptions are never equal."""
    return [
        failed(event.error.condition, event.by_peer) if isinstance(event, StreamFailed) else event
        for event in stream.events_received()
    ]


def arrivals(stream: Stream, parts: Iterable[bytes]) -> list[tuple[int, object]]:
    """Feed the parts and return each event with the number of bytes that it took."""
    fed, arrived = 0, list[tuple[int, object]]()
    for part in parts:
        stream.receive_data(part)
        fed += len(part)
        arrived += [(fed, event) for event in told(stream)]
    return arrived


def single_bytes(data: bytes) -> list[bytes]:
    """Return the data in the smallest parts there are."""
    return [data[i : i + 1] for i in range(len(data))]


def parts_of(data: bytes, size: int = 65536) -> list[bytes]:
    """Return the data in parts as a socket would give them."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def open_server() -> Stream:
    """Return a server's end that has exchanged headers, with nothing left to take out of it."""
    stream = Stream(Role.SERVER)
    stream.receive_data(HEADER)
    stream.events_received()
    stream.data_to_send()
    return stream


def open_client() -> Stream:
    """Return a client's end that has exchanged headers, with nothing left to take out of it."""
    stream = Stream(Role.CLIENT)
    stream.open()
    stream.receive_data(HEADER)
    stream.events_received()
    stream.data_to_send()
    return stream
