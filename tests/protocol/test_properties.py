"""What holds for any stream: the split does not matter, every input has an outcome."""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from prosody_admin.errors import StreamError
from prosody_admin.protocol.parser import Limits
from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS, XML_NS, XMLNS_NS, Stanza
from prosody_admin.protocol.stream import (
    CONDITIONS,
    Role,
    StanzaReceived,
    State,
    Stream,
    StreamFailed,
)
from protocol.wire import CLOSING_TAG, HEADER, arrivals, open_server, single_bytes, told

# All that XML 1.0 can carry, the troublesome more often.
characters = st.one_of(
    st.sampled_from("\r\n\t <>&'\"]};\x7f\x85\u2028\ufeff\ufffd\U0001f600\U0010ffff"),
    st.characters(
        blacklist_categories=["Cs"], blacklist_characters="\ufffe\uffff", min_codepoint=32
    ),
)
texts = st.one_of(
    st.text(characters, max_size=20), st.sampled_from(["]]>", "&#13;", "\r\n", "<!--"])
)
names = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9._-]{0,8}", fullmatch=True).filter(lambda n: n != "xmlns"),
    st.sampled_from(["repl-input", "repl-output", "error", "stream", "xml"]),
)
namespaces = st.one_of(
    st.sampled_from([ADMIN_NS, STREAMS_NS, "urn:x", "'\"<&\r\n\t"]), texts
).filter(lambda n: "}" not in n and n not in {XML_NS, XMLNS_NS})
attribute_names = st.one_of(
    names,
    st.builds("{{{}}}{}".format, namespaces.filter(bool) | st.just(XML_NS), names),
)


def elements(children: st.SearchStrategy[Stanza | str]) -> st.SearchStrategy[Stanza]:
    """Return stanzas with these children."""
    return st.builds(
        lambda name, attributes, content, namespace: Stanza(
            name, attributes, *content, namespace=namespace
        ),
        names,
        st.dictionaries(attribute_names, texts, max_size=3),
        st.lists(children, max_size=3),
        st.just(ADMIN_NS) | namespaces,
    )


leaves: st.SearchStrategy[Stanza | str] = texts
stanzas = elements(st.recursive(leaves, lambda inner: texts | elements(inner), max_leaves=6))

# What makes a difference to somebody who looks for the end of markup.
FRAGMENTS = [
    *(b"<", b">", b"/", b"/>", b"</", b"'", b'"', b"=", b"&", b";", b"!", b"?", b"-", b"]", b" "),
    *(b"<a>", b"</a>", b"<a/>", b"<a b='>'>", b'<a b="\'>"/>', b"<b xmlns='u'>", b"</b>", b"a"),
    *(b"<!-- > -->", b"<!--", b"-->", b"<?x >?>", b"<?", b"?>", b"<![CDATA[", b"]]>", b"<!["),
    *(b"<!DOCTYPE a>", b"<!DOCTYPE a [", b"<!ENTITY b 'c'>", b"&lt;", b"&#65;", b"&#x00041;"),
    *(
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xe2\x82\xac",
        b"\xf0\x9f\x98\x80",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n" * 30,
    ),
    *(b"<?xml version='1.0'?>", HEADER, CLOSING_TAG, b"<stream:error><reset/></stream:error>"),
]
rubbish = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=20).map(b"".join)
valid = st.lists(stanzas.map(Stanza.to_bytes) | st.sampled_from([b" ", b"\n"]), max_size=4).map(
    lambda parts: HEADER + b"".join(parts)
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a stream that was right until something was put in, or over, a part of it."""
    data = draw(valid)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 3))
        data = data[:at] + draw(st.sampled_from(FRAGMENTS)) + data[at + gone :]
    return data + draw(st.sampled_from([b"", b">", CLOSING_TAG]))


streams = st.one_of(
    valid.map(lambda data: data + CLOSING_TAG),
    mutated(),
    rubbish.map(lambda data: HEADER + data),
    rubbish,
)
limits = st.just(Limits()) | st.builds(
    Limits,
    stanza_bytes=st.integers(140, 200),
    tag_bytes=st.integers(20, 200),
    depth=st.integers(1, 3),
    elements=st.integers(1, 4),
    attributes=st.integers(2, 3),
    names=st.integers(7, 15),
)


@st.composite
def split_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Return a stream, whole and in parts."""
    data = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    edges = [0, *cuts, len(data)]
    return data, [data[a:b] for a, b in pairwise(edges)]


@settings(max_examples=600, deadline=None)
@given(split_streams(), limits, st.sampled_from(Role))
def test_any_split_gives_the_same_events_each_on_its_last_byte(
    split: tuple[bytes, list[bytes]], bounds: Limits, role: Role
) -> None:
    data, parts = split
    bytewise, in_parts = Stream(role, bounds), Stream(role, bounds)
    exactly = arrivals(bytewise, single_bytes(data))
    arrived = arrivals(in_parts, parts)

    assert [event for _, event in arrived] == [event for _, event in exactly]
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts))]
    for (found, _), (last_byte, _) in zip(arrived, exactly, strict=True):
        assert found == next(end for end in ends if end >= last_byte)
    assert in_parts.data_to_send() == bytewise.data_to_send()
    assert in_parts.state is bytewise.state
    assert in_parts.at_stanza_boundary == bytewise.at_stanza_boundary


@settings(max_examples=300, deadline=None)
@given(streams, limits, st.sampled_from(Role), st.binary(max_size=3))
def test_any_input_has_an_outcome(data: bytes, bounds: Limits, role: Role, more: bytes) -> None:
    stream = Stream(role, bounds)
    stream.receive_data(data)
    events = stream.events_received()
    for event in events[:-1]:
        assert not isinstance(event, StreamFailed)
    if events and isinstance(failure := events[-1], StreamFailed):
        assert isinstance(failure.error, StreamError)
        assert failure.error.condition in CONDITIONS
        assert stream.state is State.FAILED
    if stream.ended:
        stream.receive_data(more)
        stream.receive_eof()
        assert stream.events_received() == []


@settings(max_examples=300, deadline=None)
@given(stanzas, st.data())
@example(Stanza("a", {"b": "\r\n\t"}, "\r", Stanza("c", namespace=""), "]]>"), None)
def test_any_stanza_survives_the_round_trip(stanza: Stanza, data: st.DataObject | None) -> None:
    written = stanza.to_bytes()
    cut = data.draw(st.integers(0, len(written) - 1)) if data else 1
    server = open_server()
    server.receive_data(written[:cut])
    assert told(server) == []
    server.receive_data(written[cut:] + b" ")
    is_error = (stanza.namespace, stanza.name) == (STREAMS_NS, "error")
    if not is_error:
        assert told(server) == [StanzaReceived(stanza)]


@settings(max_examples=100, deadline=None)
@given(st.lists(stanzas, max_size=5), st.data())
def test_what_one_end_sends_the_other_receives(sent: list[Stanza], data: st.DataObject) -> None:
    sent = [s for s in sent if (s.namespace, s.name) != (STREAMS_NS, "error")]
    client = Stream(Role.CLIENT)
    client.open()
    client.receive_data(HEADER)
    for stanza in sent:
        client.send(stanza)
        if data.draw(st.booleans()):
            client.send_whitespace()
    client.close()
    server = Stream(Role.SERVER)
    server.receive_data(client.data_to_send())
    assert told(server)[1:-1] == [StanzaReceived(stanza) for stanza in sent]
    assert server.state is State.CLOSE_RECEIVED
