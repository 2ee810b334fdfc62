"""The settings: TOML files, checked key by key, into frozen dataclasses.

The dataclasses below are the one table of all keys: default, kind with bounds, and what it is for.
Checking and the reference that people read are made from it.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from prosody_admin.access.settings import PolicySettings
from prosody_admin.errors import SettingsError

MAIN_FILE = Path("/etc/prosody-admin/prosody-admin.toml")
"""Where the settings are unless the command line names a file; it need not exist."""

_SHOWN_CHARACTERS = 60  # of a wrong value, in an error
_MODULE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
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


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The life of the service as a whole."""

    idle_timeout: float = setting(
        60.0,
        seconds(1, 86400, zero="never"),
        "Without a session for this long, the service exits; the next connection starts it again.",
    )
    drain_timeout: float = setting(
        10.0, seconds(0, 300), "When the service stops, what runs gets this long to finish."
    )
    log_level: str = setting(
        "info",
        choice("debug", "info", "warning", "error"),
        "The least important messages to log. Sessions and commands are recorded at any level.",
    )


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What one peer, and all of them together, may take."""

    sessions: int = setting(64, count(1, 4096, "sessions"), "Sessions at the same time, in all.")
    sessions_per_uid: int = setting(
        16, count(1, 4096, "sessions"), "Sessions at the same time of one user."
    )
    pending_commands: int = setting(
        64, count(1, 1024, "commands"), "Commands of one session that wait while another runs."
    )
    stanza_bytes: int = setting(
        1048576, count(4096, 16777216, "bytes"), "The largest stanza that a client may send."
    )
    header_timeout: float = setting(
        10.0, seconds(1, 300), "How long a client may take from connecting to its stream header."
    )
    stanza_timeout: float = setting(
        30.0, seconds(1, 600), "How long a client may take from a stanza's first byte to its last."
    )
    write_timeout: float = setting(
        30.0, seconds(1, 600), "How long a client may read nothing of what waits for it."
    )
    keepalive_interval: float = setting(
        240.0,
        seconds(10, 780),
        "After this much silence a space is sent. Clients hang up after 840 silent seconds.",
    )


@dataclass(frozen=True, slots=True)
class ProsodySettings:
    """The Prosody behind the service."""

    socket: Path = setting(  # noqa: RUF009 - a Path is immutable
        Path("/var/lib/prosody/prosody.sock"),
        SOCKET_PATH,
        "Prosody's own admin socket: admin_socket in its configuration.",
    )
    connect_timeout: float = setting(
        5.0, seconds(0.1, 60), "How long Prosody may take from connecting to its stream header."
    )


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """The record of what is done."""

    required: bool = setting(
        True,
        YES_OR_NO,
        "Whether a command is refused when its start cannot be handed to the journal.",
    )


@dataclass(frozen=True, slots=True)
class ModuleSettings:
    """What answers events, besides what is built in."""

    enabled: tuple[str, ...] = setting(
        (), MODULE_NAMES, "Modules to load, by the names of their entry points, in this order."
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; each table of the file is an attribute, each key an attribute of that.

    `policy` is what the tables of a site's own names have: roles, grants and commands.
    """

    service: ServiceSettings = ServiceSettings()
    limits: LimitSettings = LimitSettings()
    prosody: ProsodySettings = ProsodySettings()
    audit: AuditSettings = AuditSettings()
    modules: ModuleSettings = ModuleSettings()
    policy: PolicySettings = field(default_factory=PolicySettings)


_DEFAULTS = Settings()
_KEYS = {
    table.name: {key.name: key.metadata for key in fields(getattr(_DEFAULTS, table.name))}
    for table in fields(_DEFAULTS)
    if table.name != "policy"
}
# Tables whose keys are a site's own names, and what takes them.
_POLICY_TABLES: dict[str, Callable[[PolicySettings, object], PolicySettings]] = {
    "roles": PolicySettings.with_roles,
    "grants": PolicySettings.with_grants,
    "commands": PolicySettings.with_commands,
}


