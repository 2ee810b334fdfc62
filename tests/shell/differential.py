"""The differential check: what we say that a line means, against what Lua does with it.

Each line that is understood is run by Lua as 0.12 and as 13 would run it, in the client's spelling
and in ours, and must be exactly the one call with exactly the arguments that were parsed.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prosody_admin.shell.canonical import canonical
from prosody_admin.shell.catalogue import FlagKind, shipped
from prosody_admin.shell.lines import Call, Help, Literal, RawLua, Table, parse
from shell.oracle import V12, V13, Oracle, call
from shell.spellings import SEEDS, Speller, mutated

BATCH = 500
"""Lines that go to Lua at once; more gain nothing."""

Expectation = tuple[bytes, str, bytes]
"""Version, line, outcome."""


def compare(oracle: Oracle, lines: Iterable[str], counts: Counter[str]) -> None:
    """Check each line, and count what they mean; the first that differs is an AssertionError."""
    batch: list[list[Expectation]] = []
    for line in lines:
        meaning = parse(line)
        counts[type(meaning).__name__] += 1
        if isinstance(meaning, RawLua):
            continue
        batch.append(list(expectations(line, meaning)))
        if len(batch) == BATCH:
            _compare(oracle, batch)
            batch.clear()
    _compare(oracle, batch)


def expectations(line: str, meaning: Call | Help) -> Iterator[Expectation]:
    """Say what either version must do with the client's spelling, and with ours.

    0.12 knows no tables of words, so that it is never asked about one.
    """
    ours = canonical(meaning)
    for text in (line, ours):
        yield V13, text, _outcome(text, meaning, V13)
        if not text.startswith("{"):
            yield V12, text, _outcome(text, meaning, V12)


def _outcome(text: str, meaning: Call | Help, version: bytes) -> bytes:
    if isinstance(meaning, Help):
        if not meaning.called:
            return f"help {meaning.topic}".encode()
        return b"help " if version == V12 else call("help", meaning.topic, ())
    known = shipped().get(meaning.section, meaning.command)
    if not (text.startswith("{") and known and known.flags):
        return call(meaning.section, meaning.command, meaning.arguments)
    # 13 hands over the flags in a table, after all arguments that the command has before them.
    missing = (None,) * (known.parameters - len(meaning.arguments))
    flags = _flags(meaning, known.flags.__getitem__)
    return call(meaning.section, meaning.command, (*meaning.arguments, *missing, flags))


def _flags(meaning: Call, kind_of: Callable[[str], FlagKind]) -> Table:
    fields: dict[str, Literal] = {}
    for name, value in meaning.flags:
        if kind_of(name) is FlagKind.ARRAY:
            before = fields.get(name, Table())
            assert isinstance(before, Table)
            fields[name] = Table((*before.items, value))
        else:
            fields[name] = value
    return Table(meaning.arguments, tuple(fields.items()))


def _compare(oracle: Oracle, batch: list[list[Expectation]]) -> None:
    answers = iter(oracle.ask([(version, text) for line in batch for version, text, _ in line]))
    for line in batch:
        borders = set()
        for (version, text, expected), (outcome, border) in zip(line, answers, strict=False):
            assert outcome == expected, (version, text, expected, outcome)
            # Flags are a table that is in the one spelling and not in the other.
            borders.add(border if not text.startswith("{") else b"")
        assert len(borders - {b""}) <= 1, (line, borders)


def fuzz_lines(seed: int, count: int) -> Iterator[str]:
    """Return `count` lines, half of them well-formed by construction, half of them mutated."""
    chance = random.Random(seed)
    speller = Speller(chance)
    for _ in range(count // 2):
        line = speller.line()
        yield line
        yield mutated(chance, line if chance.random() < 0.5 else chance.choice(SEEDS))
