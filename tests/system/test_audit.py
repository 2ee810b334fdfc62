"""The record of real sessions in a real journal: whole, without secrets, and never left out."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS
from prosody_admin.sd.journal import MessageId
from system.conftest import CHECKOUT
from system.gate import (
    SERVICE_UNIT,
    SOCKET,
    STUB,
    THROUGH,
    THROUGH_UNPRIVILEGED,
    directly,
    drop_in,
    settings,
    through,
)
from system.keys import at_own_terminal
from system.machine import HERE, Machine, wait_until
from system.terminal import at_terminal

pytestmark = pytest.mark.system

PREFIX = "PROSODY_ADMIN_"
STARTED, FINISHED = MessageId.COMMAND_STARTED, MessageId.COMMAND_FINISHED
REFUSED, GAP = MessageId.COMMAND_REFUSED, MessageId.AUDIT_GAP

RAW_CLIENT = "/usr/local/lib/raw_client.py"
JOURNALD = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald")

UNRECORDED = "Error: refused, it cannot be recorded now"
AT_ONCE = 1.0
"""Seconds in which a loop that is not blocked answers, ten times what it takes."""

MORE_THAN_JOURNALD_HOLDS = 600
"""Commands, of two records each: the kernel keeps 512 datagrams of them (net.unix.max_dgram_qlen,
as systemd sets it)."""

MORE_THAN_WE_HOLD = 1500
"""Commands whose refusals are more than the service keeps for journald: QUEUE_RECORDS."""


SETTINGS = """
[service]
log_level = "debug"

[grants]
"%prosody-admin" = []
helpdesk = ["operator"]
"""


@pytest.fixture
def gate(gate: Machine) -> Machine:
    """The service with somebody of the group who may read and write."""
    gate.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    gate.put(RAW_CLIENT, (HERE / "differential/raw_client.py").read_text())
    settings(gate, SETTINGS)
    return gate


def records(
    machine: Machine, *kinds: MessageId, also: tuple[str, ...] = ()
) -> list[dict[str, str]]:
    """Return the records of these kinds of the service that runs now, oldest first."""
    invocation = f"_SYSTEMD_INVOCATION_ID={machine.unit(SERVICE_UNIT, 'InvocationID')}"
    return machine.journal(invocation, *(f"MESSAGE_ID={kind.value}" for kind in kinds), *also)


def ours(record: dict[str, str]) -> dict[str, str]:
    """Return the fields of a record that are the service's own, by their names without prefix."""
    return {name.removeprefix(PREFIX): record[name] for name in record if name.startswith(PREFIX)}


# What a record has.

COMMAND_OF_AN_OPERATOR = """
test ! -e /proc/self/loginuid || echo 0 >/proc/self/loginuid
exec setpriv --reuid=helpdesk --regid=helpdesk --init-groups -- sh -c 'echo $$; exec "$@"' sh "$@"
"""


def operator(machine: Machine, line: str) -> tuple[dict[str, str], str]:
    """Run a line in a unit of its own, after a login of root's; return who it was, and stdout."""
    machine.put("/usr/local/bin/operator", f"#!/bin/sh\nset -eu{COMMAND_OF_AN_OPERATOR}", 0o755)
    said = machine.run(
        *("systemd-run", "--unit=on-call", "--pipe", "--wait", "--quiet"),
        *("/usr/local/bin/operator", *THROUGH_UNPRIVILEGED, line),
    )
    pid, _, answer = said.stdout.partition("\n")
    has_login = machine.run("test", "-e", "/proc/self/loginuid").returncode == 0
    peer = {
        "PEER_PID": pid,
        "PEER_UID": machine.run("id", "-u", "helpdesk").stdout.strip(),
        "PEER_GID": machine.run("id", "-g", "helpdesk").stdout.strip(),
        "PEER_USER": "helpdesk",
        "PEER_UNIT": "on-call.service",
        **({"PEER_LOGIN_UID": "0", "PEER_LOGIN_USER": "root"} if has_login else {}),
    }
    return peer, answer or said.stderr


