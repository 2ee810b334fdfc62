"""One stanza of the admin stream: a value that can be compared, and written as XML safely.

The names and attributes of the `repl-*` stanzas are those of Prosody 0.12 and 13
(modules/mod_admin_shell.lua, util/prosodyctl/shell.lua).
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import overload

from prosody_admin.errors import StanzaError

ADMIN_NS = "xmpp:prosody.im/admin"
STREAMS_NS = "http://etherx.jabber.org/streams"
STREAM_ERRORS_NS = "urn:ietf:params:xml:ns:xmpp-streams"
XML_NS = "http://www.w3.org/XML/1998/namespace"
XMLNS_NS = "http://www.w3.org/2000/xmlns/"

# What the Char production of XML 1.0 (section 2.2) leaves out; not even a reference may name it.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# Of ASCII, what is not written as it is in a text.
_NOT_AS_IT_IS = bytes(code for code in range(128) if _NOT_XML.match(chr(code))) + b"&<>\r"

# XML allows more, but its fourth edition (expat's) and its fifth disagree on what. All names of
# this protocol are ASCII, and no name that a peer chose is ever written.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*", re.ASCII)

_OURS = frozenset(
    f"repl-{kind}" for kind in ("input", "output", "result", "request-input", "requested-input")
)

_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Stanza:
    """An XML element with its attributes and content; immutable, equal by value, hashable.

    `attributes` is read-only; the name of one that has a namespace is written `{namespace}name`.
    `children` holds elements and texts in order; neighbouring texts are one, none is empty.
    Nothing is checked until `to_bytes`: what was parsed is right already.

    An element inside `repl-input` is no violation of the stream: whoever dispatches looks at
    `elements` and refuses with an error result, because a client that loses its stream exits 0.
    """

    name: str
    namespace: str
    attributes: Mapping[str, str]
    children: tuple["Stanza | str", ...]

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, str] = _NO_ATTRIBUTES,
        *children: "Stanza | str",
        namespace: str = ADMIN_NS,
    ) -> None:
        # The way for a frozen dataclass to set its own fields.
        put = object.__setattr__
        put(self, "name", name)
        put(self, "namespace", namespace)
        if attributes is not _NO_ATTRIBUTES:
            attributes = MappingProxyType(dict(attributes)) if attributes else _NO_ATTRIBUTES
        put(self, "attributes", attributes)
        if len(children) != 1 or not children[0]:  # the most common one is right already
            children = tuple(_with_texts_joined(children))
        put(self, "children", children)

    def __hash__(self) -> int:
        attributes = frozenset(self.attributes.items())
        return hash((self.name, self.namespace, attributes, self.children))

    def __repr__(self) -> str:
        # Text and attributes can be passwords, and a repr ends up in logs.
        return f"<Stanza {self.name}, {len(self.text)} characters>"

    @property
    def text(self) -> str:
        """The element's own text, without that of elements inside it."""
        if len(self.children) == 1 and isinstance(self.children[0], str):
            return self.children[0]
        return "".join(child for child in self.children if isinstance(child, str))

    @property
    def elements(self) -> tuple["Stanza", ...]:
        """The elements directly inside this one."""
        return tuple(child for child in self.children if isinstance(child, Stanza))

    @overload
    def get(self, attribute: str) -> str | None: ...
    @overload
    def get(self, attribute: str, default: str) -> str: ...
    def get(self, attribute: str, default: str | None = None) -> str | None:
        """Return an attribute's value, or the default where there is none."""
        return self.attributes.get(attribute, default)

    def to_bytes(self) -> bytes:
        """Return the stanza as XML for a stream whose default namespace is `ADMIN_NS`.

        Whatever is parsed from it is equal to this stanza, carriage returns included. Raises
        `StanzaError` for a name that is not plain ASCII, a reserved namespace, and characters
        that XML 1.0 cannot carry.
        """
        parts: list[str] = []
        _write(self, ADMIN_NS, parts)
        return "".join(parts).encode()


def sanitised(text: str) -> str:
    """Return the text with U+FFFD for each character that XML 1.0 cannot carry."""
    return _NOT_XML.sub("\ufffd", text)


