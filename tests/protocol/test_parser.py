"""What arrives from one peer, what it is refused for, and what an attack costs."""

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import prosody_admin
from prosody_admin.errors import StreamError
from prosody_admin.protocol.events import StanzaReceived, StreamClosed, StreamOpened
from prosody_admin.protocol.parser import DEFAULT_LIMITS, UPSTREAM_LIMITS, Limits, Parser
from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS, XML_NS, Stanza
from protocol.wire import HEADER, parts_of, single_bytes

SMALL = Limits(stanza_bytes=200, tag_bytes=150, depth=3, elements=5, attributes=2, names=12)


def fed(parser: Parser, parts: Iterable[bytes]) -> list[object]:
    """Return what the parser makes of the parts."""
    return [event for part in parts for event in parser.receive(part)]


def parsed(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[object]:
    """Return what a stream contains, found alike whole, byte by byte and with bytes after it."""
    whole = fed(Parser(limits), [data])
    assert fed(Parser(limits), single_bytes(data)) == whole
    assert list(Parser(limits).receive(memoryview(data + b"<"))) == whole
    return whole


def stanzas(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[Stanza]:
    """Return the stanzas that the data contains behind a header."""
    opened, *rest = parsed(HEADER + data, limits)
    assert isinstance(opened, StreamOpened)
    return [event.stanza for event in rest if isinstance(event, StanzaReceived)]


def refusal(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[str, str]:
    """Return condition and reason, the same whole and byte by byte, and no later for more."""
    found = set()
    for parts in ([data], single_bytes(data), [data + b"/><!-- -->\xff"]):
        parser = Parser(limits)
        with pytest.raises(StreamError) as caught:
            fed(parser, parts)
        found.add((caught.value.condition, caught.value.reason))
    assert len(found) == 1
    return found.pop()


@contextmanager
def at_most(megabytes: float, cpu_seconds: float) -> Iterator[None]:
    """Fail if the block costs more; expat takes its memory from Python, so it is counted."""
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        assert time.process_time() - began < cpu_seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1_000_000
    finally:
        tracemalloc.stop()


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


@pytest.mark.parametrize(
    ("largest", "too_much", "reason"),
    [
        (b"<a>" + b"x" * 193 + b"</a>", b"<a>" + b"x" * 194 + b"</a>", "a stanza of more"),
        (b"<a b='" + b"x" * 141 + b"'/>", b"<a b='" + b"x" * 142 + b"'/>", "a tag of more"),
        (b"<a><b><c/></b></a>", b"<a><b><c><d/></c></b></a>", "elements more than 3 deep"),
        (b"<a><b/><b/><b/><b/></a><a/>", b"<a><b/><b/><b/><b/><b/></a>", "more than 5 elements"),
        (b"<a b='' c=''/>", b"<a b='' c='' d=''/>", "more than 2 attributes"),
    ],
)
def test_limits(largest: bytes, too_much: bytes, reason: str) -> None:
    assert stanzas(largest * 3, SMALL)
    condition, why = refusal(HEADER + too_much, SMALL)
    assert condition == "policy-violation"
    assert reason in why


def test_names_are_counted_as_long_as_the_stream_lives() -> None:
    # The header's are 7: two namespaces, two prefixes, the root, xml:lang and id.
    assert stanzas(b"<a/><b/><b/><c/><d/><e/>" * 2, SMALL)
    for one_more in (b"<f/>", b"<a f=''/>", b"<a xmlns:f='xmpp:prosody.im/admin'/>"):
        condition, reason = refusal(HEADER + b"<a/><b/><c/><d/><e/>" + one_more, SMALL)
        assert (condition, reason) == ("policy-violation", "more than 12 different names")
    assert refusal(HEADER + b"<a/><b/><c/><d/><a xmlns:xml='urn:x'/>", SMALL)


def test_the_limit_that_is_reached_first_is_the_one_that_is_told() -> None:
    long_tag = b"<a b='" + b"x" * 300 + b"'/>"
    assert "a tag" in refusal(HEADER + long_tag, SMALL)[1]
    assert "a stanza" in refusal(HEADER + b"<a>" + b"x" * 100 + long_tag, SMALL)[1]


def test_all_that_precedes_the_header_is_bounded_like_a_tag() -> None:
    assert refusal(b" " * 151, SMALL)[0] == "policy-violation"
    assert parsed(b" " * 12 + HEADER[21:], SMALL)


def test_white_space_between_stanzas_counts_for_nothing() -> None:
    assert stanzas(b" " * 1000 + b"<a/>" + b"\n" * 1000 + b"<b/>", SMALL)


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


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (b"<a>" * 1_000_000, "deep"),
        (b"<a>" + b"<b/>" * 1_000_000, "elements"),
        (b"".join(b"<a%d/>" % i for i in range(500_000)), "names"),
        (b"".join(b"<a a%d=''/>" % i for i in range(100_000)), "names"),
        (b"".join(b"<a xmlns:a%d='u'/>" % i for i in range(100_000)), "names"),
        (b"".join(b"<a xmlns='u%d'/>" % i for i in range(100_000)), "names"),
        (b"<a " + b"".join(b"a%d='' " % i for i in range(100_000)), "tag"),
        (b"<a " + b"".join(b"a%d='' " % i for i in range(400)) + b"/>", "attributes"),
        (b"<a b='" + b">" * 3_000_000, "tag"),
        (b"<" + b"a" * 3_000_000, "tag"),
        (b"<!--" + b">" * 3_000_000, "tag"),
        (b"<a>" + b"x" * 3_000_000, "stanza"),
        (b"<a>" + b"x>" * 1_500_000, "stanza"),
        (b"<a><![CDATA[" + b"]]" * 1_500_000, "stanza"),
        (b"<a>" + b"<![CDATA[]]>" * 300_000, "stanza"),
        (b"<a>" + b"&amp;" * 600_000, "stanza"),
        (b"<a>" + "ü\U0001f600".encode() * 500_000, "stanza"),
    ],
)
def test_attacks_cost_little(attack: bytes, reason: str) -> None:
    parser = Parser()
    list(parser.receive(HEADER))
    with at_most(megabytes=6, cpu_seconds=5), pytest.raises(StreamError) as caught:
        fed(parser, parts_of(attack))
    assert caught.value.condition == "policy-violation"
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "stanza",
    [
        b"<a>" + b"x>" * 32_000 + b"</a>",
        b"<a><![CDATA[" + b"]>" * 32_000 + b"]]></a>",
        b"<a b='" + b">" * 4_000 + b"'/>",
    ],
)
def test_a_byte_at_a_time_is_no_attack(stanza: bytes) -> None:
    parser = Parser()
    list(parser.receive(HEADER))
    with at_most(megabytes=1, cpu_seconds=5):
        assert len(fed(parser, single_bytes(stanza))) == 1


