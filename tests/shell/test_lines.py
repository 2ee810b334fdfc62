"""What a line means: calls, help, and raw Lua for all the rest."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.shell import lines
from prosody_admin.shell.catalogue import Catalogue
from prosody_admin.shell.lines import Call, Flag, Help, Line, RawLua, Table, parse
from shell.spellings import KEYWORD_NAMES


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("admin:whoami()", Call("admin", "whoami")),
        (" admin:whoami ( ) ", Call("admin", "whoami")),
        ("\t\n\v\f\radmin\n:\fwhoami\r(\v)\n", Call("admin", "whoami")),
        ('admin:close("1a2b")', Call("admin", "close", ("1a2b",))),
        ("_x:_1(1,-20, true,false)", Call("_x", "_1", (1, -20, True, False))),
        ('user:create("a@b", nil, "r")', Call("user", "create", ("a@b", None, "r"))),
        ("c2s:show(nil)", Call("c2s", "show", (None,))),
        ("helper:help()", Call("helper", "help")),
        ("Help:x()", Call("Help", "x")),
        ("nilly:truee()", Call("nilly", "truee")),
        ('{"admin", "close", "1a2b"}', Call("admin", "close", ("1a2b",))),
        ("{'admin';[[whoami]],} ", Call("admin", "whoami")),
        ('{"a", "b", "", "x:"}', Call("a", "b", ("", "x:"))),
    ],
)
def test_calls(text: str, meaning: Line) -> None:
    found = parse(text)
    assert found == meaning
    assert isinstance(found, Call)
    assert isinstance(found.arguments, tuple)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("help", ""),
        ("HELP", ""),
        ("hElP", ""),
        ("help ", ""),
        ("help   ", ""),
        ("help admin", "admin"),
        ("help Admin", "Admin"),
        ("help c2s  ", "c2s"),
        ("help 2", "2"),
        ('{"help"}', ""),
        ('{"help", "admin"}', "admin"),
    ],
)
def test_help(text: str, topic: str) -> None:
    meaning = parse(text)
    assert meaning == Help(topic)
    assert isinstance(meaning, Help)
    assert not meaning.called


def test_help_as_the_client_of_012_writes_it() -> None:
    meaning = parse("help:debug_reset()")
    assert meaning == Help("debug_reset")
    assert isinstance(meaning, Help)
    assert meaning.called


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a name"),
        (" ", "expected a name"),
        ("helpadmin", "expected :"),
        ("Help user", "expected :"),
        ("help  user", "its help"),
        ("help user; os.exit()", "its help"),
        ("help user\n", "its help"),
        ("help\n", "its help"),
        (" help", "its help"),
        ("help a_b", "its help"),
        ("help:user(1)", "its help"),
        ("help:end()", "its help"),
        ("help : user()", "its help"),
        ("help:user() ", "its help"),
        ("help_x:user()", "its help"),
        ("_:rep(9)", "keeps the line in it"),
        ('{"_", "rep"}', "keeps the line in it"),
        ('{"help_x", "user"}', "its help"),
        ('{"help", "a", "b"}', "no topic"),
        ('{"help", "a_b"}', "no topic"),
        ('{"help", ""}', "no topic"),
        ('{"help", "x\N{CYRILLIC SMALL LETTER A}"}', "no topic"),
        (">os.exit()", "expected a name"),
        ("a() b()", "expected :"),
        ("a:b() c:d()", "after the end"),
        ("a:b();c:d()", "after the end"),
        ("a:b();", "after the end"),
        ("a:b()\nc:d()", "after the end"),
        ("a:b() -- comment", "after the end"),
        ("a:b --[[ ]] ()", "expected ("),
        ("a:b[[x]]", "expected ("),
        ('a:b"x"', "expected ("),
        ("a:b{}", "expected ("),
        ("a:b", "expected ("),
        ("a:b():c()", "after the end"),
        ("a:b()()", "after the end"),
        ("a::b()", "expected a name"),
        ("a.b:c()", "expected :"),
        ("a.b(a)", "expected :"),
        ("(a):b()", "expected a name"),
        ("server['version'](server)", "expected :"),
        ("return a:b()", "a keyword is no name"),
        ("a:end()", "a keyword is no name"),
        ("goto:b()", "a keyword is no name"),
        ('{"a", "goto"}', "no name"),
        ('{"nil", "a"}', "no name"),
        ('{"a-b", "c"}', "no name"),
        ('{"a", "c\N{CYRILLIC SMALL LETTER A}"}', "no name"),
        ('{"a", "2"}', "no name"),
        ('{"", "a"}', "no name"),
        ("{}", "without a section"),
        ('{"one"}', "without a section"),
        ('{"a", 1}', "more than words"),
        ('{"a", "b", nil}', "more than words"),
        ('{"a", "b", x = "c"}', "more than words"),
        ('{"a", "b", {}}', "more than words"),
        ('{"a", "b"}, "c"', "after the end"),
        ('{"a", "b"};', "after the end"),
        (' {"a", "b"}', "expected a name"),
        ("{" + '"a",' * 101 + "}", "too many arguments"),
        ('{"a", "b", ":c"}', "Prosody runs as Lua"),
        ('{"user", "list", ":c"}', "Prosody runs as Lua"),
        ('{"a", "b", "--flag"}', "unknown command"),
        ('{"a", "b", "-"}', "unknown command"),
        ('{"invite", "create_account", "x", "--nothing"}', "no flag"),
        ("\N{CYRILLIC SMALL LETTER A}:b()", "expected a name"),
        ("a\N{CYRILLIC SMALL LETTER A}:b()", "expected :"),
        ("\xa0a:b()", "expected a name"),
        ("a:b()\x85", "after the end"),
        ("a:b()\x00", "after the end"),
        ("\ufeffa:b()", "expected a name"),
        ("#!a:b()", "expected a name"),
        ("\x1bLua", "expected a name"),
        ('a:b("\ud800")', "surrogate"),
    ],
)
def test_everything_else_is_raw_lua(text: str, reason: str) -> None:
    meaning = parse(text)
    assert isinstance(meaning, RawLua)
    assert reason in meaning.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x", "expected :, at byte 2"),
        ("a:b() x", "something after the end of the command, at byte 7"),
        ("a:b(1, '\\q')", "no such escape, or that of a control character, at byte 10"),
        ("a:b('\\256')", "no such escape, at byte 7"),
        ("a:b('\\u{d800}')", "no character of Unicode, at byte 7"),
        ("a:b('\\xff')", "a string that is not UTF-8, at byte 5"),
        ("a:b('\x1b')", "a control or format character in a string, at byte 5"),
        ("a:b('x)", "a string without its end, at byte 5"),
        ("a:b([[x)", "a string without its end, at byte 5"),
        ("a:b([x])", "no string, and no literal, at byte 5"),
        ("a:b(-x)", "no number, or a long one, at byte 6"),
        ('{"one"}', "an array without a section and a command"),
    ],
)
def test_the_reason_names_the_place(text: str, reason: str) -> None:
    meaning = parse(text)
    assert isinstance(meaning, RawLua)
    assert meaning.reason == reason


def test_raw_lua_is_one_value_whatever_its_reason() -> None:
    assert parse("os.exit()") == parse(">x") == RawLua()
    assert RawLua().reason == ""


@pytest.mark.parametrize("keyword", KEYWORD_NAMES)
def test_no_keyword_is_a_name(keyword: str) -> None:
    for text in (f"{keyword}:a()", f"a:{keyword}()", f'{{"a", "{keyword}"}}'):
        assert parse(text) == RawLua()
    assert parse(f"a{keyword}:b()") == Call(f"a{keyword}", "b")


def test_flags_of_a_command_line() -> None:
    line = '{"invite", "create_account", "--role", "prosody:admin", "x.org", "-group=a"}'
    flags = (Flag("role", "prosody:admin"), Flag("group", "a"))
    meaning = parse(line)
    assert isinstance(meaning, Call)
    assert meaning == Call("invite", "create_account", ("x.org",), flags)
    assert (meaning.arguments, meaning.flags) == (("x.org",), flags)


def test_words_with_dashes_are_arguments_of_a_command_without_flags() -> None:
    line = '{"user", "password", "a@x.org", "--secret"}'
    assert parse(line) == Call("user", "password", ("a@x.org", "--secret"))


def test_a_catalogue_of_the_caller_tells_which_commands_have_flags() -> None:
    line = '{"x", "y", "z", "--loud"}'
    assert parse(line) == RawLua()
    facts = {"class": "read", "flags": {"loud": "kv"}, "parameters": 1}
    catalogue = Catalogue({}).extended({"x": {"y": facts}})
    assert parse(line, catalogue) == Call("x", "y", ("z",), (Flag("loud", True),))


@pytest.mark.parametrize(("length", "understood"), [(0, True), (1, False)])
def test_a_line_has_a_bound_in_bytes(length: int, understood: bool) -> None:
    text = "é" * ((lines.MAX_LINE - len('a:b("")')) // 2) + "xx"[: 1 + length]
    meaning = parse(f'a:b("{text}")')
    assert isinstance(meaning, Call) == understood
    assert understood or (isinstance(meaning, RawLua) and meaning.reason == "a line too long")


def test_values_of_different_types_are_different() -> None:
    calls = [parse(f"a:b({value})") for value in ("1", "1.0", "true", "'1'", "0", "0.0", "-0.0")]
    calls += [parse(f"a:b({{x = {value}}})") for value in ("1", "1.0", "true")]
    calls += [parse(f"a:b({{{value}}})") for value in ("1", "true")]
    assert len(set(calls)) == len(calls)
    assert all((one == other) == (one is other) for one in calls for other in calls)
    assert Call("a", "b", (), (Flag("x", True),)) != Call("a", "b", (), (Flag("x", "1"),))
    assert (Call("a", "b") == "a:b()") is False


def test_calls_of_different_commands_are_different() -> None:
    assert Call("a", "b") == Call("a", "b", unknown_words=True)
    assert len({Call("a", "b"), Call("x", "b"), Call("a", "x"), Call("a", "b", ("x",))}) == 4
    assert Help() == Help("") == Help("", called=True) != Help("a")


@pytest.mark.parametrize(
    "value", [Call("a", "b"), Help(), RawLua(), Table()], ids=lambda value: type(value).__name__
)
def test_what_a_line_means_never_changes(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, None)


def test_no_repr_shows_an_argument() -> None:
    for text in ('a:b("hunter2", {"hunter2", x = "hunter2"})', '{"user", "list", "--hunter2"}'):
        meaning = parse(text)
        assert isinstance(meaning, Call)
        assert "hunter2" not in repr(meaning)
    table = Table(("hunter2",), (("hunter2", "hunter2"),))
    assert repr(table) == "<Table, 1 items, 1 fields>"
    assert repr(parse('a:b("x", 1)')) == "<Call a:b, 2 arguments>"
    flagged = parse('{"invite", "create_reset", "x", "--expires-after=1d"}')
    assert repr(flagged) == "<Call invite:create_reset, 2 arguments>"


def test_no_reason_shows_the_line() -> None:
    for text in (
        'a:b("hunter2" .. x)',
        "hunter2.x()",
        '{"a", "b", ":hunter2"}',
        "a:b('hunter2\n')",
    ):
        meaning = parse(text)
        assert isinstance(meaning, RawLua)
        assert "hunter2" not in repr(meaning)


@given(st.text())
def test_any_text_means_something(text: str) -> None:
    assert isinstance(parse(text), Call | Help | RawLua)
