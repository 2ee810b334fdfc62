"""-H and -M: which command is run, and what comes of it, over an `ssh` that stays here."""

from pathlib import Path

import pytest

from fakes.adminctl import Ended, adminctl
from fakes.elsewhere import Elsewhere
from fakes.service import running
from prosody_admin.client.connection import Connection
from prosody_admin.client.elsewhere.remote import bridge, hosts_of, in_container, over_ssh, there
from prosody_admin.client.options import parse_arguments
from prosody_admin.client.reach import connect
from prosody_admin.errors import UsageError
from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS

BRIDGE = "prosody-adminctl --stdio-bridge"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """The other hosts, where the service of `running(tmp_path)` is."""
    programs = Elsewhere(tmp_path / "bin", tmp_path / "admin")
    monkeypatch.setenv("PATH", programs.path)
    return programs


# Which command.


@pytest.mark.parametrize(
    ("host", "argv"),
    [
        ("example.com", ["ssh", "-xT", "--", "example.com", BRIDGE]),
        ("alice@example.com", ["ssh", "-xT", "-l", "alice", "--", "example.com", BRIDGE]),
        ("example.com:2222", ["ssh", "-xT", "-p", "2222", "--", "example.com", BRIDGE]),
        ("[fe80::1%eth0]:22", ["ssh", "-xT", "-p", "22", "--", "fe80::1%eth0", BRIDGE]),
        ("a@b.c@[::1]", ["ssh", "-xT", "-l", "a@b.c", "--", "::1", BRIDGE]),
        ("h/web", ["ssh", "-xT", "--", "h", f"{BRIDGE} --machine=web"]),
        ("h:22/bob@web", ["ssh", "-xT", "-p", "22", "--", "h", f"{BRIDGE} --machine=bob@web"]),
        ("db_1", ["ssh", "-xT", "--", "db_1", BRIDGE]),
    ],
)
def test_a_host_becomes_a_command(host: str, argv: list[str]) -> None:
    assert bridge(parse_arguments(["-H", host, "whoami"])) == argv


@pytest.mark.parametrize(
    "hosts",
    [
        *(
            "",
            ",",
            "a,",
            ",a",
            "a,,b",
            "-oProxyCommand=x",
            "a,-b",
            "@a",
            "a@",
            "-l@a",
            "a b",
            "a\n",
        ),
        *(
            "a:",
            "a:b",
            "a:123456",
            "a/",
            "a/-b",
            "a/b/c",
            "[::1",
            "::1",
            "[]",
            "a;b",
            "$(id)",
            "a'b",
        ),
        *("ä", "a@ä", "a,a", "%h", "a/..b"),
    ],
)
def test_what_is_no_host(hosts: str) -> None:
    with pytest.raises(UsageError, match=r"^-H: "):
        hosts_of(hosts)


@pytest.mark.parametrize(
    ("container", "options"),
    [
        ("web", ["--machine=web"]),
        ("web.1_a-b", ["--machine=web.1_a-b"]),
        (".host", ["--machine=.host"]),
        ("bob@web", ["--machine=web", "-pUser=bob", "-pPAMName=login"]),
    ],
)
def test_a_container_becomes_a_command(container: str, options: list[str]) -> None:
    machine, *more = options
    assert in_container(container, ["x", "$a"]) == [
        *("systemd-run", machine, "--pipe", "--quiet", "--collect", "--wait"),
        *(*more, "--", "x", "$$a"),
    ]


@pytest.mark.parametrize("container", ["", "-a", "a,b", "a b", "@a", "a@", ".b", "a/b", "a\n"])
def test_what_is_no_container(container: str) -> None:
    with pytest.raises(UsageError, match=r"^-M: "):
        in_container(container, ["x"])


def test_the_command_is_quoted_for_the_shell_over_there() -> None:
    *_, command = over_ssh("h", ["x", "a b", "$(id)", "'", "-c"])
    assert command == """x 'a b' '$(id)' ''"'"'' -c"""


def test_another_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_SSH", "/opt/ssh")
    assert over_ssh("h", ["x"])[0] == "/opt/ssh"
    monkeypatch.setenv("SYSTEMD_SSH", "")
    assert over_ssh("h", ["x"])[0] == "ssh"


def test_who_may_not_be_asked_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = ["-o", "BatchMode=yes"]
    assert there(parse_arguments(["-H", "h", "whoami"]), ["x"])[2:4] != batch
    assert there(parse_arguments(["-H", "h", "__complete"]), ["x"])[2:4] == batch


