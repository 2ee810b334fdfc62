"""XML to events by expat, hardened by defusedxml.

On top of what defusedxml forbids (a document type declaration, entities) RFC 6120, section 11.1,
forbids comments and processing instructions, and section 11.6 any encoding but UTF-8.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn
from xml.parsers.expat import ErrorString

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from prosody_admin.errors import StreamError
from prosody_admin.protocol.events import StanzaReceived, StreamClosed, StreamOpened
from prosody_admin.protocol.limits import Limits, violated
from prosody_admin.protocol.stanza import STREAMS_NS, Stanza


@dataclass(slots=True)
class _OpenElement:
    name: str
    namespace: str
    attributes: dict[str, str]
    children: list[Stanza | str]


class Expat:
    """Parses pieces that end where a tag ends, of a stream whose `header`, if any, came before.

    After a `StreamError` it must not be used again.
    """

    def __init__(self, limits: Limits, header: bytes = b"") -> None:
        self._limits = limits
        self._open: list[_OpenElement] = []
        self._stream_is_open = False
        self._elements = 0  # of the current stanza
        self._names: set[str | None] = set()  # of the current stanza, or of the header
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
        if header:
            self.feed(header)

    def feed(self, piece: bytes) -> list[StreamOpened | StanzaReceived | StreamClosed]:
        """Parse a piece and return what it ended.

        Raises `StreamError`; its reason names the rule and never quotes the peer.
        """
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
        events, self._events = self._events, []
        if events:
            self._names.clear()
        return events

    def close(self) -> None:
        """Give its memory back now: it and its handlers refer to one another."""
        vars(self._defused).clear()

    # expat's handlers. None may call the parser: they queue, `feed` drains.

    def _xml_declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0" or (encoding or "UTF-8").upper() != "UTF-8":
            raise StreamError("not-well-formed", "not XML 1.0 in UTF-8")

    def _restricted_xml(self, *_content: str) -> NoReturn:
        raise StreamError("not-well-formed", "a comment or a processing instruction")

    def _namespace_declaration(self, prefix: str | None, namespace: str | None) -> None:
        self._count_names((prefix, namespace))

    def _start_of_element(self, qualified_name: str, attributes: dict[str, str]) -> None:
        if len(attributes) > self._limits.attributes:
            violated(f"more than {self._limits.attributes} attributes")
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
            violated(f"a stanza of more than {self._limits.elements} elements")
        if len(self._open) == self._limits.depth:
            violated(f"elements more than {self._limits.depth} deep")
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
            violated(f"more than {self._limits.names} different names")


def _clark(name: str) -> str:
    """Return expat's name of an attribute with the brace that it leaves out."""
    return "{" + name if "}" in name else name
