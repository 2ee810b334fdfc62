"""Where pieces end: at the same byte in whatever parts the stream arrives."""

import time

import pytest

from prosody_admin.protocol.scanner import Scanner

PIECES = [
    [b"<a>", b"</a>"],
    [b"text > text <a/>"],
    [b" <?xml version='1.0'?>", b"<a b='>' c=\">\"\n d='\"' e=\"'>\">"],
    [b"<!-- it's > - -- -- -->", b"<!-->-->", b"<!->"],
    [b"<?x <a> '?>", b"<?>?>"],
    [b"<![CDATA[<a>]]]]><b>", b"x<![CDATA[]]>y<![CDATA[>]]>z</b>"],
    [b"<!DOCTYPE a SYSTEM '>' [<!ENTITY b \"c\">", b"<>", b"</>"],
]


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("trailing", [b"", b"x", b"<", b"<!-", b"<![CDATA[>", b"<a b='>"])
def test_pieces_end_on_their_last_byte(pieces: list[bytes], trailing: bytes) -> None:
    data = b"".join(pieces) + trailing

    whole = Scanner()
    whole.receive(data)
    for piece in pieces:
        assert whole.next_piece() == piece
    assert whole.next_piece() is None
    assert len(whole) == len(trailing)

    bytewise, position = Scanner(), 0
    for piece in pieces:
        for byte in piece[:-1]:
            bytewise.receive(bytes([byte]))
            assert bytewise.next_piece() is None
        bytewise.receive(piece[-1:])
        assert bytewise.next_piece() == piece
        position += len(piece)


@pytest.mark.parametrize(
    ("data", "markup"),
    [
        (b"text", 0),
        (b"<a b='c'>text", 9),
        (b"text <", 1),
        (b"text <a b='>", 7),
        (b"text <a b='>'> text", 9),
        (b"<!-- >", 6),
        (b"<![CDATA[ <a> ", 0),
        (b"<![CDATA[ <a> ]]><b", 2),
    ],
)
def test_text_is_no_markup_however_long(data: bytes, markup: int) -> None:
    scanner = Scanner()
    scanner.receive(data)
    scanner.next_piece()
    assert scanner.markup_bytes == markup


def test_of_what_is_held_only_markup_counts() -> None:
    scanner = Scanner()
    scanner.receive(b"<a>text")
    assert scanner.next_piece() == b"<a>"
    assert scanner.next_piece() is None
    assert scanner.markup_bytes == 0


@pytest.mark.parametrize("text", [b"x>", b"<![CDATA[" + b"]>"])
def test_text_is_looked_at_once(text: bytes) -> None:
    """A byte at a time this takes half a second; again and again it takes twenty."""
    scanner = Scanner()
    scanner.receive(text)
    began = time.process_time()
    for _ in range(700_000):
        scanner.receive(b"]")
        assert scanner.next_piece() is None
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("data", "space", "text"),
    [
        (b"", 0, False),
        (b" \t\r\n", 4, False),
        (b" <a>", 1, False),
        (b"<!", 0, False),
        (b"  <![", 2, True),
        (b" x", 1, True),
        (b" \xa0<", 1, True),
        (b"\x0c", 0, True),
        (b"\xef\xbb\xbf<a>", 0, True),
    ],
)
def test_white_space_in_front_is_told_from_text(data: bytes, space: int, text: bool) -> None:
    scanner = Scanner()
    scanner.receive(data)
    assert scanner.leading_space() == space
    assert scanner.is_text_at(space) is text


def test_dropped_white_space_is_in_no_piece() -> None:
    scanner = Scanner()
    scanner.receive(b"  <a")
    assert scanner.next_piece() is None
    scanner.drop(2)
    scanner.receive(b">")
    assert scanner.next_piece() == b"<a>"
