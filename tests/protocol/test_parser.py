"""What arrives from one peer, and what it is refused for."""

import subprocess
import sys
from pathlib import Path

import pytest

import prosody_admin
from prosody_admin.protocol.events import StanzaReceived, StreamClosed, StreamOpened
from prosody_admin.protocol.parser import Parser
from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS, XML_NS, Stanza
from protocol.readers import parsed, refusal, stanzas
from protocol.wire import HEADER, single_bytes


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        HEADER.removeprefix(b"<?xml version='1.0'?>"),
        b"<?xml version='1.0'?><stream:stream id='' xml:lang='en' xmlns='xmpp:prosody.im/admin'"
        b" xmlns:stream='http://etherx.jabber.org/streams'>",
        b'<?xml version="1.0" encoding="utf-8" standalone="yes" ?>\r\n\n<stream:stream\n'
        b'xmlns:stream="http://etherx.jabber.org/streams" id=""\txml:lang="en"\n'
        b'xmlns="xmpp:prosody.im/admin" >',
        b" <x:stream xmlns:x='http://etherx.jabber.org/streams' id='' xml:lang='en'"
        b" xmlns='xmpp:prosody.im/admin'>",
    ],
)
def test_headers_that_are_accepted(header: bytes) -> None:
    events = parsed(header + b"<repl-input/>")
    opened, stanza = events
    assert isinstance(opened, StreamOpened)
    assert opened.attributes == {"id": "", f"{{{XML_NS}}}lang": "en"}
    assert stanza == StanzaReceived(Stanza("repl-input"))


def test_a_stream_of_no_stanzas() -> None:
    assert parsed(HEADER + b" </stream:stream>")[1:] == [StreamClosed()]
    assert parsed(HEADER[:-1] + b"/>")[1:] == [StreamClosed()]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<a/>", Stanza("a")),
        (b" \n<a></a>\t", Stanza("a")),
        (
            b"<a b='c>' d=\"'\"> > &lt;&#13;\r\n]] </a>",
            Stanza("a", {"b": "c>", "d": "'"}, " > <\r\n]] "),
        ),
        (b"<a>x<![CDATA[<b>&]]]]>y</a>", Stanza("a", {}, "x<b>&]]y")),
        (b"<a>x<b>y</b>z</a>", Stanza("a", {}, "x", Stanza("b", {}, "y"), "z")),
        (
            b"<a xmlns='urn:x'><b/></a>",
            Stanza("a", {}, Stanza("b", namespace="urn:x"), namespace="urn:x"),
        ),
        (b"<a xmlns=''/>", Stanza("a", namespace="")),
        (b"<stream:features/>", Stanza("features", namespace=STREAMS_NS)),
        (b"<a xmlns:x='urn:x' x:b='c'/>", Stanza("a", {"{urn:x}b": "c"})),
        ("<a é='ü'>\U0001f600\ufeff</a>".encode(), Stanza("a", {"é": "ü"}, "\U0001f600\ufeff")),
        (b"<a b='x\r\ny\tz'>x\r\ny\rz</a>", Stanza("a", {"b": "x y z"}, "x\ny\nz")),
    ],
)
def test_one_stanza(data: bytes, expected: Stanza) -> None:
    assert stanzas(data) == [expected]


def test_namespaces_that_the_header_declared_hold_for_stanzas() -> None:
    header = HEADER.replace(b" id=''", b" xmlns:x='urn:x'").replace(ADMIN_NS.encode(), b"urn:y")
    assert parsed(header + b"<x:a/><b/>")[1:] == [
        StanzaReceived(Stanza("a", namespace="urn:x")),
        StanzaReceived(Stanza("b", namespace="urn:y")),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\0",
        b"\xef\xbb\xbf<a>",
        HEADER.decode().encode("utf-16"),
        HEADER.decode().encode("utf-16-le"),
        HEADER[21:].decode().encode("utf-16-le"),
        b"<![CDATA[]]>",
        b"<a <>",
        b"<>",
        b"</a>",
        b"<stream:stream>",
        b" <?xml version='1.0'?>",
        b"<?xml version='1.1'?>",
        b"<?xml version='1.0' encoding='UTF-16'?>",
        b"<?xml version='1.0' encoding='iso-8859-1'?>",
        b"<?xml version='1.0'?><?xml version='1.0'?>",
        b"<?php x?>",
        b"<!-- it's -->",
        b"<!DOCTYPE a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
        b"<!DOCTYPE stream:stream [<!ATTLIST stream:stream x CDATA 'y'>]>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    ],
)
def test_malformed_in_front_of_the_stream(data: bytes) -> None:
    condition, _ = refusal(data)
    assert condition == "not-well-formed"


