"""The canonical spelling: one for each value, and exactly that value again when it is read."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.protocol.stanza import repl_input
from prosody_admin.shell.canonical import MAX_CANONICAL, canonical
from prosody_admin.shell.catalogue import Catalogue
from prosody_admin.shell.lines import MAX_LINE, Call, Flag, Help, Literal, RawLua, Table, parse
from prosody_admin.shell.literals import KEYWORDS, MAX_ARGUMENTS
from prosody_admin.shell.strings import is_plain


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("HELP", "help"),
        ("help c2s ", "help c2s"),
        ('{"help", "c2s"}', "help c2s"),
        ("help:c2s()", "help:c2s()"),
        (" user : list ( [[x]] , 'y' ) ", 'user:list("x", "y")'),
        ('{"user", "list", "x"}', 'user:list("x")'),
        ('{"user", "password", "x", "--y"}', 'user:password("x", "--y")'),
        ('{"invite", "create_account", "x"}', 'invite:create_account("x")'),
        (
            '{"invite", "create_account", "-role", "a\\"b", "x", "--expires_after=1d"}',
            '{"invite", "create_account", "x", "--role=a\\"b", "--expires-after=1d"}',
        ),
        (
            '{"invite", "create_contact", "--no-allow_registration", "--allow-registration"}',
            '{"invite", "create_contact", "--no-allow-registration", "--allow-registration"}',
        ),
        (r"a:b('\\ \" \' é \u{1F986} ]] --')", 'a:b("\\\\ \\" \' é \N{DUCK} ]] --")'),
        ("a:b(nil, true, false)", "a:b(nil, true, false)"),
        ("a:b(007, - 1, 0x10, 0x8000000000000000)", "a:b(7, -1, 16, 0x8000000000000000)"),
        ("a:b(1., .5, -0.0, 1e16, 0x.8)", "a:b(1.0, 0.5, -0.0, 1e+16, 0.5)"),
        ("a:b(1e999, -1e999)", "a:b(1e999, -1e999)"),
        (
            "a:b({[-9223372036854775808] = 1, [-1e999] = 2})",
            "a:b({[0x8000000000000000] = 1, [-1e999] = 2})",
        ),
        ("a:b({1;x=2,{nil},[true]={}})", 'a:b({1, {nil}, ["x"] = 2, [true] = {}})'),
    ],
)
def test_spelling(text: str, spelling: str) -> None:
    meaning = parse(text)
    assert isinstance(meaning, Call | Help)
    assert canonical(meaning) == spelling
    assert parse(spelling) == meaning


@pytest.mark.parametrize(
    "longest",
    [
        "a:b([[" + "\\" * (MAX_LINE - 9) + "]])",
        "a:b([['" + '"' * (MAX_LINE - 10) + "]])",
        "a:b({" + "1e15," * ((MAX_LINE - 7) // 5) + "})",
        "a:b({" + ",".join(f"a{n}=1e15" for n in range((MAX_LINE - 7) // 11)) + "})",
        "a:b({" + "1," * ((MAX_LINE - 7) // 2) + "})",
        "a:b({" + ",".join(f"a{n}=1" for n in range((MAX_LINE - 7) // 10)) + "})",
        "a:b({" + "{}," * ((MAX_LINE - 7) // 3) + "})",
        "{" + '"a",' * MAX_ARGUMENTS + "}",
    ],
    ids=range(8),
)
def test_what_can_be_read_can_be_written(longest: str) -> None:
    meaning = parse(longest)
    assert isinstance(meaning, Call)
    assert parse(canonical(meaning), max_bytes=MAX_CANONICAL) == meaning


def names() -> st.SearchStrategy[str]:
    return st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True).filter(
        lambda name: name.encode() not in KEYWORDS and name != "_" and not name.startswith("help")
    )


texts = st.text(max_size=20).filter(is_plain)
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
scalars: st.SearchStrategy[Literal] = st.none() | st.booleans() | integers | floats | texts


def tables(values: st.SearchStrategy[Literal]) -> st.SearchStrategy[Literal]:
    # Keys beyond the items: 0 and below, and no float that has an integer value.
    keys = st.integers(-5, 0) | st.just(0.5) | st.booleans() | texts
    fields = st.lists(st.tuples(keys, values), max_size=4, unique_by=lambda f: (type(f[0]), f[0]))
    return st.builds(
        lambda items, fields: Table(tuple(items), tuple(fields)),
        st.lists(values, max_size=4),
        fields,
    )


literals = st.recursive(scalars, tables, max_leaves=8)
calls = st.builds(Call, names(), names(), st.lists(literals, max_size=4).map(tuple))


@given(calls)
def test_every_call_can_be_written_and_is_read_again(call: Call) -> None:
    assert parse(canonical(call)) == call


@given(calls)
def test_the_spelling_is_exact_through_xml(call: Call) -> None:
    spelling = canonical(call)
    assert ElementTree.fromstring(repl_input(spelling).to_bytes()).text == spelling


@pytest.mark.parametrize(
    "value",
    [
        Call("a b", "c"),
        Call("a", "b()"),
        Call("end", "a"),
        Call("_", "a"),
        Call("help", "a"),
        Call("", ""),
        Call("a", "b", ("\n",)),
        Call("a", "b", ("\u202e",)),
        Call("a", "b", (math.nan,)),
        Call("a", "b", (2**63,)),
        Call("a", "b", (-(2**63) - 1,)),
        Call("a", "b", (Table((1,), ((1, 2),)),)),
        Call("a", "b", (Table((), ((2.0, 2),)),)),
        Call("a", "b", ("x",), (Flag("loud", True),)),
        Call("invite", "create_account", (1,), (Flag("role", "a"),)),
        Call("invite", "create_account", ("--role=b",), (Flag("role", "a"),)),
        Call("invite", "create_account", ("x", "y"), (Flag("role", "a"),)),
        Call("invite", "create_account", (":x",), (Flag("role", "a"),)),
        Call("invite", "create_account", ("x",), (Flag("role", True),)),
        Help("a b"),
        Help("\n"),
        Help("a_b"),
        Help("a()", called=True),
        Help("", called=True),
    ],
)
def test_what_no_line_means_is_not_written(value: Call | Help) -> None:
    with pytest.raises(ValueError, match="a value that no line has"):
        canonical(value)


def test_flags_need_the_catalogue_that_they_were_read_with() -> None:
    facts = {"class": "read", "flags": {"loud": "kv"}, "parameters": 1}
    catalogue = Catalogue({}).extended({"x": {"y": facts}})
    call = Call("x", "y", ("z",), (Flag("loud", False),))
    assert canonical(call, catalogue) == '{"x", "y", "z", "--no-loud"}'


def test_an_unknown_command_keeps_the_spelling_that_it_came_in() -> None:
    words = '{"nosuch", "command", "a word"}'
    call = 'nosuch:command("a word")'
    assert parse(words) == parse(call)
    assert canonical(parsed(words)) == words
    assert canonical(parsed(call)) == call
    assert canonical(parsed('{"user", "list", "b"}')) == 'user:list("b")'


def parsed(line: str) -> Call | Help:
    found = parse(line)
    assert not isinstance(found, RawLua)
    return found
