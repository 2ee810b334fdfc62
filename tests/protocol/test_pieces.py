"""Long texts are cut so that a client takes each piece, and nothing of them is lost."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.protocol.pieces import line_pieces, pieces
from prosody_admin.protocol.stanza import repl_output

EMPTY_STANZA = len(repl_output(" ").to_bytes()) - 1

XML_TEXT = st.text(
    st.sampled_from("ab&<>\"'\r\n\t\N{LATIN SMALL LETTER E WITH ACUTE}\N{EURO SIGN}\U0001f600"),
    max_size=60,
)
LIMITS = st.integers(5, 40)


def written_bytes(text: str) -> int:
    """Return how many bytes `text` takes in a stanza."""
    return len(repl_output(text).to_bytes()) - EMPTY_STANZA if text else 0


@given(XML_TEXT, LIMITS)
def test_pieces_are_the_text_and_each_as_long_as_can_be(text: str, limit: int) -> None:
    cut = list(pieces(text, limit))
    assert "".join(cut) == text
    assert all(written_bytes(piece) <= limit for piece in cut)
    for piece, following in itertools.pairwise(cut):
        assert written_bytes(piece + following[0]) > limit


def printed(lines: list[str]) -> str:
    """Return what a client prints that ends each piece with a newline."""
    return "".join(f"{line}\n" for line in lines)


@given(XML_TEXT, LIMITS)
def test_line_pieces_print_the_same(text: str, limit: int) -> None:
    cut = list(line_pieces(text, limit))
    assert all(written_bytes(piece) <= limit for piece in cut)
    if all(written_bytes(line) <= limit for line in text.split("\n")):
        assert printed(cut) == text + "\n"
    else:  # a line that is longer than a piece gets newlines, and loses nothing
        assert printed(cut).replace("\n", "") == text.replace("\n", "")


@pytest.mark.parametrize("cut", [pieces, line_pieces])
def test_what_fits_is_one_piece(cut: Callable[[str, int], Iterator[str]]) -> None:
    assert list(cut("", 5)) == [""]
    assert list(cut("a\nb\n", 5)) == ["a\nb\n"]
    assert list(cut("&", 5)) == ["&"]


def test_a_limit_below_one_character_is_refused() -> None:
    with pytest.raises(ValueError, match="one character"):
        list(pieces("a", 4))
