"""One command, by the quick way and by the long one: both print and return the same."""

import asyncio
import os
import sys
from pathlib import Path
from socket import AF_UNIX, socket, socketpair

import pytest

from fakes.adminctl import SERVICE, Ended, adminctl
from fakes.prosody import Conversation, FakeProsody
from fakes.service import running
from prosody_admin.client import quick
from prosody_admin.client.exits import ExitCode
from prosody_admin.client.main import run
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.literals import KEYWORDS

HEADER = quick._HEADER.encode()


async def says_much(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(
        repl_output("a\u00e9<&>'\x7f\r"),
        repl_output("b", eol=False),
        repl_output("c" * 20000),
        repl_output("wrong", error=True),
        repl_result("OK: done"),
    )


async def says_nothing(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(repl_result(""))


async def fails(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(repl_result("Error: no such host", error=True))


async def vanishes(conversation: Conversation, _: Stanza) -> None:
    conversation.vanish()


async def asks(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(Stanza("repl-request-input", {"type": "password", "id": "1"}))
    answer = await conversation.receive()
    assert answer is not None
    await conversation.send(repl_result(f"OK: {answer.get('status')}"))


ANSWERS = {
    'x:much("\u00e4<\'", " ")': says_much,
    "x:much()": says_much,
    "x:silent()": says_nothing,
    "x:fail()": fails,
    "x:vanish()": vanishes,
    "x:ask()": asks,
}


async def both_ways(*words: str, socket: Path) -> Ended:
    """Run a command by the quick way and by the long one, which any option takes."""
    quickly = await adminctl(*words, socket=socket)
    assert await adminctl("--socket", str(socket), *words) == quickly
    return quickly


@pytest.mark.parametrize(
    ("words", "ended"),
    [
        (["user", "list"], Ended(0, "OK: user:list()\n", "")),
        (["user", "list", 'a "q\\'], Ended(0, 'OK: user:list("a \\"q\\\\")\n', "")),
        (["x", "silent"], Ended(0, "", "")),
        (["x", "fail"], Ended(1, "", "Error: no such host\n")),
        (
            ["x", "much", "\u00e4<'", " "],
            Ended(0, f"a\u00e9<&>'\x7f\r\nb{'c' * 20000}\nOK: done\n", "wrong\n"),
        ),
        (
            ["x", "ask"],
            Ended(
                0, "OK: cancel\n", "prosody-adminctl: a question that needs a terminal: cancelled\n"
            ),
        ),
        (["admin", "nonesuch"], Ended(1, "", "Error: admin has no such command; it has: ")),
    ],
)
async def test_a_command(tmp_path: Path, words: list[str], ended: Ended) -> None:
    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        found = await both_ways(*words, socket=service.path)
    assert (found.code, found.stdout) == (ended.code, ended.stdout)
    assert found.stderr.startswith(ended.stderr)


async def test_without_prosody(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        ended = await both_ways("user", "list", socket=service.path)
    assert (ended.code, ended.stdout) == (ExitCode.UNREACHABLE, "")
    assert ended.stderr.startswith("Error: not run: Prosody is not running")


async def test_when_prosody_is_lost(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        ended = await both_ways("x", "vanish", socket=service.path)
    assert ended.code == ExitCode.UNREACHABLE
    assert "the outcome of the command is unknown" in ended.stderr


async def test_a_refusal(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"sessions": 1}) as service:
        with await service.client():
            ended = await both_ways("user", "list", socket=service.path)
    assert ended.code == ExitCode.REFUSED
    assert ended.stderr.startswith("Error: too many sessions")


async def test_without_a_service(tmp_path: Path) -> None:
    ended = await both_ways("user", "list", socket=tmp_path / "nothing")
    assert ended.code == ExitCode.UNREACHABLE
    assert ended.stderr == (
        f"prosody-adminctl: {tmp_path}/nothing: not there; is it started?"
        " (systemctl start prosody-admin.socket)\n"
    )


async def test_a_service_that_goes_away(tmp_path: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(accept, tmp_path / "socket"):
        quickly = await adminctl("user", "list", socket=tmp_path / "socket")
    assert quickly == Ended(
        ExitCode.UNREACHABLE,
        "",
        "prosody-adminctl: the service ended the connection;"
        " the outcome of the command is unknown\n",
    )


@pytest.mark.parametrize("question", [b"", b"<repl-request-input type='x' id='1'/>"])
def test_a_service_that_reads_no_more(
    question: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = socketpair()
    theirs.sendall(HEADER + question)
    theirs.close()
    monkeypatch.setattr(quick, "_connected", lambda: ours)
    assert quick.run(["user", "list"]) == ExitCode.UNREACHABLE
    assert capsys.readouterr().err.endswith("the outcome of the command is unknown\n")


async def test_a_service_that_says_why_it_ends(tmp_path: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEADER)
        await reader.readuntil(b"</repl-input>")
        writer.write(
            b"<repl-output>a<b>c</b></repl-output><stream:error><system-shutdown"
            b" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        )
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(accept, tmp_path / "socket"):
        ended = await both_ways("x", "y", socket=tmp_path / "socket")
    assert (ended.code, ended.stdout) == (ExitCode.UNREACHABLE, "a\n")
    assert ended.stderr == (
        "prosody-adminctl: the service ended the stream: system-shutdown;"
        " the outcome of the command is unknown\n"
    )


@pytest.mark.parametrize("end", [b"</stream:stream>x", b"<", b"<<"])
async def test_a_result_before_the_end(tmp_path: Path, end: bytes) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEADER)
        await reader.readuntil(b"</repl-input>")
        writer.write(b"<repl-result>OK</repl-result>" + end)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(accept, tmp_path / "socket"):
        assert await both_ways("x", "y", socket=tmp_path / "socket") == Ended(0, "OK\n", "")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["user"], "prosody-adminctl: user: expected SECTION COMMAND"),
        (["user", "li-st"], "prosody-adminctl: 'li-st': expected the name"),
        (["--json=short", "user", "list"], "prosody-adminctl: --json: what Prosody says is text"),
        (["--jso=short", "user", "list"], "usage: prosody-adminctl"),
        (["run"], "usage: prosody-adminctl run"),
        (["run", "--nonesuch", "x"], "usage: prosody-adminctl"),
        (["-f", "x", "user", "list"], "usage: prosody-adminctl"),
    ],
)
async def test_a_command_line_that_is_wrong(words: list[str], error: str) -> None:
    ended = await adminctl(*words)
    assert (ended.code, ended.stdout) == (ExitCode.USAGE, "")
    assert ended.stderr.startswith(error)


async def test_run_takes_a_line_as_it_stands(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        ended = await adminctl("run", "user:list ( 'x' )", socket=service.path)
        assert ended == Ended(0, 'OK: user:list("x")\n', "")
        assert await adminctl("-q", "user", "list", socket=service.path) == Ended(0, "", "")
        assert await adminctl("run", "-q", "user:list()", socket=service.path) == Ended(0, "", "")
    assert prosody.lines == ['user:list("x")', "user:list()", "user:list()"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["help"],
        ["help", "user"],
        ["user:list()"],
        ["-q", "user", "list"],
        ["status", "x"],
        ["__complete", "x"],
        ["user", "delete", "x"],
        ["user", "list", "-x"],
        ["user", "list", "a\nb"],
        ["us\u00e9r", "list"],
        ["user", "2list"],
        ["end", "x"],
        ["user", "repeat"],
    ],
)
def test_what_is_out_of_the_ordinary_goes_the_long_way(words: list[str]) -> None:
    assert quick.run(words) is None


def test_what_is_a_copy_is_complete() -> None:
    assert {word.encode() for word in quick._KEYWORDS} == KEYWORDS
    assert {command.section for command in shipped() if command.flags} == quick._WITH_FLAGS


async def test_the_width_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    widths = []

    async def says_it(conversation: Conversation, stanza: Stanza) -> None:
        widths.append(stanza.get("width"))
        await conversation.send(repl_result("OK"))

    async with FakeProsody(tmp_path / "prosody", {"x:wide()": says_it}) as prosody:
        monkeypatch.setenv("PROSODY_ADMIN_SOCKET", str(prosody.path))
        for columns in ("60", "none"):
            monkeypatch.setenv("COLUMNS", columns)
            assert await asyncio.to_thread(quick.run, ["x", "wide"]) == 0
            assert await asyncio.to_thread(run, ["-q", "x", "wide"]) == 0
    assert widths == ["60", "60", None, None]
    assert capsys.readouterr().out == "OK\n" * 2


def test_a_service_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_CONNECT_SECONDS", 0.01)
    monkeypatch.setenv("PROSODY_ADMIN_SOCKET", str(tmp_path / "socket"))
    with socket(AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        assert quick.run(["user", "list"]) == ExitCode.UNREACHABLE


@pytest.mark.parametrize(
    ("words", "elsewhere", "code", "error"),
    [
        ("x much", ">/dev/full", 1, "prosody-adminctl: No space left on device\n"),
        ("x much", ">&-", 0, "wrong\n"),
        ("x fail", ">&-", 1, "Error: no such host\n"),
        ("x fail", "2>&-", 1, ""),
        ("x fail", "2>/dev/full", 1, ""),
        ("", "<&-", 0, ""),
    ],
)
async def test_streams_that_take_nothing(
    tmp_path: Path, words: str, elsewhere: str, code: int, error: str
) -> None:
    command = f"{sys.executable} -m prosody_admin.client"
    async with FakeProsody(tmp_path / "prosody", ANSWERS) as prosody:
        for options in ("", f"--socket={prosody.path}"):
            bash = await asyncio.create_subprocess_exec(
                *("bash", "-c", f"{command} {options} {words} {elsewhere}"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"PYTHONPATH": str(SERVICE), "PROSODY_ADMIN_SOCKET": str(prosody.path)},
            )
            stdout, stderr = await bash.communicate()
            assert (bash.returncode, stdout, stderr.decode()) == (code, b"", error)


@pytest.mark.parametrize(("number", "code"), [(1, 0), (2, 1)])
async def test_a_reader_that_is_gone(tmp_path: Path, number: int, code: int) -> None:
    words = ["x", "fail"] if number == 2 else ["x", "much"]
    ours, theirs = os.pipe()
    os.close(ours)
    async with FakeProsody(tmp_path / "prosody", ANSWERS) as prosody:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "prosody_admin.client", *words),
            stdout=theirs if number == 1 else None,
            stderr=theirs if number == 2 else asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(SERVICE), "PROSODY_ADMIN_SOCKET": str(prosody.path)},
        )
        os.close(theirs)
        _, stderr = await process.communicate()
    assert (process.returncode, stderr or b"") == (code, b"")


async def test_help_and_version() -> None:
    ended = await adminctl("--help")
    assert ended.code == 0
    assert "exit codes:" in ended.stdout
    assert (await adminctl("log", "--help")).stdout.startswith("usage: prosody-adminctl log")
    assert (await adminctl("--version")).stdout.startswith("prosody-admin ")
