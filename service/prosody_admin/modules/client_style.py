"""What each kind of `prosodyctl` takes, and how what Prosody says is written anew for it.

The three are told apart by what they send with a line: 0.12 nothing, 13 `repl='1'` from its prompt
and `repl='0'` for a single command (util/prosodyctl/shell.lua).
"""

from collections.abc import Iterator
from typing import Protocol

from prosody_admin.protocol.pieces import line_pieces, pieces
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result

PIECE_BYTES = 8000
"""Bytes of text in a stanza for a client of 13, which takes 10,000 with the tags."""

OLD_PIECE_BYTES = 1_000_000
"""The same for a client of 0.12, which takes 1 MiB."""


class ClientStyle(Protocol):
    """How output, results and questions reach one kind of client."""

    def output(self, output: Stanza) -> Iterator[Stanza]:
        """Write output anew, in pieces that the client takes."""

    def result(self, result: Stanza) -> Iterator[Stanza]:
        """Write a result anew; only the last piece ends the command."""

    def answers(self, question: Stanza) -> bool:
        """Return whether the client can answer a question of this kind."""


class Prompt:
    """A client that prints every stanza on lines of its own: long texts are cut where lines end."""

    def __init__(self, piece_bytes: int, *, answers_questions: bool) -> None:
        self._piece_bytes = piece_bytes
        self._answers_questions = answers_questions

    def output(self, output: Stanza) -> Iterator[Stanza]:
        """See ClientStyle."""
        *first, last = line_pieces(output.text, self._piece_bytes)
        for text in first:
            yield repl_output(text, error=_failed(output))
        yield repl_output(last, error=_failed(output), eol=_ends_line(output))

    def result(self, result: Stanza) -> Iterator[Stanza]:
        """See ClientStyle."""
        *first, last = line_pieces(result.text, self._piece_bytes)
        for text in first:
            yield repl_output(text, error=_failed(result))
        yield repl_result(last, error=_failed(result))

    def answers(self, question: Stanza) -> bool:
        """See ClientStyle."""
        return self._answers_questions and _is_known(question)


class Command:
    """The client of 13 with one command: it puts pieces together, and its exit code counts errors.

    So of an error in pieces only the last one is marked as one.
    """

    def output(self, output: Stanza) -> Iterator[Stanza]:
        """See ClientStyle."""
        *first, last = pieces(output.text, PIECE_BYTES)
        for text in first:
            yield repl_output(text, eol=False)
        yield repl_output(last, error=_failed(output), eol=_ends_line(output))

    def result(self, result: Stanza) -> Iterator[Stanza]:
        """See ClientStyle."""
        *first, last = pieces(result.text, PIECE_BYTES)
        for text in first:
            yield repl_output(text, eol=False)
        yield repl_result(last, error=_failed(result))

    def answers(self, question: Stanza) -> bool:
        """See ClientStyle."""
        return _is_known(question)


_OLD = Prompt(OLD_PIECE_BYTES, answers_questions=False)
_PROMPT = Prompt(PIECE_BYTES, answers_questions=True)
_COMMAND = Command()


def style_of(line: Stanza) -> ClientStyle:
    """Return the style of the client that sent this `repl-input`."""
    repl = line.get("repl")
    if repl is None:
        return _OLD
    return _COMMAND if repl == "0" else _PROMPT


def _failed(stanza: Stanza) -> bool:
    return stanza.get("type") == "error"


def _ends_line(output: Stanza) -> bool:
    return output.get("eol") != "0"


def _is_known(question: Stanza) -> bool:
    """Return whether it asks for a password: of anything else 13's client ends with an error."""
    return question.get("type") == "password"
