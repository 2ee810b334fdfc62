"""`client/completing/`: what the shells are told of a command line."""

import asyncio
import sys
from pathlib import Path

import pytest

from fakes import prosody as fake
from fakes.adminctl import SERVICE, Ended, adminctl
from fakes.prosody import Conversation, FakeProsody
from fakes.service import running
from fakes.waiting import PATIENCE
from prosody_admin.client.exits import ExitCode
from prosody_admin.client.verbs import VERBS
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from prosody_admin.records import MessageId
from prosody_admin.shell.catalogue import shipped


async def lists_hosts(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(
        repl_output("example.com"),
        repl_output("muc.example.com (muc component)"),
        repl_result("OK: 2 hosts"),
    )


async def lists_users(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(repl_output("juliet@example.com"), repl_result("OK: all 1 users"))


ANSWERS = {"host:list()": lists_hosts, 'user:list("example.com")': lists_users}


IMPATIENT = f"""\
import sys
from prosody_admin.client import main
from prosody_admin.client.completing import completion, names
completion.SECONDS, names.QUESTION_SECONDS = 0.1, {2 * PATIENCE}
sys.exit(main.run(["--socket", sys.argv[1], "__complete", "user", "list", ""]))
"""


async def completed(*words: str, socket: Path | None = None) -> list[str]:
    """Return the words that are offered."""
    ended = await adminctl("__complete", *words, socket=socket)
    assert (ended.code, ended.stderr) == (ExitCode.OK, "")
    return [line.partition("\t")[0] for line in ended.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["user", "list", ""], ["example.com", "muc.example.com"]),
        (["user", "delete", "j"], ["juliet@example.com"]),
        (["user", "delete", "new@"], ["new@example.com", "new@muc.example.com"]),
        (["-q", "--json", "short", "muc", "list", "m"], ["muc.example.com"]),
        (["invite", "create_contact", "--expires-after", "3600", "e"], ["example.com"]),
        (["invite", "create_contact", "--expires-after=3600", "e"], ["example.com"]),
        (["invite", "create_contact", "--expires-after", ""], []),
        (["invite", "create_contact", "example.com", "--all"], ["--allow-registration"]),
        (["user", "li"], ["list", "list_inactive"]),
        (["help", "co"], ["columns", "config", "console"]),
        (["help", "user", ""], []),
        (["user", "delete", "-"], []),
        (["status", ""], []),
        (["-f", ""], []),
        (["-H", "elsewhere.example", "user", "list", ""], []),
        (["-Helsewhere.example", "user", "list", ""], []),
        (["--machine=elsewhere", "user", "list", ""], []),
        (["-H", "elsewhere.example", "user", "li"], ["list", "list_inactive"]),
    ],
)
async def test_names_of_the_server(tmp_path: Path, words: list[str], found: list[str]) -> None:
    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        assert await completed(*words, socket=service.path) == found
        assert await completed("--socket", str(service.path), *words) == found
        assert await completed(f"--socket={service.path}", *words) == found


async def test_ids_of_sessions(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client():
            (session,) = service.sessions
            assert session.id in await completed("close", "", socket=service.path)
            assert session.id in await completed("log", "--session", "", socket=service.path)
            found = await completed("log", f"--session={session.id}", socket=service.path)
            assert found == [f"--session={session.id}"]


async def test_what_each_is_stands_behind_a_tab(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        ended = await adminctl("__complete", "user", "list", "m", socket=service.path)
    assert ended == Ended(0, "muc.example.com\tmuc component\n", "")


async def test_options_need_no_service(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        assert "--keep-going" in await completed("--k", socket=service.path)
        assert await completed("log", "--ref", socket=service.path) == ["--refused"]
        assert await completed("log", "--json", "", socket=service.path) == ["pretty", "short"]
        assert await completed("log", "--json=s", socket=service.path) == ["--json=short"]
        assert "user:list" in await completed("log", "--command", "user", socket=service.path)
        assert not service.journal.of(MessageId.SESSION_OPENED)


async def test_without_a_service_what_is_known_is_offered() -> None:
    sections = {command.section for command in shipped()}
    assert {*await completed("")} == {*await completed()} == {*VERBS, *sections, "help"}
    assert {*await completed("help", "")} == sections
    assert await completed("server", "sh") == ["shutdown"]
    assert await completed("user", "list", "") == []
    assert "--stdio-bridge" not in await completed("-")


async def test_commands_that_the_settings_add_are_offered(tmp_path: Path) -> None:
    catalogue = shipped().extended({"bookmarks": {"wipe": {"class": "write"}}})
    async with running(tmp_path, policy={"catalogue": catalogue}) as service:
        assert await completed("bo", socket=service.path) == ["bookmarks"]
        assert await completed("bookmarks", "", socket=service.path) == ["wipe"]


async def test_no_answer_in_time(tmp_path: Path) -> None:
    answers = {"host:list()": fake.never_answers}
    async with FakeProsody(tmp_path / "prosody", answers), running(tmp_path) as service:
        assert await completed("user", "list", "", socket=service.path) == []
        # However long each question may take, all of them together have their time.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", IMPATIENT, str(service.path)),
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(SERVICE)},
        )
        async with asyncio.timeout(PATIENCE):
            stdout, _ = await process.communicate()
    assert (process.returncode, stdout) == (ExitCode.OK, b"")


async def test_a_service_that_says_nothing(tmp_path: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(accept, tmp_path / "socket"):
        assert await completed("user", "li", socket=tmp_path / "socket") == [
            "list",
            "list_inactive",
        ]
