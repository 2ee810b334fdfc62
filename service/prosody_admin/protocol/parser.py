"""Bytes of a stream to events, within limits.

What is plain is read by `plain`, anything else by `expat`; `scanner` cuts what they are given. At a
stanza boundary a parser holds no bytes and no expat. All that shapes what follows is the peer's
header: a new parser that is given the same header is in the same state.
"""

from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING

from prosody_admin.errors import StreamError
from prosody_admin.protocol import plain
from prosody_admin.protocol.events import StanzaReceived, StreamClosed, StreamOpened
from prosody_admin.protocol.limits import DEFAULT_LIMITS, UPSTREAM_LIMITS, Limits, violated
from prosody_admin.protocol.scanner import Scanner

if TYPE_CHECKING:
    from prosody_admin.protocol.expat import Expat

__all__ = ["DEFAULT_LIMITS", "UPSTREAM_LIMITS", "Limits", "Parser"]


class Parser:
    """Parses what one peer sends, from its header to its closing tag.

    After a `StreamError` or `StreamClosed` it must not be used again.
    """

    __slots__ = ("_bytes", "_expat", "_limits", "_opened", "_plain", "_scanner", "header")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._scanner = Scanner()
        self._bytes = 0  # given to expat since the last event
        self._opened = False
        self._plain = False  # whether the header was
        self._expat: Expat | None = None  # not before something is not plain
        self.header = b""
        """What came of the peer's header so far, and of what precedes it."""

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
        while self._scanner.held:
            if not (self._opened and self._bytes):
                if (event := self._next_plain()) is not None:
                    yield event
                    continue
                if self._plain and plain.is_begun(self._scanner.held, self._limits):
                    break
                self._check_between_stanzas()
            piece = self._scanner.next_piece()
            self._check_size(len(self._scanner) if piece is None else len(piece))
            if piece is None:
                break
            yield from self._parse(piece)
        if self._expat is not None and self._opened and not self._bytes:
            self._expat.close()
            self._expat = None

    def _next_plain(self) -> StreamOpened | StanzaReceived | StreamClosed | None:
        """Take what is plain, whole, and within all limits; the rest is for expat."""
        limits, held = self._limits, self._scanner.held
        if self._plain:
            if (found := plain.stanza(held, limits)) is not None:
                end, stanza = found
                self._scanner.drop(end)
                return StanzaReceived(stanza)
            if held.startswith(plain.CLOSING_TAG):
                self._scanner.drop(len(plain.CLOSING_TAG))
                return StreamClosed()
            return None
        if self._opened or self._bytes or (opening := plain.header(held, limits)) is None:
            return None
        end, attributes = opening
        self._opened = self._plain = True
        self.header = bytes(held[:end])
        self._scanner.drop(end)
        return StreamOpened(MappingProxyType(attributes))

    def _parse(self, piece: bytes) -> list[StreamOpened | StanzaReceived | StreamClosed]:
        # Imported here: it takes 9 ms, and most streams never need it.
        from prosody_admin.protocol.expat import Expat

        if self._expat is None:
            self._expat = Expat(self._limits, self.header)
        self._bytes += len(piece)
        if not self._opened:
            self.header += piece
        events = self._expat.feed(piece)
        if events:
            self._opened = True
            self._bytes = 0
        return events

    def _check_between_stanzas(self) -> None:
        space = self._scanner.leading_space()
        if self._opened:
            self._scanner.drop(space)
            if self._scanner.is_text_at(0):
                raise StreamError("bad-format", "text between stanzas")
        else:  # where expat has rules for white space
            self._check_size(space)
            if self._scanner.is_text_at(space):
                raise StreamError("not-well-formed", "text in front of the stream")

    def _check_size(self, piece_bytes: int) -> None:
        # All that precedes the header is looked at again whenever more arrives, like a tag.
        tag_bytes = self._scanner.markup_bytes if self._opened else piece_bytes
        tag_excess = tag_bytes - self._limits.tag_bytes
        stanza_excess = self._bytes + piece_bytes - self._limits.stanza_bytes
        if max(tag_excess, stanza_excess) <= 0:
            return
        if tag_excess >= stanza_excess:  # it was exceeded first
            violated(f"a tag of more than {self._limits.tag_bytes} bytes")
        violated(f"a stanza of more than {self._limits.stanza_bytes} bytes")
