"""`client/terminal/tables.py`: tables for people and for programs."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.client.terminal.cells import Align, width
from prosody_admin.client.terminal.tables import GAP, Column, Fact, as_json, rendered

COLUMNS = [
    Column("id"),
    Column("peer_unit", title="UNIT", flexible=True),
    Column("commands", align=Align.RIGHT),
    Column("reason", flexible=True),
]
ROWS: list[Mapping[str, Fact]] = [
    {"id": "3c6c19e4", "peer_unit": "on-call.service", "commands": 12, "reason": "a b"},
    {"id": "77", "peer_unit": None, "commands": 0, "reason": True},
]
LONG: list[Mapping[str, Fact]] = [
    {"id": "3c6c19e4", "peer_unit": "u" * 30, "commands": 1, "reason": "r" * 30}
]


def test_columns_are_aligned_below_their_headings() -> None:
    assert rendered(COLUMNS, ROWS, noun="session") == (
        "ID        UNIT             COMMANDS  REASON\n"
        "3c6c19e4  on-call.service        12  a b\n"
        "77        -                       0  yes\n"
        "\n"
        "2 sessions listed.\n"
    )


def test_without_legend_there_are_only_rows() -> None:
    assert rendered(COLUMNS, ROWS, noun="session", legend=False) == (
        "3c6c19e4  on-call.service  12  a b\n77        -                 0  yes\n"
    )


@pytest.mark.parametrize(
    ("count", "closing"), [(0, "0 sessions listed.\n"), (1, "\n1 session listed.\n")]
)
def test_the_closing_line_counts(count: int, closing: str) -> None:
    assert rendered(COLUMNS, ROWS[:count], noun="session", cells=20).endswith(closing)


def test_the_widest_flexible_columns_are_cut() -> None:
    (line,) = rendered(COLUMNS, LONG, cells=50, legend=False).splitlines()
    assert line == f"3c6c19e4  {'u' * 16}…  1  {'r' * 17}…"
    assert rendered(COLUMNS, LONG, legend=False).splitlines() == [
        f"3c6c19e4  {'u' * 30}  1  {'r' * 30}"
    ]


def test_what_is_not_flexible_is_cut_only_then() -> None:
    lines = rendered(COLUMNS, LONG, cells=31, legend=False)
    assert lines == "3c6c19e4  uuuuuuu…  1  rrrrrrr…\n"
    assert rendered(COLUMNS, LONG, cells=20, legend=False) == "3c6…  uuu…  1  rrrr…\n"


@given(
    st.lists(
        st.fixed_dictionaries({column.key: st.text(max_size=40) for column in COLUMNS}), max_size=4
    ),
    st.integers(min_value=1, max_value=100),
)
def test_lines_fit_and_drive_no_terminal(rows: list[dict[str, str]], cells: int) -> None:
    lines = rendered(COLUMNS, rows, cells=cells).split("\n")
    least = 4 + 3 * len(GAP)  # a cell for each column
    assert all(width(line) <= max(cells, least) and line.isprintable() for line in lines)
    assert len(lines) == (len(rows) + 2 if rows else 1)


def test_json_is_one_line_or_indented() -> None:
    rows = [{"id": "a", "n": 1, "b": None}]
    assert as_json(rows, "short") == '[{"id":"a","n":1,"b":null}]\n'
    assert as_json(rows, "pretty") == (
        '[\n\t{\n\t\t"id": "a",\n\t\t"n": 1,\n\t\t"b": null\n\t}\n]\n'
    )


@given(st.text())
def test_json_keeps_everything_and_shows_it(text: str) -> None:
    written = as_json(text + "\x7f\x9b\u202e\U000e0001ж", "short")
    assert json.loads(written) == text + "\x7f\x9b\u202e\U000e0001ж"
    assert written.removesuffix("\n").isprintable()
    assert "ж" in written
