"""The stanzas of every day, read without an XML parser.

Prosody and its clients write their header and the `repl-*` stanzas in one form: known names, plain
values in single quotes, text in which only the five predefined entities (XML 1.0, section 4.6)
stand for something else. What is in that form and whole is read by one regular expression, five
times as fast as by expat, and a session that says nothing else never has a parser of its own.

Nothing is decided here: whatever is not in the form, malformed or merely unusual, is not read at
all, and goes to expat. What is read is what expat would have made of it; tests hold the two
against each other.
"""

import re

from prosody_admin.protocol.limits import Limits
from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS, XML_NS, Stanza

# A possessive quantifier stands behind one character class only: behind a group, a Python before
# 3.11.5 goes on from where the last attempt failed, in the middle of an attribute (gh-106052).

# Without references, without what an attribute's normalisation (XML 1.0, section 3.3.3) changes,
# and without bytes that would have to be UTF-8.
_VALUE = rb"'([^'<&\x00-\x1f\x7f-\xff]*+)'"

_ATTRIBUTE = re.compile(rb" ([a-z:]++)=" + _VALUE)

_HEADER = re.compile(
    rb"<\?xml version='1\.0'\?><stream:stream((?: (?:xmlns|xmlns:stream|xml:lang|id)="
    + _VALUE.replace(b"(", b"(?:")
    + rb")*)>"
)

_OPENING = (
    rb"<(repl-(?:input|output|result|request-input|requested-input))"
    rb"((?: (?:width|repl|type|id|eol|status)=" + _VALUE.replace(b"(", b"(?:") + rb")*)"
)

_STANZA = re.compile(_OPENING + rb"(?:/>|>([^<]*+)</\1>)")

_REFERENCE = re.compile(rb"&(?:amp|lt|gt|apos|quot);")

# What XML cannot carry, and the carriage return, which would become a newline.
_UNUSUAL = bytes(code for code in range(32) if code not in b"\t\n")

_OPENING_AND_TEXT = re.compile(_OPENING + rb">[^<]*+")

_NAMESPACES = {"xmlns": ADMIN_NS, "xmlns:stream": STREAMS_NS}

_NAMES_OF_HEADER = 5
"""Besides its attributes: the root, two namespaces and their prefixes."""

_LONGEST_END = len("</repl-requested-input>")
"""Bytes of the longest tag without attributes, which is also longer than what ends any other."""

_NONE: dict[str, str] = {}

CLOSING_TAG = b"</stream:stream>"


def header(data: bytearray, limits: Limits) -> tuple[int, dict[str, str]] | None:
    """Read a header at the beginning of `data`: its length in bytes, and its attributes.

    None if it is not whole, not within the limits, or not in the form of Prosody's
    util/adminstream.lua.
    """
    found = _HEADER.match(data)
    if found is None or found.end() > min(limits.tag_bytes, limits.stanza_bytes):
        return None
    attributes = _attributes(found[1])
    if attributes is None or any(
        attributes.pop(name, None) != namespace for name, namespace in _NAMESPACES.items()
    ):
        return None
    if len(attributes) > min(limits.attributes, limits.names - _NAMES_OF_HEADER):
        return None
    if (language := attributes.pop("xml:lang", None)) is not None:
        attributes[f"{{{XML_NS}}}lang"] = language
    return found.end(), attributes


def stanza(data: bytearray, limits: Limits) -> tuple[int, Stanza] | None:
    """Read a stanza at the beginning of `data`: its length in bytes, and what it is.

    None if it is not whole, not within the limits, or not plain. What came before it was a plain
    header.
    """
    found = _STANZA.match(data)
    if (
        found is None
        or found.end() > limits.stanza_bytes
        or found.end(2) + _LONGEST_END > limits.tag_bytes
    ):
        return None
    name, written, content = found.groups()
    attributes = _attributes(written) if written else _NONE
    text = _text(content) if content else ""
    if attributes is None or text is None:
        return None
    if len(attributes) > min(limits.attributes, limits.names - 1):
        return None
    return found.end(), Stanza(name.decode("ascii"), attributes, text)


def is_begun(data: bytearray, limits: Limits) -> bool:
    """Return whether a stanza at the beginning of `data` may be plain once the rest is here.

    Then there is no hurry: expat would find nothing before its end either. What is longer than a
    tag may be is not waited for, because all of it is read again when more of it arrives.
    """
    if len(data) > min(limits.tag_bytes, limits.stanza_bytes):
        return False
    found = _OPENING_AND_TEXT.match(data)
    if found is None:
        return False
    name, written = found.groups()
    attributes = _attributes(written)
    if attributes is None or len(attributes) > min(limits.attributes, limits.names - 1):
        return False
    closing_tag, rest = b"</%s>" % name, data[found.end() :]
    return rest != closing_tag and closing_tag.startswith(rest)


def _attributes(written: bytes) -> dict[str, str] | None:
    """Return attributes by their names; None if one of them stands there twice."""
    found = _ATTRIBUTE.findall(written)
    attributes = {name.decode("ascii"): value.decode("ascii") for name, value in found}
    return attributes if len(attributes) == len(found) else None


def _text(content: bytes) -> str | None:
    """Return what a text says; None if it is not well-formed, or not plain."""
    if len(content.translate(None, _UNUSUAL)) < len(content):
        return None
    if b"]]>" in content:  # XML 1.0, section 2.4
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    if not content.isascii() and ("\ufffe" in text or "\uffff" in text):
        return None
    if "&" in text:
        if len(_REFERENCE.findall(content)) < text.count("&"):
            return None
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'")
        text = text.replace("&quot;", '"').replace("&amp;", "&")  # last, for it makes new ones
    return text