def test_of_a_command_that_runs(gate: Machine) -> None:
    peer, answer = operator(gate, 'module:list("localhost")')
    (opened,) = records(gate, MessageId.SESSION_OPENED)
    command = {
        **peer,
        "SESSION": opened["PROSODY_ADMIN_SESSION"],
        "SEQUENCE": "1",
        "COMMAND": "module:list",
        "ARGUMENTS": '"localhost"',
        "HOST": "localhost",
    }
    (started,), (finished,) = records(gate, STARTED), records(gate, FINISHED)
    assert ours(started) == {
        **command,
        "VERDICT": "allowed",
        "RULE": "role operator allows @read",
    }
    ended = ours(finished)
    assert 0 < int(ended.pop("DURATION_USEC")) < 30_000_000
    lines = answer.count("\n")
    assert lines > 1
    assert ended == {
        **command,
        "RESULT": "ok",
        "OUTPUT_LINES": str(lines),
        "OUTPUT_BYTES": str(len(answer.encode()) - lines),
    }


def test_of_a_command_that_fails(gate: Machine) -> None:
    peer, _ = operator(gate, 'user:delete("nobody@localhost")')
    (finished,) = records(gate, FINISHED)
    ended = ours(finished)
    assert ended["RESULT"] == "error"
    assert ended["ERROR"] in gate.run(*THROUGH, 'user:delete("nobody@localhost")').stderr
    assert ended["HOST"] == "localhost"
    assert peer.items() <= ended.items()


def test_of_a_command_that_is_refused(gate: Machine) -> None:
    peer, _ = operator(gate, 'user:create("nobody@localhost", nil, "prosody:admin")')
    (opened,), (refused,) = records(gate, MessageId.SESSION_OPENED), records(gate, REFUSED)
    assert ours(refused) == {
        **peer,
        "SESSION": opened["PROSODY_ADMIN_SESSION"],
        "SEQUENCE": "1",
        "COMMAND": "user:create",
        "ARGUMENTS": '"nobody@localhost", nil, "prosody:admin"',
        "HOST": "localhost",
        "VERDICT": "refused",
        "RULE": "default",
    }
    assert records(gate, STARTED) == []


# What no record has.

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
    sent = gate.run("python3", RAW_CLIENT, SOCKET, user=user, stdin=json.dumps(LINES), check=True)
    assert len(json.loads(sent.stdout)) == len(LINES)
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


# When there is nobody to record it.

COUNT = "> prosody.of_the_test = (prosody.of_the_test or 0) + 1"
COUNTED = "> return prosody.of_the_test or 0"


@pytest.fixture
def counting(gate: Machine) -> Iterator[Machine]:
    """The machine whose Prosody counts how often it ran COUNT, with a service that is watched."""
    drop_in(gate, SERVICE_UNIT, "[Service]\nWatchdogSec=1\n")
    yield gate
    directly(gate, "> prosody.of_the_test = nil")


def counted(machine: Machine) -> int:
    """Return how often Prosody ran COUNT, as it says itself."""
    return int(directly(machine, COUNTED).stdout.split()[-1])


def answers(machine: Machine, lines: list[str]) -> list[str]:
    """Send all lines at once, by root; return the text of each result."""
    sent = machine.run("python3", RAW_CLIENT, SOCKET, stdin=json.dumps(lines), check=True)
    return [text.strip() for text, _ in json.loads(sent.stdout)]


@contextmanager
def stopped_journald(machine: Machine) -> Iterator[None]:
    """Have no journald, nor a socket that anybody listens on."""
    machine.run("systemctl", "stop", *JOURNALD, check=True)
    try:
        yield
    finally:
        machine.run("systemctl", "start", *JOURNALD, check=True)


@contextmanager
def hung_journald(machine: Machine) -> Iterator[None]:
    """Have a journald that takes nothing until it goes on."""
    journald = machine.unit("systemd-journald", "MainPID")
    machine.run("sh", "-c", f"kill -STOP {journald}", check=True)
    try:
        yield
    finally:
        machine.run("sh", "-c", f"kill -CONT {journald}", check=True)


def sequence(found: list[dict[str, str]]) -> list[int]:
    """Return the numbers of the commands in their session, in the order of the records."""
    return [int(record["PROSODY_ADMIN_SEQUENCE"]) for record in found]


def of_root(machine: Machine, *kinds: MessageId) -> list[dict[str, str]]:
    """Return the records of these kinds about root, who is nobody but the raw client."""
    return records(machine, *kinds, also=("PROSODY_ADMIN_PEER_UID=0",))


def is_fed(machine: Machine) -> None:
    """Wait until the watchdog was fed again, for twice as long as an unfed service would live."""
    fed: set[str] = set()

    def four_times() -> bool:
        fed.add(machine.unit(SERVICE_UNIT, "WatchdogTimestampMonotonic"))
        return len(fed) > 4

    wait_until(four_times, "the watchdog is fed")
    assert machine.unit(SERVICE_UNIT, "NRestarts") == "0"


