"""The catalogue: complete for both versions of Prosody, and strict about what it is given."""

import contextlib
from collections.abc import Callable, MutableMapping
from dataclasses import FrozenInstanceError, fields
from string import ascii_letters, ascii_lowercase, digits

import pytest

from prosody_admin.errors import SettingsError
from prosody_admin.shell.catalogue import (
    MAX_POSITION,
    Catalogue,
    Command,
    CommandClass,
    FlagKind,
    shipped,
)
from prosody_admin.shell.literals import MAX_ARGUMENTS
from shell.prosody_commands import ENVIRONMENT, problems, read, transcript, written


@pytest.mark.parametrize("version", ["0.12", "13"])
def test_the_catalogue_has_every_command_of_prosody(version: str) -> None:
    assert problems(read(version), shipped()) == []


@pytest.mark.parametrize("version", ["0.12", "13"])
def test_a_command_that_is_missing_is_found_in_help_and_environment(version: str) -> None:
    without = Catalogue(
        {
            (command.section, command.name): command
            for command in shipped()
            if (command.section, command.name) not in {("user", "list"), ("config", "load")}
        }
    )
    answers = read(version)
    both = ["config:load is missing", "user:list is missing"]  # the first has no help
    assert problems(answers, without) == both
    answers[ENVIRONMENT] = "Result: user:role\nuser:roles\n"
    assert problems(answers, without) == both[1:]


def test_flags_that_are_otherwise_are_found() -> None:
    line = "Result: invite:create_reset 2 expires_after=array admin=kv\n"
    assert problems({ENVIRONMENT: line}, shipped()) == [
        "invite:create_reset has 2 arguments before its flags",
        "invite:create_reset has the flag expires_after of the kind array",
        "invite:create_reset has the flag admin of the kind kv",
    ]


def test_a_transcript_asks_for_the_help_of_every_section() -> None:
    answers = read("13")
    asked = []

    def ask(line: str) -> str:
        asked.append(line)
        return answers[line]

    assert transcript(ask) == answers
    assert set(asked) == set(answers)
    assert "help pubsub" in asked


def test_a_transcript_keeps_commands_and_no_more(tmp_path: object) -> None:
    answers = {
        "help user": "Help: user\n\nuser list <x>\n    Lists\nuser:a(b) - text\nuser roles \n"
    }
    assert written(answers) == "prosody> help user\nuser list <x>\nuser:a(b)\nuser roles\n"


@pytest.mark.parametrize(
    ("name", "command_class", "hosts", "secrets", "escalates"),
    [
        ("user:delete", CommandClass.WRITE, (1,), (), ()),
        ("user:create", CommandClass.WRITE, (1,), (2,), (3,)),
        ("user:password", CommandClass.SECRET, (1,), (2, 3), ()),
        ("user:set_role", CommandClass.WRITE, (1, 2), (), (2, 3)),
        ("module:load", CommandClass.CODE, (), (3,), ()),
        ("module:list", CommandClass.READ, (1,), (), ()),
        ("config:get", CommandClass.SECRET, (), (), ()),
        ("config:set", CommandClass.CODE, (), (2, 3), ()),
        ("watch:stanzas", CommandClass.STREAM, (), (), ()),
        ("invite:show", CommandClass.SECRET, (1,), (2,), ()),
    ],
)
def test_what_is_known_of_some(
    name: str,
    command_class: CommandClass,
    hosts: tuple[int, ...],
    secrets: tuple[int, ...],
    escalates: tuple[int, ...],
) -> None:
    section, _, command = name.partition(":")
    assert shipped().get(section, command) == Command(
        section, command, command_class, hosts, secrets, escalates
    )


def test_an_invitation_can_make_an_admin_in_every_form() -> None:
    command = shipped().get("invite", "create_account")
    assert command
    assert command.escalates == (2,)
    assert command.escalating_flags == {"role", "group"}
    assert command.flags == {
        "role": FlagKind.ARRAY,
        "group": FlagKind.ARRAY,
        "expires_after": FlagKind.VALUE,
    }
    assert command.parameters == 1


