"""Which hosts a role reaches, by what a command names."""

from dataclasses import replace

import pytest

from access.policies import HELPDESK, allowed, verdict


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
