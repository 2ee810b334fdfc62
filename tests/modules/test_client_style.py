"""Each kind of client gets pieces that it takes, and prints what Prosody said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.modules.client_style import OLD_PIECE_BYTES, PIECE_BYTES, ClientStyle, style_of
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_output, repl_result

STANZA_BYTES = 10_000
"""What 13 with the security updates of 2026 takes."""

OLD = style_of(repl_input(""))
PROMPT = style_of(repl_input("", repl=True))
COMMAND = style_of(repl_input("", repl=False))

LINES = st.lists(st.sampled_from(["", "x" * 3000, "&" * 1500, "line", "\N{EURO SIGN}" * 2000]))


def printed_by_command(stanzas: list[Stanza]) -> str:
    """Return what 13's client prints for one command."""
    return "".join(s.text + ("" if s.get("eol") == "0" else "\n") for s in stanzas)


def printed_by_prompt(stanzas: list[Stanza]) -> str:
    """Return what a prompt prints, without the marks before each piece."""
    return "".join(f"{stanza.text}\n" for stanza in stanzas)


@given(LINES.map("\n".join), st.booleans(), st.booleans())
def test_one_command_prints_what_prosody_said(text: str, failed: bool, eol: bool) -> None:
    said = repl_output(text, error=failed, eol=eol)
    pieces = list(COMMAND.output(said))
    assert all(len(piece.to_bytes()) <= STANZA_BYTES for piece in pieces)
    assert printed_by_command(pieces) == printed_by_command([said])
    assert sum(piece.get("type") == "error" for piece in pieces) == failed  # its exit code


@given(LINES.map("\n".join), st.booleans())
def test_a_prompt_prints_what_prosody_said(text: str, failed: bool) -> None:
    said = repl_output(text, error=failed)
    pieces = list(PROMPT.output(said))
    assert all(len(piece.to_bytes()) <= STANZA_BYTES for piece in pieces)
    assert printed_by_prompt(pieces) == printed_by_prompt([said])
    assert all((piece.get("type") == "error") is failed for piece in pieces)


@pytest.mark.parametrize("style", [OLD, PROMPT, COMMAND])
@pytest.mark.parametrize("text", ["", "OK: 1", "x" * 3_000_000, "a line\n" * 400_000])
@pytest.mark.parametrize("failed", [True, False])
def test_a_result_is_one_and_the_last(style: ClientStyle, text: str, failed: bool) -> None:
    *before, last = style.result(repl_result(text, error=failed))
    assert {piece.name for piece in before} <= {"repl-output"}
    assert last.name == "repl-result"
    assert (last.get("type") == "error") is failed
    limit = 1024 * 1024 if style is OLD else STANZA_BYTES
    assert all(len(piece.to_bytes()) <= limit for piece in [*before, last])


@pytest.mark.parametrize(("style", "limit"), [(OLD, OLD_PIECE_BYTES), (PROMPT, PIECE_BYTES)])
def test_what_fits_stays_as_it_is(style: ClientStyle, limit: int) -> None:
    said = repl_output("x" * limit, error=True, eol=False)
    assert list(style.output(said)) == [said]


@pytest.mark.parametrize(
    ("style", "kind", "answers"),
    [
        (OLD, "password", False),
        (PROMPT, "password", True),
        (COMMAND, "password", True),
        (PROMPT, "text", False),
        (COMMAND, "text", False),
    ],
)
def test_who_can_answer_what(style: ClientStyle, kind: str, answers: bool) -> None:
    question = Stanza("repl-request-input", {"type": kind, "id": "1"})
    assert style.answers(question) is answers
