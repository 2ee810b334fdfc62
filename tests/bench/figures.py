"""Figures: medians of what was measured by turns, compared, and the table of them."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    `ours` and `theirs` are in `unit`, `theirs` is None where there is nothing to compare with.
    `compared` is what `goal` is about. Processor times are in seconds per command.
    """

    measure: str
    ours: float
    theirs: float | None
    unit: str
    compared: float | None
    goal: str
    met: bool
    processor_ours: float | None = None
    processor_theirs: float | None = None
    note: str = ""


def by_turns(rounds: int, one: Callable[[], A], other: Callable[[], B]) -> tuple[list[A], list[B]]:
    """Measure two things A B A B, so that what else the machine does meets both."""
    first, second = [], []
    for _ in range(rounds):
        first.append(one())
        second.append(other())
    return first, second


def middle(values: Sequence[T], of: Callable[[T], float]) -> float:
    """Return the median of one number of each value."""
    return statistics.median(map(of, values))


def spread(values: Sequence[T], of: Callable[[T], float]) -> str:
    """Return from where to where the values go, in percent of the median."""
    median = middle(values, of)
    least, most = min(map(of, values)), max(map(of, values))
    return f"{100 * (least / median - 1):+.0f}..{100 * (most / median - 1):+.0f} %"


def table(figures: Sequence[Figure]) -> str:
    """Return the table as it is printed; what misses its goal is marked with `!`."""
    head = ("measure", "ours", "theirs", "ratio", "goal", "", "CPU ours", "CPU theirs")
    rows = [head, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        padded = [row[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, *_notes(figures)]) + "\n"


def _notes(figures: Sequence[Figure]) -> Iterator[str]:
    yield ""
    for figure in figures:
        if figure.note:
            yield f"{figure.measure}: {figure.note}"


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.measure,
        written(figure.ours, figure.unit),
        written(figure.theirs, figure.unit),
        "" if figure.compared is None else f"{figure.compared:.2f}",
        figure.goal,
        "" if figure.met else "!",
        written(figure.processor_ours, "s"),
        written(figure.processor_theirs, "s"),
    )


def written(value: float | None, unit: str) -> str:
    """Return a value for people; seconds as what is readable."""
    if value is None:
        return ""
    if unit == "/s":
        return f"{value:,.0f}/s"
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us")):
            if value * factor >= 1 or name == "us":
                return f"{value * factor:#.3g}".removesuffix(".") + f" {name}"
    return f"{value:.1f} {unit}" if unit else f"{value:.0f}"
