"""Literals: what Lua reads them as (the differential test asks Lua itself), and what is refused."""

import math

import pytest

from prosody_admin.shell.lines import Call, Literal, RawLua, Table, parse
from prosody_admin.shell.literals import MAX_ARGUMENTS, MAX_DEPTH
from prosody_admin.shell.strings import is_plain


def one(text: str) -> Literal:
    """Return the value of a literal, as the only argument of a call."""
    meaning = parse(f"a:b({text})")
    assert isinstance(meaning, Call), meaning
    (value,) = meaning.arguments
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("007", 7),
        ("-20", -20),
        ("- \n 20", -20),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2.0**63),
        ("-9223372036854775808", -(2.0**63)),
        ("0x10", 16),
        ("0XfF", 255),
        ("0x7fffffffffffffff", 2**63 - 1),
        ("0x8000000000000000", -(2**63)),
        ("-0x8000000000000000", -(2**63)),
        ("0xffffffffffffffff", -1),
        ("0x1ffffffffffffffff", -1),
        ("3.", 3.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("0.0", 0.0),
        ("-0.0", -0.0),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("1.5e-3", 0.0015),
        ("0.1", 0.1),
        ("1e999", math.inf),
        ("-1e999", -math.inf),
        ("1e-999", 0.0),
        ("0x.8", 0.5),
        ("0x8.", 8.0),
        ("0xA.8p1", 21.0),
        ("0x1P-2", 0.25),
        ("0x1p9999", math.inf),
        ("0x1p99999999999999999999", math.inf),
        ("0x0p99999999999999999999", 0.0),
        ("1" * 25, float("1" * 25)),
        ("0" * 199 + "1", 1),
    ],
)
def test_constants_and_numbers(text: str, value: Literal) -> None:
    assert Call("a", "b", (one(text),)) == Call("a", "b", (value,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('""', ""),
        ("''", ""),
        ("'x\"y'", 'x"y'),
        ('"x\'y"', "x'y"),
        (r'"\"\'\\"', "\"'\\"),
        (r'"\x41\x4a"', "AJ"),
        (r'"\65\065\0651"', "AAA1"),
        (r'"\u{41}\u{000041}\u{1F986}"', "AA\N{DUCK}"),
        (r'"\xc3\xa9\195\169"', "éé"),
        ('"a\\z \n\t\v\f\r b\\z"', "ab"),
        ('"-- [[ ]] \u00a0 \u3000 conférence.例え"', "-- [[ ]] \u00a0 \u3000 conférence.例え"),
        ("[[]]", ""),
        ("[[x]]", "x"),
        ("[=[]]]=]", "]]"),
        ("[==[]=]]==]", "]=]"),
        ("[[\\x41\"']]", "\\x41\"'"),
        ("[[\nx]]", "x"),
        ("[[\rx]]", "x"),
        ("[[\r\nx]]", "x"),
        ("[[\n\rx]]", "x"),
        ("[[\n]]", ""),
    ],
)
def test_strings(text: str, value: str) -> None:
    assert one(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", Table()),
        ("{ 1 ; 'x' , }", Table((1, "x"))),
        ("{nil, nil}", Table((None, None))),
        ("{x = 1, ['y z'] = nil, _1 = {}}", Table((), (("x", 1), ("y z", None), ("_1", Table())))),
        ("{1, x = 2, 3}", Table((1, 3), (("x", 2),))),
        ("{[1] = 1, [2.0] = 2, [-0.0] = 3}", Table((), ((1, 1), (2, 2), (0, 3)))),
        ("{[0.5] = 1, [1e300] = 2, [1e999] = 3}", Table((), ((0.5, 1), (1e300, 2), (math.inf, 3)))),
        ("{[true] = 1, [1] = 2}", Table((), ((True, 1), (1, 2)))),
        ("{[ [[x]] ] = [[y]], [[z]], [=[z]=]}", Table(("z", "z"), (("x", "y"),))),
        ("{1, [2] = 2, [0] = 0}", Table((1,), ((2, 2), (0, 0)))),
        ("{true, nil, false}", Table((True, None, False))),
        ("{[-9223372036854775808] = 1}", Table((), ((-(2**63), 1),))),
        ("{[9223372036854775808] = 1}", Table((), ((2.0**63, 1),))),
        ("{[9e18] = 1, [-9e18] = 2}", Table((), ((9 * 10**18, 1), (-9 * 10**18, 2)))),
        ("{[-9223372036854777856] = 1}", Table((), ((-9223372036854777856.0, 1),))),
    ],
)
def test_tables(text: str, value: Table) -> None:
    assert one(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("c", "a name is no literal"),
        ("nilly", "a name is no literal"),
        ("Nil", "a name is no literal"),
        ("function() end", "a name is no literal"),
        ("not true", "a name is no literal"),
        ("...", "no number"),
        (".", "no number"),
        ("1..2", "expected ,"),
        ("1.2.3", "expected ,"),
        ("1 2", "expected ,"),
        ("3x", "expected ,"),
        ("0x", "expected ,"),
        ("0x.", "expected ,"),
        ("0xg", "expected ,"),
        ("1e", "expected ,"),
        ("1e+", "expected ,"),
        ("0x1p", "expected ,"),
        ("1_000", "expected ,"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "expected a name"),
        ("1e+-1", "expected ,"),
        ("1e1e1", "expected ,"),
        ("0x1p+-1", "expected ,"),
        ("0x1p1p1", "expected ,"),
        ("0" * 200 + "1", "a long one"),  # L_MAXLENNUM of lobject.c
        ("--1", "no number"),
        ("- -1", "no number"),
        ("-nil", "no number"),
        ("-'1'", "no number"),
        ("-", "no number"),
        ("+1", "expected a name"),
        ("1 + 1", "expected ,"),
        ("'x' .. 'y'", "expected ,"),
        ("#'x'", "expected a name"),
        ("('x')", "expected a name"),
        ("'x',", "expected a name"),
        (", 'x'", "expected a name"),
        ("'x' 'y'", "expected ,"),
        ("'x'; 'y'", "expected ,"),
        ("1," * MAX_ARGUMENTS + "1", "too many arguments"),
        ("'x", "without its end"),
        ("'x\"", "without its end"),
        ("'x\\", "no such escape"),
        ("'x\n'", "without its end"),
        ("'x\r'", "without its end"),
        (r"'\x4'", "no such escape"),
        (r"'\xg1'", "no such escape"),
        (r"'\u41'", "no such escape"),
        (r"'\u{}'", "no such escape"),
        (r"'\u{41'", "no such escape"),
        (r"'\256'", "no such escape"),
        (r"'\q'", "no such escape"),
        (r"'\Z'", "no such escape"),
        (r"'\é'", "no such escape"),
        (r"'\u{110000}'", "no character of Unicode"),
        (r"'\u{7fffffff}'", "no character of Unicode"),
        (r"'\u{d800}'", "no character of Unicode"),
        (r"'\u{dfff}'", "no character of Unicode"),
        (r"'\xff'", "not UTF-8"),
        (r"'\xed\xa0\x80'", "not UTF-8"),
        (r"'\xc0\x80'", "not UTF-8"),
        (r"'é\z\xc3'", "not UTF-8"),
        ("[[x]", "without its end"),
        ("[=[x]]", "without its end"),
        ("[=x", "no literal"),
        ("[x]", "no literal"),
        ("[", "no literal"),
        ("{", "expected a name"),
        ("{1", "end of the table"),
        ("{1 2}", "end of the table"),
        ("{,}", "expected a name"),
        ("{1,,}", "expected a name"),
        ("{x}", "a name is no literal"),
        ("{x == 1}", "expected a name"),
        ("{[1] 2}", "expected ="),
        ("{[1 = 2}", "expected ]"),
        ("{[x] = 1}", "a name is no literal"),
        ("{nil = 1}", "a keyword is no name"),
        ("{end = 1}", "a keyword is no name"),
        ("{[nil] = 1}", "no key"),
        ("{[{}] = 1}", "no key"),
        ("{x = 1, x = 1}", "same key"),
        ("{x = 1, ['x'] = nil}", "same key"),
        ("{[1] = 1, [1.0] = 1}", "same key"),
        ("{1, [1] = 1}", "same key"),
        ("{[2] = 1, 1, 1}", "same key"),
        ("{nil, [1] = 1}", "same key"),
    ],
)
def test_what_is_no_literal(text: str, reason: str) -> None:
    meaning = parse(f"a:b({text})")
    assert isinstance(meaning, RawLua)
    assert reason in meaning.reason


