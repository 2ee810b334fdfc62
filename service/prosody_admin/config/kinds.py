"""What a key of the settings takes: in words for people, and as a test."""

import os
import re
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

_MODULE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

T = TypeVar("T")


class Kind(NamedTuple):
    """What values a key takes: in words, as a test, and how the service wants them.

    `accepts` gets what `tomllib` made, and looks at exact types: for Python, `true` is an integer.
    """

    expected: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], object] = lambda value: value


def count(least: int, most: int, unit: str) -> Kind:
    """Return the kind of a whole number of `unit`, from `least` to `most`."""
    return Kind(
        f"a whole number from {least} to {most} ({unit})",
        lambda value: type(value) is int and least <= value <= most,
    )


def seconds(least: float, most: float, zero: str = "") -> Kind:
    """Return the kind of a time; 0 is below `least` and allowed where `zero` says what it means."""
    return Kind(
        f"a number of seconds from {least:g} to {most:g}" + (f", or 0: {zero}" if zero else ""),
        lambda value: (
            # `nan` is outside of any bounds.
            type(value) in {int, float} and (least <= value <= most or (value == 0 and zero != ""))
        ),
        float,
    )


def choice(*words: str) -> Kind:
    """Return the kind of one of a few words."""
    return Kind("one of " + ", ".join(f'"{word}"' for word in words), lambda value: value in words)


YES_OR_NO = Kind("true or false", lambda value: type(value) is bool)

SOCKET_PATH = Kind(
    "an absolute path of at most 107 bytes",  # sun_path has one more, to end the string (unix(7))
    lambda value: (
        type(value) is str
        and value.startswith("/")
        and "\0" not in value
        and len(os.fsencode(value)) <= 107
    ),
    Path,
)

MODULE_NAMES = Kind(
    'a list of at most 64 different names (letters, digits, ".", "-" and "_", 64 of them at most)',
    lambda value: (
        type(value) is list
        and len(value) <= 64
        and all(type(name) is str and _MODULE_NAME.fullmatch(name) for name in value)
        and len(set(value)) == len(value)
    ),
    tuple,
)


def setting(default: T, kind: Kind, doc: str) -> T:
    """Declare one key. `default` is what the service wants, so after `kind.convert`."""
    declared: T = field(default=default, metadata={"kind": kind, "doc": doc})
    return declared