def test_an_unknown_command_is_unknown() -> None:
    assert shipped().get("user", "no_such_command") is None


def test_a_catalogue_is_extended_without_being_changed() -> None:
    added = {"user": {"list": {"class": "write"}, "shout": {"class": "read", "hosts": [2]}}}
    extended = shipped().extended(added)
    assert extended.get("user", "list") == Command("user", "list", CommandClass.WRITE)
    assert extended.get("user", "shout") == Command("user", "shout", CommandClass.READ, (2,))
    assert extended.get("user", "create") == shipped().get("user", "create")
    assert len(extended) == len(shipped()) + 1
    assert shipped().get("user", "shout") is None


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"user": []}, "user: expected a table"),
        ({"user": {"x": "read"}}, "user.x: expected a table"),
        ({"user": {1: {}}}, "user: expected a table"),
        ({"user": {"x-y": {"class": "read"}}}, "user.x-y: expected names"),
        ({"us er": {"x": {"class": "read"}}}, "us er.x: expected names"),
        ({"user": {"x\n": {"class": "read"}}}, "expected names"),
        ({"user": {"x": {}}}, "user.x.class: expected one of read, write"),
        ({"user": {"x": {"class": "Read"}}}, "user.x.class: expected one of read, write"),
        ({"user": {"x": {"class": ["read"]}}}, "user.x.class: expected one of read, write"),
        ({"user": {"x": {"class": "read", "host": [1]}}}, "user.x.host: no such key"),
        ({"user": {"x": {"class": "read", "hosts": 1}}}, "user.x.hosts: expected positions"),
        ({"user": {"x": {"class": "read", "hosts": [0]}}}, "user.x.hosts: expected positions"),
        ({"user": {"x": {"class": "read", "secrets": [101]}}}, "user.x.secrets: expected"),
        ({"user": {"x": {"class": "read", "escalates": [True]}}}, "user.x.escalates: expected"),
        ({"user": {"x": {"class": "read", "flags": ["a"]}}}, "user.x.flags: expected a table"),
        (
            {"user": {"x": {"class": "read", "flags": {"ab": "c"}}}},
            "user.x.flags: expected names, and each kv or value or array",
        ),
        (
            {"user": {"x": {"class": "read", "flags": {"a-b": "kv"}}}},
            "user.x.flags: expected names",
        ),
        ({"user": {"x": {"class": "read", "flags": {"a": "kv"}}}}, "user.x.flags: expected names"),
        ({"user": {"x": {"class": "read", "flags": {"no_ab": "kv"}}}}, "user.x.flags: expected"),
        ({"user": {"x": {"class": "read", "parameters": -1}}}, "user.x.parameters: expected 0"),
        ({"user": {"x": {"class": "read", "parameters": False}}}, "user.x.parameters: expected 0"),
        ({"user": {"x": {"class": "read", "escalating_flags": ["a"]}}}, "expected names of its"),
        ({"user": {"x": {"class": "read", "escalating_flags": ""}}}, "expected names of its"),
        ({"user": {"x": {"class": "read", "same_as": "user"}}}, "user.x.same_as: expected section"),
        ({"user": {"x": {"class": "read", "same_as": 1}}}, "user.x.same_as: expected section"),
        ({"user": {"x": {"class": "read", "same_as": "a:b\n"}}}, "user.x.same_as: expected"),
    ],
)
def test_wrong_facts_are_refused(sections: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        shipped().extended(sections)
    assert complaint in str(refused.value)


def facts(**others: object) -> Command:
    """Return the command `x:y` of which these facts are given, besides its class."""
    command = Catalogue({}).extended({"x": {"y": {"class": "read", **others}}}).get("x", "y")
    assert command
    return command


def test_every_fact_is_kept() -> None:
    positions = {"hosts": [1], "secrets": [2, 3], "escalates": [4], "patterns": [5, 100]}
    flags = {"flags": {"ab": "kv", "cd": "value"}, "escalating_flags": ["cd"]}
    assert facts(**positions, **flags, same_as="a_1:B2", parameters=100) == Command(
        "x",
        "y",
        CommandClass.READ,
        (1,),
        (2, 3),
        (4,),
        (5, 100),
        "a_1:B2",
        100,
        {"ab": FlagKind.SWITCH, "cd": FlagKind.VALUE},
        frozenset({"cd"}),
    )
    assert isinstance(facts().command_class, CommandClass)
    assert facts() == facts(parameters=0, same_as="", flags={}, hosts=[])
    with pytest.raises(SettingsError, match=r"x\.y\.parameters: expected 0 to 100"):
        facts(parameters=101)


def test_positions_go_as_far_as_arguments() -> None:
    assert MAX_POSITION == MAX_ARGUMENTS


def accepted(read: Callable[[str], object]) -> set[str]:
    """Return the characters of ASCII with which `read` does not raise a SettingsError."""
    found = set()
    for character in map(chr, range(128)):
        with contextlib.suppress(SettingsError):
            read(character)
            found.add(character)
    return found


def test_characters_of_names() -> None:
    begins = {*ascii_letters, "_"}
    known, some = Catalogue({}), {"class": "read"}
    for first in (
        accepted(lambda one: known.extended({one: {"x": some}})),
        accepted(lambda one: known.extended({"x": {one: some}})),
        accepted(lambda one: facts(same_as=f"{one}:x")),
        accepted(lambda one: facts(same_as=f"x:{one}")),
    ):
        assert first == begins
    for later in (
        accepted(lambda one: known.extended({f"x{one}": {"x": some}})),
        accepted(lambda one: known.extended({"x": {f"x{one}": some}})),
    ):
        assert later == begins | {*digits}


def test_characters_of_flags() -> None:
    first = accepted(lambda one: facts(flags={f"{one}x": "kv"}))
    assert first == {*ascii_lowercase}
    later = accepted(lambda one: facts(flags={f"x{one}": "kv"}))
    assert later == {*ascii_lowercase, *digits, "_"}
    assert accepted(lambda one: facts(flags={f"no{one}": "kv"})) == later - {"_"}


def test_a_catalogue_never_changes() -> None:
    command = facts(flags={"ab": "kv"})
    assert {command} == {facts(flags={"ab": "kv"})}
    with pytest.raises(FrozenInstanceError):
        setattr(command, fields(command)[0].name, "z")
    for flags in (command.flags, Command("x", "y", CommandClass.READ).flags):
        assert not isinstance(flags, MutableMapping)
    commands = {("x", "y"): command}
    catalogue = Catalogue(commands)
    commands.clear()
    assert list(catalogue) == [command]
    assert isinstance(catalogue.names_of(command), frozenset)


def test_all_names_of_a_command() -> None:
    """Those of what it is named after, of what that is named after, and of a circle of names."""
    catalogue = shipped().extended(
        {
            "user": {"promote": {"class": "write", "same_as": "user:setroles"}},
            "site": {
                "a": {"class": "read", "same_as": "site:b"},
                "b": {"class": "read", "same_as": "site:c"},
                "c": {"class": "read", "same_as": "site:a"},
                "d": {"class": "read", "same_as": "site:a"},
                "e": {"class": "read", "same_as": "site:unknown"},
                "f": {"class": "read", "same_as": "site:f"},
            },
        }
    )

    def names(section: str, name: str) -> set[str]:
        command = catalogue.get(section, name)
        assert command
        return {":".join(one) for one in catalogue.names_of(command)}

    for one in ("promote", "set_role", "setroles"):
        assert names("user", one) == {"user:promote", "user:set_role", "user:setroles"}
    for one in ("a", "b", "c", "d"):
        assert names("site", one) == {"site:a", "site:b", "site:c", "site:d"}
    assert names("site", "e") == {"site:e", "site:unknown"}
    assert names("site", "f") == {"site:f"}


def test_the_shipped_catalogue_is_read_once() -> None:
    assert shipped() is shipped()
