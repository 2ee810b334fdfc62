"""Several hosts at once: whose line it is, the worst exit code, what is asked, what is left."""

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.adminctl import SERVICE, Ended, adminctl
from fakes.elsewhere import Elsewhere
from fakes.prosody import FakeProsody, asks_for_a_password, fails
from fakes.service import running
from fakes.waiting import PATIENCE, until
from prosody_admin.client.elsewhere.forked import LINE_BYTES, Lines, Whole
from prosody_admin.client.elsewhere.side_by_side import AT_ONCE, _output
from prosody_admin.client.exits import ExitCode
from prosody_admin.client.options import parse_arguments
from prosody_admin.errors import ClientError

VERSION = "OK: prosody-admin 0.1.0"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """The other hosts, where the service of `running(tmp_path)` is."""
    programs = Elsewhere(tmp_path / "bin", tmp_path / "admin")
    monkeypatch.setenv("PATH", programs.path)
    return programs


async def test_each_line_has_its_host(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path):
        ended = await adminctl("-H", "a,bob@other:22", "server", "version")
    assert sorted(ended.stdout.splitlines()) == [
        "a:            OK: server:version()",
        "bob@other:22: OK: server:version()",
    ]
    assert (ended.code, ended.stderr) == (0, "")
    assert all(call.startswith("-xT -o BatchMode=yes") for call in elsewhere.calls)


