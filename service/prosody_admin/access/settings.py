"""The policy as a site writes it: roles and grants out of tables of the settings, checked.

Each error names the key, and what was expected there.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from prosody_admin.access.hosts import is_host_pattern
from prosody_admin.access.roles import PATTERN, Role
from prosody_admin.errors import SettingsError
from prosody_admin.shell.catalogue import Catalogue, shipped

SHIPPED_ROLES = {
    role.name: role
    for role in (
        Role("viewer", allow=("@read",)),
        Role(
            "helpdesk",
            allow=(
                *("@read", "user:create", "user:password", "user:enable", "user:disable"),
                *("c2s:close", "roster:subscribe", "roster:unsubscribe"),
            ),
        ),
        Role("operator", allow=("@read", "@write", "@stream", "user:password")),
        Role("owner", allow=("*:*", "help", "admin/*"), escalate=True, lua=True),
    )
}
"""Ready-made roles; a site's settings may change them key by key."""

SHIPPED_GRANTS = {"%prosody-admin": ("viewer",)}
"""Who has a role without any settings, besides root and the service's own account."""

_ROLE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SUBJECT = re.compile(
    r"%?[A-Za-z0-9_.][A-Za-z0-9_.@-]{0,255}|unit:[A-Za-z0-9:_.\\@-]+\.(?:service|scope)", re.ASCII
)
_SUBJECTS = 'the name of an account, "%" and the name of a group, or "unit:" and that of a unit'


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Roles by name, the names of roles by whom they are granted to, and the known commands."""

    roles: Mapping[str, Role] = field(default_factory=lambda: dict(SHIPPED_ROLES))
    grants: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(SHIPPED_GRANTS))
    catalogue: Catalogue = field(default_factory=shipped)

    def with_roles(self, table: object) -> "PolicySettings":
        """Return these settings with what `[roles]` has: of a role that exists, the given keys."""
        roles = dict(self.roles)
        for name, keys in _table("roles", table).items():
            if not _ROLE_NAME.fullmatch(name):
                raise SettingsError(f"[roles] {name!r}: expected a name of letters, digits, _ or -")
            roles[name] = replace(roles.get(name, Role(name)), **_role(f"roles.{name}", keys))
        return replace(self, roles=roles)

    def with_grants(self, table: object) -> "PolicySettings":
        """Return these settings with what `[grants]` has; an empty list takes a grant back."""
        grants = dict(self.grants)
        for subject, roles in _table("grants", table).items():
            if not _SUBJECT.fullmatch(subject):
                raise SettingsError(f"[grants] {subject!r}: expected {_SUBJECTS}")
            if not _is_list_of(_ROLE_NAME, roles):
                raise SettingsError(f"[grants] {subject!r}: expected a list of names of roles")
            grants[subject] = tuple(roles)
        return replace(self, grants=grants)

    def with_commands(self, table: object) -> "PolicySettings":
        """Return these settings with what `[commands]` adds to the catalogue."""
        added = _table("commands", table)
        return replace(self, catalogue=self.catalogue.extended(added)) if added else self

    def check(self) -> None:
        """Raise SettingsError if a role that is granted does not exist."""
        for subject, roles in self.grants.items():
            for name in roles:
                if name not in self.roles:
                    known = ", ".join(self.roles)
                    raise SettingsError(
                        f"[grants] {subject!r}: no role {name!r}; there are {known}"
                    )


def _role(key: str, keys: object) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for name, value in _table(key, keys).items():
        if name not in _ROLE_KEYS:
            raise SettingsError(f"[{key}] {name}: no such key; expected {', '.join(_ROLE_KEYS)}")
        expected, accepts = _ROLE_KEYS[name]
        if not accepts(value):
            raise SettingsError(f"[{key}] {name}: expected {expected}")
        checked[name] = tuple(value) if isinstance(value, list) else value
    return checked


def _table(key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"[{key}]: expected a table")
    return value


def _is_list_of(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, str) and pattern.fullmatch(item) for item in value
    )


def _are_patterns(value: object) -> bool:
    return _is_list_of(PATTERN, value)


def _are_hosts(value: object) -> bool:
    # Not an empty one: whoever takes the last host away does not mean every host.
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(host, str) and is_host_pattern(host) for host in value)
    )


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


_PATTERNS = (
    'a list of "section:command" with * for either, "@read", "@write", "@secret", "@stream", '
    '"@code", "help", or events "admin/..."'
)
_ROLE_KEYS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "allow": (_PATTERNS, _are_patterns),
    "deny": (_PATTERNS, _are_patterns),
    "hosts": ('a list of hosts in lower case, "*.example.com" for all below one', _are_hosts),
    "hostless": ("true or false", _is_bool),
    "escalate": ("true or false", _is_bool),
    "lua": ("true or false", _is_bool),
}
