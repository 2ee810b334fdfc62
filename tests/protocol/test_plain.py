"""What is read without an XML parser is what expat makes of it."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prosody_admin.errors import StreamError
from prosody_admin.protocol import plain
from prosody_admin.protocol.events import StanzaReceived, StreamClosed, StreamOpened
from prosody_admin.protocol.expat import Expat
from prosody_admin.protocol.limits import DEFAULT_LIMITS, Limits
from prosody_admin.protocol.parser import Parser
from prosody_admin.protocol.stanza import XML_NS, Stanza, repl_input, repl_output
from protocol.readers import fed, parsed
from protocol.wire import CLOSING_TAG, HEADER, single_bytes

PLAIN = [
    b"<repl-input>admin:whoami()</repl-input>",
    b"<repl-input width='80' repl='1'>user:list(&quot;localhost&quot;)</repl-input>",
    b"<repl-output eol='0'/>",
    b"<repl-output type='error'></repl-output>",
    b"<repl-result>&amp;lt; > \t\n \xc3\xbc\xf0\x9f\x98\x80\xef\xbf\xbd</repl-result>",
    b"<repl-request-input type='password' id='a/>'/>",
    b"<repl-requested-input type='password' id='\"' status='submit'>secret</repl-requested-input>",
]

UNUSUAL = [
    b"<repl-other/>",
    b"<presence/>",
    b"<repl-input ></repl-input>",
    b"<repl-input></repl-input >",
    b"<repl-input></repl-output>",
    b'<repl-input repl="1"/>',
    b"<repl-input  repl='1'/>",
    b"<repl-input lang='en'/>",
    b"<repl-input xmlns='urn:x'/>",
    b"<repl-input xmlns:a='urn:x'/>",
    b"<repl-input repl='1' repl='1'/>",
    b"<repl-input repl='&lt;'/>",
    b"<repl-input repl='<'/>",
    b"<repl-input type='a' id='/>",  # gh-106052
    b"<repl-input type='a' id='>text</repl-input>",
    b"<repl-input repl='\t'/>",
    b"<repl-input repl='\xc3\xbc'/>",
    b"<repl-input><a/></repl-input>",
    b"<repl-input><![CDATA[a]]></repl-input>",
    b"<repl-input><!-- a --></repl-input>",
    b"<repl-input>]]></repl-input>",
    b"<repl-input>a\rb</repl-input>",
    b"<repl-input>a\x01b</repl-input>",
    b"<repl-input>&#65;</repl-input>",
    b"<repl-input>&other;</repl-input>",
    b"<repl-input>a & b</repl-input>",
    b"<repl-input>a &am</repl-input>",
    b"<repl-input>&lt</repl-input>",
    b"<repl-input>\xff</repl-input>",
    b"<repl-input>\xc3</repl-input>",
    b"<repl-input>\xed\xa0\x80</repl-input>",
    b"<repl-input>\xef\xbf\xbe</repl-input>",
    b"<repl-input>\xef\xbf\xbf</repl-input>",
    b" <repl-input/>",
    b"<repl-input",
    b"<repl-input>admin",
]

fragments = st.sampled_from(
    [
        *(b"<", b">", b"/", b"/>", b"</", b"'", b'"', b"=", b"&", b";", b" ", b"\n", b"\r", b"\t"),
        *(b"repl-input", b"repl-output", b"repl-result", b" repl='1'", b" type='error'", b" id=''"),
        *(b"<repl-input>", b"</repl-input>", b"<repl-output", b"</repl-output>", b"&amp;", b"&#9;"),
        *(b"]]>", b"<![CDATA[", b"xmlns='u'", b"\xc3\xbc", b"\xff", b"\xef\xbf\xbf", b"\0", b"a"),
    ]
)


@st.composite
def nearly_plain(draw: st.DrawFn) -> bytes:
    """Return a stanza that is plain but for what was put in, or over, a part of it."""
    data = draw(st.sampled_from(PLAIN))
    for _ in range(draw(st.integers(0, 2))):
        at, gone = draw(st.integers(0, len(data))), draw(st.integers(0, 3))
        data = data[:at] + draw(fragments) + data[at + gone :]
    return data


def by_expat(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Stanza | None:
    """Return the only stanza that the data is; None for anything else."""
    try:
        events = Expat(limits, HEADER).feed(data)
    except StreamError:
        return None
    match events:
        case [StanzaReceived(stanza=stanza)]:
            return stanza
        case _:
            return None


@pytest.mark.parametrize("data", PLAIN)
def test_what_is_plain(data: bytes) -> None:
    found = plain.stanza(bytearray(data + b"<repl-input/>"), DEFAULT_LIMITS)
    assert found == (len(data), by_expat(data))
    for end in range(len(data)):
        assert plain.stanza(bytearray(data[:end]), DEFAULT_LIMITS) is None


@pytest.mark.parametrize("data", UNUSUAL)
def test_what_is_not(data: bytes) -> None:
    assert plain.stanza(bytearray(data), DEFAULT_LIMITS) is None


@pytest.mark.parametrize(
    ("too_small", "enough"),
    [
        ({"tag_bytes": 50}, {"tag_bytes": 51}),  # with room for any tag that ends a stanza
        ({"stanza_bytes": 45}, {"stanza_bytes": 46}),
        ({"attributes": 1}, {"attributes": 2}),
        ({"names": 2}, {"names": 3}),
    ],
)
def test_limits(too_small: dict[str, int], enough: dict[str, int]) -> None:
    data = b"<repl-input width='' repl=''>four</repl-input>"
    assert plain.stanza(bytearray(data), replace(DEFAULT_LIMITS, **too_small)) is None
    assert plain.stanza(bytearray(data), replace(DEFAULT_LIMITS, **enough)) is not None


@settings(max_examples=1500, deadline=None)
@given(st.one_of(nearly_plain(), st.lists(fragments, max_size=12).map(b"".join)))
@example(b"<repl-input>]]&gt;</repl-input>")
def test_expat_agrees(data: bytes) -> None:
    found = plain.stanza(bytearray(data), DEFAULT_LIMITS)
    if found is not None:
        end, stanza = found
        assert by_expat(data[:end]) == stanza


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\ufffe\uffff")))
def test_what_we_write_is_plain(text: str) -> None:
    text = "".join(c for c in text if c >= " " or c in "\t\n")
    for stanza in (repl_input(text, 80, repl=True), repl_output(text, error=True, eol=False)):
        written = stanza.to_bytes()
        assert plain.stanza(bytearray(written), DEFAULT_LIMITS) == (len(written), stanza)


@pytest.mark.parametrize("data", PLAIN)
def test_what_is_begun_is_waited_for(data: bytes) -> None:
    first_tag = data.index(b">", data.rindex(b"'") if b"'" in data else 0) + 1
    for end in range(len(data) + 1):
        begun = plain.is_begun(bytearray(data[:end]), DEFAULT_LIMITS)
        assert begun is (first_tag <= end < len(data) and data[first_tag - 2 : first_tag] != b"/>")


@pytest.mark.parametrize(
    ("too_small", "enough"),
    [
        ({"tag_bytes": 33}, {"tag_bytes": 34}),
        ({"stanza_bytes": 33}, {"stanza_bytes": 34}),
        ({"attributes": 1}, {"attributes": 2}),
        ({"names": 2}, {"names": 3}),
    ],
)
def test_what_is_waited_for_has_limits(too_small: dict[str, int], enough: dict[str, int]) -> None:
    data = bytearray(b"<repl-input width='' repl=''>four<")
    assert not plain.is_begun(data, replace(DEFAULT_LIMITS, **too_small))
    assert plain.is_begun(data, replace(DEFAULT_LIMITS, **enough))


def test_what_is_longer_than_a_tag_may_be_is_not_waited_for() -> None:
    data = bytearray(b"<repl-input>".ljust(DEFAULT_LIMITS.tag_bytes, b"x"))
    assert plain.is_begun(data, DEFAULT_LIMITS)
    assert not plain.is_begun(data + b"x", DEFAULT_LIMITS)


def byte_by_byte(header: bytes, data: bytes) -> list[tuple[int, object]]:
    """Return what comes of the data behind a header, and with which byte."""
    parser = Parser()
    fed(parser, [header])
    found: list[tuple[int, object]] = []
    try:
        for number, byte in enumerate(single_bytes(data)):
            found += [(number, event) for event in parser.receive(byte)]
    except StreamError as error:
        found.append((number, (error.condition, error.reason)))
    return found


@settings(max_examples=1000, deadline=None)
@given(nearly_plain(), st.sampled_from([b"", b"<", b"<repl-input/>", b"text"]))
@example(b"<repl-input>&other;</repl-input>", b"")
@example(b"<repl-input>]]></repl-input>", b"")
@example(b"<repl-request-input type='password' id='/>'/>", b"")
def test_what_is_waited_for_ends_as_without(data: bytes, more: bytes) -> None:
    never_plain = HEADER.replace(b" ", b"  ", 1)
    assert byte_by_byte(HEADER, data + more) == byte_by_byte(never_plain, data + more)


def test_the_closing_tag_ends_it_once() -> None:
    opened, closed = parsed(HEADER + CLOSING_TAG)
    assert isinstance(opened, StreamOpened)
    assert closed == StreamClosed()


def test_headers() -> None:
    attributes = {f"{{{XML_NS}}}lang": "en", "id": ""}
    assert plain.header(bytearray(HEADER + b"<"), DEFAULT_LIMITS) == (len(HEADER), attributes)
    assert Expat(DEFAULT_LIMITS).feed(HEADER) == [StreamOpened(attributes)]
    turned = HEADER.replace(b" xml:lang='en' id=''", b"").replace(b" xmlns=", b" id='x' xmlns=")
    assert plain.header(bytearray(turned), DEFAULT_LIMITS) == (len(turned), {"id": "x"})


@pytest.mark.parametrize(
    "data",
    [
        HEADER[:-1],
        b" " + HEADER,
        HEADER[21:],
        HEADER.replace(b" xmlns='xmpp:prosody.im/admin'", b""),
        HEADER.replace(b"prosody.im/admin", b"prosody.im/other"),
        HEADER.replace(b"etherx", b"other"),
        HEADER.replace(b" id=''", b" id='' id=''"),
        HEADER.replace(b" id=''", b" to=''"),
        HEADER.replace(b" id=''", b" id='&lt;'"),
        HEADER.replace(b" id=''", b" id='"),
        HEADER.replace(b"version='1.0'", b"version='1.1'"),
        HEADER[:-1] + b"/>",
    ],
)
def test_headers_that_are_not_plain(data: bytes) -> None:
    assert plain.header(bytearray(data), DEFAULT_LIMITS) is None


@pytest.mark.parametrize(
    ("too_small", "enough"),
    [
        ({"tag_bytes": len(HEADER) - 1}, {"tag_bytes": len(HEADER)}),
        ({"stanza_bytes": len(HEADER) - 1}, {"stanza_bytes": len(HEADER)}),
        ({"attributes": 1}, {"attributes": 2}),
        ({"names": 6}, {"names": 7}),
    ],
)
def test_headers_and_limits(too_small: dict[str, int], enough: dict[str, int]) -> None:
    header = bytearray(HEADER)
    assert plain.header(header, replace(DEFAULT_LIMITS, **too_small)) is None
    assert plain.header(header, replace(DEFAULT_LIMITS, **enough)) is not None
