"""The verbs about the service: text for people, JSON for programs."""

import json
import os
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from fakes.adminctl import adminctl
from fakes.service import running
from prosody_admin import __version__
from prosody_admin.access.identity import Identity
from prosody_admin.client.about import Facts, _duration, _rights
from prosody_admin.client.exits import ExitCode
from prosody_admin.client.main import run

BOB = Identity(8, 1001, 1001, user="bob\x1b", login_user="root", unit="bob.service")


async def test_status(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        ended = await adminctl("status", socket=service.path)
        data = await adminctl("status", "--json=pretty", socket=service.path)
    lines = [line.strip() for line in ended.stdout.splitlines()]
    assert lines[0] == f"Version: {__version__}"
    assert "Sessions: 1 of 64" in lines
    assert f"Prosody: {tmp_path}/prosody" in lines
    assert json.loads(data.stdout)["sessions"] == 1


async def test_sessions(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(BOB):
            ended = await adminctl("sessions", socket=service.path)
            bare = await adminctl("--no-legend", "sessions", socket=service.path)
            data = await adminctl("--json=short", "sessions", socket=service.path)
    header, bob, own, blank, legend = ended.stdout.splitlines()
    assert header.split() == ["SESSION", "USER", "PID", "LOGIN", "UNIT", "COMMANDS", "AGE", "NOTE"]
    assert bob.split()[1:] == ["bob\ufffd", "8", "root", "bob.service", "0", "0s", "-"]
    assert own.endswith("this one")
    assert (blank, legend) == ("", "2 sessions listed.")
    assert len(bare.stdout.splitlines()) == 2
    first, second = json.loads(data.stdout)
    assert (first["user"], first["own"], second["own"]) == ("bob\ufffd", False, True)


async def test_whoami_rights_and_explain(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        who = await adminctl("whoami", socket=service.path)
        rights = await adminctl("rights", socket=service.path)
        explained = await adminctl("explain", 'user:list("x")', socket=service.path)
    assert "UID: " in who.stdout
    assert rights.stdout == "You may do everything.\n"
    rule = "service-user" if os.geteuid() else "root"
    assert explained.stdout.split() == ["Meaning:", "user:list", "Allowed:", "yes", "Rule:", rule]
    assert (who.code, rights.code, explained.code) == (0, 0, 0)


def test_rights_of_roles() -> None:
    role: Facts = {"name": "viewer", "allow": ("@read", "help"), "deny": (), "lua": False}
    assert _rights([role], Namespace()) == " Role: viewer\nAllow: @read help\n  Lua: no\n"
    assert _rights([], Namespace()) == "No role is granted to you.\n"


@pytest.mark.parametrize("words", [("explain", 'user:list(\n"x")'), ("close", "a", "b\x1b")])
async def test_words_that_no_line_can_have(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with running(tmp_path) as service:
        ended = await adminctl(*words, socket=service.path)
    assert (ended.code, ended.stdout) == (ExitCode.USAGE, "")
    assert ended.stderr.startswith(f"prosody-adminctl: {words[0]}: ")
    assert ended.stderr.count("\n") == 1


def test_an_error_does_not_drive_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run(["--socket=/nowhere/\x9b31m", "status"]) == ExitCode.UNREACHABLE
    assert capsys.readouterr().err.startswith("prosody-adminctl: /nowhere/\\x9b31m: ")


async def test_close(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(BOB) as bob:
            (session,) = service.sessions
            ended = await adminctl("close", "nonesuch", session.id, socket=service.path)
            await bob.last_words()
    assert ended.code == ExitCode.FAILED
    assert ended.stdout == f"OK: session {session.id} closed\n"
    assert ended.stderr.startswith("nonesuch: Error: there is no session with this id")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1min"), (61, "1min 1s"), (3600, "1h"), (90061, "1d 1h")],
)
def test_durations(seconds: int, text: str) -> None:
    assert _duration(seconds) == text
