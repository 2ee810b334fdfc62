"""The values that a line is made of, as Lua 5.4 has them.

Python holds `True`, `1` and `1.0` for equal, Lua does not, and no verdict may depend on which of
them a line had: the types here compare by type as well. Their reprs show no value, because an
argument can be a password and a repr ends up in logs.
"""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class NotLiteralError(Exception):
    """What was read is no literal, or no command; the message says why and never quotes it.

    It never leaves this package: whoever reads a line gets it as `RawLua`.
    """

    def __init__(self, reason: str, at: int | None = None) -> None:
        super().__init__(reason if at is None else f"{reason}, at byte {at + 1}")


class Exact(abc.ABC):
    """A frozen value that equals another of its class whose values are the same, types included.

    `-0.0` is not `0.0` here.
    """

    __slots__ = ()

    @abc.abstractmethod
    def _identity(self) -> tuple[object, ...]:
        """Return all that makes the value what it is, through `typed`."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((type(self), self._identity()))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table(Exact):
    """A table constructor: the values without a key in order, then those with one in order.

    Both may hold None (nil), which takes a place in the first and says nothing in the second. No
    key is there twice, a number of the first counted: Lua leaves open which would win.
    """

    items: "tuple[Literal, ...]" = ()
    fields: "tuple[tuple[Key, Literal], ...]" = ()

    def _identity(self) -> tuple[object, ...]:
        return typed(self.items), tuple(typed(field) for field in self.fields)

    def __repr__(self) -> str:
        return f"<Table, {len(self.items)} items, {len(self.fields)} fields>"


Key = str | int | float | bool
"""A float only where it has no integer value: Lua makes those integers."""

Literal = str | int | float | bool | None | Table
"""nil is None, integers are those of 64 bits, floats are never NaN."""


def typed(values: Sequence[Any]) -> tuple[object, ...]:
    """Return something that is equal only for equal values of the same types."""
    return tuple(
        # The bits of a float, which tell -0.0 from 0.0.
        (type(value), value.hex() if isinstance(value, float) else value)
        for value in values
    )
