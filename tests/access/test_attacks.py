"""What somebody with a shipped role would try to get more out of Prosody than the role is for.

What Prosody would do with the lines is in its mod_admin_shell.lua, mod_roster.lua, util/helpers.lua
and mod_pubsub/commands.lib.lua.
"""

from dataclasses import replace
from operator import attrgetter

import pytest

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Grant, Policy, Verdict
from prosody_admin.access.roles import Request, Role
from prosody_admin.access.settings import SHIPPED_ROLES
from prosody_admin.shell.lines import parse

MALLORY = Identity(pid=4711, uid=1000, gid=1000, user="mallory")
OF_ONE_HOST = [
    replace(SHIPPED_ROLES[name], name=f"{name} of example.com", hosts=("example.com",))
    for name in ("viewer", "helpdesk", "operator")
]
EVERY_ROLE = [SHIPPED_ROLES[name] for name in ("viewer", "helpdesk", "operator")] + OF_ONE_HOST


def judged(role: Role, line: str) -> Verdict:
    policy = Policy(107, {role.name: role}, (Grant((role.name,), user="mallory"),))
    return policy.authorise(MALLORY, Request("admin/repl-input", parse(line)))


def refused(role: Role, line: str) -> bool:
    return not judged(role, line).allowed


@pytest.mark.parametrize("role", EVERY_ROLE, ids=attrgetter("name"))
@pytest.mark.parametrize(
    "line",
    [
        'c2s:show("a@example.com", "jid presence sid")',
        'c2s:show(nil, {{title = "x", key = "sid", width = 100}})',
        'c2s:show("*", {"dialback_key"})',
        's2s:show("example.com", {{key = "dialback_key"}})',
        '{"c2s", "show", "a@example.com", "sid"}',
    ],
)
def test_columns_show_the_secrets_of_a_session(role: Role, line: str) -> None:
    assert refused(role, line)


@pytest.mark.parametrize("role", EVERY_ROLE, ids=attrgetter("name"))
@pytest.mark.parametrize("command", ["c2s:show", "s2s:show"])
def test_a_column_as_wide_as_all_memory(role: Role, command: str) -> None:
    assert refused(role, command + '("example.com", {{title = "x", key = "host", width = 4e8}})')


@pytest.mark.parametrize("role", EVERY_ROLE, ids=attrgetter("name"))
@pytest.mark.parametrize(
    "line", [f'user:list("example.com", "{".-" * 20}!")', f'stats:show("{".-" * 20}!")']
)
def test_a_pattern_that_never_ends(role: Role, line: str) -> None:
    assert refused(role, line)


@pytest.mark.parametrize("pattern", ['".-.-!"', '"a?b?"', "{}", "1", "true"])
def test_a_pattern_that_takes_long(pattern: str) -> None:
    assert refused(SHIPPED_ROLES["viewer"], f'user:list("example.com", {pattern})')


@pytest.mark.parametrize("role", EVERY_ROLE, ids=attrgetter("name"))
@pytest.mark.parametrize("command", ['user:list("example.com", ', "stats:show("])
@pytest.mark.parametrize("repeated", ["", "-"])
def test_a_pattern_with_a_set_of_many_characters(role: Role, command: str, repeated: str) -> None:
    assert refused(role, f'{command}"[{"b" * 10_000}!-~]{repeated}!")')


def test_how_long_a_pattern_may_be() -> None:
    viewer = SHIPPED_ROLES["viewer"]
    for pattern in ("x" * 100, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 50):
        assert not refused(viewer, f'user:list("example.com", "{pattern}")')
        assert refused(viewer, f'user:list("example.com", "{pattern}x")')


def test_other_characters_of_a_pattern_cost_nothing() -> None:
    shown = {*map(chr, range(0x20, 0x7F))} - {*'"\\'}
    viewer = SHIPPED_ROLES["viewer"]
    costly = {one for one in shown if refused(viewer, f'user:list("example.com", "{one}{one}")')}
    assert costly == {*"*+-?"}


