"""`prosody-adminctl -H` over a real ssh to a real sshd, and `-M` into a real container."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from prosody_admin.records import PREFIX, MessageId
from system.gate import SERVICE_UNIT, settings
from system.keys import CONTROL_C, at_own_terminal
from system.machine import Machine, wait_until

pytestmark = pytest.mark.system

ADMINCTL = "/usr/bin/prosody-adminctl"
GRANTS = """
[grants]
anna = ["operator"]
bert = ["viewer"]
"""
ACCOUNTS = """
systemctl start ssh
test ! -e /root/.ssh/id_ed25519 || exit 0
mkdir --parents /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
sed 's/^/127.0.0.1 /' /etc/ssh/ssh_host_ed25519_key.pub >/root/.ssh/known_hosts
for name in anna bert; do
	useradd --create-home --shell /bin/sh --groups prosody-admin,systemd-journal "$name"
	install -D -m 600 -o "$name" /root/.ssh/id_ed25519.pub "/home/$name/.ssh/authorized_keys"
done
"""
HOSTS = """\
Host one two down
	HostName 127.0.0.1
Host down
	Port 9
"""
"""Two names of this machine, and a port of it at which nobody listens."""


@pytest.fixture
def gate(gate: Machine) -> Machine:
    """The machine with sshd, and two accounts that root's key opens."""
    gate.run("sh", "-euc", ACCOUNTS, check=True)
    gate.put("/root/.ssh/config", HOSTS, mode=0o600)
    settings(gate, GRANTS)
    return gate


