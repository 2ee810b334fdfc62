"""How a stream fails: by what the peer sent, by its word, or by ours."""

import pytest

from prosody_admin.protocol.stanza import STREAMS_NS, Stanza, repl_result
from prosody_admin.protocol.stream import (
    CONDITIONS,
    Role,
    StanzaReceived,
    State,
    Stream,
    StreamFailed,
)
from protocol.wire import CLOSING_TAG, HEADER, error, failed, open_client, open_server, told


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"</x>", "not-well-formed"),
        (b"<!-- -->", "not-well-formed"),
        (b"<a>" * 17, "policy-violation"),
        (b"rubbish", "bad-format"),
    ],
)
def test_a_violation_ends_the_stream_and_is_told(data: bytes, condition: str) -> None:
    server = open_server()
    server.receive_data(b"<a/>" + data + b"<a/>")
    assert told(server) == [StanzaReceived(Stanza("a")), failed(condition)]
    assert server.data_to_send() == error(condition)
    assert server.state is State.FAILED
    assert not server.can_send

    server.receive_data(b"<a/>")
    server.receive_eof()
    server.close()
    server.fail("reset")
    assert told(server) == []
    assert server.data_to_send() == b""


def test_a_violation_instead_of_a_header_is_told_behind_ours() -> None:
    server = Stream(Role.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\n")
    assert told(server) == [failed("not-well-formed")]
    assert server.data_to_send() == HEADER + error("not-well-formed")
    server = Stream(Role.SERVER)
    server.receive_data(b"<stream xmlns='jabber:client'>")
    assert server.data_to_send() == HEADER + error("invalid-namespace")


def test_a_violation_behind_our_closing_tag_is_told_to_nobody() -> None:
    client = open_client()
    client.close()
    client.receive_data(b"rubbish")
    assert told(client) == [failed("bad-format")]
    assert client.data_to_send() == CLOSING_TAG
    assert client.state is State.FAILED


def test_a_failure_holds_nothing_of_what_the_peer_sent() -> None:
    server = open_server()
    server.receive_data(b"<a>s3cret</b>")
    (failure,) = server.events_received()
    assert isinstance(failure, StreamFailed)
    assert failure.error.__traceback__ is None
    assert failure.error.__context__ is None
    assert "s3cret" not in repr(failure)


def test_a_server_that_does_not_wait_for_the_client() -> None:
    client = Stream(Role.CLIENT)
    client.receive_data(HEADER)
    assert client.state is State.HEADER_RECEIVED
    client.receive_data(b"<a/>")
    assert told(client)[1:] == [failed("policy-violation")]
    assert client.data_to_send() == HEADER + error("policy-violation")


def test_a_stream_can_be_failed_at_any_time() -> None:
    server = Stream(Role.SERVER)
    server.fail("system-shutdown")
    assert server.data_to_send() == HEADER + error("system-shutdown")
    server = open_server()
    server.fail("system-shutdown")
    assert server.data_to_send() == error("system-shutdown")
    server = open_server()
    server.receive_data(CLOSING_TAG)
    server.fail("connection-timeout")
    assert server.data_to_send() == error("connection-timeout")
    assert server.ended
    server = open_server()
    with pytest.raises(ValueError, match="RFC 6120"):
        server.fail("no-such-condition")
    assert server.can_send


ERROR_STANZA = (
    b"<stream:error>%s<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>t</text></stream:error>"
)


@pytest.mark.parametrize(
    ("named", "condition"),
    [
        (b"<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>", "system-shutdown"),
        (b"<s3cret xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>", "undefined-condition"),
        (b"<system-shutdown xmlns='urn:x'/>", "undefined-condition"),
        (b"", "undefined-condition"),
    ],
)
def test_an_error_from_the_peer_ends_the_stream(named: bytes, condition: str) -> None:
    client = open_client()
    client.receive_data(b"<repl-result/>" + ERROR_STANZA % named + CLOSING_TAG + b"<a/>")
    assert told(client) == [StanzaReceived(repl_result("")), failed(condition, by_peer=True)]
    assert client.data_to_send() == CLOSING_TAG
    assert client.state is State.FAILED


def test_an_error_from_the_peer_behind_our_closing_tag() -> None:
    client = open_client()
    client.close()
    client.receive_data(ERROR_STANZA % b"")
    assert told(client) == [failed("undefined-condition", by_peer=True)]
    assert client.data_to_send() == CLOSING_TAG
    assert client.ended


def test_only_the_streams_own_error_is_one() -> None:
    client = open_client()
    client.receive_data(b"<error/><stream:features/>")
    assert told(client) == [
        StanzaReceived(Stanza("error")),
        StanzaReceived(Stanza("features", namespace=STREAMS_NS)),
    ]


def test_the_conditions_are_names() -> None:
    assert len(CONDITIONS) == 25
    for condition in CONDITIONS:
        server = open_server()
        server.fail(condition)
        client = open_client()
        client.receive_data(server.data_to_send())
        assert told(client) == [failed(condition, by_peer=True)]
