"""What no record has: secrets, in every place that one can stand in."""

import json

import pytest

from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS
from prosody_admin.sd.journal import MessageId
from system.gate import SERVICE_UNIT, SOCKET, THROUGH, settings, through
from system.keys import at_own_terminal
from system.machine import Machine, wait_until
from system.record import REFUSED, SETTINGS, STARTED, answers, prepare, records

pytestmark = pytest.mark.system

CANARY = "Lapwing-1603-kestrel"
"""Found, in any case, wherever a secret leaks to; nothing else in a machine has it."""

ESCAPED = (
    "".join(f"\\{byte}" for byte in CANARY.encode()),
    "".join(f"\\x{byte:02x}" for byte in CANARY.encode()),
    "".join(f"\\u{{{byte:x}}}" for byte in CANARY.encode()),
    CANARY.replace("-", "\\z  -"),
)

NOBODY = "nobody@no-such-host.test"
LINES = (
    f'{{"user", "password", "{NOBODY}", "two", "three", "{CANARY}"}}',
    *(
        f'user:password("{NOBODY}", {quoted})'
        for quoted in (
            f'"{CANARY}"',
            f"'{CANARY}'",
            f"[[{CANARY}]]",
            f"[==[\n{CANARY}]==]",
            *(f'"{escaped}"' for escaped in ESCAPED),
            f'{{"{CANARY}"}}',
            f'{{ password = "{CANARY}" }}',
            f'{{ ["{CANARY}"] = {{ "{CANARY}" }} }}',
        )
    ),
    f'{{"user", "password", "{NOBODY}", "{CANARY}"}}',
    f'{{"user", "password", "{NOBODY}", "two", "{CANARY}"}}',
    f'user:create("{NOBODY}", "{CANARY}")',
    f'user:create("{NOBODY}", "{CANARY}", {{}})',
    f'config:set("no-such-host.test", "of_the_test", "{CANARY}")',
    f'module:load("no_such_module", "localhost", {{ secret = "{CANARY}" }})',
    f'muc:create("room@no-such-host.test", {{ password = "{CANARY}" }})',
    f'host:activate("localhost", {{ component_secret = "{CANARY}" }})',
    f'invite:show("no-such-host.test", "{CANARY}")',
    f'invite:delete("no-such-host.test", "{CANARY}")',
    f"admin:explain([[user:password('{NOBODY}', '{CANARY}')]])",
    # Of no command that anybody knows.
    f'no_such:command("{CANARY}")',
    f'{{"no_such", "command", "{CANARY}"}}',
    f'user:no_such("{CANARY}")',
    # Not well-formed, and so raw Lua.
    CANARY,
    f'user:password("{NOBODY}", "{CANARY}',
    f"user:password({NOBODY}, {CANARY})",
    f'user:password("{NOBODY}" "{CANARY}")',
    f'{{"user", "password", "{NOBODY}", ":{CANARY}"}}',
    f"help {CANARY} {CANARY}",
    # Raw Lua, the first of which brings it back as an error.
    f"> error('{CANARY}')",
    f"> {CANARY}",
    f"> return '{CANARY}'",
    f'user:password("{NOBODY}", "{CANARY}" .. "")',
    f'user:password("{NOBODY}", "x") -- {CANARY}',
    f"local password = '{CANARY}'",
)
"""A secret wherever one can stand; no line of them changes anything."""

STANZAS = (
    f"<repl-input>user:password('{NOBODY}', '{CANARY}')<b>{CANARY}</b></repl-input>",
    f"<repl-requested-input type='password' id='{CANARY}'>{CANARY}</repl-requested-input>",
    f"<repl-input repl='{CANARY}' width='{CANARY}' password='{CANARY}'>help</repl-input>",
    f"<change xmlns='urn:example' password='{CANARY}'>{CANARY}<b>{CANARY}</b></change>",
    # Each of these is the end of its stream.
    f"<repl-input>user:password('{NOBODY}', '{CANARY}')</repl-inputs>",
    f"<repl-input>{CANARY}\0</repl-input>",
    f"<repl-input>{CANARY}&{CANARY};</repl-input>",
    f"<repl-input><!-- {CANARY} --></repl-input>",
    f"<?{CANARY} {CANARY}?>",
    f"<!DOCTYPE stream [<!ENTITY {CANARY} '{CANARY}'>]>",
    f"<repl-input {CANARY}='{CANARY}' {CANARY}='{CANARY}'/>",
    f"<repl-input>{CANARY * 60_000}</repl-input>",
    f"<repl-input>user:password('{NOBODY}', '{CANARY}')",
)

