"""What may be written down of a request; canaries stand where secrets do."""

import pytest

from prosody_admin.access.record import Account, account_of
from prosody_admin.access.roles import Request
from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.lines import parse

CANARY = "tweet-4711"


def account(line: str) -> Account:
    return account_of(Request("admin/repl-input", parse(line)), shipped())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("help", Account("help")),
        ("help User", Account("help user")),
        ("server:version()", Account("server:version")),
        ('user:list("b", "%a")', Account("user:list", '"b", "%a"', "b")),
        ('c2s:close("a@B/c")', Account("c2s:close", '"a@B/c"', "b")),
        ('roster:subscribe("a@b", "c@d")', Account("roster:subscribe", '"a@b", "c@d"', "b")),
        (
            'user:password("a@b", "x", "y", "z")',
            Account("user:password", '"a@b", (hidden), (hidden), (hidden)', "b", discreet=True),
        ),
        ("user:list(nil)", Account("user:list", "nil")),
        ("user:list(1)", Account("user:list", "1")),
        ('user:list({"b"})', Account("user:list", '{"b"}')),
        ('muc:create("r@m", nil)', Account("muc:create", '"r@m", nil', "m", discreet=True)),
        (
            'user:create("a@b", "tweet-4711", "r")',
            Account("user:create", '"a@b", (hidden), "r"', "b", discreet=True),
        ),
        ('user:create("a@b")', Account("user:create", '"a@b"', "b", discreet=True)),
        (
            '{"invite", "create_account", "a@b", "--role", "r"}',
            Account("invite:create_account", '"a@b", --role=r', "b", discreet=True),
        ),
        ("nosuch:command(1, 2)", Account("nosuch:command", "(hidden), (hidden)", discreet=True)),
        ("nosuch:command()", Account("nosuch:command", discreet=True)),
        (">x", Account("raw Lua", discreet=True)),
    ],
)
def test_what_is_written_down(line: str, expected: Account) -> None:
    assert account(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        f'user:create("a@b", "{CANARY}")',
        f"user:password('a@b', '{CANARY}')",
        f"user:password('a@b', [[{CANARY}]])",
        f'user:password("a", "b", "{CANARY}")',
        f'user:password("a@b", {{"{CANARY}"}})',
        f'{{"user", "password", "a@b", "{CANARY}"}}',
        'user:password("a@b", "\\x74weet-4711")',
        f'muc:create("r@m", {{password = "{CANARY}"}})',
        f'host:activate("b", {{component_secret = "{CANARY}"}})',
        f'config:set("b", "x", "{CANARY}")',
        f'invite:show("b", "{CANARY}")',
        f"admin:explain([[user:password('a@b', '{CANARY}')]])",
        f'nosuch:login("{CANARY}")',
        f'user:password("a@b", "{CANARY}"',
        f'user:password("a@b", "{CANARY}") ',
        f'user:password("a@b", "{CANARY}"):x()',
        f">print('{CANARY}')",
        f"{CANARY}",
        f"help {CANARY}",
        f'{{"user", "password", "a@b", "two", "three", "{CANARY}"}}',
        f'user:password("a@b", "two", "{CANARY}")',
        f'user:create("a@b", "two", "{CANARY}", "four")',
        f'user:create("a@b", "two", "three", "{CANARY}")',
    ],
)
def test_no_secret_is_written_down(line: str) -> None:
    assert CANARY not in repr(account(line))


def test_a_command_of_a_site_may_have_secrets_before_its_hosts() -> None:
    facts = {"class": "write", "secrets": [1, 3], "hosts": [4, 5]}
    catalogue = shipped().extended({"site": {"join": facts}})
    line = parse('site:join("one", "two", "three", "b", "c")', catalogue)
    assert account_of(Request("admin/repl-input", line), catalogue) == Account(
        "site:join", '(hidden), (hidden), (hidden), "b", "c"', "b", discreet=True
    )


def test_a_word_that_may_be_of_a_secret_is_no_host() -> None:
    facts = {"class": "write", "secrets": [1], "hosts": [2]}
    catalogue = shipped().extended({"site": {"join": facts}})
    line = parse(f'site:join("one", "{CANARY}", "three")', catalogue)
    assert account_of(Request("admin/repl-input", line), catalogue) == Account(
        "site:join", "(hidden), (hidden), (hidden)", discreet=True
    )


def test_flags_are_secret_where_the_table_that_they_end_up_in_is() -> None:
    flags = {"token": "value", "keep": "kv"}
    facts = {"class": "write", "hosts": [1], "secrets": [2], "parameters": 1, "flags": flags}
    catalogue = shipped().extended({"site": {"join": facts}})
    for line, arguments in (
        (f'site:join("b", {{token = "{CANARY}"}})', '"b", (hidden)'),
        (
            f'{{"site", "join", "b", "--token", "{CANARY}", "--no-keep"}}',
            '"b", --token=(hidden), --keep=(hidden)',
        ),
    ):
        assert account_of(Request("admin/repl-input", parse(line, catalogue)), catalogue) == (
            Account("site:join", arguments, "b", discreet=True)
        )


def test_the_host_is_the_one_that_a_command_of_a_site_names_first() -> None:
    catalogue = shipped().extended({"site": {"move": {"class": "write", "hosts": [2, 1]}}})
    line = parse('site:move("b", "c")', catalogue)
    assert account_of(Request("admin/repl-input", line), catalogue).host == "c"


def test_an_event_of_any_length_has_a_name_of_some() -> None:
    assert len(account_of(Request("admin/" + "x" * 5000), shipped()).command) == 200


@pytest.mark.parametrize(
    "line",
    [
        "config:reload()",
        '{"config", "reload"}',
        'config:load("/etc/prosody/secret")',
        'config:get("x")',
        "debug:async()",
        "watch:log()",
        'muc:room("r@m")',
    ],
)
def test_an_error_that_quotes_what_was_read_is_not_recorded(line: str) -> None:
    """Prosody says `unfinished string near 'half a password'` of its configuration."""
    assert account(line).discreet


@pytest.mark.parametrize("line", ["server:version()", 'user:list("b")', "c2s:closeall()"])
def test_the_error_of_a_harmless_command_is_recorded(line: str) -> None:
    assert not account(line).discreet
