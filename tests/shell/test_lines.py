"""What a line means: calls of literals, help, and raw Lua for all the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.shell.lines import Call, Help, Line, RawLua, parse


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("admin:whoami()", Call("admin", "whoami")),
        (" admin:whoami ( ) ", RawLua()),
        ("\tadmin:whoami( )\n", Call("admin", "whoami")),
        ('admin:close("1a2b")', Call("admin", "close", ("1a2b",))),
        ("admin:close('1a2b')", Call("admin", "close", ("1a2b",))),
        ('user:create("a@b", nil, "r")', Call("user", "create", ("a@b", None, "r"))),
        ("x:y(1,-20, true,false)", Call("x", "y", (1, -20, True, False))),
        ('muc:list("conférence.örtlich")', Call("muc", "list", ("conférence.örtlich",))),
        ('{"admin", "close", "1a2b"}', Call("admin", "close", ("1a2b",))),
        ("{'admin','whoami'}", Call("admin", "whoami")),
        ("help", Help()),
        ("HELP", Help()),
        ("help admin", Help("admin")),
        ("Help  Admin", Help("admin")),
        ('{"help", "admin"}', Help("admin")),
        ("help:admin()", Help("admin")),
    ],
)
def test_lines_that_are_understood(text: str, meaning: Line) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "help ",
        "helpadmin",
        "help user; os.exit()",
        ">os.exit()",
        "a() b()",
        "a:b() c:d()",
        "a:b();c:d()",
        "a:b()\nc:d()",
        "a:b() -- comment",
        "a:b[[x]]",
        'a:b"x"',
        "a:b{}",
        'a:b("\\x41")',
        'a:b("\\z  x")',
        'a:b("x\\\ny")',
        'a:b("x" .. "y")',
        'a:b("x", )',
        'a:b(, "x")',
        'a:b("x" "y")',
        "a:b(c)",
        "a:b(function() end)",
        "a:b(1.5)",
        "a:b(0x10)",
        "a:b(1e3)",
        "a:b(nilly)",
        "a.b:c()",
        "server['version'](server)",
        "{}",
        '{"one"}',
        '{"a", 1}',
        '{"a", "b", 1}',
        '{"a-b", "c"}',
        '{"a", "b", ":c"}',
        '{"a", "b", "--flag"}',
        '{"a", "b"; "c"}',
        '{a = "b"}',
        "\N{CYRILLIC SMALL LETTER A}:b()",
        "\xa0a:b()",
        "a:b()\x85",
        'a:b("\x00")',
        'a:b("\x7f")',
    ],
)
def test_everything_else_is_raw_lua(text: str) -> None:
    assert parse(text) == RawLua()


@given(st.text())
def test_any_text_means_something(text: str) -> None:
    assert isinstance(parse(text), Call | Help | RawLua)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() != "help"
)
STRINGS = st.from_regex(r"[^\"'\\\x00-\x1f\x7f]{0,20}", fullmatch=True)


@given(NAMES, NAMES, st.lists(STRINGS, max_size=4))
def test_call_form_and_array_form_mean_the_same(
    section: str, command: str, arguments: list[str]
) -> None:
    quoted = [f'"{argument}"' for argument in arguments]
    call = Call(section, command, tuple(arguments))
    assert parse(f"{section}:{command}({', '.join(quoted)})") == call
    if not any(argument.startswith((":", "-")) for argument in arguments):
        array = ", ".join([f'"{section}"', f'"{command}"', *quoted])
        assert parse("{" + array + "}") == call
