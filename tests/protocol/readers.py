"""A parser's input tried in every way that must not matter."""

from collections.abc import Iterable

import pytest

from prosody_admin.errors import StreamError
from prosody_admin.protocol.events import StanzaReceived, StreamOpened
from prosody_admin.protocol.parser import DEFAULT_LIMITS, Limits, Parser
from prosody_admin.protocol.stanza import Stanza
from protocol.wire import HEADER, single_bytes


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