SEND_STANZAS = f"""\
import json, socket, sys
for stanza in json.load(sys.stdin):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect("{SOCKET}")
        header = "<stream:stream xmlns:stream='{STREAMS_NS}' xmlns='{ADMIN_NS}'>"
        try:
            connection.sendall((header + stanza).encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # one that is too long is not read to its end
"""


@pytest.fixture
def gate(gate: Machine) -> Machine:
    """The service with somebody of the group who may read and write."""
    prepare(gate)
    return gate


def leaks(machine: Machine) -> str:
    """Return the lines that have CANARY, of all that anybody wrote and that systemd shows."""
    said = "journalctl --sync; journalctl --output=export --all; systemctl show prosody-admin"
    search = f'{{ {said}; }} | grep --text --ignore-case --fixed-strings -- "$1"'
    found = machine.run("sh", "-c", search, "search", CANARY)
    assert found.returncode in {0, 1}, found
    return found.stdout


@pytest.mark.parametrize(
    ("user", "role"), [("prosody", ""), ("helpdesk", "operator"), ("helpdesk", "")]
)
def test_secrets_of_lines(gate: Machine, user: str, role: str) -> None:
    """Of somebody who may do everything, who may do something, and who may do nothing."""
    if not role:
        settings(gate, SETTINGS.replace('"operator"', ""))
    assert len(answers(gate, list(LINES), user)) == len(LINES)
    assert len(records(gate, STARTED, REFUSED)) == len(LINES)
    assert leaks(gate) == ""


def test_secrets_of_words(gate: Machine) -> None:
    """As prosodyctl of either release makes a line of them."""
    through(gate, "user", "password", NOBODY, CANARY)
    through(gate, "user", "create", NOBODY, CANARY)
    through(gate, "no_such", "command", CANARY)
    (command, *_) = (record["PROSODY_ADMIN_COMMAND"] for record in records(gate, STARTED))
    assert command == "user:password"
    assert leaks(gate) == ""


def test_secrets_of_stanzas(gate: Machine) -> None:
    gate.run("python3", "-c", SEND_STANZAS, stdin=json.dumps(STANZAS), check=True)
    wait_until(
        lambda: len(records(gate, MessageId.SESSION_CLOSED)) == len(STANZAS), "all are closed"
    )
    assert len(records(gate, MessageId.STREAM_ERROR)) >= 8
    assert leaks(gate) == ""


@pytest.mark.parametrize("machine", ["trixie"], indirect=True)  # 0.12 asks for nothing
def test_secrets_that_prosody_asks_for(gate: Machine) -> None:
    with at_own_terminal(gate, *THROUGH, 'user:create("nobody@localhost")') as terminal:
        for prompt in ("Enter new password: ", "Retype new password: "):
            terminal.expect(prompt)
            terminal.type(CANARY)
        terminal.expect("OK: ")
        assert terminal.ended() == 0
    assert through(gate, "user", "delete", "nobody@localhost").returncode == 0
    assert records(gate, STARTED)[0]["PROSODY_ADMIN_COMMAND"] == "user:create"
    assert leaks(gate) == ""


def test_secrets_of_settings(gate: Machine) -> None:
    through(gate, "admin:version()")
    for wrong in (f'password = "{CANARY}"\n', f'[roles.viewer]\nallow = ["{CANARY}"]\n', CANARY):
        settings(gate, wrong)
        gate.run("systemctl", "reload", SERVICE_UNIT, check=True)
    wait_until(lambda: len(records(gate, MessageId.SETTINGS_REJECTED)) == 3, "all are rejected")
    assert leaks(gate) == ""
