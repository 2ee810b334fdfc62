"""Who may do what, with accounts, groups and units of a machine and the hosts of a Prosody."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from prosody_admin.access.settings import SHIPPED_ROLES
from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS
from prosody_admin.protocol.structured import REFUSED, failed_result
from prosody_admin.sd.journal import MessageId
from system.differential import comparison
from system.gate import (
    SERVICE_UNIT,
    SOCKET,
    STUB,
    THROUGH_UNPRIVILEGED,
    directly,
    settings,
    through,
)
from system.machine import CHECKOUT, Machine, wait_until
from system.terminal import at_terminal

pytestmark = pytest.mark.system

PEOPLE = """
groupadd --system support
for user in alice bob carol dora; do useradd --groups=prosody-admin "$user"; done
gpasswd --add bob support
"""
NO_PEOPLE = """
for user in alice bob carol dora; do userdel "$user"; done
groupdel support
"""

POLICY = """
[roles.helpdesk]
hosts = ["example.test", "*.localhost"]

[roles.accounts]
allow = ["user:*"]

[roles.no-memory]
deny = ["server:memory"]

[grants]
"%prosody-admin" = []
alice = ["helpdesk"]
"%support" = ["viewer", "no-memory"]
carol = ["accounts"]
"unit:nightly.service" = ["viewer"]
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A line of somebody, and the rule that it is allowed or refused by."""

    user: str
    line: str
    rule: str
    allowed: bool = False


CASES = (
    Case("alice", 'user:list("example.test")', "role helpdesk allows @read", True),
    Case("alice", '{"user", "list", "example.test"}', "role helpdesk allows @read", True),
    Case("alice", 'muc:list("rooms.localhost")', "role helpdesk allows @read", True),
    Case("alice", "help", "role helpdesk allows @read", True),
    Case("alice", 'user:list("localhost")', "default"),
    Case("alice", 'user:list("example.test.localhost.org")', "default"),
    Case("alice", "c2s:show()", "default"),
    Case("alice", "server:version()", "default"),
    Case("alice", 'user:delete("somebody@example.test")', "default"),
    Case("bob", "server:version()", "role viewer allows @read", True),
    Case("bob", 'user:list("localhost")', "role viewer allows @read", True),
    Case("bob", "server:memory()", "role no-memory denies server:memory"),
    Case("bob", 'user:create("mallory@localhost", "a password")', "default"),
    Case("bob", "> prosody.of_the_test = 1", "default"),
    Case("bob", "prosody.of_the_test = 1", "default"),
    Case("bob", "server:version() prosody.of_the_test = 1", "default"),
    Case("bob", "server:version(rawset(prosody, 'of_the_test', 1))", "default"),
    Case("bob", '{"server", "version", ":rawset(prosody, [[of_the_test]], 1)"}', "default"),
    Case("carol", 'user:list("localhost")', "role accounts allows user:*", True),
    Case("carol", 'user:create("mallory@localhost", "a password", "prosody:admin")', "default"),
    Case("carol", 'user:set_role("mallory@localhost", "prosody:admin")', "default"),
    Case("carol", 'user:setroles("mallory@localhost", {"prosody:admin"})', "default"),
    Case("carol", 'muc:list("rooms.localhost")', "default"),
    Case("dora", "admin:whoami()", "everybody", True),
    Case("dora", "server:version()", "default"),
    Case("dora", "no:such()", "default"),
    Case("prosody", "server:memory()", "service-user", True),
    Case("prosody", "> return 1", "service-user", True),
)
"""Also what they do to Prosody: an account `mallory` or a value `of_the_test` must never be."""

IN_OWN_GROUP = """\
#!/bin/sh
set -eu
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/$1
mkdir --parents "$group"
echo 0 >"$group/cgroup.procs"
cat /proc/self/cgroup
shift
exec "$@"
"""
"""Runs a command in a control group that it makes below its own: GROUP COMMAND..."""

OUTLIVED = f"""\
import os, socket, sys

connection = socket.socket(socket.AF_UNIX)

def ask(stanza):
    connection.sendall(stanza)
    answer = b""
    while b"</repl-result>" not in answer:
        answer += connection.recv(65536) or sys.exit("closed without an answer")
    print(answer.decode(), flush=True)

HEADER = b"<stream:stream xmlns:stream='{STREAMS_NS}' xmlns='{ADMIN_NS}'>"
LINE = b"<repl-input>server:version()</repl-input>"
go, went = os.pipe()
done, over = os.pipe()
if (peer := os.fork()) == 0:
    connection.connect(sys.argv[2])
    ask(HEADER + LINE)
    if sys.argv[1] == "becomes somebody else":
        os.setresuid(65533, 65533, 65533)
        ask(LINE)
    elif os.fork() == 0:
        os.read(go, 1)
        ask(LINE)
    os._exit(0)
