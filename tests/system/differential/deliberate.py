"""Where the service is not equal to Prosody: what it answers itself, and where it does better."""

from system.differential.line import Deliberate, Differs, Line, typed

ADDRESS = Differs(r"0x[0-9a-f]+", "an address of the session's own")

HUNG_UP = 0, "--- session closed ---"
"""What prosodyctl makes of a connection that ends before the result: success."""

OUTCOME_UNKNOWN = 1, "Error: the outcome of the command is unknown"

DELIBERATE = (
    *(
        Deliberate(
            Line(words), "the service's own section", (1, "nil value|not found"), (0, "OK: prosody")
        )
        for words in (("admin:version()",), ("admin", "version"))
    ),
    Deliberate(
        Line(("help admin",)), "the service's own section", (0, "^(Unknown|$)"), (0, "admin:whoami")
    ),
    *(
        Deliberate(
            Line((f">{lua}",)),
            "Prosody sends what no XML parser takes: the client hangs up, the service says so",
            HUNG_UP,
            OUTCOME_UNKNOWN,
        )
        for lua in ("'\\u{fffe}'", "print('\\27[1mbold')")
    ),
    # The last one, for there is no Prosody afterwards.
    Deliberate(
        Line(("server:shutdown('the end')",)),
        "Prosody closes before it has answered",
        HUNG_UP,
        OUTCOME_UNKNOWN,
    ),
)

# 13's own spelling of commands that the service knows. It writes them anew in the one that 0.12
# understands as well, which makes 0.12 run what it would only show as a table.
WORDS = typed(
    '{"server", "version"}',
    '{"help"}',
    '{"help", "user"}',
    '{"user", "list", "localhost"}',
    '{"user", "list", "localhost", "^a"}',
)

# More than 8 KB in one stanza. A client of 13 hangs up at 10,000 bytes when they arrive in one
# piece, and prints them when they do not, so that it is no measure; a raw client is.
LONG = (
    *typed(
        *(f">('x'):rep({length})" for length in (8_000, 10_000, 100_000)),
        ">('&'):rep(20000)",
        ">('\u017elu\u0165'):rep(20000)",
        ">print(('x'):rep(100000)) return 1",
        ">print(('line\\n'):rep(20000)) return 1",
        ">print((('x'):rep(8191) .. '\\n'):rep(9)) return 1",
        ">for i = 1, 5000 do print(i) end",
        ">error(('x'):rep(100000))",
        ">print('one') return nil, ('x'):rep(100000)",
    ),
    *(
        Line((line,), (ADDRESS,))
        for line in (
            "debug:events()",
            "debug:events('localhost')",
            ">prosody.hosts.localhost.events",
        )
    ),
)

HUGE = Line((">('x'):rep(3000000)",))
"""More than a client of 0.12 takes at once; it prints each stanza on a line of its own."""
