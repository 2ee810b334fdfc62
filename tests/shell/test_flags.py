"""Flags, as Prosody 13 tells them from arguments."""

import pytest

from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.flags import Flag, read_flags, write_flag
from prosody_admin.shell.values import NotLiteralError

ACCOUNT = shipped().get("invite", "create_account")
CONTACT = shipped().get("invite", "create_contact")
assert ACCOUNT
assert CONTACT


@pytest.mark.parametrize(
    ("words", "arguments", "flags"),
    [
        ([], [], []),
        (["x"], ["x"], []),
        ([""], [""], []),
        (["--expires-after=1d", "x"], ["x"], [Flag("expires_after", "1d")]),
        (["x", "--expires_after", "1d"], ["x"], [Flag("expires_after", "1d")]),
        (["-expires-after", "--", "x"], ["x"], [Flag("expires_after", "--")]),
        (["--expires-after="], [], [Flag("expires_after", "")]),
        (["--expires-after", ""], [], [Flag("expires_after", "")]),
        (["--expires-after=a=b"], [], [Flag("expires_after", "a=b")]),
        (["--allow-registration", "x"], ["x"], [Flag("allow_registration", True)]),
        (["--allow_registration=no"], [], [Flag("allow_registration", "no")]),
        (["--no-allow-registration"], [], [Flag("allow_registration", False)]),
        (["-no-allow_registration"], [], [Flag("allow_registration", False)]),
    ],
)
def test_flags_and_arguments(words: list[str], arguments: list[str], flags: list[Flag]) -> None:
    assert CONTACT
    assert read_flags(words, CONTACT) == (arguments, flags)
    assert read_flags([*arguments, *map(write_flag, flags)], CONTACT) == (arguments, flags)


def test_each_of_several_is_kept() -> None:
    assert ACCOUNT
    _, flags = read_flags(["--role=a", "--group", "b", "--role", "c"], ACCOUNT)
    assert flags == [Flag("role", "a"), Flag("group", "b"), Flag("role", "c")]


@pytest.mark.parametrize(
    "words",
    [
        ["x", "y"],
        ["-"],
        ["--"],
        ["--", "x"],
        ["-x"],
        ["--x"],
        ["--admin"],
        ["--no-admin"],
        ["---expires-after=1d"],
        ["--Expires-after=1d"],
        ["--expires-after"],
        ["--no-expires-after"],
        ["--allow-registration="],
        ["--no-allow-registration=1"],
        ["--no_allow_registration"],
        ["--no-no-allow-registration"],
        ["--="],
        ["--=x"],
    ],
)
def test_what_prosody_refuses_or_drops(words: list[str]) -> None:
    assert CONTACT
    with pytest.raises(NotLiteralError):
        read_flags(words, CONTACT)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["x", "y"], "too many arguments for a command with flags"),
        (["--admin"], "no flag of this command"),
        (["--expires-after"], "a flag without its value"),
    ],
)
def test_the_reason_of_a_refusal(words: list[str], reason: str) -> None:
    assert CONTACT
    with pytest.raises(NotLiteralError) as refused:
        read_flags(words, CONTACT)
    assert str(refused.value) == reason