@pytest.mark.parametrize(
    ("denied", "line"),
    [
        ("host:deactivate", 'hosts:deactivate("example.com")'),
        ("hosts:*", 'host:deactivate("example.com")'),
        ("user:set_role", 'user:setroles("a@b", "b", "x")'),
        ("user:showroles", 'user:role("a@b")'),
        ("user:role", 'user:roles("a@b")'),
        ("debug:timers", "timer:info()"),
    ],
)
def test_another_name_of_a_denied_command(denied: str, line: str) -> None:
    owner = SHIPPED_ROLES["owner"]
    assert judged(owner, line).allowed
    assert refused(replace(owner, deny=(denied,)), line)


@pytest.mark.parametrize("role", EVERY_ROLE, ids=attrgetter("name"))
@pytest.mark.parametrize(
    "line", ['debug:events("example.com")', "debug:events()", 'debug:events("http")']
)
def test_the_variables_of_handlers(role: Role, line: str) -> None:
    assert refused(role, line)


@pytest.mark.parametrize("role", EVERY_ROLE, ids=attrgetter("name"))
@pytest.mark.parametrize("line", ["debug:async()", 'debug:async("NrAWm1mZtdI8")'])
def test_the_stanza_that_is_being_worked_on(role: Role, line: str) -> None:
    assert refused(role, line)


@pytest.mark.parametrize("role", EVERY_ROLE, ids=attrgetter("name"))
@pytest.mark.parametrize(
    "line",
    [
        'pubsub:get_item("a@example.com", "urn:xmpp:bookmarks:1", "room@example.com")',
        'pubsub:set_node_config_option("a@example.com", "urn:xmpp:bookmarks:1", '
        '"pubsub#access_model", "open")',
    ],
)
def test_the_bookmarks_of_somebody_with_the_passwords_of_rooms(role: Role, line: str) -> None:
    assert refused(role, line)


@pytest.mark.parametrize("role", OF_ONE_HOST, ids=attrgetter("name"))
@pytest.mark.parametrize(
    "line",
    [
        'module:reload("c2s", "example.com")',
        'module:info("c2s", "example.com")',
        '{"module", "reload", "c2s", "example.com"}',
    ],
)
def test_a_global_module_by_the_name_of_one_host(role: Role, line: str) -> None:
    assert refused(role, line)


@pytest.mark.parametrize("role", OF_ONE_HOST, ids=attrgetter("name"))
@pytest.mark.parametrize("command", ["subscribe", "unsubscribe", "subscribe_both"])
def test_the_roster_of_a_contact_on_another_host(role: Role, command: str) -> None:
    assert refused(role, f'roster:{command}("a@example.com", "ceo@other.example")')


@pytest.mark.parametrize("role", OF_ONE_HOST, ids=attrgetter("name"))
@pytest.mark.parametrize("command", ["closeall", "show", "show_tls"])
def test_connections_of_other_hosts_to_a_host_of_ones_own(role: Role, command: str) -> None:
    assert refused(role, f's2s:{command}("example.com")')


@pytest.mark.parametrize(
    ("role", "line"),
    [
        ("viewer", 'c2s:show("a@example.com")'),
        ("viewer", "c2s:show(nil, nil)"),
        ("viewer", 's2s:show("example.com")'),
        ("viewer", 'user:list("example.com", nil)'),
        ("viewer", "stats:show()"),
        ("viewer", 'user:list("example.com", "^al.*")'),
        ("viewer", 'stats:show("cpu")'),
        ("helpdesk", 'roster:subscribe("a@example.com", "b@example.com")'),
        ("helpdesk", 'user:role("a@example.com", nil)'),
        ("operator", 'module:reload("c2s", "example.com")'),
        ("operator", 's2s:closeall("example.com")'),
    ],
)
def test_what_the_roles_are_for(role: str, line: str) -> None:
    assert judged(SHIPPED_ROLES[role], line).allowed
    if "example.com" in line and role == "helpdesk":
        assert judged(replace(SHIPPED_ROLES[role], hosts=("example.com",)), line).allowed


@pytest.mark.parametrize(
    "line", ['c2s:show("a@example.com", "jid presence")', 'user:list("example.com", "a?b?")']
)
def test_whoever_may_escalate_may_do_these(line: str) -> None:
    assert judged(replace(SHIPPED_ROLES["viewer"], escalate=True), line).allowed
