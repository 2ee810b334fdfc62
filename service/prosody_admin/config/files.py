"""The settings' files: TOML, checked key by key, later files over earlier ones."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from prosody_admin.access.settings import PolicySettings
from prosody_admin.config.kinds import Kind
from prosody_admin.config.settings import Settings
from prosody_admin.errors import SettingsError

MAIN_FILE = Path("/etc/prosody-admin/prosody-admin.toml")
"""Where the settings are unless the command line names a file; it need not exist."""

_SHOWN_CHARACTERS = 60  # of a wrong value, in an error

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
    import tomllib  # here: it takes 3 ms, and there need not be any file

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
    except ValueError as error:  # Python reads 4,300 digits at most
        raise SettingsError(f"{path}: expected numbers of fewer digits") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: expected fewer lists or tables in each other") from error


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
    import difflib  # here, as json below: for errors, and for people who ask

    candidates = list(known)
    close = difflib.get_close_matches(name, candidates, n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(candidates)}"


def _shown(value: object) -> str:
    """Quote a wrong value: one line, printable, not too long."""
    import json

    try:
        text = json.dumps(value, default=str)
    except ValueError:  # read from hexadecimal, and Python writes 4,300 digits at most
        return "a number of more digits than can be shown"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _toml(default: object) -> str:
    """Write a default; the strings and lists among them look the same in JSON and in TOML."""
    import json

    return f"{default:g}" if isinstance(default, float) else json.dumps(default, default=str)
