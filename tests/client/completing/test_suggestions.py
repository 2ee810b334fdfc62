"""`client/completing/suggestions.py`: what may follow in a line, and what is asked for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.client.completing.names import Host, Names, Offered
from prosody_admin.client.completing.suggestions import HOSTS_ASKED, suggestions
from prosody_admin.client.connection import Connection
from prosody_admin.errors import ServiceUnreachableError
from prosody_admin.shell.lines import Call, parse


class FixedNames(Names):
    """Names that nobody has to be asked for; `asked` says of what there was need."""

    def __init__(self, with_accounts: int = 1) -> None:
        super().__init__(self._unreachable)
        self.with_accounts = with_accounts
        self.asked: list[str] = []

    def _unreachable(self) -> Connection:
        raise ServiceUnreachableError("nobody is to be asked")

    def commands(self) -> list[Offered]:
        return [
            Offered("admin", "close", "write"),
            Offered("user", "delete", "write"),
            Offered("user", "list", "read"),
        ]

    def sessions(self) -> list[tuple[str, str]]:
        return [("k3", "root"), ("k1", "alice")]

    def hosts(self) -> list[Host]:
        self.asked.append("hosts")
        more = [Host(f"{number}.example.org") for number in range(1, self.with_accounts)]
        return [Host("example.com"), *more, Host("muc.example.com", "muc component")]

    def users(self, host: str) -> list[str]:
        self.asked.append(f"users of {host}")
        return [f"juliet@{host}", f"d\\27artagnan@{host}"]


def followed(text: str, names: Names | None = None) -> list[str]:
    """Return what the text becomes with each of the suggestions."""
    found = suggestions(text, names or FixedNames())
    return [text[: suggestion.start] + suggestion.text for suggestion in found]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["admin:", "help ", "user:"]),
        ("  us", ["  user:"]),
        ("nonesuch", []),
        ("h", ["help "]),
        ("help us", ["help user"]),
        ("HELP c", ["HELP columns", "HELP console"]),
        ("user:", ["user:delete(", "user:list("]),
        ("user:li", ["user:list("]),
        ("user : li", ["user : list("]),
        ("nonesuch:", []),
        ("user:list(", ['user:list("example.com"', 'user:list("muc.example.com"']),
        ('user:list("exa', ['user:list("example.com"']),
        ("user:list('exa", ['user:list("example.com"']),
        ("user:list( exa", ['user:list( "example.com"']),
        ('user:list("nonesuch', []),
        ('user:list("example.com"', []),
        ('user:list("example.com", ', []),
        ('user:list("example.com")', []),
        ('user:list("example.com") ', []),
        ('user:delete("ju', ['user:delete("juliet@example.com"']),
        ('user:delete("d', ['user:delete("d\\\\27artagnan@example.com"']),
        ('user:delete("d\\\\2', ['user:delete("d\\\\27artagnan@example.com"']),
        ('user:delete("new@e', ['user:delete("new@example.com"']),
        ('user:role("a@b", "ex', ['user:role("a@b", "example.com"']),
        ('roster:subscribe("a,@b", "ju', ['roster:subscribe("a,@b", "juliet@example.com"']),
        ('c2s:show("e', ['c2s:show("example.com"']),
        ('c2s:show("j', ['c2s:show("juliet@example.com"']),
        ('announce:all({"x", "ex', ['announce:all({"x", "example.com"']),
        ('user:list({"a", "b"}, "ex', []),
        ('admin:close("k', ['admin:close("k1"', 'admin:close("k3"']),
        ('nonesuch:close("', []),
        ("user:list[", []),
        (">user:li", []),
        ("{'user', 'li", []),
    ],
)
def test_what_may_follow(text: str, lines: list[str]) -> None:
    assert followed(text) == lines


def test_the_class_of_a_command_and_the_kind_of_a_host_are_told() -> None:
    names = FixedNames()
    assert [found.meaning for found in suggestions("user:", names)] == ["write", "read"]
    meanings = [found.meaning for found in suggestions("muc:list(", names)]
    assert meanings == ["host", "muc component"]
    assert [found.meaning for found in suggestions("user:delete(j", names)] == ["account"]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("user:li", []),
        ('server:version("', []),
        ('user:create("a@example.com", "p', []),
        ('user:list("ex', ["hosts"]),
        ('user:delete("juliet@ex', ["hosts"]),
        ('user:delete("ju', ["hosts", "users of example.com"]),
    ],
)
def test_no_more_is_asked_than_can_be_meant(text: str, asked: list[str]) -> None:
    names = FixedNames()
    suggestions(text, names)
    assert names.asked == asked


def test_accounts_of_many_hosts_are_not_asked_for() -> None:
    few, many = FixedNames(HOSTS_ASKED), FixedNames(HOSTS_ASKED + 1)
    assert len(followed('user:delete("ju', few)) == HOSTS_ASKED
    assert followed('user:delete("ju', many) == []
    assert many.asked == ["hosts"]


@given(st.text(alphabet="usercl:(){}[]\"'\\,;= aj@", max_size=30))
def test_no_text_disturbs_and_what_follows_begins_with_it(text: str) -> None:
    for suggestion in suggestions(text, FixedNames()):
        assert 0 <= suggestion.start <= len(text)
    for suggestion in suggestions(f"user:delete({text}", FixedNames()):
        assert suggestion.start >= len("user:delete(")


@pytest.mark.parametrize("text", ['user:delete("', "user:delete('d\\\\", "user:delete("])
def test_a_finished_call_names_what_was_offered(text: str) -> None:
    line = followed(text)[0] + ")"
    assert parse(line) == Call("user", "delete", ("d\\27artagnan@example.com",))
