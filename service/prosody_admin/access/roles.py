"""What a role allows: commands by name and class, and the hosts they may be about."""

import enum
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from prosody_admin.access.hosts import host_of, reaches
from prosody_admin.shell.catalogue import Catalogue, Command, CommandClass
from prosody_admin.shell.lines import Call, Help, Line, Literal, RawLua, Table

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_CLASSES = "|".join(CommandClass)
PATTERN = re.compile(
    rf"@(?:{_CLASSES})|(?:{_NAME}|\*):(?:{_NAME}|\*)|help|admin/[\x21-\x7e]+", re.ASCII
)
"""A command pattern: a class, `section:command` with `*` for either, `help`, or an event.

Classes are those of the catalogue, and an event is `admin/<name>` or `admin/<xmlns>:<name>`, where
a `*` at the end stands for any rest.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: an event, and for `admin/repl-input` what the line means."""

    event: str
    line: Line | None = None

    def __str__(self) -> str:
        """Return the name that patterns match and the record shows, without arguments."""
        match self.line:
            case Call(section=section, command=command):
                return f"{section}:{command}"
            case Help(topic=topic):
                return f"help {topic.lower()}".rstrip()
            case RawLua():
                return "raw Lua"
            case _:
                return self.event


class Opinion(enum.Enum):
    """What one role makes of a request; a denial of one outweighs what all others allow."""

    ALLOW = enum.auto()
    DENY = enum.auto()
    NONE = enum.auto()


class Judgement(NamedTuple):
    """An opinion, the rule it came from, and for none what would be needed."""

    opinion: Opinion
    rule: str = ""
    needed: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """What whoever has it may do.

    `allow` and `deny` are patterns (PATTERN). `hosts` are the hosts that commands may be about,
    `*.example.com` for every host below example.com; none means any. With hosts, a command that
    names no host is about all of them, and is allowed only if `hostless`. `escalate` allows giving
    roles and groups of Prosody, and arguments that make a command do more than its class says.
    `lua` allows lines that are not plain commands: everything.
    """

    name: str
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    hostless: bool = False
    escalate: bool = False
    lua: bool = False

    def judge(self, request: Request, catalogue: Catalogue) -> Judgement:
        """Say what this role alone makes of a request."""
        command = _command(request, catalogue)
        if pattern := _matching(self.deny, request, command, _all_names(command, catalogue)):
            return Judgement(Opinion.DENY, f"role {self.name} denies {pattern}")
        if isinstance(request.line, RawLua):
            if self.lua:
                return Judgement(Opinion.ALLOW, f"role {self.name} has lua")
            return Judgement(Opinion.NONE, needed="a role with lua = true")
        allow = self.allow
        if isinstance(request.line, Call) and command is None and not self.lua:
            # Nobody said what it does: its section must be meant by name.
            allow = tuple(pattern for pattern in allow if not pattern.startswith("*:"))
        pattern = _matching(allow, request, command)
        if not pattern:
            return Judgement(Opinion.NONE, needed=f"a role that allows {request}")
        if lacking := self._lacking(request, command):
            return Judgement(Opinion.NONE, needed=lacking)
        return Judgement(Opinion.ALLOW, f"role {self.name} allows {pattern}")

    def _lacking(self, request: Request, command: Command | None) -> str:
        """Return what an allowed request would still need, in words; "" if nothing."""
        if isinstance(request.line, Call):
            if not self.escalate and _escalates(request.line, command):
                return "a role with escalate = true"
            if self.hosts:
                return self._out_of_reach(request.line, command)
        elif self.hosts and not self.hostless and not isinstance(request.line, Help):
            return _HOSTLESS
        return ""

    def _out_of_reach(self, call: Call, command: Command | None) -> str:
        if not names_host(call, command):
            return "" if self.hostless else _HOSTLESS
        assert command is not None  # or it would name no host
        for argument in _arguments(call, command.hosts):
            for text in _texts(argument):
                host = None if text is None else host_of(text)
                if host is None or not reaches(self.hosts, host):
                    return "a role that reaches this host"
        return ""


