"""What a peer may not exceed, and what it costs when it tries."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from prosody_admin.errors import StreamError
from prosody_admin.protocol.events import StanzaReceived
from prosody_admin.protocol.parser import DEFAULT_LIMITS, UPSTREAM_LIMITS, Limits, Parser
from prosody_admin.protocol.stanza import Stanza
from protocol.readers import fed, parsed, refusal, stanzas
from protocol.wire import HEADER, parts_of, single_bytes

SMALL = Limits(stanza_bytes=200, tag_bytes=150, depth=3, elements=5, attributes=2, names=12)


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


def test_names_are_counted_in_each_stanza() -> None:
    few = Limits(names=7)
    assert stanzas(b"<a><b c=''/><d e=''/><b f=''/></a><g h='' i=''/>" * 2, few)
    for one_more in (b"<h/>", b"<a h=''/>", b"<a xmlns:h='xmpp:prosody.im/admin'/>"):
        wide = b"<a><b c=''/><d e=''/><f g=''>" + one_more + b"</f></a>"
        condition, reason = refusal(HEADER + wide, few)
        assert (condition, reason) == ("policy-violation", "more than 7 different names")


def test_names_of_the_header() -> None:
    # There are 7: two namespaces, two prefixes, the root, xml:lang and id.
    assert parsed(HEADER, Limits(names=7))
    condition, reason = refusal(HEADER, Limits(names=6))
    assert (condition, reason) == ("policy-violation", "more than 6 different names")


def test_names_of_stanzas_that_are_over_cost_nothing() -> None:
    parser = Parser()
    list(parser.receive(HEADER))
    with at_most(megabytes=2, cpu_seconds=10):
        for attack in (b"<a%d/>", b"<a a%d=''/>", b"<a xmlns:a%d='u'/>", b"<a xmlns='u%d'/>"):
            for part in parts_of(b"".join(attack % number for number in range(5_000)), 8192):
                assert all(isinstance(event, StanzaReceived) for event in parser.receive(part))


def test_the_limit_that_is_reached_first_is_the_one_that_is_told() -> None:
    long_tag = b"<a b='" + b"x" * 300 + b"'/>"
    assert "a tag" in refusal(HEADER + long_tag, SMALL)[1]
    assert "a stanza" in refusal(HEADER + b"<a>" + b"x" * 100 + long_tag, SMALL)[1]


def test_all_that_precedes_the_header_is_bounded_like_a_tag() -> None:
    assert refusal(b" " * 151, SMALL)[0] == "policy-violation"
    assert parsed(b" " * 12 + HEADER[21:], SMALL)


def test_white_space_between_stanzas_counts_for_nothing() -> None:
    assert stanzas(b" " * 1000 + b"<a/>" + b"\n" * 1000 + b"<b/>", SMALL)


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (b"<a>" * 1_000_000, "deep"),
        (b"<a>" + b"<b/>" * 1_000_000, "elements"),
        (b"<a>" + b"".join(b"<a%d/>" % i for i in range(500_000)), "names"),
        (b"<a>" + b"".join(b"<a a%d=''/>" % i for i in range(100_000)), "names"),
        (b"<a>" + b"".join(b"<a xmlns:a%d='u'/>" % i for i in range(100_000)), "names"),
        (b"<a>" + b"".join(b"<a xmlns='u%d'/>" % i for i in range(100_000)), "names"),
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