def test_journald_is_stopped(counting: Machine) -> None:
    with at_terminal(counting, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        with stopped_journald(counting):
            answer = through(counting, COUNT)
            assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", UNRECORDED + "\n")
            assert set(answers(counting, [COUNT] * 20)) == {UNRECORDED}
            terminal.type("admin:version()")
            terminal.expect("! " + UNRECORDED, timeout=AT_ONCE)
            is_fed(counting)
        terminal.expect("prosody> ")
        terminal.type("admin:version()")
        terminal.expect(r"\| OK: ")
    assert counted(counting) == 0
    assert sequence(of_root(counting, REFUSED)) == list(range(1, 21))
    assert {record["PROSODY_ADMIN_RULE"] for record in records(counting, REFUSED)} == {"unrecorded"}
    assert len(records(counting, REFUSED)) == 22
    assert records(counting, GAP) == []
    assert through(counting, COUNT).returncode == 0


def test_journald_is_stopped_before_the_service_starts(counting: Machine) -> None:
    with stopped_journald(counting):
        answer = through(counting, COUNT)
        assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", UNRECORDED + "\n")
    assert through(counting, COUNT).returncode == 0
    assert counted(counting) == 1
    assert [ours(record)["VERDICT"] for record in records(counting, STARTED, REFUSED)] == [
        "refused",
        "allowed",
    ]


def test_a_site_may_waive_the_record_and_that_is_on_record(counting: Machine) -> None:
    settings(counting, "[audit]\nrequired = false\n")
    with stopped_journald(counting):
        assert through(counting, COUNT).returncode == 0
        assert counted(counting) == 1
    wait_until(lambda: len(records(counting, STARTED)) == 1, "what waited for journald is there")
    assert len(records(counting, MessageId.AUDIT_NOT_REQUIRED)) == 1


def test_journald_hangs(counting: Machine) -> None:
    with at_terminal(counting, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        with hung_journald(counting):
            texts = answers(counting, [COUNT] * MORE_THAN_JOURNALD_HOLDS)
            ran = texts.index(UNRECORDED)
            assert 0 < ran == counted(counting)
            assert set(texts[ran:]) == {UNRECORDED}
            started = time.monotonic()
            terminal.type("admin:version()")
            terminal.expect("! " + UNRECORDED)
            assert time.monotonic() - started < AT_ONCE
            assert through(counting, COUNT).returncode == 1
            is_fed(counting)
        wait_until(lambda: through(counting, COUNT).returncode == 0, "commands run again")
    assert counted(counting) == ran + 1
    found = of_root(counting, STARTED, REFUSED)
    assert sequence(found) == list(range(1, MORE_THAN_JOURNALD_HOLDS + 1))
    assert [ours(record)["VERDICT"] for record in found] == [
        *["allowed"] * ran,
        *["refused"] * (MORE_THAN_JOURNALD_HOLDS - ran),
    ]
    assert records(counting, GAP) == []


def test_journald_is_away_for_too_long(counting: Machine) -> None:
    through(counting, "admin:version()")
    with stopped_journald(counting):
        assert set(answers(counting, [COUNT] * MORE_THAN_WE_HOLD)) == {UNRECORDED}
    wait_until(lambda: through(counting, COUNT).returncode == 0, "commands run again")
    assert counted(counting) == 1
    kept = of_root(counting, REFUSED)
    assert sequence(kept) == list(range(1, len(kept) + 1))
    assert 0 < len(kept) < MORE_THAN_WE_HOLD
    *_, last, gap, _ = records(counting, REFUSED, GAP, STARTED)
    assert last["PROSODY_ADMIN_SEQUENCE"] == str(len(kept))
    assert gap["MESSAGE_ID"] == GAP.value
    # It counts the end of the session as well.
    assert int(ours(gap)["DROPPED"]) >= MORE_THAN_WE_HOLD - len(kept)
    session = last["PROSODY_ADMIN_SESSION"]
    lost = range(len(kept) + 1, MORE_THAN_WE_HOLD + 1)
    missing = [name for name in ours(gap)["MISSING"].split() if name.startswith(session)]
    assert missing == [f"{session}/{number}" for number in lost]
    assert asked(counting, "what is missing")[-1] == gap["MESSAGE"]


# What an auditor asks.

AUDITORS_LINES = {
    "what somebody did": "journalctl -u prosody-admin PROSODY_ADMIN_PEER_USER=alice",
    "what somebody did as another account": (
        "journalctl -u prosody-admin PROSODY_ADMIN_PEER_LOGIN_USER=alice"
    ),
    "one session, every field": (
        "journalctl -u prosody-admin PROSODY_ADMIN_SESSION=3c6c19e4 -o verbose"
    ),
    "refusals today": (
        "journalctl -u prosody-admin -S today MESSAGE_ID=3692dc31b7eb42ee9737e7ca3e8f2ef3"
    ),
    "who touched this account": "journalctl -u prosody-admin -g '\"romeo@example\\.com\"'",
    "what was done on this host": "journalctl -u prosody-admin PROSODY_ADMIN_HOST=example.com",
    "what is missing": "journalctl -u prosody-admin MESSAGE_ID=f318fb2a851f4d6ea20de84fbe9eb7d5",
    "follow": "journalctl -u prosody-admin -f",
}
"""As the README has them, for alice, session 3c6c19e4, and romeo of example.com.

With `-u`, for anybody can write records that look like the service's, but for their unit.
"""

FORGED = f"""\
MESSAGE=somebody may not run user:delete("romeo@localhost"): forged
MESSAGE_ID={REFUSED.value}
SYSLOG_IDENTIFIER=prosody-admin
PROSODY_ADMIN_PEER_USER=helpdesk
PROSODY_ADMIN_PEER_LOGIN_USER=root
PROSODY_ADMIN_HOST=localhost
"""


def asked(machine: Machine, what: str, *, alice: str = "", session: str = "") -> list[str]:
    """Return the messages that an auditor gets."""
    line = AUDITORS_LINES[what].replace("alice", alice).replace("3c6c19e4", session)
    line = line.replace("example\\.com", "localhost").replace("example.com", "localhost")
    line += " -q" if " -o " in line else " -q -o cat"  # without time and name of the machine
    machine.run("journalctl", "--sync", check=True)
    found = machine.run("sh", "-c", line).stdout
    return [message.strip() for message in found.splitlines()]


def test_what_an_auditor_asks(gate: Machine) -> None:
    gate.run("journalctl", "--rotate", "--vacuum-size=1", check=True)  # begin with an empty one
    through(gate, "user", "delete", "juliet@localhost")
    peer, _ = operator(gate, 'user:delete("romeo@localhost")')
    gate.run(*THROUGH_UNPRIVILEGED, 'config:get("admins")', user="helpdesk")
    gate.run("logger", "--journald", user="daemon", stdin=FORGED, check=True)
    helpdesk = f"helpdesk (uid {peer['PEER_UID']})"
    deleted = f'{helpdesk} runs user:delete("romeo@localhost")'
    refused = f'{helpdesk} may not run config:get("admins"): permission denied'
    session = records(gate, STARTED)[1]["PROSODY_ADMIN_SESSION"]

    did = asked(gate, "what somebody did", alice="helpdesk")
    assert deleted in did
    assert any(message.startswith(refused) for message in did)
    assert not any("juliet" in message or "forged" in message for message in did)

    did = asked(gate, "what somebody did as another account", alice="root")
    assert (deleted in did) is ("PEER_LOGIN_USER" in peer)
    assert not any("config:get" in message or "forged" in message for message in did)

    whole = asked(gate, "one session, every field", session=session)
    assert f"MESSAGE={deleted}" in whole
    assert f"PROSODY_ADMIN_PEER_UID={peer['PEER_UID']}" in whole
    assert "PROSODY_ADMIN_RULE=role operator allows @write" in whole
    assert not any("juliet" in line or "config:get" in line for line in whole)

    (message,) = asked(gate, "refusals today")
    assert message.startswith(refused)
    assert asked(gate, "who touched this account") == [deleted]
    started, ended, *others = asked(gate, "what was done on this host")
    assert "juliet" in started
    assert ended.startswith("user:delete of prosody")
    assert others[0] == deleted
    assert len(others) == 2
    assert asked(gate, "what is missing") == []


def test_an_auditor_follows(gate: Machine) -> None:
    through(gate, "admin:version()")
    with at_terminal(gate, "sh", "-c", AUDITORS_LINES["follow"]) as terminal:
        terminal.expect("runs admin:version")
        gate.run(*THROUGH_UNPRIVILEGED, "server:uptime()", user="helpdesk")
        terminal.expect(r"helpdesk \(uid \d+\) runs server:uptime")
        terminal.expect("server:uptime of helpdesk .* ended: ok")
