"""`client/words.py`: the line that words mean, as the service reads it."""

import pytest

from prosody_admin.client.words import line_of, line_typed
from prosody_admin.errors import UsageError
from prosody_admin.shell.flags import Flag
from prosody_admin.shell.lines import Call, Help, parse


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("user list", Call("user", "list")),
        ("user list example.com", Call("user", "list", ("example.com",))),
        ("c2s show :colon", Call("c2s", "show", (":colon",))),
        ("c2s show -dash --dashes", Call("c2s", "show", ("-dash", "--dashes"))),
        ("user create j@h nil", Call("user", "create", ("j@h", "nil"))),
        ("x unknown -a :b", Call("x", "unknown", ("-a", ":b"))),
        (
            "invite create_account j@h --role=prosody:admin",
            Call("invite", "create_account", ("j@h",), (Flag("role", "prosody:admin"),)),
        ),
        (
            "invite create_account j@h --role prosody:admin",
            Call("invite", "create_account", ("j@h",), (Flag("role", "prosody:admin"),)),
        ),
        ("invite create_account :j", Call("invite", "create_account", (":j",))),
        ("help", Help()),
        ("help user", Help("user")),
    ],
)
def test_words(words: str, meaning: Call | Help) -> None:
    assert parse(line_of(words.split())) == meaning


@pytest.mark.parametrize(
    "argument",
    [
        "",
        " ",
        "a b",
        '"',
        "\\",
        '\\"',
        "'",
        "]]",
        "--",
        "\u00fc\u4e2d\U0001f600",
        "nil",
        "1",
        "{}",
        "os.exit()",
    ],
)
def test_an_argument_arrives_as_it_is(argument: str) -> None:
    assert parse(line_of(["user", "list", argument])) == Call("user", "list", (argument,))


def test_a_single_word_is_a_line() -> None:
    assert line_of(['user:list("x")']) == 'user:list("x")'
    assert line_of([">1 + 1"]) == ">1 + 1"


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("user list 'a b' c", 'user:list("a b", "c")'),
        ("user\tlist", "user:list()"),
        ("help user", "help user"),
        ("user:list ('a')", "user:list ('a')"),
        ("for user in pairs(x) do end", "for user in pairs(x) do end"),
        ("nosection list", "nosection list"),
        (">user list", ">user list"),
        ("user", "user"),
    ],
)
def test_what_is_typed_is_a_line_or_words(typed: str, line: str) -> None:
    assert line_typed(typed) == line


def test_words_that_do_not_end_are_wrong() -> None:
    with pytest.raises(UsageError, match="No closing quotation"):
        line_typed("user list 'a")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "expected a command; see --help"),
        (["user"], "user: expected SECTION COMMAND [ARGUMENT...]; see: help user"),
        (["user name", "list"], "'user name': expected the name of a section and of a command"),
        (["user", "li-st"], "'li-st': expected the name of a section and of a command"),
        (["user", "end"], "user end: nothing that Prosody's shell can be given"),
        (["user", "list", "a\nb"], "user list: nothing that Prosody's shell can be given"),
        (["user", "list", "a\u202eb"], "user list: nothing that Prosody's shell can be given"),
        (["help", "a", "b"], "help: expected one topic at most, a word"),
        (["help", "os.exit()"], "help: expected one topic at most, a word"),
        (["invite", "create_account", "j@h", "--rule", "x"], "invite create_account: no flag"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], error: str) -> None:
    with pytest.raises(UsageError) as raised:
        line_of(words)
    assert str(raised.value).startswith(error)
