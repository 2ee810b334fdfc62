"""The policy of a site, as its settings have it."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from string import ascii_letters, digits

import pytest

from prosody_admin.access.identity import Identity
from prosody_admin.access.policy import Grant
from prosody_admin.access.roles import Request, Role
from prosody_admin.access.settings import SHIPPED_ROLES, PolicySettings
from prosody_admin.config import Settings, load
from prosody_admin.errors import SettingsError
from prosody_admin.net.accounts import policy_of
from prosody_admin.shell.lines import parse

ALICE = Identity(pid=1, uid=1000, gid=1000, user="alice")


def load_text(directory: Path, *texts: str) -> Settings:
    files = []
    for number, text in enumerate(texts):
        files.append(directory / f"{number}.toml")
        files[-1].write_text(text, encoding="utf-8")
    return load(files)


def allowed(settings: Settings, line: str, identity: Identity = ALICE) -> bool:
    policy = policy_of(settings.policy, service_uid=107)
    return policy.authorise(
        identity, Request("admin/repl-input", parse(line, policy.catalogue))
    ).allowed


def test_without_settings_only_the_group_has_a_role() -> None:
    settings = Settings()
    assert settings.policy.grants == {"%prosody-admin": ("viewer",)}
    assert not allowed(settings, "server:version()")


def test_a_site_limits_a_shipped_role_and_grants_it(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        '[roles.helpdesk]\nhosts = ["example.com"]\n[grants]\nalice = ["helpdesk"]',
    )
    assert settings.policy.roles["helpdesk"].allow == SHIPPED_ROLES["helpdesk"].allow
    assert allowed(settings, 'user:list("example.com")')
    assert allowed(settings, 'user:password("bob@example.com", "x")')
    assert not allowed(settings, 'user:list("example.org")')
    assert not allowed(settings, 'user:delete("bob@example.com")')
    assert "%prosody-admin" in settings.policy.grants, "a grant to one takes none from others"


def test_later_files_change_roles_and_grants_key_by_key(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        '[roles.night]\nallow = ["@read"]\nhostless = true\n[grants]\nalice = ["night"]',
        '[roles.night]\nallow = ["server:*"]\n[grants]\n"%prosody-admin" = []',
    )
    role = settings.policy.roles["night"]
    assert (role.allow, role.hostless) == (("server:*",), True)
    assert settings.policy.grants == {"%prosody-admin": (), "alice": ("night",)}
    assert allowed(settings, "server:version()")
    assert not allowed(settings, "c2s:count()")


def test_a_site_adds_commands(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        '[commands.greet]\nhello = { class = "read", hosts = [1] }\n'
        '[roles.viewer]\nhosts = ["example.com"]\n[grants]\nalice = ["viewer"]',
    )
    assert allowed(settings, 'greet:hello("example.com")')
    assert not allowed(settings, 'greet:hello("example.org")')


def test_the_first_host_that_a_site_names_counts(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        '[commands.greet]\npass_on = { class = "read", hosts = [2, 1] }\n'
        '[roles.viewer]\nhosts = ["example.com"]\n[grants]\nalice = ["viewer"]',
    )
    assert allowed(settings, 'greet:pass_on("example.com", "example.com")')
    assert not allowed(settings, 'greet:pass_on("example.com")')


def test_groups_are_looked_up(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        '[grants]\n"%root" = ["viewer"]\n"%no-such-group" = ["owner"]\n"unit:a.service" = []',
    )
    grants = policy_of(settings.policy, service_uid=107).grants
    assert Grant(("viewer",), gid=0) in grants
    assert Grant((), unit="a.service") in grants
    assert not allowed(settings, "server:shutdown()")
    member = Identity(pid=1, uid=1000, gid=1000, groups=(0,), user="alice")
    assert allowed(settings, "server:version()", member)


@pytest.mark.parametrize(
    ("role", "line", "may"),
    [
        ("viewer", "help", True),
        ("viewer", "c2s:show()", True),
        ("viewer", 'user:delete("a@b")', False),
        ("viewer", 'config:get("x")', False),
        ("viewer", "watch:log()", False),
        ("viewer", "invite:list()", False),
        ("viewer", ">1", False),
        ("helpdesk", 'user:create("a@b", "x")', True),
        ("helpdesk", 'user:enable("a@b")', True),
        ("helpdesk", 'user:disable("a@b")', True),
        ("helpdesk", 'c2s:close("a@b")', True),
        ("helpdesk", 'roster:unsubscribe("a@b", "c@b")', True),
        ("helpdesk", 'user:create("a@b", "x", "prosody:admin")', False),
        ("helpdesk", 'user:set_role("a@b", "b", "prosody:admin")', False),
        ("helpdesk", "server:shutdown()", False),
        ("operator", "server:shutdown()", True),
        ("operator", "watch:log()", True),
        ("operator", "c2s:count()", True),
        ("operator", 'user:password("a@b", "x")', True),
        ("operator", 'user:set_role("a@b", "b", "prosody:admin")', False),
        ("operator", 'module:load("x")', False),
        ("operator", 'config:get("x")', False),
        ("operator", ">1", False),
        ("operator", "nosuch:command()", False),
        ("owner", 'user:set_role("a@b", "b", "prosody:admin")', True),
        ("owner", "nosuch:command()", True),
        ("owner", "help", True),
        ("owner", ">1", True),
    ],
)
def test_shipped_roles(tmp_path: Path, role: str, line: str, may: bool) -> None:
    assert allowed(load_text(tmp_path, f'[grants]\nalice = ["{role}"]'), line) is may


@pytest.mark.parametrize("role", SHIPPED_ROLES)
def test_events_of_modules_are_for_owners(tmp_path: Path, role: str) -> None:
    settings = load_text(tmp_path, f'[grants]\nalice = ["{role}"]')
    verdict = policy_of(settings.policy, service_uid=107).authorise(ALICE, Request("admin/ping"))
    assert verdict.allowed is (role == "owner")


def test_every_key_of_a_role() -> None:
    keys = {"allow": ["@read"], "deny": ["c2s:*"], "hosts": ["b"]}
    switches = {"hostless": True, "escalate": True, "lua": True}
    role = PolicySettings().with_roles({"all": keys | switches}).roles["all"]
    assert role == Role("all", ("@read",), ("c2s:*",), ("b",), True, True, True)


@pytest.mark.parametrize("name", ["ABZabz0189_-", "-", "x" * 64])
def test_names_of_roles(name: str) -> None:
    settings = PolicySettings().with_roles({name: {}}).with_grants({"alice": [name]})
    assert settings.grants["alice"] == (name,)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a:b", "x" * 65, "x\n", "\N{KELVIN SIGN}"])
def test_no_names_of_roles(name: str) -> None:
    with pytest.raises(SettingsError):
        PolicySettings().with_roles({name: {}})
    with pytest.raises(SettingsError):
        PolicySettings().with_grants({"alice": [name]})


@pytest.mark.parametrize(
    "subject",
    [
        *("B", "y", "1", "_", ".", "xABZabz0189_.@-", "x" * 256),
        *("%B", "%x.y-z"),
        *("unit:ABZabz0189:_.@-\\x2d.service", "unit:session-1.scope"),
    ],
)
def test_subjects_of_grants(subject: str) -> None:
    assert PolicySettings().with_grants({subject: []}).grants[subject] == ()


@pytest.mark.parametrize(
    "subject",
    [
        *("", "-x", "@x", "x:y", "x" * 257, "x\n", "\N{KELVIN SIGN}"),
        *("%", "%%x", "%-x"),
        *("unit:", "unit:.service", "unit:x-service", "unit:x.timer", "unit:x.service\n"),
        *("unit:x/y.service", "unit:\N{KELVIN SIGN}.service"),
    ],
)
def test_no_subjects_of_grants(subject: str) -> None:
    with pytest.raises(SettingsError):
        PolicySettings().with_grants({subject: []})


@pytest.mark.parametrize("switch", ["hostless", "escalate", "lua"])
def test_a_switch_is_true_or_false(switch: str) -> None:
    with pytest.raises(SettingsError) as raised:
        PolicySettings().with_roles({"a": {switch: 1}})
    assert str(raised.value) == f"[roles.a] {switch}: expected true or false"


def accepted(read: Callable[[str], object]) -> str:
    """Return the characters of ASCII with which `read` does not raise a SettingsError."""
    found = ""
    for character in map(chr, range(128)):
        with contextlib.suppress(SettingsError):
            read(character)
            found += character
    return found


def test_characters_of_names() -> None:
    settings, alphanumeric = PolicySettings(), {*ascii_letters, *digits}
    role = accepted(lambda one: settings.with_roles({one: {}}))
    granted = accepted(lambda one: settings.with_grants({"alice": [one]}))
    assert {*role} == {*granted} == alphanumeric | {*"_-"}
    account = accepted(lambda one: settings.with_grants({one: []}))
    group = accepted(lambda one: settings.with_grants({f"%{one}": []}))
    assert {*account} == {*group} == alphanumeric | {*"_."}
    behind = accepted(lambda one: settings.with_grants({f"x{one}": []}))
    assert {*behind} == alphanumeric | {*"_.@-"}
    unit = accepted(lambda one: settings.with_grants({f"unit:{one}.service": []}))
    assert {*unit} == alphanumeric | {*":_.\\@-"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("roles = 1", "[roles]: expected a table"),
        ("commands = 1", "[commands]: expected a table"),
        ("[roles]\nviewer = 1", "[roles.viewer]: expected a table"),
        ('[roles."a b"]', "[roles] 'a b': expected a name of letters, digits, _ or -"),
        ("[roles.a]\nalow = []", "[roles.a] alow: no such key; expected allow, deny, hosts"),
        ('[roles.a]\nallow = "@read"', '[roles.a] allow: expected a list of "section:command"'),
        ('[roles.a]\nallow = ["@reed"]', "[roles.a] allow: expected a list"),
        ("[roles.a]\nallow = [1]", "[roles.a] allow: expected a list"),
        ('[roles.a]\nallow = ["@read", "@reed"]', "[roles.a] allow: expected a list"),
        ('[roles.a]\ndeny = ["user"]', "[roles.a] deny: expected a list"),
        ('[roles.a]\ndeny = ["us*:list"]', "[roles.a] deny: expected a list"),
        ('[roles.a]\nhosts = ["*"]', "[roles.a] hosts: expected a list of hosts in lower case"),
        ('[roles.a]\nhosts = ["b", "*"]', "[roles.a] hosts: expected a list of hosts"),
        ('[roles.a]\nhosts = "localhost"', "[roles.a] hosts: expected a list of hosts"),
        ("[roles.a]\nhosts = [1]", "[roles.a] hosts: expected a list of hosts"),
        ("[roles.a]\nhosts = []", "[roles.a] hosts: expected a list of hosts"),
        ("[roles.a]\nlua = 1", "[roles.a] lua: expected true or false"),
        ("grants = 1", "[grants]: expected a table"),
        ("[grants]\nalice = 1", "[grants] 'alice': expected a list of names of roles"),
        ('[grants]\n"a b" = []', "[grants] 'a b': expected the name of an account"),
        ('[grants]\n"unit:x" = []', "[grants] 'unit:x': expected the name of an account"),
        (
            '[grants]\nalice = ["nosuch"]',
            "[grants] 'alice': no role 'nosuch'; there are viewer, helpdesk",
        ),
        ('[commands.a]\nb = { class = "x" }', "a.b.class: expected one of read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_text(tmp_path, text)
    assert complaint in str(raised.value)
