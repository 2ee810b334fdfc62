"""A stream that goes on in another process, from nothing but the header that the peer sent."""

import pytest

from prosody_admin.errors import StreamError
from prosody_admin.protocol.parser import DEFAULT_LIMITS, Limits
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_result
from prosody_admin.protocol.stream import Role, StanzaReceived, State, Stream
from protocol.wire import (
    CLOSING_TAG,
    HEADER,
    arrivals,
    error,
    failed,
    open_client,
    single_bytes,
    told,
)

LINE = b"<repl-input>help</repl-input>"
UNUSUAL = (
    b"<?xml version='1.0' encoding='utf-8'?>\n <s:stream a='>' xmlns='xmpp:prosody.im/admin'"
    b" xmlns:s='http://etherx.jabber.org/streams' xmlns:x='urn:\xc3\xa9'>"
)


def resumed(header: bytes, role: Role = Role.SERVER, limits: Limits = DEFAULT_LIMITS) -> Stream:
    return Stream.resumed(role, limits, header)


@pytest.mark.parametrize("header", [HEADER, UNUSUAL])
def test_the_header_is_what_came_up_to_its_end(header: bytes) -> None:
    server = Stream(Role.SERVER)
    assert server.header_received == b""
    arrivals(server, single_bytes(header + b" " + LINE + LINE[:5]))
    assert server.header_received == header
    server.fail("reset")
    assert server.header_received == b""


@pytest.mark.parametrize("header", [HEADER, UNUSUAL])
def test_it_goes_on_without_a_second_header(header: bytes) -> None:
    server = resumed(header)
    assert server.state is State.OPEN
    assert server.at_stanza_boundary
    assert server.data_to_send() == b""
    assert server.header_received == header
    server.receive_data(LINE)
    assert told(server) == [StanzaReceived(repl_input("help"))]
    server.send(repl_result("OK"))
    assert server.data_to_send() == b"<repl-result>OK</repl-result>"
    server.receive_data(HEADER)
    assert told(server) == [failed("not-well-formed")]
    assert server.data_to_send() == error("not-well-formed")


def test_prefixes_of_the_header_go_on_to_hold() -> None:
    server = resumed(UNUSUAL)
    server.receive_data(b"<x:hello/>")
    assert told(server) == [StanzaReceived(Stanza("hello", namespace="urn:\xe9"))]


def test_a_client_goes_on_too() -> None:
    client = resumed(open_client().header_received, Role.CLIENT)
    assert client.data_to_send() == b""
    client.send(repl_input("help"))
    assert client.data_to_send() == LINE


@pytest.mark.parametrize(
    ("header", "condition"),
    [
        (b"", "bad-format"),
        (HEADER[:-1], "bad-format"),
        (HEADER + b"<", "bad-format"),
        (HEADER + LINE, "bad-format"),
        (HEADER + CLOSING_TAG, "bad-format"),
        (HEADER + HEADER, "not-well-formed"),
        (b"<stream>", "invalid-namespace"),
        (b"\xff" + HEADER, "not-well-formed"),
    ],
)
def test_what_is_not_one_whole_header_is_refused(header: bytes, condition: str) -> None:
    with pytest.raises(StreamError) as raised:
        resumed(header)
    assert raised.value.condition == condition


def test_limits_hold_for_it() -> None:
    with pytest.raises(StreamError, match="a tag of more than 64 bytes"):
        resumed(HEADER, limits=Limits(tag_bytes=64))
