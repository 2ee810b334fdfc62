"""Long texts in pieces that a client takes.

Prosody 13 with the security updates of 2026 takes 10,000 bytes a stanza, tags and references
included, and `prosodyctl` exits with 0 where one is larger.
"""

from collections.abc import Iterator

from prosody_admin.protocol.stanza import escaped_text

_LONGEST_REFERENCE = len("&#13;")
"""Bytes that one character takes as XML at most; in UTF-8 alone it has four."""


def pieces(text: str, limit: int) -> Iterator[str]:
    """Cut `text` into the fewest pieces of at most `limit` bytes each, counted as XML.

    Put together they are `text`; an empty text is one empty piece. `limit` is 5 at least. Raises
    ValueError if it is less, for then one character could be too long, and StanzaError for what
    XML cannot carry, if it has to be cut.
    """
    if _fits(text, limit):
        yield text
        return
    written, start = escaped_text(text).encode(), 0
    while (end := _end_of_piece(written, start, limit)) < len(written):
        yield _unescaped(written[start:end])
        start = end
    yield _unescaped(written[start:])


def line_pieces(text: str, limit: int) -> Iterator[str]:
    """Cut `text` like `pieces`, but after the last line that fits, without its newline.

    For a client that prints a newline after each piece: what it prints is `text`, but for lines
    that are longer than a piece.
    """
    if _fits(text, limit):
        yield text
        return
    written, start = escaped_text(text).encode(), 0
    while (end := _end_of_piece(written, start, limit)) < len(written):
        # The newline itself may be the first byte that no longer fits.
        newline = written.rfind(b"\n", start, end + 1)
        yield _unescaped(written[start : end if newline < 0 else newline])
        start = end if newline < 0 else newline + 1
    yield _unescaped(written[start:])


def _fits(text: str, limit: int) -> bool:
    """Return whether a text is short enough to be one piece, whatever is in it."""
    return len(text) * _LONGEST_REFERENCE <= limit >= _LONGEST_REFERENCE


def _end_of_piece(written: bytes, start: int, limit: int) -> int:
    """Return where the longest piece from `start` on ends, between two characters."""
    if limit < _LONGEST_REFERENCE:
        raise ValueError("a piece holds one character at least")
    end = start + limit
    if end >= len(written):
        return len(written)
    while written[end] & 0xC0 == 0x80:  # inside a character (RFC 3629)
        end -= 1
    reference = written.rfind(b"&", end - _LONGEST_REFERENCE + 1, end)
    if reference >= start and b";" not in written[reference:end]:
        return reference
    return end


def _unescaped(written: bytes) -> str:
    text = written.decode().replace("&#13;", "\r").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&amp;", "&")
