"""`client/prompt/unfinished.py`: which lines belong together."""

import pytest

from prosody_admin.client.prompt.unfinished import commands
from prosody_admin.shell.lines import MAX_LINE, parse


@pytest.mark.parametrize(
    "line",
    [
        'user:list("example.com")',
        "help",
        "help user",
        "> return 1",
        'a:b(")")',
        "a:b('\"')",
        r'a:b("\"(")',
        "a:b([[(]])",
        "a:b([=[ ]] ( ]=])",
        "> f() -- don't (",
        "> f() --[[ don't ( ]]",
        "> return 3 - -2",
        "a:b)",
        "a[1]",
    ],
)
def test_a_finished_line_is_a_command(line: str) -> None:
    assert commands(line) == ([line], "")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a:b(", "a:b(\n"),
        ("a:b({1,", "a:b({1,\n"),
        ("> t = {", "> t = {\n"),
        ("> t[", "> t[\n"),
        ('a:b("x', 'a:b("x'),
        ("a:b('x", "a:b('x"),
        ('a:b("x\\', 'a:b("x\\\n'),
        ('a:b("x\\\\', 'a:b("x\\\\'),
        ("a:b([[x", "a:b([[x\n"),
        ("a:b([==[x]]", "a:b([==[x]]\n"),
        ("> f() --[[ x", "> f() --[[ x\n"),
        ("a:b( -- )", "a:b( -- )\n"),
        ("a:b(\n1,", "a:b(\n1,\n"),
    ],
)
def test_an_unfinished_line_goes_on(text: str, rest: str) -> None:
    assert commands(text) == ([], rest)


def test_what_is_broken_anywhere_means_the_same() -> None:
    line = 'c2s:show("romeo@example.com", {"id", "jid"})'
    for at in range(len(line)):
        (whole,), rest = commands(f"{line[:at]}\n{line[at:]}") if at > 8 else ([line], "")
        assert parse(whole) == parse(line), whole
        assert rest == ""


def test_a_paste_is_several_commands_and_a_rest() -> None:
    pasted = "\nserver:version()\n  host:list()  \n\nuser:list(\n  'x'\n)\nuser:role("
    assert commands(pasted) == (
        ["server:version()", "host:list()", "user:list(\n  'x'\n)"],
        "user:role(\n",
    )


def test_what_is_typed_later_belongs_behind_the_rest() -> None:
    _, rest = commands('server:version()\nuser:list("exam')
    assert commands(rest + 'ple.com")') == (['user:list("example.com")'], "")
    _, rest = commands("user:list(")
    assert commands(rest + "'x')\nhost:list()") == (["user:list(\n'x')", "host:list()"], "")


def test_an_unfinished_line_is_no_longer_than_a_line_may_be() -> None:
    lines, rest = commands("(" * (MAX_LINE + 1))
    assert (len(lines[0]), rest) == (MAX_LINE + 1, "")