def settings_files(named: Path | None = None) -> list[Path]:
    """Return the files to load, in their order: the main one, then its drop-ins.

    The main file is `named`, which `load` then demands, or else MAIN_FILE if it exists. Drop-ins
    are `*.toml` in the directory called like the main file with `.d` after it, sorted by name.

    Raises SettingsError where it cannot be told what exists.
    """
    main = named or MAIN_FILE
    drop_ins = main.with_name(main.name + ".d")
    try:
        files = [main] if named or _exists(main) else []
        names = sorted(os.listdir(drop_ins)) if _exists(drop_ins) else []
    except OSError as error:
        raise SettingsError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return files + [drop_ins / name for name in names if name.endswith(".toml")]


def load(paths: Sequence[Path]) -> Settings:
    """Read and check every file; a key in a later one replaces the same key of an earlier one.

    Raises SettingsError, naming the file and the line or key and what was expected there, for a
    file that is missing or cannot be read, what is not TOML, and any table, key or value that is
    not in the reference.
    """
    settings = _DEFAULTS
    for path in paths:
        document = _parsed(path)
        policy = settings.policy
        try:
            for table, take in _POLICY_TABLES.items():
                policy = take(policy, document.pop(table, {}))
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from None
        changes = {
            table: replace(getattr(settings, table), **values)
            for table, values in _checked(path, document).items()
        }
        settings = replace(settings, policy=policy, **changes)
    try:
        settings.policy.check()
    except SettingsError as error:  # of all files together
        raise SettingsError(f"{', '.join(map(str, paths))}: {error}") from None
    return settings


def reference() -> str:
    """Return every table and key with its meaning, bounds and default, as a settings file."""
    lines = []
    for table, keys in _KEYS.items():
        defaults = getattr(_DEFAULTS, table)
        lines += [f"# {defaults.__doc__}", f"[{table}]"]
        for name, key in keys.items():
            lines += [f"# {key['doc']}", f"# Takes {key['kind'].expected}."]
            lines += [f"{name} = {_toml(getattr(defaults, name))}", ""]
    return "\n".join(lines)


def _exists(path: Path) -> bool:
    """Return whether `path` exists; not being allowed to know is an OSError, not a no."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}: expected UTF-8 (at line {line})") from error
    except tomllib.TOMLDecodeError as error:
        end = f"at line {max(len(text.splitlines()), 1)}, the end"
        reason = str(error).replace("at end of document", end)
        raise SettingsError(f"{path}: expected TOML: {reason}") from error


def _checked(path: Path, document: dict[str, Any]) -> dict[str, dict[str, object]]:
    """Return the values of a file, converted, by table and key."""
    checked: dict[str, dict[str, object]] = {}
    for table, values in document.items():
        if table not in _KEYS:
            raise SettingsError(f"{path}: {_unknown_table(table, values)}")
        if type(values) is not dict:
            raise SettingsError(f"{path}: {table}: expected a table, found {_shown(values)}")
        checked[table] = {}
        for key, value in values.items():
            if key not in _KEYS[table]:
                known = _suggested(key, _KEYS[table])
                raise SettingsError(f"{path}: [{table}] {key}: no such key; {known}")
            kind: Kind = _KEYS[table][key]["kind"]
            if not kind.accepts(value):
                raise SettingsError(
                    f"{path}: [{table}] {key}: expected {kind.expected}, found {_shown(value)}"
                )
            checked[table][key] = kind.convert(value)
    return checked


def _unknown_table(name: str, value: object) -> str:
    """Say what is wrong with a name at the top level, where only our tables may be."""
    if type(value) is dict:
        return f"[{name}]: no such table; {_suggested(name, [*_KEYS, *_POLICY_TABLES])}"
    for table, keys in _KEYS.items():
        if name in keys:
            return f"{name}: expected in table [{table}], found outside of any"
    suggested = _suggested(name, [*_KEYS, *_POLICY_TABLES])
    return f"{name}: no such key, and none may be outside of a table; {suggested}"


def _suggested(name: str, known: Iterable[str]) -> str:
    candidates = list(known)
    close = difflib.get_close_matches(name, candidates, n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(candidates)}"


def _shown(value: object) -> str:
    """Quote a wrong value: one line, printable, not too long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _toml(default: object) -> str:
    """Write a default; the strings and lists among them look the same in JSON and in TOML."""
    return f"{default:g}" if isinstance(default, float) else json.dumps(default, default=str)
