"""`modules/admin.py`: the section that the service answers without Prosody."""

import asyncio
import os
from pathlib import Path

import pytest

from fakes.prosody import FakeProsody, never_answers
from fakes.service import running
from prosody_admin import __version__
from prosody_admin.access.identity import Identity
from prosody_admin.sd.journal import MessageId

ALICE = Identity(pid=4711, uid=1000, gid=100, groups=(100, 27), user="alice")
BOB = Identity(8, 1001, 1001, login_uid=0, login_user="root", unit="bob.service")


async def test_whoami(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(ALICE) as alice, await service.client_of(BOB) as bob:
            (of_alice, of_bob) = service.sessions
            answer = await alice.ask("admin:whoami()")
            assert answer.output == [f"Session: {of_alice.id}", "Process: 4711", "Groups: 100 27"]
            assert answer.result == "OK: you are alice (uid 1000)"
            answer = await bob.ask("admin:whoami()")
            assert answer.output == [
                f"Session: {of_bob.id}",
                "Process: 8",
                "Login: root",
                "Unit: bob.service",
            ]
            assert answer.result == "OK: you are uid 1001"


async def test_sessions(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"sessions": 2}) as service:
        with await service.client() as client:
            (session,) = service.sessions
            assert (await client.ask("admin:sessions()")).result == "OK: 1 session"
            with await service.client_of(BOB), await service.client_of(ALICE):
                answer = await client.ask("admin:sessions()")
                rows = [[cell.strip() for cell in line.split("|")] for line in answer.output]
    assert answer.result == "OK: 3 sessions"
    assert rows[0] == ["ID", "User", "PID", "Login", "Unit", "Commands", "Seconds"]
    assert rows[1][0] == session.id
    assert rows[1][2] == str(os.getpid())
    assert rows[1][5:] == ["2", "0", "this one"]
    assert rows[2][1:] == ["1001", "8", "root", "bob.service", "0", "0"]
    assert rows[3][1:3] == ["alice", "4711"]
    assert rows[3][-1] == "refused"
    assert len({line.index("|") for line in answer.output}) == 1, "the columns are aligned"


@pytest.mark.parametrize(
    ("idle_timeout", "leaves"), [(0.0, "never"), (90.0, "90 s without a session")]
)
async def test_status(tmp_path: Path, idle_timeout: float, leaves: str) -> None:
    async with running(tmp_path, service={"idle_timeout": idle_timeout}) as service:
        with await service.client() as client:
            answer = await client.ask("admin:status()")
    assert answer.output == [
        f"Version: {__version__}",
        f"Process: {os.getpid()}",
        "Up: 0 s",
        "Sessions: 1 of 64",
        f"Prosody: {tmp_path}/prosody",
        f"Leaves after: {leaves}",
    ]
    assert answer.result == "OK: running"


async def test_version(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            for line in ("admin:version()", '{"admin", "version"}'):
                assert (await client.ask(line)).result == f"OK: prosody-admin {__version__}"


@pytest.mark.parametrize("line", ["help admin", "help ADMIN", '{"help", "admin"}'])
async def test_help(tmp_path: Path, line: str) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            answer = await client.ask(line)
    assert [line.split(" - ")[0] for line in answer.output] == [
        "admin:whoami()",
        "admin:sessions()",
        "admin:status()",
        "admin:version()",
        "admin:rights()",
        "admin:commands()",
        "admin:explain(line)",
        "admin:close(id)",
    ]
    assert answer.result == "OK: answered by prosody-admin, not by Prosody"


async def test_other_help_is_prosodys(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client:
            for line in ("help", "help user", "administrator:x()"):
                assert (await client.ask(line)).result == f"OK: {line}"
    assert prosody.lines == ["help", "help user", "administrator:x()"]


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("admin:whoami(1)", "expected admin:whoami()"),
        ("admin:sessions('x')", "expected admin:sessions()"),
        ("admin:status(nil)", "expected admin:status()"),
        ("admin:version(true)", "expected admin:version()"),
        ("admin:close()", "expected admin:close(id)"),
        ("admin:close(1, 2)", "expected admin:close(id)"),
        ("admin:close('1')", "there is no session with this id, see: admin:sessions()"),
        ("admin:close(nil)", "there is no session with this id, see: admin:sessions()"),
        ("admin:close(7)", "there is no session with this id, see: admin:sessions()"),
        (
            "admin:reboot()",
            "admin has no such command; it has: whoami, sessions, status, version, rights,"
            " commands, explain, close",
        ),
        ("admin:whoami() os.exit()", "not a command of this section, see: help admin"),
        ("admin.whoami()", "not a command of this section, see: help admin"),
        (" admin ['whoami'](admin)", "not a command of this section, see: help admin"),
        ("admin:whoami", "not a command of this section, see: help admin"),
    ],
)
async def test_what_is_wrong_is_said_and_not_sent_to_prosody(
    tmp_path: Path, line: str, result: str
) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client:
            answer = await client.ask(line)
            assert (answer.output, answer.result) == ([], f"Error: {result}")
            assert answer.failed
    assert prosody.conversations == []


async def test_close_ends_a_session_with_its_command(tmp_path: Path) -> None:
    async with (
        FakeProsody(tmp_path / "prosody", {"held()": never_answers}) as prosody,
        running(tmp_path) as service,
    ):
        with await service.client() as admin, await service.client() as other:
            (ours, theirs) = service.sessions
            await other.enter("held()")
            conversation = await prosody.wait_for_line()
            answer = await admin.ask(f"admin:close('{theirs.id}')")
            assert answer.result == f"OK: session {theirs.id} closed"
            stanzas, condition = await other.last_words()
            reason = f"closed by {ours.identity}"
            assert [stanza.text for stanza in stanzas] == [
                f"Error: {reason}; the outcome is unknown"
            ]
            assert condition == "undefined-condition"
            closed = await service.journal.wait_for(MessageId.SESSION_CLOSED)
            assert not (await admin.ask("admin:version()")).failed
            async with asyncio.timeout(5):
                await conversation.gone.wait()
    assert closed.message.endswith(f"closed: {reason}")
    assert service.journal.of(MessageId.STREAM_ERROR) == []