def adminctl(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    return machine.run(ADMINCTL, *words)


def records(machine: Machine, kind: MessageId) -> list[dict[str, str]]:
    """Return the records of a kind, of the service that runs now."""
    invocation = machine.unit(SERVICE_UNIT, "InvocationID")
    return machine.journal(f"_SYSTEMD_INVOCATION_ID={invocation}", f"MESSAGE_ID={kind.value}")


def ssh_runs(machine: Machine) -> bool:
    """Return whether a client of ssh, or what one started, is still there."""
    return machine.run("pgrep", "-x", "ssh|prosody-adminct").returncode == 0


def test_who_it_was_is_the_account_over_there(gate: Machine) -> None:
    listed = adminctl(gate, "-H", "anna@one", "user", "list", "localhost")
    assert (listed.returncode, listed.stderr) == (0, "")
    refused = adminctl(gate, "-H", "bert@one", "user", "delete", "romeo@localhost")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "permission denied" in refused.stderr
    (started,) = records(gate, MessageId.COMMAND_STARTED)
    assert started[f"{PREFIX}PEER_USER"] == "anna"
    assert started[f"{PREFIX}COMMAND"] == "user:list"
    if gate.run("test", "-e", "/proc/self/loginuid").returncode == 0:
        assert started[f"{PREFIX}PEER_LOGIN_USER"] == "anna"
    (denied,) = records(gate, MessageId.COMMAND_REFUSED)
    assert denied[f"{PREFIX}PEER_USER"] == "bert"
    assert denied[f"{PREFIX}COMMAND"] == "user:delete"


def test_several_hosts_of_which_one_is_down(gate: Machine) -> None:
    here = adminctl(gate, "server", "version").stdout
    both = adminctl(gate, "-H", "anna@one,bert@two", "server", "version")
    assert sorted(both.stdout.splitlines(True)) == [f"anna@one: {here}", f"bert@two: {here}"]
    assert (both.returncode, both.stderr) == (0, "")
    partly = adminctl(gate, "-H", "down,anna@one", "--json=short", "whoami")
    assert partly.returncode == 4
    said = json.loads(partly.stdout)
    assert (said["down"], said["anna@one"]["user"]) == (None, "anna")
    assert "ssh: connect to host 127.0.0.1 port 9: Connection refused" in partly.stderr


def test_without_our_program_or_a_key(gate: Machine) -> None:
    gate.run("mv", ADMINCTL, f"{ADMINCTL}-away", check=True)
    try:
        bare = gate.run(f"{ADMINCTL}-away", "-H", "anna@one", "whoami")
    finally:
        gate.run("mv", f"{ADMINCTL}-away", ADMINCTL, check=True)
    assert bare.returncode == 4
    assert "prosody-adminctl: not found" in bare.stderr
    stranger = adminctl(gate, "-H", "daemon@one", "whoami")
    assert stranger.returncode == 4
    assert "Permission denied" in stranger.stderr


def test_the_journal_over_there(gate: Machine) -> None:
    adminctl(gate, "-H", "anna@one", "server", "uptime")
    gate.run("journalctl", "--sync", check=True)
    log = adminctl(gate, "-H", "bert@two", "log", "--user", "anna", "-n", "3", "--no-legend")
    assert (log.returncode, log.stderr) == (0, "")
    assert "server:uptime" in log.stdout


def test_ctrl_c_leaves_no_ssh_behind(gate: Machine) -> None:
    adminctl(gate, "server", "version")
    command = (ADMINCTL, "-H", "anna@one,bert@two", "log", "-f")
    with at_own_terminal(gate, *command) as terminal:
        terminal.expect("(anna@one: .*server:version(.|\n)*bert@two|bert@two: (.|\n)*anna@one)")
        terminal.press(CONTROL_C)
        assert terminal.ended() == 130
    wait_until(lambda: not ssh_runs(gate), "ssh and what it started are gone")


def test_ctrl_c_at_the_prompt_leaves_the_connection(gate: Machine) -> None:
    surroundings = ("env", "TERM=xterm", "PROMPT_TOOLKIT_NO_CPR=1")
    with at_own_terminal(gate, *surroundings, ADMINCTL, "-H", "anna@one") as terminal:
        terminal.expect("prosody@one>")
        terminal.press("half a line")
        terminal.expect("half a line")
        terminal.press(CONTROL_C)
        terminal.expect("prosody@one>")
        terminal.type("admin:whoami()")
        terminal.expect("OK: you are anna")
        terminal.expect("prosody@one>")
        terminal.type("quit")
        assert terminal.ended() == 0
    assert len(records(gate, MessageId.SESSION_OPENED)) == 1
    wait_until(lambda: not ssh_runs(gate), "ssh and what it started are gone")


CONTAINER = """
mkdir --parents /run/web
mount --bind / /run/web
systemd-run --quiet --collect --unit=web --property=Type=notify \\
	systemd-nspawn --quiet --keep-unit --boot --notify-ready=yes --machine=web \\
	--directory=/run/web --volatile=overlay --private-network
"""
"""A machine within the machine, from the same files as they are now, with its own everything."""

NO_CONTAINER = """
systemctl kill --signal=KILL web
systemctl stop web
umount /run/web
"""


@pytest.fixture
def container(gate: Machine) -> Iterator[Machine]:
    gate.run("sh", "-euc", CONTAINER, check=True, timeout=60)
    yield gate
    gate.run("sh", "-euc", NO_CONTAINER, check=True)


def test_a_container(container: Machine) -> None:
    root = adminctl(container, "-M", "web", "--json=short", "whoami")
    assert (root.returncode, root.stderr) == (0, "")
    assert json.loads(root.stdout)["user"] == "root"
    bert = adminctl(container, "-M", "bert@web", "server", "shutdown")
    assert (bert.returncode, bert.stdout) == (3, "")
    assert "permission denied" in bert.stderr
    log = adminctl(container, "-M", "web", "log", "--refused", "--no-legend")
    assert log.returncode == 0
    assert "bert" in log.stdout
    there = adminctl(container, "-H", "one/bert@web", "--json=short", "whoami")
    assert json.loads(there.stdout)["user"] == "bert"
    rootless = container.run(ADMINCTL, "-M", "web", "whoami", user="bert")
    assert (rootless.returncode, rootless.stdout) == (4, "")
    assert "to enter a container takes root" in rootless.stderr


def test_a_container_that_is_not_there(gate: Machine) -> None:
    asked = adminctl(gate, "-M", "nowhere", "whoami")
    assert (asked.returncode, asked.stdout) == (4, "")
    assert "nowhere: systemd-run: " in asked.stderr