async def test_the_worst_exit_code_counts(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with FakeProsody(tmp_path / "prosody", {"x:fail()": fails}), running(tmp_path):
        failed = await adminctl("-H", "a,b", "x", "fail")
        unreachable = await adminctl("-H", "down,b", "x", "fail")
        partly = await adminctl("-H", "down,b", "admin", "version")
    assert (failed.code, failed.stdout) == (1, "")
    assert sorted(line.partition(" ")[0] for line in failed.stderr.splitlines()) == ["a:", "b:"]
    assert unreachable.code == 4
    assert (partly.code, partly.stdout) == (4, f"b:    {VERSION}\n")
    assert partly.stderr.startswith("down: ssh: connect to host down port 22: Connection refused\n")
    assert all(line.startswith("down: ") for line in partly.stderr.splitlines())


async def test_more_hosts_than_run_at_once(tmp_path: Path, elsewhere: Elsewhere) -> None:
    hosts = [f"h{number:02}" for number in range(AT_ONCE + 2)]
    async with running(tmp_path, limits={"sessions_per_uid": AT_ONCE}):
        ended = await adminctl("-H", ",".join(hosts), "admin", "version")
    assert ended.stderr == ""
    assert sorted(ended.stdout.splitlines()) == [f"{host}: {VERSION}" for host in hosts]


async def test_json_is_one_object_by_host(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with running(tmp_path):
        ended = await adminctl("-H", "a,down,b", "--json=short", "whoami")
    assert ended.code == 4
    said = json.loads(ended.stdout)
    assert list(said) == ["a", "down", "b"]
    assert said["down"] is None
    assert said["a"]["uid"] == said["b"]["uid"] == os.getuid()


async def test_each_host_gets_all_of_standard_input(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path):
        ended = await adminctl("-H", "a,b", stdin="x:one()\nx:two()\n")
    assert sorted(ended.stdout.splitlines()) == [
        *("a: OK: x:one()", "a: OK: x:two()", "b: OK: x:one()", "b: OK: x:two()"),
    ]


async def test_a_password_cannot_be_asked_for(tmp_path: Path, elsewhere: Elsewhere) -> None:
    prosody = FakeProsody(tmp_path / "prosody", {"x:ask()": asks_for_a_password})
    async with prosody, running(tmp_path):
        ended = await adminctl("-H", "a,b", "x", "ask")
    for host in "ab":
        assert f"{host}: prosody-adminctl: a question that needs a terminal: cancelled" in (
            ended.stderr.splitlines()
        )


async def test_the_journals_events_know_their_host(elsewhere: Elsewhere) -> None:
    plain = await adminctl("-H", "says,down", "log")
    assert plain.stdout == "says: env SYSTEMD_COLORS=0 prosody-adminctl log\n"
    as_json = await adminctl("-H", "says,down", "log", "--json=short")
    assert as_json.stdout == "env SYSTEMD_COLORS=0 prosody-adminctl log --json=short\n"
    assert (await adminctl("-H", "says,down", "log", "--json=pretty")).code == 2


@pytest.mark.parametrize("words", [["shell"], ["--stdio-bridge"], ["__complete", "user"]])
async def test_what_needs_one_host(elsewhere: Elsewhere, words: list[str]) -> None:
    ended = await adminctl("-H", "a,b", *words)
    assert (ended.code, ended.stdout) == (2, "")
    assert "expected a command" in ended.stderr
    assert elsewhere.calls == []


async def test_a_command_that_cannot_be_is_told_once(elsewhere: Elsewhere) -> None:
    ended = await adminctl("-H", "a,b", "list")
    assert ended.code == 2
    assert len(ended.stderr.splitlines()) == 1
    assert elsewhere.calls == []


async def test_a_process_that_ssh_leaves_behind_is_not_waited_for(elsewhere: Elsewhere) -> None:
    try:
        ended = await adminctl("-H", "lingers,down", "log")
        assert ended.code == 4
        assert "lingers: last words" in ended.stderr.splitlines()
    finally:
        for pid in elsewhere.silent:
            os.kill(pid, signal.SIGKILL)
    assert len(elsewhere.silent) == 1


# What is asked at a terminal.


@contextlib.contextmanager
def at_terminal(*words: str, path: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start the client at a terminal of its own."""
    ours, theirs = os.openpty()
    try:
        termios.tcsetwinsize(theirs, (24, 80))
        with subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "prosody_admin.client", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"PATH": path, "PYTHONPATH": str(SERVICE), "TERM": "xterm", "LANG": "C.UTF-8"},
        ) as process:
            os.close(theirs)
            try:
                yield process, ours
            finally:
                process.kill()
    finally:
        os.close(ours)


def shown(terminal: int) -> str:
    """Read what appears up to the end, or to a question."""
    text = ""
    with contextlib.suppress(OSError):  # nobody has the other side open any more: pty(7)
        while not text.endswith("[y/N] ") and (data := os.read(terminal, 65536)):
            text += data.decode()
    return text


async def test_what_destroys_is_asked_about_once(tmp_path: Path, elsewhere: Elsewhere) -> None:
    command = ("-H", "a,b", "user", "delete", "romeo@localhost")

    def answer(word: bytes) -> tuple[int, str, str]:
        with at_terminal(*command, path=elsewhere.path) as (process, terminal):
            question = shown(terminal)
            os.write(terminal, word + b"\n")
            return process.wait(PATIENCE), question, shown(terminal)

    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path):
        code, question, _ = await asyncio.to_thread(answer, b"n")
        assert question == 'On a, b: Really run user:delete("romeo@localhost")? [y/N] '
        assert (code, prosody.lines) == (2, [])
        code, question, said = await asyncio.to_thread(answer, b"y")
        assert (code, len(prosody.lines)) == (0, 2)
    assert said.count("[y/N]") == 0
    for host in "ab":
        assert f'\x1b[0;90m{host}: \x1b[0mOK: user:delete("romeo@localhost")' in said


async def test_there_is_room_for_the_host_before_a_table(elsewhere: Elsewhere) -> None:
    def width() -> str:
        command = ("-H", "columns,a", "log", "--no-pager")
        with at_terminal(*command, path=elsewhere.path) as (_, terminal):
            return shown(terminal)

    room = len("columns: ")
    assert f"columns: \x1b[0m{80 - room}\r\n" in await asyncio.to_thread(width)
    assert "columns: none\n" in (await adminctl("-H", "columns,a", "log")).stdout


async def test_what_a_script_destroys_is_asked_about_once(
    tmp_path: Path, elsewhere: Elsewhere
) -> None:
    (tmp_path / "script").write_text("c2s:closeall()\nuser list\ns2s:closeall()\n")

    def answer() -> tuple[int, str]:
        command = ("-H", "a,b", "-f", str(tmp_path / "script"))
        with at_terminal(*command, path=elsewhere.path) as (process, terminal):
            question = shown(terminal)
            os.write(terminal, b"\n")
            return process.wait(PATIENCE), question

    code, question = await asyncio.to_thread(answer)
    assert code == 2
    assert question == "On a, b: Really run c2s:closeall()? (and 1 more such lines) [y/N] "
    assert elsewhere.calls == []


# Ctrl-C.


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("hosts", "sent"),
    [
        ("silent", "\x03"),
        ("a,silent", "\x03"),
        ("a,silent", signal.SIGINT),
        ("a,silent", signal.SIGTERM),
        ("a,silent", signal.SIGHUP),
    ],
    ids=str,
)
@pytest.mark.parametrize("words", [["whoami"], ["log"]])
async def test_nothing_is_left_behind(
    tmp_path: Path,
    elsewhere: Elsewhere,
    hosts: str,
    sent: signal.Signals | str,
    words: list[str],
) -> None:
    """Ctrl-C, which all processes at the terminal get, and signals to the client alone."""
    async with running(tmp_path):
        with at_terminal("-H", hosts, *words, path=elsewhere.path) as (process, terminal):
            await until(lambda: elsewhere.silent)
            await asyncio.to_thread(end, process, terminal, sent)
            assert process.returncode == ExitCode.INTERRUPTED
        assert not any(map(is_alive, elsewhere.silent))


def end(process: subprocess.Popen[bytes], terminal: int, sent: signal.Signals | str) -> None:
    if isinstance(sent, str):
        os.write(terminal, sent.encode())
    else:
        process.send_signal(sent)
    process.wait(PATIENCE)


async def test_a_reader_that_has_seen_enough(elsewhere: Elsewhere) -> None:
    client = (sys.executable, "-m", "prosody_admin.client", "-H", "silent,long", "log")
    process = await asyncio.create_subprocess_exec(
        *client,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": elsewhere.path, "PYTHONPATH": str(SERVICE)},
        limit=LINE_BYTES,
    )
    async with asyncio.timeout(PATIENCE):
        assert process.stdout
        await process.stdout.read(1)
        await until(lambda: elsewhere.silent)
        process.stdout._transport.close()  # type: ignore[attr-defined] # StreamReader cannot close
        assert await process.wait() == 0
    assert not any(map(is_alive, elsewhere.silent))


# Lines.


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_are_whole() -> None:
    stream = io.StringIO()
    lines = Lines(stream, "a: ")
    for piece in (b"on", b"e\ntw", b"o\n\nthr", b"ee"):
        lines.take(piece)
    assert stream.getvalue() == "a: one\na: two\na: \n"
    lines.end()
    lines.end()
    assert stream.getvalue() == "a: one\na: two\na: \na: three\n"


def test_lines_are_bounded() -> None:
    stream = io.StringIO()
    lines = Lines(stream, "a: ")
    lines.take(b"x" * (LINE_BYTES - 1))
    assert stream.getvalue() == ""
    lines.take(b"x")
    assert stream.getvalue() == f"a: {'x' * LINE_BYTES}\n"


def test_a_line_that_is_too_long_ends_behind_a_character() -> None:
    stream = io.StringIO()
    lines = Lines(stream, "")
    data = ("x" + "\u00e9" * (LINE_BYTES // 2)).encode()
    lines.take(data[:LINE_BYTES])
    lines.take(data[LINE_BYTES:])
    lines.end()
    assert stream.getvalue().replace("\n", "") == data.decode()


def test_an_event_is_json_however_long_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    event = json.dumps({"PROSODY_ADMIN_LUA": "\x01" * LINE_BYTES})
    sink = _output("a", ["a", "b"], parse_arguments(["log", "--json=short"]))
    for start in range(0, len(event), LINE_BYTES):
        sink.take(event[start : start + LINE_BYTES].encode())
    sink.take(b"\n")
    assert capsys.readouterr().out == f"{event}\n"


def test_lines_do_not_drive_a_terminal() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    Lines(terminal, "a: ").take(b"\x1b[2J \xff\n")
    Lines(pipe, "a: ").take(b"\x1b[2J \xff\n")
    assert terminal.getvalue() == "a: \\x1b[2J \ufffd\n"
    assert pipe.getvalue() == "a: \x1b[2J \ufffd\n"


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prosody_admin.client.elsewhere.forked.WHOLE_BYTES", 6)
    whole = Whole()
    whole.take(b"[1, ")
    assert whole.value() is None
    whole.take(b"2]")
    assert whole.value() == [1, 2]
    with pytest.raises(ClientError):
        whole.take(b" ")


async def test_a_long_line_of_a_host(elsewhere: Elsewhere) -> None:
    ended = await adminctl("-H", "long,down", "log")
    # Where the pieces end is up to the pipe.
    pieces = ended.stdout.removesuffix("\n").split("\n")
    assert len(pieces) > 1
    assert all(piece.startswith("long: ") for piece in pieces)
    text = "".join(piece.removeprefix("long: ") for piece in pieces)
    assert text == 200_000 * "x" + "\x1bend"


async def test_nothing_to_say(tmp_path: Path, elsewhere: Elsewhere) -> None:
    async with running(tmp_path):
        assert await adminctl("-H", "a,b", "-q", "admin", "version") == Ended(0, "", "")
