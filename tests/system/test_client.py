"""prosody-adminctl against the real service and the real Prosody of each release."""

import statistics
import time

import pytest

from prosody_admin.client.exits import ExitCode
from system.gate import SERVICE_UNIT, THROUGH, directly, settings, through
from system.machine import Machine

pytestmark = pytest.mark.system

CTL = "prosody-adminctl"
ACCOUNT = "viola@localhost"
HELPDESK = '[grants]\nhelpdesk = ["helpdesk"]\n'


@pytest.fixture(autouse=True)
def _without_the_account(gate: Machine) -> None:
    directly(gate, "user", "delete", ACCOUNT)


@pytest.mark.parametrize("words", ["server version", "user list localhost", "help", "c2s count"])
def test_it_says_what_prosodyctl_says(gate: Machine, words: str) -> None:
    ours, theirs = gate.run(CTL, *words.split()), through(gate, *words.split())
    assert (ours.returncode, ours.stderr) == (0, "")
    assert ours.stdout.rstrip("\n") == theirs.stdout.rstrip("\n")  # after help: an empty result


def test_words_arrive_as_they_are(gate: Machine) -> None:
    password = ":a \u00fc\u4e2d\"'\\ -x"
    assert gate.run(CTL, "user", "create", ACCOUNT, password).returncode == 0
    assert gate.run(CTL, "user", "list", "localhost").stdout.startswith(f"{ACCOUNT}\n")
    # Only the same text again is the password; nothing but Prosody can tell.
    check = (
        f'>return require"core.usermanager".test_password("viola", "localhost", {lua(password)})'
    )
    assert gate.run(CTL, "run", check).stdout == "Result: true\n"


def lua(text: str) -> str:
    """Write a string for Lua, in escapes only."""
    return '"' + "".join(f"\\{byte:03}" for byte in text.encode()) + '"'


def test_exit_codes(gate: Machine) -> None:
    settings(gate, HELPDESK)
    for user, words, code in (
        (None, ("user", "list", "localhost"), ExitCode.OK),
        (None, ("user", "list", "nowhere.example"), ExitCode.FAILED),
        (None, ("user",), ExitCode.USAGE),
        (None, ("--nonesuch",), ExitCode.USAGE),
        ("helpdesk", ("user", "list", "localhost"), ExitCode.OK),
        ("helpdesk", ("server", "shutdown"), ExitCode.REFUSED),
        ("helpdesk", ("run", ">os.exit()"), ExitCode.REFUSED),
        ("helpdesk", ("explain", "server:shutdown()"), ExitCode.REFUSED),
        ("games", ("whoami",), ExitCode.UNREACHABLE),
        ("helpdesk", ("--socket=/nowhere", "whoami"), ExitCode.UNREACHABLE),
    ):
        ended = gate.run(CTL, *words, user=user)
        assert ended.returncode == code, ended
        assert bool(ended.stderr) == (code != ExitCode.OK and words[0] != "explain"), ended


def test_an_account_that_may_not_connect_is_told_who_may(gate: Machine) -> None:
    ended = gate.run(CTL, "server", "version", user="games")
    assert ended.stderr == (
        "prosody-adminctl: /run/prosody-admin.sock: permission denied;"
        " members of the group prosody-admin may connect\n"
    )


def test_without_prosody(gate: Machine) -> None:
    gate.run("systemctl", "stop", "prosody", check=True)
    ended = gate.run(CTL, "server", "version")
    assert (ended.returncode, ended.stdout) == (ExitCode.UNREACHABLE, "")
    assert "Prosody is not running" in ended.stderr
    assert gate.run(CTL, "status").returncode == 0


def test_a_script(gate: Machine) -> None:
    script = f'# accounts\nuser create {ACCOUNT} "pass phrase"\nuser:list("localhost")\n'
    gate.put("/tmp/script", script)
    ended = gate.run(CTL, "-f", "/tmp/script")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{ACCOUNT}\n" in ended.stdout
    again = gate.run(CTL, stdin=script)
    assert again.returncode == ExitCode.FAILED
    assert again.stderr.endswith("prosody-adminctl: -:2: failed\n")


def test_the_service_is_shown(gate: Machine) -> None:
    shown = gate.run(CTL, "status")
    assert f"PID: {gate.unit(SERVICE_UNIT, 'MainPID')}\n" in shown.stdout
    assert "1 session listed." in gate.run(CTL, "sessions").stdout


def test_rights_are_shown(gate: Machine) -> None:
    settings(gate, HELPDESK)
    shown = gate.run(CTL, "rights", user="helpdesk").stdout
    assert "Role: helpdesk\n" in shown
    assert "Role: viewer\n" in shown  # by the group


def test_it_starts_no_slower_than_prosodyctl(gate: Machine) -> None:
    words = ("user", "list", "localhost")
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(15):
        for name, command in (("ours", (CTL,)), ("theirs", THROUGH)):
            before = time.perf_counter()
            gate.run(*command, *words, check=True)
            taken[name].append(time.perf_counter() - before)
    assert statistics.median(taken["ours"]) <= statistics.median(taken["theirs"]), taken