def names_host(call: Call, command: Command | None) -> bool:
    """Return whether a call says which host it is about, as the catalogue has it."""
    if command is None:
        return False
    first = next(_arguments(call, command.hosts[:1]), None)
    return first is not None


_HOSTLESS = "a role without hosts, or with hostless = true: this is about no single host"


def _command(request: Request, catalogue: Catalogue) -> Command | None:
    if isinstance(request.line, Call):
        return catalogue.get(request.line.section, request.line.command)
    return None


_Names = frozenset[tuple[str, str]]


def _all_names(command: Command | None, catalogue: Catalogue) -> _Names:
    return frozenset() if command is None else catalogue.names_of(command)


def _matching(
    patterns: tuple[str, ...],
    request: Request,
    command: Command | None,
    other_names: _Names = frozenset(),
) -> str:
    """Return the first pattern that matches the request, by one of its names; "" for none."""
    match request.line:
        case Call(section=section, command=name):
            names = {(section, name), *other_names}
            matching = (pattern for pattern in patterns if _matches_call(pattern, names, command))
        case Help():
            matching = (p for p in patterns if p in {"help", f"@{CommandClass.READ}"})
        case RawLua():
            return ""
        case _:
            matching = (pattern for pattern in patterns if _matches_event(pattern, request.event))
    return next(matching, "")


def _matches_call(
    pattern: str, names: Collection[tuple[str, str]], command: Command | None
) -> bool:
    if pattern.startswith("@"):
        return command is not None and pattern == f"@{command.command_class}"
    section, _, name = pattern.partition(":")
    return any(section in {of_section, "*"} and name in {own, "*"} for of_section, own in names)


def _matches_event(pattern: str, event: str) -> bool:
    return event.startswith(pattern[:-1]) if pattern.endswith("*") else event == pattern


def _escalates(call: Call, command: Command | None) -> bool:
    """Return whether a call gives a role or a group, or does more than its class says."""
    if command is None:
        return False
    given = any(argument is not None for argument in _arguments(call, command.escalates))
    heavy = any(map(_is_heavy, _arguments(call, command.patterns)))
    return given or heavy or any(flag.name in command.escalating_flags for flag in call.flags)


MAX_REPETITIONS = 1
"""Of `* + - ?` in a Lua pattern: each multiplies the time that it takes by the length of a name,
which has 1,023 bytes at most, and so does looking for a pattern anywhere in the name."""

MAX_PATTERN = 100
"""Bytes of a Lua pattern: a set in one is looked through for each byte of a name. Of 15,000, with
one repetition, that takes 3 ms for a name of 20 bytes, and of 100 it takes 0.02 ms."""


def _is_heavy(pattern: Literal) -> bool:
    """Return whether an argument is anything but a pattern that is matched in no time."""
    if pattern is None:
        return False
    return (
        not isinstance(pattern, str)
        or len(pattern.encode()) > MAX_PATTERN
        or sum(map(pattern.count, "*+-?")) > MAX_REPETITIONS
    )


def _arguments(call: Call, positions: tuple[int, ...]) -> Iterator[Literal]:
    """Go through the arguments at these positions, counted from 1, that are there."""
    for position in positions:
        if position <= len(call.arguments):
            yield call.arguments[position - 1]


def _texts(argument: Literal) -> Iterator[str | None]:
    """Go through all texts in an argument; None stands for anything that is no text.

    A nil behind the first host means the host of the first.
    """
    match argument:
        case None:
            return
        case str():
            yield argument
        case Table(items=items, fields=fields):
            for item in (*items, *(value for _, value in fields)):
                yield item if isinstance(item, str) else None
            if not items and not fields:
                yield None  # an empty table may mean all
        case _:
            yield None
