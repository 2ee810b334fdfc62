"""What may stand at the cursor of a line of the shell, by what stands before it."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prosody_admin.client.completing.names import Names
from prosody_admin.client.prompt.prompting import Suggestion
from prosody_admin.shell.canonical import written
from prosody_admin.shell.catalogue import shipped

HOSTS_ASKED = 3
"""Where no host is named yet, accounts are asked for if so many hosts at most have any."""

Named = tuple[str, str]
"""A name, and what it is."""

_TOPIC = re.compile(r"\s*help +([A-Za-z0-9]*)", re.ASCII | re.IGNORECASE)
_SECTION = re.compile(r"\s*(\w*)", re.ASCII)
_COMMAND = re.compile(r"\s*(\w+)\s*:\s*(\w*)", re.ASCII)
_CALL = re.compile(r"\s*(\w+)\s*:\s*(\w+)\s*\(", re.ASCII)

# Parts of an argument: a string, one that has no end yet, anything else that is no punctuation.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"' r"|'(?:[^'\\]|\\.)*'")
_OPEN_STRING = re.compile(r'"((?:[^"\\]|\\.)*)\Z' r"|'((?:[^'\\]|\\.)*)\Z")
_BARE = re.compile(r"[^\s,;=(){}\[\]\"']+")

# What the catalogue does not tell: whether an argument names an account or a host.
_OF_ACCOUNTS = frozenset({"c2s", "flags", "roster", "user"})
_OF_HOSTS = frozenset({("user", "list"), ("user", "list_inactive")})


def suggestions(text: str, names: Names) -> list[Suggestion]:
    """Return what may follow `text`, which stands before the cursor, by name."""
    if found := _TOPIC.fullmatch(text):
        topics = ((topic, "topic") for topic in names.topics())
        return _beginning(topics, found[1], found.start(1))
    if found := _SECTION.fullmatch(text):
        sections = [(f"{section}:", "section") for section in names.sections()]
        return _beginning([*sections, ("help ", "what there is")], found[1], found.start(1))
    if found := _COMMAND.fullmatch(text):
        commands = ((f"{name}(", meaning) for name, meaning in commands_of(found[1], names))
        return _beginning(commands, found[2], found.start(2))
    found = _CALL.match(text)
    typed = _argument(text, found.end()) if found else None
    if found is None or typed is None:
        return []
    return [
        Suggestion(written(name), typed.start, meaning)
        for name, meaning in arguments(found[1], found[2], typed.position, typed.text, names)
    ]


def commands_of(section: str, names: Names) -> list[Named]:
    """Return the commands of a section that may be run, and the class of each."""
    return [
        (command.name, command.command_class)
        for command in names.commands()
        if command.section == section
    ]


def arguments(section: str, name: str, position: int, typed: str, names: Names) -> list[Named]:
    """Return what may be the argument of a command at `position`, from 1, and begins with `typed`.

    Asks for no more names than can be meant.
    """
    command = shipped().get(section, name)
    if (section, name, position) == ("admin", "close", 1):
        found = names.sessions()
    elif command is None or position not in command.hosts:
        return []
    elif "@" in typed:
        local, _, _ = typed.partition("@")
        found = [(f"{local}@{host}", meaning) for host, meaning in _hosts(names)]
    else:
        found = [
            *(_hosts(names) if _may_be_host(section, name, position) else ()),
            *(_accounts(names) if _may_be_account(section, name, position) else ()),
        ]
    return sorted(named for named in found if named[0].startswith(typed))


def _hosts(names: Names) -> list[Named]:
    return [(host.name, host.kind or "host") for host in names.hosts()]


def _accounts(names: Names) -> Iterator[Named]:
    hosts = [host.name for host in names.hosts() if not host.kind]
    if len(hosts) <= HOSTS_ASKED:
        for host in hosts:
            yield from ((jid, "account") for jid in names.users(host))


def _may_be_account(section: str, name: str, position: int) -> bool:
    # The second argument of `user:addrole` is a host, that of `roster:subscribe` is none.
    return (
        section in _OF_ACCOUNTS
        and (section, name) not in _OF_HOSTS
        and (position == 1 or section == "roster")
    )


def _may_be_host(section: str, name: str, position: int) -> bool:
    return section == "c2s" or not _may_be_account(section, name, position)


def _beginning(found: Iterable[Named], typed: str, start: int) -> list[Suggestion]:
    return [
        Suggestion(name, start, meaning)
        for name, meaning in sorted(found)
        if name.startswith(typed)
    ]


class _Argument(NamedTuple):
    """The argument at the cursor: which one it is, where it begins, and its text up to there."""

    position: int
    start: int
    text: str


def _argument(text: str, at: int) -> _Argument | None:
    """Return the argument that `text` ends in, where those of a call begin at `at`.

    None if none can stand there: behind a value, or behind the call.
    """
    depth, position, complete = 0, 1, False
    while at < len(text):
        if found := _OPEN_STRING.match(text, at):
            value = found[1] if found[2] is None else found[2]
            return _Argument(position, at, re.sub(r"\\(.)", r"\1", value))
        if found := _STRING.match(text, at):
            at, complete = found.end(), True
            continue
        if found := _BARE.match(text, at):
            if found.end() == len(text):
                return _Argument(position, at, found[0])
            at, complete = found.end(), True
            continue
        character = text[at]
        depth += (character in "([{") - (character in ")]}")
        position += character == "," and depth == 0
        if not character.isspace():
            complete = character in ")]}"
        at += 1
        if depth < 0:
            return None
    return None if complete else _Argument(position, at, "")
