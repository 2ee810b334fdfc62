"""Bytes of a stream to events, within limits.

expat, hardened by defusedxml, parses; `scanner` cuts what it is given. On top of what defusedxml
forbids (a document type declaration, entities) RFC 6120, section 11.1, forbids comments and
processing instructions, and section 11.6 any encoding but UTF-8.

At a stanza boundary a parser holds no bytes. All that shapes what follows is the namespaces that
the peer's header declared; a new parser that is given the same header is in the same state.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn
from xml.parsers.expat import ErrorString

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from prosody_admin.errors import StreamError
from prosody_admin.protocol.events import StanzaReceived, StreamClosed, StreamOpened
from prosody_admin.protocol.scanner import Scanner
from prosody_admin.protocol.stanza import STREAMS_NS, Stanza


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one stream may cost; whoever goes beyond gets `policy-violation`."""

    # Bytes from a stanza's "<" to its ">", all of which are held at some time. 1 MiB is what
    # Prosody 0.12 takes.
    stanza_bytes: int = 1 << 20
    # Bytes of one tag; text may be as long as the stanza. They are looked at again whenever more
    # of them arrive (4 KiB a byte at a time: 0.15 s at worst), and so is all up to the header.
    tag_bytes: int = 4096
    # Elements inside one another. Nothing known goes beyond 3; a level costs 130 bytes in expat
    # and one call where a stanza is compared, hashed or written.
    depth: int = 16
    # Elements in one stanza: each costs some 300 bytes here for four on the wire.
    elements: int = 256
    # Attributes of one element; the stanza with the most has three.
    attributes: int = 16
    # Different names of elements and attributes, prefixes and namespaces, as long as the stream
    # lives: expat forgets none of them (500,000 cost 97 MB). Prosody's all together are 20.
    names: int = 128


DEFAULT_LIMITS = Limits()

# Prosody is trusted not to flood us, but one line of output of a console may be megabytes.
UPSTREAM_LIMITS = Limits(stanza_bytes=16 << 20)


@dataclass(slots=True)
class _OpenElement:
    name: str
    namespace: str
    attributes: dict[str, str]
    children: list[Stanza | str]


