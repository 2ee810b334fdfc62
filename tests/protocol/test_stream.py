"""A stream from its headers to its end, for either role."""

import pytest

from prosody_admin.errors import StanzaError, StreamStateError
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_output, repl_result
from prosody_admin.protocol.stream import (
    EofReceived,
    Role,
    StanzaReceived,
    State,
    Stream,
    StreamClosed,
    StreamOpened,
)
from protocol.wire import CLOSING_TAG, HEADER, open_client, open_server, told


def test_the_server_answers_the_clients_header_with_its_own() -> None:
    server = Stream(Role.SERVER)
    assert server.data_to_send() == b""
    assert not server.can_send
    server.receive_data(HEADER)
    (opened,) = server.events_received()
    assert isinstance(opened, StreamOpened)
    assert opened.attributes["id"] == ""
    assert server.data_to_send() == HEADER
    assert server.state is State.OPEN
    assert server.can_send


def test_the_client_speaks_first_and_sends_stanzas_only_once_answered() -> None:
    client = Stream(Role.CLIENT)
    client.open()
    assert client.data_to_send() == HEADER
    with pytest.raises(StreamStateError, match="SEND_STANZA is not possible in state HEADER_SENT"):
        client.send(repl_input("help"))
    client.receive_data(HEADER)
    client.send(repl_input("help"))
    assert client.data_to_send() == b"<repl-input>help</repl-input>"
    with pytest.raises(StreamStateError):
        client.open()


def test_our_header_can_have_an_id() -> None:
    server = Stream(Role.SERVER, stream_id="a'b")
    server.receive_data(HEADER)
    assert server.data_to_send() == HEADER.replace(b"id=''", b"id='a&apos;b'")


def test_two_of_our_own_ends_talk_to_each_other() -> None:
    client, server = Stream(Role.CLIENT), Stream(Role.SERVER)
    client.open()
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.send(repl_input("help", 80, True))
    server.receive_data(client.data_to_send())
    assert told(server)[1:] == [StanzaReceived(repl_input("help", 80, True))]
    server.send(repl_output("x"))
    server.send_whitespace()
    server.send(repl_result(""))
    server.close()
    client.receive_data(server.data_to_send())
    assert told(client)[1:] == [
        StanzaReceived(repl_output("x")),
        StanzaReceived(repl_result("")),
        StreamClosed(),
    ]
    client.close()
    server.receive_data(client.data_to_send())
    assert told(server) == [StreamClosed()]
    assert client.state is server.state is State.CLOSED
    assert client.ended
    assert server.ended


def test_white_space_is_a_sign_of_life_and_nothing_else() -> None:
    server = open_server()
    server.receive_data(b" \n")
    assert told(server) == []
    server.send_whitespace()
    assert server.data_to_send() == b" "


def test_stanzas_of_another_namespace_are_stanzas() -> None:
    server = open_server()
    server.receive_data(b"<ping xmlns='urn:x'/>")
    assert told(server) == [StanzaReceived(Stanza("ping", namespace="urn:x"))]


def test_a_stanza_that_cannot_be_written_is_not_sent_at_all() -> None:
    server = open_server()
    with pytest.raises(StanzaError):
        server.send(repl_output("\0"))
    assert server.data_to_send() == b""
    assert server.can_send


def test_who_closed_first_still_hears_the_other() -> None:
    client = open_client()
    client.close()
    assert client.data_to_send() == CLOSING_TAG
    assert not client.can_send
    with pytest.raises(StreamStateError):
        client.send_whitespace()
    client.receive_data(b"<repl-result/>" + CLOSING_TAG + b"<repl-result/>")
    assert told(client) == [StanzaReceived(repl_result("")), StreamClosed()]
    assert client.state is State.CLOSED


def test_a_client_that_closed_is_still_answered() -> None:
    server = open_server()
    server.receive_data(b"<repl-input/>" + CLOSING_TAG + b"rubbish")
    assert told(server) == [StanzaReceived(repl_input("")), StreamClosed()]
    server.send(repl_result(""))
    server.close()
    assert server.data_to_send() == b"<repl-result/>" + CLOSING_TAG
    assert server.ended


def test_a_client_that_half_closed_is_still_answered() -> None:
    server = open_server()
    server.receive_data(b"<repl-input/><repl-in")
    boundaries = [server.at_stanza_boundary]
    server.receive_eof()
    boundaries.append(server.at_stanza_boundary)
    assert boundaries == [False, True]
    assert told(server) == [StanzaReceived(repl_input("")), EofReceived()]
    server.receive_data(b"put/>")
    assert told(server) == []
    server.send(repl_result(""))
    server.close()
    assert server.data_to_send() == b"<repl-result/>" + CLOSING_TAG
    assert server.ended


def test_a_closing_tag_and_then_the_end_of_the_connection() -> None:
    server = open_server()
    server.receive_data(CLOSING_TAG)
    server.receive_eof()
    assert told(server) == [StreamClosed(), EofReceived()]
    assert server.can_send


def test_the_end_of_the_connection_answers_our_closing_tag_too() -> None:
    client = open_client()
    client.close()
    client.receive_eof()
    client.receive_eof()
    assert told(client) == [EofReceived()]
    assert client.ended


@pytest.mark.parametrize("role", Role)
def test_a_peer_that_leaves_before_its_header(role: Role) -> None:
    stream = Stream(role)
    if role is Role.CLIENT:
        stream.open()
    stream.receive_eof()
    assert told(stream) == [EofReceived()]
    assert stream.ended


def test_closing_twice_is_closing_once() -> None:
    server = open_server()
    server.close()
    server.close()
    assert server.data_to_send() == CLOSING_TAG
    assert server.state is State.CLOSE_SENT


def test_closing_before_any_header_says_nothing() -> None:
    server = Stream(Role.SERVER)
    server.close()
    server.receive_data(HEADER)
    assert server.ended
    assert server.data_to_send() == b""
    assert told(server) == []


def test_closing_a_stream_that_was_not_answered() -> None:
    client = Stream(Role.CLIENT)
    client.open()
    client.close()
    assert client.data_to_send() == HEADER + CLOSING_TAG
    assert client.ended


@pytest.mark.parametrize("role", Role)
def test_whoever_speaks_first_the_stream_is_open_after_both_headers(role: Role) -> None:
    ours_first, theirs_first = Stream(role), Stream(role)
    ours_first.open()
    ours_first.receive_data(HEADER)
    theirs_first.receive_data(HEADER)
    if role is Role.CLIENT:
        theirs_first.open()
    assert ours_first.state is theirs_first.state is State.OPEN
    assert ours_first.data_to_send() == theirs_first.data_to_send() == HEADER


def test_what_waits_to_be_sent_is_counted() -> None:
    server = open_server()
    assert server.unsent_bytes == 0
    server.send(repl_result("OK"))
    assert server.unsent_bytes == len(repl_result("OK").to_bytes())
    server.data_to_send()
    assert server.unsent_bytes == 0
