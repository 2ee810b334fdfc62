"""What is known of each command: how dangerous, and what its arguments are.

The commands of Prosody 0.12 and 13 are in `catalogue.toml` beside this file; the settings may add
more, or others in their place, in the same form.
"""

import enum
import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from prosody_admin.errors import SettingsError

MAX_POSITION = 100
"""The last argument that a catalogue may speak of; no more fit into a call (literals.py)."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FULL_NAME = re.compile(rf"{_NAME.pattern}:{_NAME.pattern}", re.ASCII)
# 13 looks up a single letter somewhere else, and takes `--no-x` for the opposite of `x`.
_FLAG = re.compile(r"(?!no_)[a-z][a-z0-9_]+", re.ASCII)


class CommandClass(enum.StrEnum):
    """What a command can do at its worst; from the mildest to the most dangerous."""

    READ = "read"
    """Shows something, changes nothing, reveals neither secrets nor what people write."""
    WRITE = "write"
    """Changes accounts, sessions, rooms, or what the server does."""
    STREAM = "stream"
    """Goes on until the connection ends, and shows what people write."""
    SECRET = "secret"  # noqa: S105 - the name of a class, no password
    """Reveals or sets what lets somebody in: passwords, tokens, settings."""
    CODE = "code"
    """Runs or removes code, reads files, or reaches everything else."""


class FlagKind(enum.StrEnum):
    """How 13 reads a flag (util/argparse.lua), by the name it has there."""

    SWITCH = "kv"
    """`--name`, `--no-name`, `--name=value`."""
    VALUE = "value"
    """`--name=value` or `--name value`; the last one counts."""
    ARRAY = "array"
    """The same, but all of them count."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. Positions of arguments count from 1; a table there counts as a whole.

    The first of `hosts` says what the command is about: where it is missing or nil, the command is
    about every host. The others may be missing, and then mean the host of the first.
    """

    section: str
    name: str
    command_class: CommandClass
    hosts: tuple[int, ...] = ()
    """Arguments that name a host or a JID of it, or several in a table."""
    secrets: tuple[int, ...] = ()
    """Arguments that no record may show."""
    escalates: tuple[int, ...] = ()
    """Arguments that give somebody a role or a group, or make it do more than its class."""
    patterns: tuple[int, ...] = ()
    """Arguments that are Lua patterns, of which long ones keep Prosody busy for ever."""
    same_as: str = ""
    """The `section:name` of the command that this is another name of."""
    parameters: int = 0
    """How many arguments stand before the flags; of a command with flags only."""
    flags: Mapping[str, FlagKind] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """The flags by name, with `_` where one types `-`."""
    escalating_flags: frozenset[str] = frozenset()


class Catalogue:
    """The commands by section and name; immutable."""

    def __init__(self, commands: Mapping[tuple[str, str], Command]) -> None:
        self._commands = dict(commands)
        names = {name: {name} for name in self._commands}
        for name, command in self._commands.items():
            if not command.same_as:
                continue
            # What it is another name of can be one itself, or be in no catalogue.
            section, _, meant = command.same_as.partition(":")
            same = names[name] | names.get((section, meant), {(section, meant)})
            names.update(dict.fromkeys(same, same))
        self._names = {name: frozenset(same) for name, same in names.items()}

    def get(self, section: str, name: str) -> Command | None:
        """Return what is known of a command, None for an unknown one."""
        return self._commands.get((section, name))

    def names_of(self, command: Command) -> frozenset[tuple[str, str]]:
        """Return all names, as section and name, that do the same as this command."""
        return self._names[command.section, command.name]

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def __len__(self) -> int:
        return len(self._commands)

    def extended(self, sections: Mapping[str, object]) -> "Catalogue":
        """Return a catalogue that has `sections` as well, as `catalogue.toml` has them.

        A command that is there already is replaced as a whole. Raises SettingsError, which names
        the key and what was expected there.
        """
        added = {}
        for section, commands in sections.items():
            for name, facts in _mapping(section, commands).items():
                key = f"{section}.{name}"
                if not (_NAME.fullmatch(section) and _NAME.fullmatch(name)):
                    raise SettingsError(f"{key}: expected names of a section and a command")
                added[section, name] = _command(section, name, _Facts(key, facts))
        return Catalogue({**self._commands, **added})


@functools.cache
def shipped() -> Catalogue:
    """Return the catalogue that comes with this package; read once."""
    text = Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    return Catalogue({}).extended(tomllib.loads(text))


class _Facts:
    """The facts of one command as read, each given out once, in its type."""

    def __init__(self, key: str, facts: object) -> None:
        self.key = key
        self._facts = dict(_mapping(key, facts))

    def take(self, fact: str, default: object = None) -> object:
        return self._facts.pop(fact, default)

    def positions(self, fact: str) -> tuple[int, ...]:
        positions = self.take(fact, [])
        if not isinstance(positions, list) or not all(map(_is_position, positions)):
            raise SettingsError(f"{self.key}.{fact}: expected positions from 1 to {MAX_POSITION}")
        return tuple(positions)

    def end(self) -> None:
        for fact in self._facts:
            raise SettingsError(f"{self.key}.{fact}: no such key")


def _command(section: str, name: str, facts: _Facts) -> Command:
    command_class = facts.take("class")
    flags = _mapping(f"{facts.key}.flags", facts.take("flags", {}))
    kinds, escalating = list(FlagKind), facts.take("escalating_flags", [])
    parameters, same_as = facts.take("parameters", 0), facts.take("same_as", "")
    if command_class not in list(CommandClass):
        raise SettingsError(f"{facts.key}.class: expected one of {', '.join(CommandClass)}")
    if not all(_FLAG.fullmatch(flag) and kind in kinds for flag, kind in flags.items()):
        raise SettingsError(f"{facts.key}.flags: expected names, and each {' or '.join(kinds)}")
    if not isinstance(same_as, str) or (same_as and not _FULL_NAME.fullmatch(same_as)):
        raise SettingsError(f"{facts.key}.same_as: expected section:command")
    if type(parameters) is not int or not 0 <= parameters <= MAX_POSITION:
        raise SettingsError(f"{facts.key}.parameters: expected 0 to {MAX_POSITION}")
    if not isinstance(escalating, list) or not all(flag in flags for flag in escalating):
        raise SettingsError(f"{facts.key}.escalating_flags: expected names of its flags")
    command = Command(
        section,
        name,
        CommandClass(str(command_class)),
        hosts=facts.positions("hosts"),
        secrets=facts.positions("secrets"),
        escalates=facts.positions("escalates"),
        patterns=facts.positions("patterns"),
        same_as=same_as,
        parameters=parameters,
        flags=MappingProxyType({flag: FlagKind(str(kind)) for flag, kind in flags.items()}),
        escalating_flags=frozenset(escalating),
    )
    facts.end()
    return command


def _mapping(key: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise SettingsError(f"{key}: expected a table")
    return value


def _is_position(value: object) -> bool:
    return type(value) is int and 1 <= value <= MAX_POSITION
