"""Verdicts: deny by default, deny wins, whom grants cover, and the disguises."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.policies import ALICE, EVERYTHING, LINE, SERVICE_UID, allowed, policy, verdict
from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Grant, Policy, Verdict
from prosody_admin.access.record import Account
from prosody_admin.access.roles import Judgement, Opinion, Request, Role
from prosody_admin.access.settings import PolicySettings
from prosody_admin.shell.lines import parse

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
    "line",
    [
        *("admin:whoami()", "admin:rights()", "admin:commands()", 'admin:explain("x")'),
        *("help admin", "help ADMIN"),
    ],
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
    assert str(ALICE) == "alice (uid 1000)"


def test_a_policy_of_nothing_grants_nothing() -> None:
    request = Request(LINE, parse("server:version()"))
    assert not Policy(SERVICE_UID).authorise(ALICE, request).allowed
    assert Policy(SERVICE_UID).authorise(replace(ALICE, uid=0), request).allowed


@pytest.mark.parametrize(
    "value",
    [
        *(ALICE, Grant(()), Policy(SERVICE_UID), Verdict(False, ""), PolicySettings()),
        *(EVERYTHING, Request(LINE), Judgement(Opinion.NONE), Account("")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_decided_by_never_changes(value: Any) -> None:
    with pytest.raises(AttributeError, match=r"can't set|cannot assign"):
        setattr(value, type(value).__match_args__[0], None)


def test_each_role_is_granted_once_in_the_order_of_grants() -> None:
    one, two, three = Role("one"), Role("two"), Role("three")
    grants = (Grant(("two", "one"), gid=2000), Grant(("three", "two"), user="alice"))
    roles = {role.name: role for role in (one, two, three)}
    assert Policy(SERVICE_UID, roles, grants).roles_of(ALICE) == (two, one, three)


def test_what_is_needed_names_each_way_once() -> None:
    reads, helps = Role("reads", allow=("@read",), hosts=("b",)), Role("helps", allow=("help",))
    found = verdict('user:list("c")', reads, helps, replace(reads, name="again"))
    assert found.needed == "a role that reaches this host or a role that allows user:list"


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
        "user:whoami()",
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
        assert allowed(line, replace(role, deny=()))
    if not allowed(line, role) and verdict(line, role).rule != "default":
        assert not allowed(line, role, other)  # a denial stays one, whatever else is granted
    if allowed(line, role, other):
        assert allowed(line, role) or allowed(line, other)