os.close(over)
os.waitid(os.P_PID, peer, os.WEXITED | (os.WNOWAIT if sys.argv[1] == "is a zombie" else 0))
os.write(went, b".")
os.read(done, 1)  # ends when nobody holds the other side any more
"""
"""Asks once as the process that connected, and once more on the same connection after a change."""


@pytest.fixture(scope="module")
def site(installed: Machine) -> Iterator[Machine]:
    """The machine with the people and hosts that the policy is about."""
    installed.run("sh", "-euc", PEOPLE, check=True)
    installed.put(STUB, (CHECKOUT / "packaging/prosodyctl.cfg.lua").read_text())
    comparison.prepare(installed)
    yield installed
    comparison.restore(installed)
    installed.run("sh", "-euc", NO_PEOPLE, check=True)


@pytest.fixture
def gate(site: Machine, gate: Machine) -> Machine:
    """The service with the policy, not yet running."""
    settings(gate, POLICY)
    return gate


def decisions(machine: Machine) -> list[tuple[str, bool, str]]:
    """Return who was allowed and refused by which rule, so far, as recorded."""
    found = machine.journal(
        f"_SYSTEMD_INVOCATION_ID={machine.unit(SERVICE_UNIT, 'InvocationID')}",
        f"MESSAGE_ID={MessageId.COMMAND_STARTED.value}",
        f"MESSAGE_ID={MessageId.COMMAND_REFUSED.value}",
    )
    return [
        (
            record["PROSODY_ADMIN_PEER_USER"],
            record["PROSODY_ADMIN_VERDICT"] == "allowed",
            record["PROSODY_ADMIN_RULE"],
        )
        for record in found
    ]


EXPECTED = [(case.user, case.allowed, case.rule) for case in CASES]


def test_what_happens(gate: Machine) -> None:
    for case in CASES:
        answer = gate.run(*THROUGH_UNPRIVILEGED, case.line, user=case.user)
        assert answer.returncode == (0 if case.allowed else 1), (case, answer)
        refused = f"Error: permission denied ({case.rule}): needs "
        assert (refused in answer.stderr) is not case.allowed, (case, answer)
    assert decisions(gate) == EXPECTED
    assert directly(gate, "> return prosody.of_the_test").stdout == "Result: nil\n"
    assert "mallory" not in directly(gate, "user", "list", "localhost").stdout


def test_explain_says_what_happens(gate: Machine) -> None:
    explained = []
    for case in CASES:
        explain = f"admin:explain([==[{case.line}]==])"
        answer = gate.run(*THROUGH_UNPRIVILEGED, explain, user=case.user)
        assert answer.returncode == 0, answer
        found = re.search(
            r"^OK: (allowed|refused) \((.*?)\)(?:: needs .+)?$", answer.stdout, re.MULTILINE
        )
        assert found, answer
        explained.append((case.user, found[1] == "allowed", found[2]))
    assert explained == EXPECTED


def test_check_says_what_happens(gate: Machine) -> None:
    checked = []
    for case in CASES:
        answer = gate.run("prosody-admind", "--check", case.line, "--as", case.user)
        assert answer.returncode in {0, 1}, answer
        found = re.search(r": (allowed|refused, needs .+) \((.*?)\)\n$", answer.stdout)
        assert found, answer
        assert (found[1] == "allowed") is (answer.returncode == 0)
        checked.append((case.user, answer.returncode == 0, found[2]))
    assert checked == EXPECTED
    assert gate.run("prosody-admind", "--check", "help", "--as", "nobody-here").returncode == 67


@pytest.mark.parametrize(
    ("user", "rights"),
    [
        (
            "alice",
            f"helpdesk allows: {', '.join(SHIPPED_ROLES['helpdesk'].allow)}\n"
            "helpdesk hosts: example.test, *.localhost\n"
            "OK: nothing else\n",
        ),
        ("bob", "viewer allows: @read\nno-memory denies: server:memory\nOK: nothing else\n"),
        ("dora", "OK: no role is granted to dora (uid {uid})\n"),
        ("prosody", "OK: you may do everything\n"),
    ],
)
def test_rights(gate: Machine, user: str, rights: str) -> None:
    uid = gate.run("id", "-u", user, check=True).stdout.strip()
    answer = gate.run(*THROUGH_UNPRIVILEGED, "admin:rights()", user=user)
    assert answer.stdout == rights.format(uid=uid)


def test_without_settings_the_group_may_look(gate: Machine) -> None:
    settings(gate, "")
    for user, line, status in (
        ("dora", "server:version()", 0),
        ("dora", 'user:list("localhost")', 0),
        ("dora", 'user:delete("mallory@localhost")', 1),
        ("dora", 'user:password("mallory@localhost", "x")', 1),
        ("dora", 'config:get("admins")', 1),
        ("dora", "watch:log()", 1),
        ("dora", "> return 1", 1),
    ):
        answer = gate.run(*THROUGH_UNPRIVILEGED, line, user=user)
        assert answer.returncode == status, (line, answer)


def in_a_unit(machine: Machine, unit: str, *argv: str) -> str:
    """Return what the command says that dora's unit runs."""
    options = ("--pipe", "--wait", "--quiet", "--property=Delegate=yes")
    return machine.run("systemd-run", f"--unit={unit}", "--uid=dora", *options, *argv).stdout


