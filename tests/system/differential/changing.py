"""Command lines that change something: each way has a fresh Prosody, and they go in this order."""

from system.differential.line import Differs, Line, typed

TOKEN = Differs(r"(?<=[=?;/ ])[A-Za-z0-9_-]{24}(?![A-Za-z0-9_-])", "a random token")
ADDRESS = Differs(r"0x[0-9a-f]+", "another Prosody's address")
NOW = Differs(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "a time that is counted from now")
ROLE_ID = Differs(r"(?<=role<\[)[A-Za-z0-9_-]{12}", "a random id")
# Lua seeds its hashes anew in each process, and what goes through a table goes in their order.
INTERFACE = Differs(r"\[(\*|::)\]", "one of the interfaces, in a table's order")
FUNCTION = Differs(r"in \w+ '[^']+'", "one of a function's names, in a table's order")

ACCOUNTS = (
    *typed(
        "user:create('juliet@localhost', 'a balcony')",
        "user:create('juliet@localhost', 'again')",
        "user:create('romeo@localhost', 'a ladder', 'prosody:member')",
        "user:create('nurse@no.such', 'x')",
        "user:create('not a@@jid', 'x')",
        "user:create('\u017eofie@localhost', '\u00fc \"quoted\" \\\\ <&>')",
    ),
    Line(("user:create('tybalt@localhost', 'x', 'nonsense')",), (FUNCTION,)),
    *typed(
        "user:create()",
        "user:password('juliet@localhost', 'a tomb')",
        "user:password('nobody@localhost', 'x')",
        "user:list('localhost')",
        "user:list('localhost', '^j')",
        "user:role('juliet@localhost')",
        "user:role('juliet@localhost', 'localhost')",
        "user:roles('juliet@localhost')",
    ),
    Line(("user:set_role('juliet@localhost', 'localhost', 'prosody:admin')",), (ROLE_ID,)),
    *typed(
        "user:set_role('juliet@localhost', 'localhost', 'nonsense')",
        "user:setroles('juliet@localhost', 'localhost', 'admin')",
        "user:roles('juliet@localhost', 'localhost')",
        "user:addrole('juliet@localhost', 'localhost', 'prosody:member')",
        "user:delrole('juliet@localhost', 'localhost', 'prosody:member')",
        "user:disable('juliet@localhost')",
        "user:disable('nobody@localhost')",
        "user:enable('juliet@localhost')",
        "user:activity('juliet@localhost')",
    ),
    Line(("user:list_inactive('localhost', '1d')",), (NOW,)),
    *typed(
        "roster:subscribe_both('juliet@localhost', 'romeo@localhost')",
        "roster:show('juliet@localhost')",
        "roster:unsubscribe_both('juliet@localhost', 'romeo@localhost')",
        "roster:subscribe('juliet@localhost', 'nurse@no.such')",
        "roster:unsubscribe('juliet@localhost', 'nurse@no.such')",
        "user:create('mercutio@example.test', 'x')",
        "flags:add('mercutio@example.test', 'plague', 'both houses')",
    ),
    Line(("flags:list('mercutio@example.test')",), (NOW,)),
    Line(("flags:find('example.test', 'plague')",), (NOW,)),
    *typed(
        "flags:remove('mercutio@example.test', 'plague')",
        "announce:all('example.test', 'draw')",
        "announce:online('example.test', 'draw')",
        "announce:role('example.test', 'prosody:member', 'draw')",
        "user:delete('mercutio@example.test')",
        "user:delete('mercutio@example.test')",
        "user:restore('mercutio@example.test')",
        "user:delete('romeo@localhost')",
    ),
)

INVITATIONS = tuple(
    Line((line,), (TOKEN, NOW, ADDRESS))
    for line in (
        "invite:create_account('benvolio@localhost')",
        "invite:create_account('localhost')",
        "invite:create_contact('juliet@localhost')",
        "invite:create_reset('juliet@localhost')",
        "invite:delete('localhost', 'none')",
        '{"invite", "create_account", "paris@localhost", "--role", "prosody:member"}',
        '{"invite", "create_account", "localhost", "--role"}',
        '{"invite", "create_account", "localhost", "--nonsense"}',
    )
)