CONTROLS = ["\x00", "\x01", "\t", "\x1b", "\x7f", "\x85", "\xad", "\u200b", "\u200d", "\u202e"]
NO_TEXT = [*CONTROLS, "\u2028", "\u2029", "\ufeff", "\ue000", "\uffff", "\U000e0041", "\U0010ffff"]


@pytest.mark.parametrize("character", NO_TEXT)
def test_no_control_or_format_character_in_any_spelling(character: str) -> None:
    escaped = "".join(f"\\x{byte:02x}" for byte in character.encode())
    for text in (character, escaped, f"\\u{{{ord(character):x}}}"):
        for literal in (f"'x{text}y'", f"{{x = '{text}'}}", f"{{['{text}'] = 1}}"):
            assert parse(f"a:b({literal})") == RawLua()
    assert parse(f"a:b([[x{character}y]])") == RawLua()
    assert not is_plain(f"x{character}")


@pytest.mark.parametrize("escape", [*"abfnrtv", "\n", "\r", "\r\n", "0", "127", "x1f", "u{7}"])
def test_no_escape_of_a_control_character(escape: str) -> None:
    assert parse(f"a:b('x\\{escape}y')") == RawLua()
    assert parse("a:b([[x\ny]])") == RawLua()


def test_tables_nest_to_a_bound() -> None:
    def nested(depth: int) -> str:
        return f"a:b({'{' * depth}{'}' * depth})"

    assert isinstance(parse(nested(MAX_DEPTH)), Call)
    assert parse(nested(MAX_DEPTH + 1)) == RawLua()
    assert parse("a:b(" + "{[" * 5000) == RawLua()
    deep = parse("a:b(" + "{[" * (MAX_DEPTH + 1))
    assert isinstance(deep, RawLua)
    assert "too deep" in deep.reason


def test_arguments_have_a_bound_and_items_have_not() -> None:
    values = ",".join(["1"] * MAX_ARGUMENTS)
    assert isinstance(parse(f"a:b({values})"), Call)
    assert parse(f"a:b({values},1)") == RawLua()
    assert isinstance(parse(f"a:b({{{values},{values}}})"), Call)