@pytest.mark.parametrize(
    "data",
    [
        b"<a></b>",
        b"<a b='c' b='d'/>",
        b"<a b=c/>",
        b"<a><</a>",
        b"<a>&</a>",
        b"<a>&b;</a>",
        b"<a>&#0;</a>",
        b"<a>&#xD800;</a>",
        b"<a>]]></a>",
        b"<a>\0</a>",
        b"<a>\xff</a>",
        b"<a>\xc3</a>",
        b"<a \xe2>",
        b"<a>\xed\xa0\x80</a>",
        b"<x:a/>",
        b"<a xmlns='a}b'/>",
        b"<a xmlns:b=''/>",
        b"<a><!-- > --></a>",
        b"<!-- -->",
        b"<?x?>",
        b"<a><?x y?></a>",
        b"<?xml version='1.0'?>",
        b"<!DOCTYPE a>",
        b"<a><![CDATA[x]]</a>]]><b></a>",
        b"<a><![cdata[x]]><b>",
    ],
)
def test_malformed_in_the_stream(data: bytes) -> None:
    condition, reason = refusal(HEADER + data)
    assert condition == "not-well-formed"
    assert reason


@pytest.mark.parametrize("data", [b"x", b" x<a/>", b"<a/>x", b"&#32;", b"<![CDATA[ ]]>", b"\xff"])
def test_text_between_stanzas_is_refused(data: bytes) -> None:
    assert refusal(HEADER + data)[0] == "bad-format"


@pytest.mark.parametrize(
    "root",
    [
        b"<stream>",
        b"<stream xmlns='jabber:client'>",
        b"<stream:stream xmlns:stream='http://etherx.jabber.org/streamsx'>",
        b"<stream:streams xmlns:stream='http://etherx.jabber.org/streams'>",
        b"<repl-input xmlns='xmpp:prosody.im/admin'/>",
    ],
)
def test_a_wrong_root_is_refused(root: bytes) -> None:
    assert refusal(root)[0] == "invalid-namespace"


def test_a_boundary_is_where_nothing_has_arrived_in_part() -> None:
    parser = Parser()
    between = []
    for byte in single_bytes(HEADER + b" <a> </a> <b/>"):
        list(parser.receive(byte))
        between.append(parser.is_between_stanzas)
    assert between[: len(HEADER)] == [False] * (len(HEADER) - 1) + [True]
    assert between[len(HEADER) :] == [True] + [False] * 7 + [True] * 2 + [False] * 3 + [True]
    assert Parser().is_between_stanzas


def test_expat_holds_no_complete_stanza_back() -> None:
    """Of 2,000 stanzas in two parts each, expat 2.6 held back 322."""
    parser, delivered = Parser(), 0
    list(parser.receive(HEADER))
    stanza = b"<a b='>' c=\">'>\">" + b"x>" * 20 + b"&#x0000000000000000000000041;</a>"
    for number in range(2000):
        cut = 1 + number % (len(stanza) - 1)
        assert not list(parser.receive(stanza[:cut]))
        delivered += len(list(parser.receive(stanza[cut:])))
    assert delivered == 2000


def test_the_protocol_loads_no_parser_before_it_needs_one() -> None:
    program = (
        "import sys; import prosody_admin.protocol.stream;"
        "print(*({'xml.dom', 'xml.sax', 'http', 'urllib', 'socket', 'asyncio', 'logging'}"
        " & {*sys.modules}), 'defusedxml' in sys.modules)"
    )
    service = Path(prosody_admin.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=service, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]