ROOMS = (
    *typed("muc:create('hall@rooms.localhost')", "muc:create('hall@rooms.localhost')"),
    *typed("muc:create('hall@localhost')", "muc:create('hall@no.such')", "muc:create()"),
    *typed("muc:create('dv\u016fr@rooms.localhost', {persistent = true})"),
    *typed("muc:room('hall@rooms.localhost'):set_name('The hall')"),
    *typed("muc:room('hall@rooms.localhost'):get_name()", "muc:occupants('hall@rooms.localhost')"),
    *typed("muc:room('hall@rooms.localhost'):set_affiliation(true, 'juliet@localhost', 'owner')"),
    *typed("muc:affiliations('hall@rooms.localhost')", "muc:list('rooms.localhost')"),
    Line(('{"muc", "room", "hall@rooms.localhost", ":get_name"}',), (ADDRESS,)),
    *typed("muc:room('hall@rooms.localhost'):destroy()", "muc:room('hall@rooms.localhost')"),
    *typed("pubsub:create_node('pubsub.localhost', 'news')"),
    *typed(
        "pubsub:create_node('pubsub.localhost', 'news')", "pubsub:list_nodes('pubsub.localhost')"
    ),
    *typed("pubsub:set_node_config_option('pubsub.localhost', 'news', 'title', 'The news')"),
    *typed("pubsub:get_node_config('pubsub.localhost', 'news', 'title')"),
    *typed("pubsub:list_items('pubsub.localhost', 'news')"),
    *typed("pubsub:delete_all_items('pubsub.localhost', 'news')"),
    *typed("pubsub:delete_node('pubsub.localhost', 'news')"),
)

SERVER = (
    *typed("host:activate('verona.test')", "host:activate('verona.test')", "host:list()"),
    *typed("host:deactivate('verona.test')", "host:deactivate('verona.test')"),
    *typed("module:load('motd', 'localhost')", "module:load('motd', 'localhost')"),
    *typed("module:reload('motd', 'localhost')", "module:unload('motd', 'localhost')"),
    *typed("module:unload('motd', 'localhost')", "module:load('nonsense', 'localhost')"),
    *typed(
        "module:reload('nonsense')", "module:load('roster', 'no.such')", "module:reload('time')"
    ),
    *typed("config:set('console_test', 'x')", "config:get('console_test')", "config:reload()"),
    *typed("config:load('/nonexistent')", "c2s:close('nobody@localhost')", "c2s:closeall()"),
    *typed("s2s:close('localhost', 'no.such')", "s2s:closeall()", "s2s:closeall('no.such')"),
    *typed("dns:addnameserver('127.0.0.1')", "dns:setnameserver('127.0.0.1')", "dns:purge()"),
    *typed("debug:logevents('example.test')", "port:close()", "port:close(99999)"),
    Line(("port:close(5269)",), (INTERFACE,)),
    Line(("port:close(5269)",), (INTERFACE,)),
    Line(("port:list()",), (INTERFACE,)),
    *typed("output:configure({preset = 'oneline'})"),
    *typed(">{a = {1, 2}}", "output:configure()", "output:configure('compact')", ">{a = {1, 2}}"),
)

FLAGS = tuple(
    Line(words, (TOKEN, NOW))
    for words in (
        ("invite", "create_account", "localhost", "--role"),
        ("invite", "create_account", "localhost", "--role", "prosody:member"),
        ("invite", "create_account", "localhost", "--expires-after=1h"),
        ("invite", "create_account", "localhost", "--nonsense"),
        ("invite", "create_contact", "juliet@localhost", "--allow-registration"),
        ("invite", "create_reset", "juliet@localhost", "--expires-after", "nonsense"),
    )
)

WORDS = tuple(
    map(
        Line,
        (
            ("user", "create", "lady@localhost", "of the house"),
            ("user", "create", "capulet@localhost", 'sp ace "quote" \\ \u017e'),
            ("user", "password", "lady@localhost", "new\nline"),
            ("user", "list", "localhost"),
            ("user", "delete", "lady@localhost"),
            ("user", "delete", "lady@localhost"),
            ("module", "reload", "time", "localhost"),
            ("config", "reload"),
            ("muc", "create", "crypt@rooms.localhost"),
            ("muc", "room", "crypt@rooms.localhost", ":set_name", "The crypt"),
            ("muc", "room", "crypt@rooms.localhost", ":get_name"),
            ("user", "create", "ni\u00f1o@localhost", "contrase\u00f1a", "prosody:admin"),
        ),
    )
)

ONE_SHOT: tuple[Line, ...] = (*ACCOUNTS, *INVITATIONS, *FLAGS, *WORDS)
"""For the command line; each costs a start of prosodyctl, so they are not all."""

TYPED = tuple(line for line in (*ACCOUNTS, *INVITATIONS, *ROOMS, *SERVER) if line.can_be_typed)
"""For an interactive session."""
