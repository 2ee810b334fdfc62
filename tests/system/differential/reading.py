"""Command lines that change nothing, so that one Prosody answers them all, both ways.

Those of 0.12 and of 13 together: the other release's are errors, which have to be equal as well.
Not here: what streams (`watch:`), what needs a network, and what the service itself answers
(the section `admin`).
"""

from system.differential.line import Differs, Line, typed

MEMORY = Differs(r"[0-9.]+ [KMG]?i?B", "the garbage collector's moment")
CLOCK = Differs(r"\d+ minutes?", "a minute may end between two runs")
ADDRESS = Differs(r"0x[0-9a-f]+", "an address of the session's own")
NOW = Differs(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "a time that is counted from now")
LAST_RUN = Differs(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|never {14}", "a task may run in between")
STATISTIC = Differs(r"[0-9.]+", "a number that is counted on")
TIMERS = Differs(r"(?:.* \d\d:\d\d:\d\d.*\n)+", "timers come and go")

# Sections and topics of both releases, some of modules that are not loaded, and some of neither.
TOPICS = (
    *("console", "columns", "roles", "output", "help", "server", "module", "config", "c2s", "s2s"),
    *("host", "port", "muc", "user", "role", "xmpp", "dns", "http", "watch", "debug", "stats"),
    *("timer", "roster", "cron", "announce", "invite", "flags", "pubsub", "migrate"),
    *("nonsense", "42", "C2S", "user nonsense"),
)

HELP = (
    Line((" help",), (ADDRESS,)),
    *typed(
        "help",
        "HELP",
        "Help user",
        "help  user",
        "help ",
        "help:user()",
        "help.user()",
        "help; return 1",
        "help:nonsense()",
        "help()",
        "help ?",
        "?",
        "!!",
        *(f"help {topic}" for topic in TOPICS),
    ),
)

SERVER = (
    Line(("server:version()",)),
    Line(("server:uptime()",), (CLOCK,)),
    Line(("server:memory()",), (MEMORY,)),
    *typed("module:info('c2s')", "module:info('roster', 'localhost')", "module:info('nonsense')"),
    *typed("module:info()", "module:list()", "module:list('localhost')", "module:list('no.such')"),
    *typed("module:list({'localhost', 'example.test'})", "module:list('rooms.localhost')"),
    *typed("config:get('c2s_ports')", "config:get('localhost', 'authentication')"),
    *typed("config:get('modules_enabled')", "config:get('nonsense')", "config:get()"),
    *typed("host:list()", "hosts:list()", "port:list()", "http:list()", "http:list('localhost')"),
    *typed("dns:cache()", "dns:lookup()", "stats:show('nonsense')"),
    Line(("cron:tasks()",), (LAST_RUN,)),
    Line(("cron:tasks('localhost')",), (LAST_RUN,)),
    *typed("xmpp:ping()", "xmpp:ping('no.such', 'example.test')"),
    *typed("xmpp:ping('localhost', 'localhost')", "xmpp:ping('localhost')"),
    Line(("stats:show()",), (STATISTIC,)),
    Line(("debug:timers()",), (TIMERS,)),
    Line(("timer:info()",), (TIMERS,)),
    *typed("debug:async()", "debug:async('none')"),
    *typed("debug:events('localhost', 'resource-bind')", "debug:events('*', 'server-stopped')"),
    *typed("debug:events('no.such')", "debug:cert_index('/etc/prosody/certs')"),
)

SESSIONS = typed(
    "c2s:count()",
    "c2s:show()",
    "c2s:show('nobody@localhost')",
    "c2s:show(nil, 'id jid ipv')",
    "c2s:show(nil, {'id', 'jid'})",
    "c2s:show(nil, 'nonsense')",
    "c2s:show(nil, 42)",
    "c2s:show_tls()",
    "s2s:show()",
    "s2s:show('no.such', 'id')",
    "s2s:show_tls()",
    "s2s:showcert('no.such')",
    "s2s:showcert()",
)

ACCOUNTS = (
    Line(("user:list_inactive('localhost', '1d')",), (NOW,)),
    *typed(
        "user:list('localhost')",
        "user:list('localhost', '^a')",
        "user:list('localhost', '[')",
        "user:list('no.such')",
        "user:list()",
        "user:list(nil)",
        "user:list({})",
        "user:list('b\u00fccher.example')",
        "user:role('nobody@localhost')",
        "user:roles('nobody@localhost')",
        "user:roles('nobody@no.such')",
        "user:showroles('nobody@localhost')",
        "role:list('localhost')",
        "role:show('localhost', 'prosody:admin')",
        "user:activity('nobody@localhost')",
        "user:list_inactive('localhost', 'nonsense')",
        "roster:show('nobody@localhost')",
        "roster:show()",
        "flags:list('nobody@example.test')",
        "flags:find('example.test', 'nonsense')",
        "invite:list('localhost')",
        "invite:show('localhost', 'none')",
    ),
)

ROOMS = typed(
    "muc:list('rooms.localhost')",
    "muc:list('localhost')",
    "muc:list('no.such')",
    "muc:list()",
    "muc:room('none@rooms.localhost')",
    "muc:room('none@localhost')",
    "muc:occupants('none@rooms.localhost')",
    "muc:affiliations('none@rooms.localhost', 'owner')",
    "pubsub:list_nodes('pubsub.localhost')",
    "pubsub:list_items('pubsub.localhost', 'none')",
    "pubsub:get_item('pubsub.localhost', 'none', 'none')",
    "pubsub:get_node_config('pubsub.localhost', 'none')",
    "pubsub:list_nodes('no.such')",
)

ERRORS = (
    *typed("no:such()", "nonsense", "nonsense:nonsense()", "user:nonsense()", "user.nonsense"),
    *typed("server.version()", "server:version( ,", ")", "(", "foo bar", "1 +", "return", "'open"),
    *typed("[[open", "goto x", "a b c", "server:version() server:version()", "#", "@", "~", "="),
    *typed(
        "error('x')", "error({})", "error()", "error(nil)", "nil.x", "('x').y.z", "1/0", "-1//0"
    ),
    *typed("x" * 300, "user:list('" + "y" * 3000 + "')", "(" * 150 + "1" + ")" * 150, "(" * 250),
    *typed("server:version(1, 2, 3)", "server:version{}", "server:version''", "<a>&amp;</a>"),
    Line(("server",), (ADDRESS,)),
    Line(("server.version",), (ADDRESS,)),
    Line(("print",), (ADDRESS,)),
)

VALUES = (
    *typed("nil", "true", "false", "1", "1.5", "-0.0", "2^53", "1e999", "0/0", '"text"', "'text'"),
    *typed("nil, 'why'", "true, 'fine'", "false, 'bad'", "1, 'one'", "'a', 'b'", "nil, nil"),
    *typed("true, ''", "nil, ''", "true, 42", "nil, {}.x", "('x'):rep(3)", "[[long]]", "#'four'"),
    *typed("_", "a = 1", "return a", "a", "local b = 2", "a = 3 return a", "do end", ";", ";;"),
    *typed("return 1; ", "server['version'](server)", "-- comment", "1 -- comment", "--[[ x ]] 1"),
    *typed("'\\65\\x42\\u{43}\\z  D'", "'a\\\\b'", "'\\'\"'", "'\\t'", '"it\'s"', "'\\n'"),
    *typed("(function() return 'called' end)()", "setmetatable", "select('#', 1, 2)"),
)

EMPTY = typed("", " ", "     ", "\t", " \t ", "'  '", "''", "  server:version()  ", "\tc2s:count()")

UNICODE = typed(
    "'\u017elu\u0165ou\u010dk\u00fd'",
    "'\u65e5\u672c\u8a9e'",
    "'\U0001f600'",
    "'e\u0301'",
    "'\u00a0\u0085\u2028\ufeff'",
    "'\\u{10ffff}'",
    "'\\u{7f}\\u{80}\\u{9f}'",
    "\u201equotes\u201c",
    "server:version()\u00a0",
    "\u00fcser:list()",
    "help \u00fcser",
)

# Prosody's console environment has no `print` of its own: output comes with `>`.
LUA = (
    *typed(">1", "> return 6 * 7", ">", "> ", ">>1", ">nil", ">true, 'fine'", ">nil, 'why'"),
    *typed("> 'text'", ">{}", ">{one = 1}", ">_VERSION", ">help"),
    *typed(">error('x')", ">nonsense.field", ">local x", ">return", ">x ="),
    *typed(">print('one')", ">print('one', 'two', nil, 3)", ">print()", ">print('a\\nb\\n\\nc')"),
    *typed(">print('one') print('two') return 3", ">print('') return ''", ">print(' ')"),
    *typed(">print('one') error('two')", ">print('one') return nil, 'two'", ">print('\\n')"),
    *typed(">for i = 1, 300 do print(('y'):rep(i)) end", ">for i = 1, 2000 do print(i) end"),
    *typed(">'<tag attribute=\"x\">&amp;&lt;]]></tag>'", ">'  kept  '", ">'\\t\\ttabs\\t'"),
    *typed(">'a\\rb\\r\\nc'", ">'one\\n'", ">'\\n\\none'", ">('x'):rep(7000)", ">('&'):rep(1500)"),
    *typed(">prosody.version", ">#prosody.hosts", ">prosody.hosts.localhost.host", ">'\\255\\254'"),
    *typed(">'\\0'", ">print('one') print('\\1') return 'two'"),
    *typed(">'\\u{d800}'", ">server:version()", ">_G.server", ">b = 1 return b"),
    Line((">print",), (ADDRESS,)),
    Line((">{1, 2, {3, {4, {5}}}}",), (ADDRESS,)),
    *typed("> b"),
)

# What 13's command line makes of two words or more, typed by hand.
ARRAYS = tuple(
    Line((line,), (ADDRESS,))  # 0.12 shows where the table is, and that is all
    for line in (
        '{"server"}',
        "{}",
        "{1, 2}",
        "{1, 2",
        '{"user", "nonsense"}',
        '{"nonsense", "nonsense"}',
        '{"muc", "room", "none@rooms.localhost", ":get_name"}',
        '{"user", "list", 42}',
        '{"server", "version"',
        ' {"server", "version"}',
        "{server}",
        '{("x"):rep(3)}',
        "{os.exit}",
    )
)

# For the command line only: words, and lines that nobody can type.
WORDS = tuple(
    map(
        Line,
        (
            ("server", "version"),
            ("server", "version", "surplus"),
            ("server", ""),
            ("", ""),
            ("", "version"),
            ("user", "list", "localhost"),
            ("user", "list", "localhost", "^a"),
            ("user", "list", "no.such"),
            ("user", "list", "a b"),
            ("user", "list", ""),
            ("user", "list", 'quo"te'),
            ("user", "list", "apo'strophe"),
            ("user", "list", "back\\slash"),
            ("user", "list", "new\nline"),
            ("user", "list", "tab\tulator"),
            ("user", "list", "\u017elu\u0165"),
            ("user", "list", "<&>"),
            ("user", "list", "localhost", "--flag"),
            ("user", "list", ":colon"),
            ("user", "list", "y" * 3000),
            ("user:list", "localhost"),
            ("user", "list('localhost')"),
            ("module", "info", "c2s"),
            ("module", "list", "localhost"),
            ("config", "get", "c2s_ports"),
            ("host", "list"),
            ("muc", "list", "rooms.localhost"),
            ("muc", "room", "none@rooms.localhost", ":get_name"),
            ("c2s", "show", "nobody@localhost", "id jid"),
            ("stats", "show", "nonsense"),
            ("invite", "list", "localhost"),
            ("pubsub", "list_nodes", "pubsub.localhost"),
            ("help", "user"),
            ("help", "console"),
            ("help", "nonsense"),
            ("help", "user", "list"),
            ("no", "such", "command"),
            (">", "return 1"),
            ("--", "server", "version"),
            ("--nonsense", "server", "version"),
            (">print(1)\nprint(2) return 3",),
            ("server:version(\n)",),
            ("\nserver:version()",),
            ("1\r\n+ 1",),
            ("'a\rb'",),
            ("quit",),
            ("exit",),
            ("bye",),
        ),
    )
)

ONE_SHOT: tuple[Line, ...] = (
    *(*HELP, *SERVER, *SESSIONS, *ACCOUNTS, *ROOMS),
    *(*EMPTY, *UNICODE, *LUA, *ARRAYS, *WORDS),
)
"""For the command line; each costs a start of prosodyctl, so they are not all."""

TYPED = tuple(line for line in (*ONE_SHOT, *ERRORS, *VALUES) if line.can_be_typed)
"""For an interactive session."""
