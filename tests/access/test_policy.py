"""Roles and grants: deny by default, deny wins, hosts, escalation, raw Lua, and the disguises."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Grant, Policy, Verdict
from prosody_admin.access.roles import PATTERN, Request, Role
from prosody_admin.shell.lines import parse

SERVICE_UID = 107
ALICE = Identity(pid=4711, uid=1000, gid=1000, groups=(2000,), user="alice")
LINE = "admin/repl-input"

EVERYTHING = Role("everything", allow=("*:*", "help", "admin/*"), escalate=True, lua=True)
LINES = [
    'user:list("example.com")',
    'user:password("a@b", "x")',
    'user:create("a@b", "x", "prosody:admin")',
    '{"invite", "create_account", "a@b", "--role", "prosody:admin"}',
    "server:shutdown()",
    "watch:log()",
    "nosuch:command(1, {})",
    "admin:sessions()",
    'admin:close("1234")',
    "help user",
    "help",
    ">os.exit()",
    "a() b()",
]


def policy(*roles: Role, grant: Grant | None = None) -> Policy:
    """Return a policy in which Alice has these roles, or whoever `grant` is for."""
    names = tuple(role.name for role in roles)
    granted = Grant(names, user="alice") if grant is None else replace(grant, roles=names)
    return Policy(SERVICE_UID, {role.name: role for role in roles}, (granted,))


def verdict(line: str, *roles: Role, identity: Identity = ALICE) -> Verdict:
    return policy(*roles).authorise(identity, Request(LINE, parse(line)))


def allowed(line: str, *roles: Role) -> bool:
    return verdict(line, *roles).allowed


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("uid", "rule"), [(0, "root"), (SERVICE_UID, "service-user")])
def test_root_and_the_service_user_may_do_everything(line: str, uid: int, rule: str) -> None:
    found = verdict(line, identity=replace(ALICE, uid=uid))
    assert (found.allowed, found.rule) == (True, rule)


@pytest.mark.parametrize("line", LINES)
def test_without_a_role_nothing(line: str) -> None:
    found = verdict(line)
    assert (found.allowed, found.rule) == (False, "default")
    assert "none is granted to alice" in found.needed


@pytest.mark.parametrize("line", [*LINES, "admin:whoami()", "help admin"])
@pytest.mark.parametrize(
    "nobody",
    # 65534 is what user_namespaces(7) shows for a uid that is not mapped.
    [replace(ALICE, pid=0, uid=0), replace(ALICE, uid=65534), replace(ALICE, pid=0)],
)
def test_a_peer_that_this_machine_cannot_name_may_do_nothing(line: str, nobody: Identity) -> None:
    found = policy(EVERYTHING).authorise(nobody, Request(LINE, parse(line)))
    needed = "a process of this machine and a mapped account"
    assert found == Verdict(False, "unknown-peer", needed)
    assert not policy(EVERYTHING).is_unlimited(nobody)


@pytest.mark.parametrize(
    "line", ["admin:whoami()", "help admin", "help ADMIN", "admin:rights()", 'admin:explain("x")']
)
def test_everybody_may_ask_about_themselves(line: str) -> None:
    assert verdict(line) == Verdict(True, "everybody", needed="")


@pytest.mark.parametrize("line", LINES)
def test_a_role_for_everything(line: str) -> None:
    found = verdict(line, EVERYTHING)
    assert (found.allowed, found.needed) == (True, "")
    assert found.rule.startswith(("role everything allows ", "role everything has lua"))


def test_a_verdict_names_the_role_and_the_pattern() -> None:
    assert verdict("c2s:count()", EVERYTHING) == Verdict(True, "role everything allows *:*")
    assert verdict(">x", EVERYTHING) == Verdict(True, "role everything has lua")


@pytest.mark.parametrize(
    "grant",
    [
        Grant((), user="alice"),
        Grant((), gid=1000),
        Grant((), gid=2000),
        Grant((), unit="backup.service"),
    ],
)
def test_grants_cover_users_groups_and_units(grant: Grant) -> None:
    identity = replace(ALICE, unit="backup.service")
    granted = policy(EVERYTHING, grant=grant)
    assert granted.authorise(identity, Request(LINE, parse("server:version()"))).allowed
    stranger = Identity(pid=1, uid=1001, gid=1001, user="bob", unit="other.service")
    assert not granted.authorise(stranger, Request(LINE, parse("server:version()"))).allowed


def test_a_grant_for_nobody_covers_nobody() -> None:
    unknown = Identity(pid=1, uid=4242, gid=4242)  # no account name, no unit
    assert unknown == Identity(1, 4242, 4242, (), None, None, None, None)
    grant = Grant(("everything",))
    assert grant == Grant(("everything",), user=None, gid=None, unit=None)
    assert not grant.covers(unknown)
    assert str(unknown) == "uid 4242"


def test_a_policy_of_nothing_grants_nothing() -> None:
    request = Request(LINE, parse("server:version()"))
    assert not Policy(SERVICE_UID).authorise(ALICE, request).allowed
    assert Policy(SERVICE_UID).authorise(replace(ALICE, uid=0), request).allowed


def test_what_is_needed_names_each_way_once() -> None:
    reads, helps = Role("reads", allow=("@read",), hosts=("b",)), Role("helps", allow=("help",))
    found = verdict('user:list("c")', reads, helps, replace(reads, name="again"))
    assert found.needed == "a role that reaches this host or a role that allows user:list"


@pytest.mark.parametrize(
    "text",
    [
        *("@read", "@write", "@stream", "@secret", "@code", "help"),
        *("user:list", "AZaz_09:_z9", "*:list", "user:*", "*:*"),
        *("admin/!", "admin/~", "admin/ping", "admin/urn:example:*"),
    ],
)
def test_what_is_a_pattern(text: str) -> None:
    assert PATTERN.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "@reed", "@readx", "helpx", "help\n", "help "),
        *("user", "user:", ":list", "us*:list", "user:list()", "1a:b", "a:1b", "a-b:c"),
        *("admin/", "admin/a b", "admin/\x7f", "\N{KELVIN SIGN}:x", "x:\N{KELVIN SIGN}"),
    ],
)
def test_what_is_no_pattern(text: str) -> None:
    assert not PATTERN.fullmatch(text)


@pytest.mark.parametrize(
    ("pattern", "line", "matches"),
    [
        ("user:list", 'user:list("b")', True),
        ("user:list", 'user:delete("a@b")', False),
        ("user:*", 'user:delete("a@b")', True),
        ("*:list", 'muc:list("b")', True),
        ("*:list", 'muc:create("a@b")', False),
        ("@read", 'user:list("b")', True),
        ("@read", "help user", True),
        ("@read", 'user:delete("a@b")', False),
        ("@write", 'user:delete("a@b")', True),
        ("@secret", 'config:get("x")', True),
        ("@code", 'module:load("x")', True),
        ("@stream", "watch:log()", True),
        ("@read", "nosuch:command()", False),
        ("nosuch:command", "nosuch:command()", True),
        ("help", "help", True),
        ("help", "help user", True),
        ("help", "user:list()", False),
        ("admin/*", 'user:list("b")', False),
        ("*:*", "help", False),
        ("*:*", ">os.exit()", False),
        ("@code", ">os.exit()", False),
    ],
)
def test_patterns(pattern: str, line: str, matches: bool) -> None:
    assert allowed(line, Role("role", allow=(pattern,))) is matches
    # What a pattern allows, the same pattern denies; and a denial wins, in whatever order.
    denying = Role("denying", deny=(pattern,))
    for roles in ((denying, EVERYTHING), (EVERYTHING, denying)):
        found = verdict(line, *roles)
        assert found.allowed is not matches
        if matches:
            assert found == Verdict(False, f"role denying denies {pattern}", "no such denial")


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        ("admin/urn:example:greeting:hello", "admin/urn:example:greeting:hello", True),
        ("admin/urn:example:*", "admin/urn:example:greeting:hello", True),
        ("admin/urn:example", "admin/urn:example:greeting:hello", False),
        ("admin/urn:example:*", "admin/urn:example2:hello", False),
        ("admin/*", "admin/ping", True),
        ("*:*", "admin/ping", False),
        ("@read", "admin/ping", False),
    ],
)
def test_events_of_others_go_through_the_same_policy(
    pattern: str, event: str, matches: bool
) -> None:
    found = policy(Role("role", allow=(pattern,))).authorise(ALICE, Request(event))
    assert found.allowed is matches
    limited = Role("role", allow=(pattern,), hosts=("example.com",))
    assert not policy(limited).authorise(ALICE, Request(event)).allowed
    hostless = policy(replace(limited, hostless=True))
    assert hostless.authorise(ALICE, Request(event)).allowed is matches


@pytest.mark.parametrize(
    ("pattern", "may"), [("*:*", False), ("*:command", False), ("nosuch:*", True)]
)
def test_an_unknown_command_needs_to_be_named(pattern: str, may: bool) -> None:
    assert allowed("nosuch:command()", Role("role", allow=(pattern,))) is may
    assert allowed("nosuch:command()", Role("role", allow=(pattern,), lua=True))
    assert not allowed("nosuch:command()", EVERYTHING, Role("denying", deny=(pattern,)))


HELPDESK = Role("helpdesk", allow=("*:*", "help"), hosts=("example.com", "*.example.org"))


@pytest.mark.parametrize(
    "line",
    [
        'user:list("example.com")',
        'user:list("EXAMPLE.COM")',
        'user:list("chat.example.org")',
        'user:delete("alice@example.com")',
        'user:password("alice@example.com/phone", "secret")',
        'module:list("example.com")',
        'roster:subscribe_both("a@example.com", "b@chat.example.org")',
        'http:list({"example.com", "chat.example.org"})',
        'http:list({x = "example.com"})',
        'user:role("alice@example.com", nil)',
        '{"user", "list", "example.com"}',
        "help user",
    ],
)
def test_a_role_reaches_its_hosts(line: str) -> None:
    assert allowed(line, HELPDESK)


@pytest.mark.parametrize(
    "line",
    [
        'user:list("example.org")',
        'user:list("evil.com")',
        'user:list("example.com.evil.com")',
        'user:list("example.com@evil.com")',
        'user:list("evil.com/example.com")',
        'user:list("example.com@evil.com/example.com")',
        'user:list("")',
        "user:list()",
        "user:list(nil)",
        "user:list(1)",
        "user:list(true)",
        'user:list({"example.com", "evil.com"})',
        "user:list({})",
        'http:list({x = "evil.com"})',
        'http:list({"example.com", x = "evil.com"})',
        'http:list({"example.com", 1})',
        'http:list({"example.com", {"example.com"}})',
        'module:info("roster")',
        'module:info("roster", nil)',
        'module:info("roster", "example.com")',
        'module:info("roster", "evil.com")',
        'roster:subscribe_both("a@example.com", "b@evil.com")',
        "server:version()",
        "c2s:closeall()",
        'nosuch:command("example.com")',
        "admin:sessions()",
        '{"user", "list", "evil.com"}',
        ">os.exit()",
    ],
)
def test_a_role_reaches_no_other_host(line: str) -> None:
    found = verdict(line, HELPDESK)
    assert (found.allowed, found.rule) == (False, "default")
    assert found.needed


@pytest.mark.parametrize("line", ["server:version()", "c2s:closeall()", "nosuch:command()"])
def test_a_limited_role_may_be_given_what_names_no_host(line: str) -> None:
    assert allowed(line, replace(HELPDESK, allow=("*:*", "nosuch:*"), hostless=True))
    assert not allowed('user:list("evil.com")', replace(HELPDESK, hostless=True))


@pytest.mark.parametrize(
    "line",
    [
        'user:create("a@example.com", "x", "prosody:admin")',
        'user:create("a@example.com", nil, "")',
        '{"invite", "create_account", "a@example.com", "--role", "prosody:admin"}',
        '{"invite", "create_account", "a@example.com", "--group=x"}',
    ],
)
def test_giving_roles_of_prosody_needs_more(line: str) -> None:
    found = verdict(line, HELPDESK)
    assert not found.allowed
    assert found.needed == "a role with escalate = true"
    assert allowed(line, replace(HELPDESK, escalate=True))
    assert allowed('user:create("a@example.com", "x", nil)', HELPDESK)


def test_raw_lua_needs_lua() -> None:
    found = verdict(">os.exit()", replace(EVERYTHING, lua=False))
    assert not found.allowed
    assert found.needed == "a role with lua = true"


def test_each_role_is_judged_as_a_whole() -> None:
    """Two roles do not add up to a third: the hosts of one are not those of the other."""
    reads = Role("reads", allow=("@read",))
    deletes = Role("deletes", allow=("user:delete",), hosts=("example.com",))
    assert not allowed('user:delete("a@evil.com")', reads, deletes)
    assert allowed('user:delete("a@example.com")', reads, deletes)
    assert allowed('user:list("evil.com")', reads, deletes)


@pytest.mark.parametrize(
    "text",
    [
        "admin:whoami() os.exit()",
        "admin:whoami();",
        "admin:whoami() -- ",
        "admin:whoami()--[[ ]]",
        "admin:whoami(os.exit())",
        "admin:whoami{}",
        'admin:whoami""',
        "admin.whoami()",
        "help admin; os.exit()",
        "help admin\n",
        ">admin:whoami()",
        '{"admin", "whoami", ":os.exit()"}',
        '{"admin", "whoami", "--x"}',
        '{"admin", "whoami"}, os.exit()',
        "do admin:whoami() end",
        "a=1 return admin:whoami()",
        "\xa0admin:whoami()",
        "admin:whoami()\x85",
        "admin:whoami(1)",
        "admin:explain()",
    ],
)
def test_no_disguise_passes_for_what_everybody_may(text: str) -> None:
    assert not allowed(text)


ROLES = st.builds(
    Role,
    name=st.sampled_from(["one", "two"]),
    allow=st.lists(st.sampled_from(["@read", "@write", "user:*", "*:list", "help"])).map(tuple),
    deny=st.lists(st.sampled_from(["@secret", "user:delete", "server:*", "*:*"])).map(tuple),
    hosts=st.sampled_from([(), ("example.com",)]),
    hostless=st.booleans(),
    escalate=st.booleans(),
    lua=st.booleans(),
)


@given(st.sampled_from(LINES), ROLES, ROLES)
def test_more_denials_and_fewer_grants_never_allow_more(line: str, role: Role, other: Role) -> None:
    other = replace(other, name="other")
    if allowed(line, role):
        assert any(allowed(line, replace(role, deny=())) for _ in [0])
    if not allowed(line, role) and verdict(line, role).rule != "default":
        assert not allowed(line, role, other)  # a denial stays one, whatever else is granted
    if allowed(line, role, other):
        assert allowed(line, role) or allowed(line, other)
