"""Whatever prosodyctl asks, the service answers as Prosody itself would, but where it says why."""

import re
from collections.abc import Callable, Iterator

import pytest

from system.conftest import RESET
from system.differential import changing, comparison, reading
from system.differential.comparison import DIRECT, WAYS
from system.differential.deliberate import DELIBERATE, HUGE, LONG, WORDS
from system.differential.line import Line
from system.gate import SOCKET
from system.machine import Machine

pytestmark = pytest.mark.system

Interactive = Callable[..., list[comparison.Session]]

PIPELINED = 50
OVERTAKEN = 10
"""Of the lines that are sent at once, every tenth takes longer than those after it."""


@pytest.fixture(scope="module")
def gate(installed: Machine) -> Iterator[Machine]:
    """The machine with our socket listening, and in Prosody the hosts of the table."""
    installed.run("sh", "-euc", RESET, check=True)
    comparison.prepare(installed)
    yield installed
    comparison.restore(installed)


def test_the_table_is_long_enough() -> None:
    lines = (*reading.ONE_SHOT, *reading.TYPED, *changing.ONE_SHOT, *changing.TYPED)
    assert len({line.words for line in lines}) >= 400


def test_command_lines_that_change_nothing(gate: Machine) -> None:
    both = comparison.one_shot(gate, reading.ONE_SHOT, *WAYS)
    assert_none(comparison.one_shot_differences(reading.ONE_SHOT, *both))


@pytest.mark.parametrize("interactive", [comparison.piped, comparison.at_terminal])
def test_sessions_that_change_nothing(gate: Machine, interactive: Interactive) -> None:
    both = interactive(gate, reading.TYPED, *WAYS)
    assert_none(comparison.session_differences(reading.TYPED, *both))


def test_the_spelling_of_13(gate: Machine) -> None:
    directly, through = comparison.one_shot(gate, WORDS, *WAYS)
    if gate.release == "trixie":
        assert_none(comparison.one_shot_differences(WORDS, directly, through))
    else:
        assert all(re.fullmatch("Result: table: 0x[0-9a-f]+\n", run.stdout) for run in directly)
        assert all(run.status == 0 and "table" not in run.stdout for run in through)


def test_command_lines_that_change_something(gate: Machine) -> None:
    both = []
    for way in WAYS:
        comparison.fresh(gate)
        both += comparison.one_shot(gate, changing.ONE_SHOT, way)
    assert_none(comparison.one_shot_differences(changing.ONE_SHOT, *both))


@pytest.mark.parametrize("interactive", [comparison.piped, comparison.at_terminal])
def test_sessions_that_change_something(gate: Machine, interactive: Interactive) -> None:
    both = []
    for way in WAYS:
        comparison.fresh(gate)
        both += interactive(gate, changing.TYPED, way)
    assert_none(comparison.session_differences(changing.TYPED, *both))


@pytest.mark.parametrize("way", WAYS, ids=["direct", "through"])
def test_deliberate_differences(gate: Machine, way: str) -> None:
    comparison.fresh(gate)
    (results,) = comparison.one_shot(gate, [case.line for case in DELIBERATE], way)
    unexpected = []
    for case, result in zip(DELIBERATE, results, strict=True):
        status, pattern = case.direct if way == DIRECT else case.through
        shown = result.stdout + result.stderr
        if result.status != status or not re.search(pattern, shown):
            unexpected.append(f"{case.line.words} ({case.why}): {result}")
    assert_none(unexpected)


def test_a_session_outlives_what_breaks_the_stream_of_prosody(gate: Machine) -> None:
    comparison.fresh(gate)
    lines = [Line((">'\\u{fffe}'",)), Line(("server:version()",))]
    direct, through = comparison.piped(gate, lines, *WAYS)
    assert "session closed" in direct.parts[-1]
    assert "OK: " in through.parts[2]


def test_long_outputs_of_command_lines(gate: Machine) -> None:
    comparison.fresh(gate)
    lines = (*LONG, HUGE) if gate.release == "trixie" else LONG
    (results,) = comparison.one_shot(gate, lines, SOCKET)
    expected = comparison.raw(gate, DIRECT, [line.words[0] for line in lines])
    different = []
    for line, result, (text, failed) in zip(lines, results, expected, strict=True):
        shown = result.stdout + result.stderr
        if line.mask(shown) != line.mask(text) or result.status != failed:
            different.append(f"{line.words}: {len(shown)} of {len(text)}, {shown[-200:]!r}")
    assert_none(different)


def test_long_outputs_in_a_session(gate: Machine) -> None:
    """A line that is too long for a stanza is shown as several: their text is the same."""
    comparison.fresh(gate)
    lines = (*LONG, HUGE)
    (session,) = comparison.piped(gate, lines, SOCKET)
    expected = comparison.raw(gate, DIRECT, [line.words[0] for line in lines])
    different = []
    for line, shown, (text, _) in zip(lines, session.parts[1:-1], expected, strict=True):
        answer = re.sub(r"(?m)^[|!] ", "", shown.partition("\n")[2])
        if line.mask(answer).replace("\n", "") != line.mask(text).replace("\n", ""):
            different.append(f"{line.words}: {len(answer)} of {len(text)}, {answer[-200:]!r}")
    assert_none(different)


def test_pipelined_commands_are_answered_in_order(gate: Machine) -> None:
    later = (
        ">require'util.promise'.new(function (resolve) "
        "require'util.timer'.add_task(0.05, function () resolve({number}) end) end)"
    )
    now = ">print('the number is') return {number}"
    lines = [
        (now if number % OVERTAKEN else later).format(number=number) for number in range(PIPELINED)
    ]
    comparison.fresh(gate)
    in_order = list(range(PIPELINED))
    answers = comparison.raw(gate, SOCKET, lines)
    assert [int(text.split()[-1]) for text, _ in answers] == in_order
    outputs = [text.count("the number is") for text, _ in answers]
    assert outputs == [min(1, number % OVERTAKEN) for number in in_order]
    if gate.release == "trixie":  # where Prosody itself lets them overtake
        direct = comparison.raw(gate, DIRECT, lines)
        assert [int(text.split()[-1]) for text, _ in direct] != in_order


def assert_none(differences: list[str]) -> None:
    assert not differences, "\n".join(differences)