@pytest.mark.parametrize(
    ("given", "variable", "travels"),
    [
        ([], "", False),
        ([], "/here", False),  # of this machine's environment
        (["--socket=/there"], "", True),
        (["--socket=/there"], "/here", True),
    ],
)
def test_a_socket_travels_if_it_was_given(
    monkeypatch: pytest.MonkeyPatch, given: list[str], variable: str, travels: bool
) -> None:
    monkeypatch.setenv("PROSODY_ADMIN_SOCKET", variable)
    *_, command = bridge(parse_arguments(["-H", "h", *given, "whoami"]))
    assert command == (f"{BRIDGE} --socket=/there" if travels else BRIDGE)


def test_one_connection_goes_to_one_host() -> None:
    with pytest.raises(UsageError, match="expected one host"):
        connect(parse_arguments(["-H", "a,b", "whoami"]))


# What comes of it.


async def test_one_host(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with running(tmp_path):
        ended = await adminctl("-H", "alice@a:22", "admin", "version")
    assert ended == Ended(0, "OK: prosody-admin 0.1.0\n", "")
    assert elsewhere.calls == [f"-xT -p 22 -l alice -- a {BRIDGE}"]


async def test_a_container(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with running(tmp_path):
        ended = await adminctl("-M", "web", "admin", "version")
    assert ended == Ended(0, "OK: prosody-admin 0.1.0\n", "")
    (call,) = elsewhere.calls
    assert call == f"--machine=web --pipe --quiet --collect --wait -- {BRIDGE}"


async def test_a_container_of_a_host(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with running(tmp_path):
        ended = await adminctl("-H", "a/web", "admin", "version")
    assert ended == Ended(0, "OK: prosody-admin 0.1.0\n", "")
    assert [call.partition(" -- ")[0] for call in elsewhere.calls] == [
        "-xT",
        "--machine=web --pipe --quiet --collect --wait",
    ]


async def test_a_socket_over_there(tmp_path: Path, elsewhere: Elsewhere) -> None:
    socket = "/no where/$(id)"
    ended = await adminctl("-H", "a", "whoami", "--socket", socket)
    assert ended.code == 4
    assert ended.stderr.startswith(f"prosody-adminctl: {socket}: not there")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("down", "ssh: connect to host down port 22: Connection refused\n"),
        ("bare", "sh: 1: prosody-adminctl: not found\n"),
    ],
)
@pytest.mark.parametrize("words", [["admin", "version"], ["whoami"], ["log"]])
async def test_a_host_that_cannot_be_reached(
    elsewhere: Elsewhere, host: str, said: str, words: list[str]
) -> None:
    ended = await adminctl("-H", host, *words)
    assert (ended.code, ended.stdout) == (4, "")
    assert ended.stderr.startswith(said)
    if words != ["log"]:
        assert ended.stderr.removeprefix(said).startswith(f"prosody-adminctl: {host}: ssh: ")


@pytest.mark.parametrize("words", [["whoami"], ["log"], ["--stdio-bridge"]])
async def test_without_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = await adminctl("-H", "a", *words)
    assert (ended.code, ended.stdout) == (4, "")
    assert ended.stderr.endswith("ssh: No such file or directory\n")


async def test_a_host_and_a_container_here_do_not_go_together() -> None:
    ended = await adminctl("-H", "a", "-M", "b", "whoami")
    assert ended.code == 2
    assert "-H and -M do not go together" in ended.stderr


async def test_an_empty_host_is_not_this_machine(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        assert (await adminctl("-H", "", "whoami", socket=service.path)).code == 2
        assert (await adminctl("-M", "", "whoami", socket=service.path)).code == 2


# The journal is over there.


@pytest.mark.parametrize(
    "words",
    [
        ["-H", "says", "log", "-n", "3", "--user", "a $b"],
        ["log", "-H", "says", "-n", "3", "--user", "a $b"],
        ["log", "-n", "3", "--host=says", "--user", "a $b"],
    ],
)
async def test_log_runs_over_there(elsewhere: Elsewhere, words: list[str]) -> None:
    ended = await adminctl(*words)
    command = "env SYSTEMD_COLORS=0 prosody-adminctl log -n 3 --user 'a $b'\n"
    assert ended == Ended(3, command, "")


async def test_log_says_here_what_is_wrong_with_the_options(elsewhere: Elsewhere) -> None:
    assert (await adminctl("-H", "says", "log", "-n", "x")).code == 2
    assert (await adminctl("log", "-rH", "says")).code == 2
    assert elsewhere.calls == []


# Ctrl-C.


def test_ctrl_c_does_not_reach_the_command() -> None:
    """The shell interrupts itself, as a terminal does with all processes in front of it."""
    header = f"<stream:stream xmlns:stream='{STREAMS_NS}' xmlns='{ADMIN_NS}'>"
    command = f'kill -INT $$; echo "{header}"; cat >/dev/null'
    with Connection.through(["sh", "-c", command]) as opened:
        assert opened.usable