def test_a_grant_to_a_unit(gate: Machine) -> None:
    line = (*THROUGH_UNPRIVILEGED, "server:version()")
    assert "OK: " in in_a_unit(gate, "nightly.service", *line)
    assert "OK: " not in in_a_unit(gate, "daily.service", *line)
    assert decisions(gate) == [
        ("dora", True, "role viewer allows @read"),
        ("dora", False, "default"),
    ]


@pytest.mark.parametrize("group", ["nightly.service", "system.slice/nightly.service"])
def test_a_control_group_that_is_only_named_like_the_unit(gate: Machine, group: str) -> None:
    as_somebody = ("/usr/local/bin/in-own-group", group, *THROUGH_UNPRIVILEGED)
    gate.put(as_somebody[0], IN_OWN_GROUP, mode=0o755)  # systemd-run would expand its variables
    said = in_a_unit(gate, "daily.service", *as_somebody, "admin:whoami()")
    assert f"/daily.service/{group}\n" in said
    assert "Unit: daily.service\n" in said
    assert "OK: " not in in_a_unit(gate, "daily.service", *as_somebody, "server:version()")
    assert decisions(gate)[-1] == ("dora", False, "default")


@pytest.mark.parametrize(
    ("user", "how"),
    [
        ("bob", "has ended"),
        ("bob", "is a zombie"),
        (None, "becomes somebody else"),
    ],
)
def test_a_process_that_is_no_longer_who_connected(
    gate: Machine, user: str | None, how: str
) -> None:
    first, second = gate.run("python3", "-c", OUTLIVED, how, SOCKET, user=user).stdout.splitlines()
    assert "<repl-result>OK: " in first
    refusal = "Error: the process that connected is gone, or another account's"
    assert second == failed_result(refusal, REFUSED).to_bytes().decode()
    rules = [(allowed, rule) for _, allowed, rule in decisions(gate)]
    assert rules[1] == (False, "vanished-peer")


def reloaded(machine: Machine, policy: str, outcome: MessageId) -> dict[str, str]:
    """Put a policy into force, if it is in order, and return the record of that."""
    settings(machine, policy)
    invocation = machine.unit(SERVICE_UNIT, "InvocationID")

    def records() -> list[dict[str, str]]:
        return machine.journal(
            f"_SYSTEMD_INVOCATION_ID={invocation}", f"MESSAGE_ID={outcome.value}"
        )

    before = len(records())
    machine.run("systemctl", "reload", SERVICE_UNIT, check=True)
    wait_until(lambda: len(records()) > before, outcome.name)
    return records()[-1]


def test_a_reload_holds_from_the_next_command_of_an_open_session(gate: Machine) -> None:
    line = 'user:list("localhost")'
    with at_terminal(gate, *THROUGH_UNPRIVILEGED, user="alice") as terminal:
        for policy, result in (
            (
                POLICY,
                r"! Error: permission denied \(default\): needs a role that reaches this host",
            ),
            (POLICY + 'dora = ["viewer"]\n', "! Error: permission denied"),
            (POLICY.replace('"helpdesk"]', '"helpdesk", "accounts"]'), r"\| OK: "),
            (
                POLICY.replace('alice = ["helpdesk"]', ""),
                r"! Error: permission denied \(default\): .* none is granted to alice",
            ),
            (POLICY.replace('"helpdesk"]', '"viewer"]'), r"\| OK: "),
        ):
            terminal.expect("prosody> ")
            reloaded(gate, policy, MessageId.SETTINGS_LOADED)
            terminal.type(line)
            terminal.expect(result)
        terminal.expect("prosody> ")
        terminal.type("quit")
        assert terminal.ended() == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ('"%staff" = ["no-such-role"]\n', ("%staff", "no-such-role")),
        ('[roles.viewer]\nallow = ["@everything"]\n', ("roles.viewer", "allow")),
        ("[roles.viewer]\nlua = 1\n", ("roles.viewer", "lua")),
    ],
)
def test_a_policy_that_is_wrong_changes_nothing(
    gate: Machine, wrong: str, named: tuple[str, str]
) -> None:
    through(gate, "admin:version()")
    serving = gate.unit(SERVICE_UNIT, "MainPID")
    # What is right in it takes a role from alice and gives it to dora.
    changed = POLICY.replace("alice =", "dora =") + wrong
    rejected = reloaded(gate, changed, MessageId.SETTINGS_REJECTED)
    for word in named:
        assert word in rejected["PROSODY_ADMIN_ERROR"]
        assert word in gate.unit(SERVICE_UNIT, "StatusText")
    for user, line, status in (
        ("alice", 'user:list("example.test")', 0),
        ("alice", 'user:list("localhost")', 1),
        ("dora", 'user:list("example.test")', 1),
    ):
        assert gate.run(*THROUGH_UNPRIVILEGED, line, user=user).returncode == status
    assert gate.unit(SERVICE_UNIT, "MainPID") == serving
    said = gate.run("prosody-admind", "--check-config")
    assert said.returncode == 78
    assert named[1] in said.stderr
