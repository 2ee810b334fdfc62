"""Lines to try: well-formed ones in every spelling, seeds with every known trap, mutations."""

import random
import string

KEYWORD_NAMES = [
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if"),
    *("in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
]
"""Section 3.1 of Lua's manual, which is what the code is checked against."""

SPACES = " \t\n\v\f\r"
NAMES = ["user", "list", "c2s", "show", "invite", "create_account", "x", "_x9", "A", "nilly"]
CHARACTERS = string.ascii_letters + string.digits + " .@-_/:%[](){}<>&;,='\"\\ é漢🦆\u00a0]]--"

SEEDS = [
    # What the clients of 0.12 and 13 write, and people type.
    "help",
    "HELP",
    "help user",
    "help:user()",
    '{"help", "user"}',
    "server:version()",
    'user:list("example.com")',
    'user:list("example.com", "j%%w+")',
    'user:create("j@example.com", nil, "prosody:admin")',
    'user:password("j@example.com", nil)',
    'module:reload("disco", "example.com")',
    "c2s:show(nil, {'id', 'jid'})",
    'muc:create("room@rooms.example.com", { ["muc#roomconfig_x"] = true; persistent = true, 1 })',
    '{"config", "reload"}',
    '{"user", "list", "example.com"}',
    '{"invite", "create_account", "example.com", "--role", "prosody:admin", "--group=a"}',
    '{"invite", "create_contact", "j@example.com", "--no-allow-registration", "--expires-after=1"}',
    '{"announce", "all", "example.com", "--text"}',
    '{"announce", "all", "example.com", ":os.exit()"}',
    # Literals at their edges.
    "a:b(0x7fffffffffffffff, 0xffffffffffffffff, 9223372036854775807, 9223372036854775808)",
    "a:b(-9223372036854775808, - 1, -0.0, 1e999, .5, 3., 0x.8p1, 0xA.p-3, 08, 1e+5, 0x1p4)",
    "a:b([[x]], [==[\n]]]==], [=[]=], '\\z  \n x', '\\x41\\065\\u{41}\\u{1F986}\\'')",
    "a:b({{{}}}, {1, 2; 3}, {nil, 1}, {[1] = 2}, {x = 1, ['y'] = 2, [1.0] = 3, [true] = nil})",
    " \t\v\f\r\nuser \n:\r list\f(\v'x'\t,\n'y' ) ",
    # Traps, each of which Prosody runs.
    ">os.exit()",
    "user:list() user:list()",
    "user:list();user:list()",
    "user:list();",
    "user:list()\nuser:list()",
    "user:list() -- x",
    "user:list --[[ ]] ()",
    "user:list[[x]]",
    'user:list"x"',
    "user:list{}",
    'user:list("x" .. "y")',
    'user:list(("x"))',
    'user:list(("x"):rep(9))',
    "user:list(function() end)",
    "user:list(...)",
    "user:list(#'x', not 1, - -1, 1 + 1, 2^53, 1 // 0)",
    "user:list(user)",
    "user:list(user:list())",
    "user:list():x()",
    "user:list()()",
    "user.list(user)",
    "server['version'](server)",
    "do user:list() end",
    "x = 1 return user:list()",
    "return user:list()",
    "local user = user; return user:list()",
    "user:list(), user:list()",
    "while true do end",
    "goto x ::x:: user:list()",
    "_:rep(9)",
    "help; os.exit()",
    "help_x:y()",
    "help : user()",
    " help",
    "help  user",
    "#!user:list()",
    "\ufeffuser:list()",
    "user:list('a\x00b')",
    "a:b({1, [1] = 2})",
    "a:b({x = 1, x = 2})",
    "a:b({[nil] = 1})",
    ' {"user", "list"}',
    '{"user", "list"}, 1',
    '{"user", "list", x = 1}',
    '{"user", "list", nil, "x"}',
    '{"invite", "create_account", "x", "--", "--role=y"}',
    '{"invite", "create_account", "x", "y", "--role=z"}',
]

TOKENS = [
    *"()[]{}:;,.=<>~+-*/%^#&|'\"\\ \t\n\r\v\f\x00\x1a\x1b\x7f\u00a0\u0085\u2028\u202e\ufeffйK",
    *KEYWORD_NAMES,
    *(
        "::",
        "..",
        "...",
        "--",
        "--[[",
        "]]",
        "[[",
        "[=[",
        "]=]",
        "==",
        "\\z",
        "\\x",
        "\\u{",
        "\\\n",
    ),
    *("0x", "1e", "p+", "0", "9", "()", "{}", '""', "user", ":list", "help", "_", "--role", "nil"),
]


class Speller:
    """Writes values in a random one of all the ways that Lua has for them."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def line(self) -> str:
        """Return a line that is surely understood, but for a key that is there twice."""
        chance = self._chance
        if chance.random() < 0.3:
            return self._array()
        names = chance.choice(NAMES), chance.choice(NAMES)
        arguments = [self._value(0) for _ in range(chance.randrange(5))]
        tokens = [names[0], ":", names[1], "(", *self._separated(arguments, ","), ")"]
        return self._space() + "".join(token + self._space() for token in tokens)

    def _array(self) -> str:
        chance = self._chance
        section, command = chance.choice(
            [
                ("invite", "create_account"),
                ("invite", "create_contact"),
                ("user", "list"),
                ("x", "y"),
            ]
        )
        words = [section, command, *(["a@example.com"] * chance.randrange(3))]
        if section == "invite":
            words = words[:3]
            flags = [["--expires-after", "-1d"], ["-expires_after="]] + (
                [["--role=a"], ["--group", "b="], ["-role", "--c"]]
                if command == "create_account"
                else [
                    ["--allow-registration"],
                    ["--no-allow_registration"],
                    ["--allow_registration=1"],
                ]
            )
            for flag in chance.choices(flags, k=chance.randrange(4)):
                at = chance.choice([2, len(words)])
                words[at:at] = flag
        elif section == "user":
            words += chance.choices(["--x", "-", "--", "-y=z"], k=chance.randrange(3))
        tokens = [*self._separated(list(map(self._string, words)), ",;"), "}"]
        return "{" + "".join(self._space() + token for token in tokens)

    def _value(self, depth: int) -> str:
        kind = self._chance.randrange(8)
        if kind == 0:
            return self._chance.choice(["nil", "true", "false"])
        if kind <= 2:
            return self._chance.choice(["", "", "-", "- "]) + self._numeral()
        if kind <= 4 and depth < 4:
            return self._table(depth)
        text = "".join(self._chance.choices(CHARACTERS, k=self._chance.randrange(8)))
        return self._string(text)

    def _numeral(self) -> str:
        chance = self._chance
        base, digits, marks = chance.choice(
            [("", string.digits, "eE"), ("0x", string.hexdigits, "pP")]
        )
        numeral = "".join(
            chance.choices(digits, k=chance.choice([1, 2, 5, 15, 16, 17, 19, 20, 40]))
        )
        if chance.random() < 0.3:
            at = chance.randrange(len(numeral) + 1)
            numeral = numeral[:at] + "." + numeral[at:]
        if chance.random() < 0.3:
            exponent = str(chance.choice([0, 5, 22, 300, 400, 1023, 1100]))
            numeral += chance.choice(marks) + chance.choice(["", "+", "-"]) + exponent
        return chance.choice([base, base.upper()]) + numeral

    def _table(self, depth: int) -> str:
        tokens = []
        for _ in range(self._chance.randrange(5)):
            key = self._chance.randrange(4)
            value = self._value(depth + 1)
            if key == 0:
                value = self._chance.choice(NAMES) + self._space() + "=" + value
            elif key == 1:
                name = self._chance.choice(
                    [
                        self._numeral(),
                        self._string(self._chance.choice(NAMES)),
                        "true",
                        "-0.0",
                        "7.0",
                    ]
                )
                value = f"[{self._space() or ' '}{name} ]{self._space()}={self._space()}{value}"
            tokens.append(value)
        separated = self._separated(tokens, ",;")
        if tokens and self._chance.random() < 0.2:
            separated.append(self._chance.choice(",;"))
        return "{" + "".join(self._space() + token for token in separated) + self._space() + "}"

    def _string(self, text: str) -> str:
        chance = self._chance
        if chance.random() < 0.3:
            level = "=" * chance.choice([0, 1, 2, 5])
            if f"]{level}]" not in text + "]":
                newline = chance.choice(["", "\n", "\r", "\r\n", "\n\r"])
                return f"[{level}[{newline}{text}]{level}]"
        quote = chance.choice("\"'")
        return quote + "".join(self._character(character, quote) for character in text) + quote

    def _character(self, character: str, quote: str) -> str:
        chance = self._chance
        must = character in {"\\", quote}
        if not must and chance.random() < 0.7:
            return character
        way = chance.randrange(5)
        code = f"{ord(character):x}"
        if way == 0 and character in "\\\"'":
            return "\\" + character
        if way == 1:
            return f"\\u{{{chance.choice(['', '0', '00000000'])}{code}}}"
        if way == 2 and not must:
            return "\\z" + self._space() + (character if character != " " else "\\032")
        if way == 3:
            return "".join(f"\\x{byte:02x}" for byte in character.encode())
        return "".join(f"\\{byte:03d}" for byte in character.encode())

    def _separated(self, tokens: list[str], separators: str) -> list[str]:
        return [
            part
            for index, token in enumerate(tokens)
            for part in ([self._chance.choice(separators)] if index else []) + [token]
        ]

    def _space(self) -> str:
        chance = self._chance
        return (
            "" if chance.random() < 0.8 else "".join(chance.choices(SPACES, k=chance.randrange(4)))
        )


def mutated(chance: random.Random, line: str) -> str:
    """Return the line with one to three small changes anywhere in it."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        start = chance.randrange(len(line) + 1)
        end = min(len(line), start + chance.choice([0, 0, 1, 1, 2, 5]))
        change = chance.randrange(5)
        if change == 0:
            piece = ""
        elif change == 1:
            piece = line[start:end] * 2
        elif change == 2:
            other = chance.choice(SEEDS)
            piece = other[chance.randrange(len(other)) :][: chance.choice([1, 3, 10, 100])]
        else:
            piece = chance.choice(TOKENS)
        line = line[:start] + piece + line[end:]
    return line