class Parser:
    """Parses what one peer sends, from its header to its closing tag.

    After a `StreamError` or `StreamClosed` it must not be used again.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self.header = b""
        """What came up to the end of the peer's header."""
        self._scanner = Scanner()
        self._open: list[_OpenElement] = []
        self._stream_is_open = False
        self._bytes = 0  # parsed since the last event
        self._elements = 0  # of the current stanza
        self._names: set[str | None] = set()
        self._events: list[StreamOpened | StanzaReceived | StreamClosed] = []
        self._defused = DefusedXMLParser(target=object(), encoding="UTF-8", forbid_dtd=True)
        expat = self._defused.parser
        expat.ordered_attributes = False
        expat.XmlDeclHandler = self._xml_declaration
        expat.StartNamespaceDeclHandler = self._namespace_declaration
        expat.StartElementHandler = self._start_of_element
        expat.EndElementHandler = self._end_of_element
        expat.CharacterDataHandler = self._text
        expat.CommentHandler = self._restricted_xml
        expat.ProcessingInstructionHandler = self._restricted_xml

    @property
    def is_between_stanzas(self) -> bool:
        """Whether neither a header nor a stanza has arrived in part."""
        return not self._bytes and not len(self._scanner)

    def receive(
        self, data: bytes | memoryview
    ) -> Iterator[StreamOpened | StanzaReceived | StreamClosed]:
        """Parse more bytes; each event comes with its last byte, in whatever parts they arrive.

        Raises `StreamError` after the events that precede the violation; its reason names the
        rule and never quotes the peer.
        """
        self._scanner.receive(data)
        while True:
            if not self._open:
                self._check_between_stanzas()
            piece = self._scanner.next_piece()
            self._check_size(len(self._scanner) if piece is None else len(piece))
            if piece is None:
                return
            self._parse(piece)
            if self._events:
                self._bytes = 0
                yield from self._events
                self._events.clear()

    def _check_between_stanzas(self) -> None:
        space = self._scanner.leading_space()
        if self._stream_is_open:
            self._scanner.drop(space)
            if self._scanner.is_text_at(0):
                raise StreamError("bad-format", "text between stanzas")
        else:  # where expat has rules for white space
            self._check_size(space)
            if self._scanner.is_text_at(space):
                raise StreamError("not-well-formed", "text in front of the stream")

    def _check_size(self, piece_bytes: int) -> None:
        # All that precedes the header is looked at again whenever more arrives, like a tag.
        tag_bytes = self._scanner.markup_bytes if self._stream_is_open else piece_bytes
        tag_excess = tag_bytes - self._limits.tag_bytes
        stanza_excess = self._bytes + piece_bytes - self._limits.stanza_bytes
        if max(tag_excess, stanza_excess) <= 0:
            return
        if tag_excess >= stanza_excess:  # it was exceeded first
            self._violated(f"a tag of more than {self._limits.tag_bytes} bytes")
        self._violated(f"a stanza of more than {self._limits.stanza_bytes} bytes")

    def _parse(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if not self._stream_is_open:
            self.header += piece
        try:
            piece.decode()  # expat would wait for the rest of a character cut short
            self._defused.feed(piece)
        # None of these exceptions goes any further: they quote the peer.
        except UnicodeDecodeError:
            raise StreamError("not-well-formed", "bytes that are not UTF-8") from None
        except ParseError as error:
            raise StreamError("not-well-formed", ErrorString(error.code)) from None
        except DefusedXmlException:
            raise StreamError("not-well-formed", "a document type declaration") from None

    # expat's handlers. None may call the parser: they queue, `receive` drains.

    def _xml_declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0" or (encoding or "UTF-8").upper() != "UTF-8":
            raise StreamError("not-well-formed", "not XML 1.0 in UTF-8")

    def _restricted_xml(self, *_content: str) -> NoReturn:
        raise StreamError("not-well-formed", "a comment or a processing instruction")

    def _namespace_declaration(self, prefix: str | None, namespace: str | None) -> None:
        self._count_names((prefix, namespace))

    def _start_of_element(self, qualified_name: str, attributes: dict[str, str]) -> None:
        if len(attributes) > self._limits.attributes:
            self._violated(f"more than {self._limits.attributes} attributes")
        self._count_names((qualified_name, *attributes))
        namespace, _, name = qualified_name.rpartition("}")
        attributes = {_clark(key): value for key, value in attributes.items()}
        if self._stream_is_open:
            self._start_in_stanza(_OpenElement(name, namespace, attributes, []))
        elif (namespace, name) == (STREAMS_NS, "stream"):
            self._stream_is_open = True
            self._events.append(StreamOpened(MappingProxyType(attributes)))
        else:
            raise StreamError("invalid-namespace", "the root is not a stream")

    def _start_in_stanza(self, element: _OpenElement) -> None:
        self._elements = self._elements + 1 if self._open else 1
        if self._elements > self._limits.elements:
            self._violated(f"a stanza of more than {self._limits.elements} elements")
        if len(self._open) == self._limits.depth:
            self._violated(f"elements more than {self._limits.depth} deep")
        self._open.append(element)

    def _text(self, text: str) -> None:
        self._open[-1].children.append(text)

    def _end_of_element(self, _name: str) -> None:
        if not self._open:
            self._events.append(StreamClosed())
            return
        done = self._open.pop()
        stanza = Stanza(done.name, done.attributes, *done.children, namespace=done.namespace)
        if self._open:
            self._open[-1].children.append(stanza)
        else:
            self._events.append(StanzaReceived(stanza))

    def _count_names(self, names: tuple[str | None, ...]) -> None:
        self._names.update(names)
        if len(self._names) > self._limits.names:
            self._violated(f"more than {self._limits.names} different names")

    def _violated(self, reason: str) -> NoReturn:
        raise StreamError("policy-violation", reason)


def _clark(name: str) -> str:
    """Return expat's name of an attribute with the brace that it leaves out."""
    return "{" + name if "}" in name else name
