"""What we say that a line means, against real Lua 5.4. `long_run.py` does the same for millions."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from prosody_admin.shell.canonical import canonical
from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.lines import Call, RawLua, parse
from shell.differential import compare, fuzz_lines
from shell.oracle import LUA, V12, V13, Oracle, call
from shell.spellings import SEEDS, Speller
from shell.test_canonical import calls

pytestmark = pytest.mark.skipif(LUA is None, reason="lua5.4 is not installed")

LINES = 25_000
"""Lines of the fuzz in a normal run, about four seconds, ten where coverage is measured."""


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle(shipped()) as running:
        yield running


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("user:list('x', 1)", call("user", "list", ("x", 1))),
        ("user:list() user:list()", b"other not one call"),
        ("user:list();user:list()", b"other not one call"),
        ("user:list(), 1", b"other not the result of the call"),
        ("user.list(user)", b"other not one call"),
        ("user.list('x')", b"other not a method call"),
        ("user:list():x()", b"other something else than a call: index"),
        ("user:list(user)", b"other not one call"),
        ("user:list(function() end)", b"other an argument that is no data"),
        ("x = 1 return user:list()", b"other something else than a call: newindex"),
        ("while true do end", b"other too long"),
        ("local s = 'x' while true do s = s .. s end", b"other not enough memory"),
        (">os.exit()", b"other global"),
        ('{"user", "list", ":x"}', b"other something else than a call: index"),
        ("help user; os.exit()", b"help user"),
    ],
)
def test_the_oracle_knows_what_is_more_than_a_call(
    oracle: Oracle, line: str, outcome: bytes
) -> None:
    assert [answer for answer, _ in oracle.ask([(V13, line)])] == [outcome]


def test_the_oracle_knows_the_versions_apart(oracle: Oracle) -> None:
    lines = [(version, "help:user()") for version in (V12, V13)]
    assert [outcome for outcome, _ in oracle.ask(lines)] == [b"help ", call("help", "user", ())]


def test_seeds(oracle: Oracle) -> None:
    counts: Counter[str] = Counter()
    compare(oracle, SEEDS, counts)
    assert counts == {"Call": 18, "Help": 5, "RawLua": len(SEEDS) - 23}


def test_lines_and_their_mutations(oracle: Oracle) -> None:
    counts: Counter[str] = Counter()
    compare(oracle, fuzz_lines(seed=20, count=LINES), counts)
    assert counts["Call"] > LINES / 2
    assert counts["RawLua"] > LINES / 4


def test_every_well_formed_line_is_understood() -> None:
    speller = Speller(random.Random(21))
    for _ in range(5000):
        line = speller.line()
        meaning = parse(line)
        understood = isinstance(meaning, Call)
        assert understood or (isinstance(meaning, RawLua) and "same key" in meaning.reason), line


@settings(max_examples=200, deadline=None)
@given(call_=calls)
def test_every_value_reaches_lua_exactly(oracle: Oracle, call_: Call) -> None:
    expected = call(call_.section, call_.command, call_.arguments)
    answers = oracle.ask([(version, canonical(call_)) for version in (V12, V13)])
    assert [outcome for outcome, _ in answers] == [expected, expected]


def test_a_difference_is_noticed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_wrongly(line: str) -> Call | RawLua:
        return Call("user", "list", (1,)) if "list" in line else RawLua()

    monkeypatch.setattr("shell.differential.parse", parse_wrongly)
    compare(oracle, ["user:list(1)"], Counter())
    with pytest.raises(AssertionError):
        compare(oracle, ["user:list(1.0)"], Counter())