def escaped_attribute(value: str) -> str:
    """Return the text as it stands between the quotes of an attribute.

    White space goes as references: a parser turns the plain characters into spaces (XML 1.0,
    section 3.3.3). Raises `StanzaError` for what XML cannot carry.
    """
    text = escaped_text(value).replace("'", "&apos;").replace('"', "&quot;")
    return text.replace("\t", "&#9;").replace("\n", "&#10;")


def repl_input(line: str, width: int | None = None, repl: bool | None = None) -> Stanza:
    """Return a line for the shell; `width` in columns, `repl` false for a one-shot command.

    Prosody 0.12 knows neither attribute, 13 sends both.
    """
    attributes = {}
    if width is not None:
        attributes["width"] = str(width)
    if repl is not None:
        attributes["repl"] = "1" if repl else "0"
    return Stanza("repl-input", attributes, line)


def repl_output(text: str, error: bool = False, eol: bool = True) -> Stanza:
    """Return a piece of output; without `eol` a one-shot client of 13 prints no newline."""
    attributes = {"type": "error"} if error else {}
    if not eol:
        attributes["eol"] = "0"
    return Stanza("repl-output", attributes, text)


def repl_result(text: str, error: bool = False) -> Stanza:
    """Return the result that ends a command: there is exactly one for each input."""
    return Stanza("repl-result", {"type": "error"} if error else {}, text)


def repl_requested_input(
    request_id: str, answer: str | None, request_type: str = "password"
) -> Stanza:
    """Return the answer to Prosody 13's question for a secret; None cancels."""
    status = "cancel" if answer is None else "submit"
    attributes = {"type": request_type, "id": request_id, "status": status}
    return Stanza("repl-requested-input", attributes, answer or "")


def _with_texts_joined(children: Iterable[Stanza | str]) -> Iterable[Stanza | str]:
    for is_text, run in groupby(children, lambda child: isinstance(child, str)):
        if not is_text:
            yield from run
        elif text := "".join(child for child in run if isinstance(child, str)):
            yield text


def _write(stanza: Stanza, default_namespace: str, parts: list[str]) -> None:
    name = stanza.name if stanza.name in _OURS else _checked_name(stanza.name)
    parts.append(f"<{name}")
    if stanza.namespace != default_namespace:
        parts.append(f" xmlns='{_escaped_namespace(stanza.namespace)}'")
    for number, (attribute, value) in enumerate(stanza.attributes.items()):
        parts.append(_attribute(attribute, value, f"ns{number}"))
    if not stanza.children:
        parts.append("/>")
        return
    parts.append(">")
    for child in stanza.children:
        if isinstance(child, str):
            parts.append(escaped_text(child))
        else:
            _write(child, stanza.namespace, parts)
    parts.append(f"</{name}>")


@functools.lru_cache(maxsize=64)  # it is the same few again and again
def _attribute(clark_name: str, value: str, prefix: str) -> str:
    if not clark_name.startswith("{"):
        if clark_name == "xmlns":
            raise StanzaError("a namespace is not an attribute")
        return f" {_checked_name(clark_name)}='{escaped_attribute(value)}'"
    namespace, _, name = clark_name[1:].partition("}")
    _checked_name(name)
    if namespace == XML_NS:  # bound to this prefix without a declaration
        return f" xml:{name}='{escaped_attribute(value)}'"
    if not namespace:
        raise StanzaError("a prefix cannot stand for no namespace")
    declaration = f"xmlns:{prefix}='{_escaped_namespace(namespace)}'"
    return f" {declaration} {prefix}:{name}='{escaped_attribute(value)}'"


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise StanzaError("a name that is not plain ASCII, or no name")
    return name


def _escaped_namespace(namespace: str) -> str:
    if namespace in {XML_NS, XMLNS_NS} or "}" in namespace:
        # The brace is what expat separates names with, and refuses inside a namespace.
        raise StanzaError("a reserved namespace, or one with a brace in it")
    return escaped_attribute(namespace)


def escaped_text(text: str) -> str:
    """Return the text as it stands between tags. Raises `StanzaError` for what XML cannot carry."""
    if text.isascii():
        written = text.encode("ascii")
        if len(written.translate(None, _NOT_AS_IT_IS)) == len(written):  # nearly everything
            return text
    if _NOT_XML.search(text) is not None:
        raise StanzaError("a character that XML 1.0 cannot carry")
    # A carriage return that is not a reference arrives as a newline (XML 1.0, section 2.11).
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")
