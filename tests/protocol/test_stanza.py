"""What a stanza is, how it is written, and what it never shows."""

import dataclasses

import pytest

from prosody_admin.errors import StanzaError
from prosody_admin.protocol.stanza import (
    STREAMS_NS,
    XML_NS,
    XMLNS_NS,
    Stanza,
    repl_input,
    repl_output,
    repl_requested_input,
    repl_result,
    sanitised,
)


@pytest.mark.parametrize(
    ("stanza", "written"),
    [
        (repl_input("help"), b"<repl-input>help</repl-input>"),
        (repl_input("x", 80, True), b"<repl-input width='80' repl='1'>x</repl-input>"),
        (repl_input("x", repl=False), b"<repl-input repl='0'>x</repl-input>"),
        (repl_output("1 < 2"), b"<repl-output>1 &lt; 2</repl-output>"),
        (
            repl_output("x", error=True, eol=False),
            b"<repl-output type='error' eol='0'>x</repl-output>",
        ),
        (repl_result("OK"), b"<repl-result>OK</repl-result>"),
        (repl_result("no", error=True), b"<repl-result type='error'>no</repl-result>"),
        (
            repl_requested_input("7", "s3cret"),
            b"<repl-requested-input type='password' id='7' status='submit'>s3cret"
            b"</repl-requested-input>",
        ),
        (
            repl_requested_input("7", None),
            b"<repl-requested-input type='password' id='7' status='cancel'/>",
        ),
    ],
)
def test_the_stanzas_of_the_shell(stanza: Stanza, written: bytes) -> None:
    assert stanza.to_bytes() == written


@pytest.mark.parametrize(
    ("stanza", "written"),
    [
        (Stanza("a", {}, "<&>'\"\r\n\t"), b"<a>&lt;&amp;&gt;'\"&#13;\n\t</a>"),
        (
            Stanza("a", {"b": "<&>'\"\r\n\t"}),
            b"<a b='&lt;&amp;&gt;&apos;&quot;&#13;&#10;&#9;'/>",
        ),
        (Stanza("ping", namespace="urn:x"), b"<ping xmlns='urn:x'/>"),
        (Stanza("a", namespace=""), b"<a xmlns=''/>"),
        (
            Stanza("a", {}, Stanza("b", {}, Stanza("c"), namespace="urn:x")),
            b"<a><b xmlns='urn:x'><c xmlns='xmpp:prosody.im/admin'/></b></a>",
        ),
        (Stanza("a", {f"{{{XML_NS}}}lang": "en"}), b"<a xml:lang='en'/>"),
        (
            Stanza("a", {"b": "1", "{urn:x}b": "2"}),
            b"<a b='1' xmlns:ns1='urn:x' ns1:b='2'/>",
        ),
        (Stanza("a", {}, "ü\U0001f600"), "<a>ü\U0001f600</a>".encode()),
    ],
)
def test_writing(stanza: Stanza, written: bytes) -> None:
    assert stanza.to_bytes() == written


@pytest.mark.parametrize("character", ["\0", "\x08", "\x0b", "\x1f", "\ud800", "\uffff"])
def test_what_xml_cannot_carry_is_refused_or_replaced(character: str) -> None:
    for stanza in (
        Stanza("a", {}, character),
        Stanza("a", {"b": character}),
        Stanza("a", namespace=character),
        Stanza("a", {f"{{{character}}}b": ""}),
    ):
        with pytest.raises(StanzaError) as caught:
            stanza.to_bytes()
        assert character not in str(caught.value)
    assert sanitised(f"a{character}b\r\n\t\x85") == "a\ufffdb\r\n\t\x85"


@pytest.mark.parametrize(
    "name", ["", " ", "1a", "a b", "a:b", "a>", "é", "a\n", "-a", "a'", "a}b", "{urn:x}a", "\0"]
)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(StanzaError):
        Stanza(name).to_bytes()
    with pytest.raises(StanzaError):
        Stanza("a", {f"{{urn:x}}{name}": ""}).to_bytes()
    if not name.startswith("{"):
        with pytest.raises(StanzaError):
            Stanza("a", {name: ""}).to_bytes()


@pytest.mark.parametrize("name", ["xmlns", "xmlns:x", "{}x", "{urn:x", f"{{{XMLNS_NS}}}x"])
def test_an_attribute_declares_no_namespace_nor_lacks_one(name: str) -> None:
    with pytest.raises(StanzaError):
        Stanza("a", {name: ""}).to_bytes()


@pytest.mark.parametrize("namespace", [XML_NS, XMLNS_NS, "urn:}x"])
def test_a_namespace_that_cannot_be_read_back_is_refused(namespace: str) -> None:
    with pytest.raises(StanzaError):
        Stanza("a", namespace=namespace).to_bytes()


def test_text_and_elements() -> None:
    inner = Stanza("b", {}, "inner")
    stanza = Stanza("a", {"c": "d"}, "", "x", "", "y", inner, "z", "")
    assert stanza.children == ("xy", inner, "z")
    assert stanza.text == "xyz"
    assert stanza.elements == (inner,)
    assert (stanza.get("c"), stanza.get("e"), stanza.get("e", "f")) == ("d", None, "f")


def test_equal_by_value() -> None:
    one = Stanza("a", {"b": "1", "c": "2"}, "x", Stanza("d"))
    assert one == Stanza("a", {"c": "2", "b": "1"}, "x", Stanza("d"))
    assert len({one, Stanza("a", {"c": "2", "b": "1"}, "x", Stanza("d"))}) == 1
    for other in (
        Stanza("b", {"b": "1", "c": "2"}, "x", Stanza("d")),
        Stanza("a", {"b": "1"}, "x", Stanza("d")),
        Stanza("a", {"b": "1", "c": "2"}, "x"),
        Stanza("a", {"b": "1", "c": "2"}, "x", Stanza("d"), namespace=STREAMS_NS),
    ):
        assert one != other


def test_immutable() -> None:
    attributes = {"b": "1"}
    stanza = Stanza("a", attributes)
    attributes["b"] = "2"
    assert stanza.get("b") == "1"
    with pytest.raises(dataclasses.FrozenInstanceError):
        stanza.name = "b"  # type: ignore[misc]  # the error under test
    with pytest.raises(TypeError):
        stanza.attributes["b"] = "2"  # type: ignore[index]  # the error under test


def test_a_repr_shows_no_secret() -> None:
    stanza = repl_requested_input("id-of-it", "s3cret")
    assert repr(stanza) == "<Stanza repl-requested-input, 6 characters>"
    assert repr(Stanza("a", {}, stanza, "x")) == "<Stanza a, 1 characters>"