@pytest.mark.parametrize("tag", [b"<a b=" + b"''" * 2_000 + b">", b"<!--" + b"->" * 2_000 + b"-->"])
def test_what_is_looked_at_again_is_short(tag: bytes) -> None:
    parser = Parser()
    list(parser.receive(HEADER))
    with at_most(megabytes=1, cpu_seconds=5), pytest.raises(StreamError, match="not-well-formed"):
        fed(parser, single_bytes(tag))


def test_large_stanzas_cost_a_few_times_their_size() -> None:
    for limits, size in ((DEFAULT_LIMITS, 1_000_000), (UPSTREAM_LIMITS, 16_000_000)):
        parser = Parser(limits)
        list(parser.receive(HEADER))
        data = b"<repl-output>" + b"0123456789\n" * (size // 11) + b"</repl-output>"
        with at_most(megabytes=size / 1_000_000 * 6, cpu_seconds=10):
            received = fed(parser, parts_of(data))
        assert received == [
            StanzaReceived(Stanza("repl-output", {}, "0123456789\n" * (size // 11)))
        ]


def test_the_protocol_loads_neither_dom_nor_network() -> None:
    program = (
        "import sys; import prosody_admin.protocol.stream;"
        "print(*({'xml.dom', 'xml.sax', 'http', 'urllib', 'socket', 'asyncio', 'logging'}"
        " & {*sys.modules}), 'defusedxml.ElementTree' in sys.modules)"
    )
    service = Path(prosody_admin.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=service, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"]
