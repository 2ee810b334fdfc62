"""What one role allows: patterns, events, unknown commands, escalation, raw Lua."""

from dataclasses import replace
from string import ascii_letters, digits

import pytest

from access.policies import ALICE, EVERYTHING, HELPDESK, LINE, allowed, policy, verdict
from prosody_admin.access.policy import Verdict
from prosody_admin.access.roles import PATTERN, Judgement, Opinion, Request, Role
from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.lines import parse


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
    ("template", "expected"),
    [
        ("?:x", ascii_letters + "_*"),
        ("x?:x", ascii_letters + digits + "_"),
        ("x:?", ascii_letters + "_*"),
        ("x:x?", ascii_letters + digits + "_"),
        ("admin/?", "".join(map(chr, range(0x21, 0x7F)))),
    ],
)
def test_characters_of_patterns(template: str, expected: str) -> None:
    characters = map(chr, range(128))
    assert {one for one in characters if PATTERN.fullmatch(template.replace("?", one))} == {
        *expected
    }


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
        ("admin/*", "help", False),
        ("admin/*", ">os.exit()", False),
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


@pytest.mark.parametrize(
    ("role", "judgement"),
    [
        (Role("r", allow=("c2s:*",)), Judgement(Opinion.ALLOW, "role r allows c2s:*", "")),
        (Role("r", deny=("c2s:*",)), Judgement(Opinion.DENY, "role r denies c2s:*", "")),
        (Role("r"), Judgement(Opinion.NONE, "", "a role that allows c2s:count")),
    ],
)
def test_opinions(role: Role, judgement: Judgement) -> None:
    assert role.judge(Request(LINE, parse("c2s:count()")), shipped()) == judgement
