"""`client/prompt/interactive.py`: lines are run in order, remembered, and sent once."""

import asyncio
import contextlib
import os
import pwd
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes import prosody as fake
from fakes.adminctl import adminctl
from fakes.prosody import Conversation, FakeProsody
from fakes.service import running
from fakes.waiting import PATIENCE, until
from prosody_admin import __version__
from prosody_admin.client import connect as connection_to
from prosody_admin.client.connection import Connection
from prosody_admin.client.exits import ExitCode
from prosody_admin.client.options import parse_arguments
from prosody_admin.client.prompt import interactive
from prosody_admin.client.prompt.greeting import greeting
from prosody_admin.client.prompt.history import history_path
from prosody_admin.client.prompt.interactive import Service, Shell
from prosody_admin.client.reach import connect
from prosody_admin.net.attendant import Ending
from prosody_admin.protocol.stanza import Stanza

Keys = str | KeyboardInterrupt | Callable[[], str]
"""A line, Ctrl-C, or a line before which something happens."""


class Typed:
    """Somebody who types these lines, or Ctrl-C, and then leaves with Ctrl-D."""

    def __init__(self, *keys: Keys) -> None:
        self._keys = iter(keys)
        self.prompts: list[str] = []
        self.remembered: list[str] = []

    def read(self, prompt: str) -> str:
        self.prompts.append(prompt)
        match next(self._keys, None):
            case None:
                raise EOFError
            case KeyboardInterrupt() as interrupt:
                raise interrupt
            case str(line):
                return line
            case line_after:
                return line_after()

    def remember(self, line: str) -> None:
        self.remembered.append(line)

    def leave(self, code: int) -> None:
        raise SystemExit(code)


@pytest.fixture(autouse=True)
def _history_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run_shell(path: Path, prompt: Typed, options: tuple[str, ...] = ()) -> None:
    """Have a shell run what is typed; it is left at the end of it at the latest."""
    arguments = parse_arguments(["--socket", str(path), *options, "shell"])
    with contextlib.closing(Service(lambda: connect(arguments))) as service:
        Shell(arguments, service, prompt).run()


async def typed(path: Path, *keys: Keys, options: tuple[str, ...] = ()) -> Typed:
    """The same in a thread: a shell blocks, and the service runs in this one."""
    prompt = Typed(*keys)
    await asyncio.to_thread(run_shell, path, prompt, options)
    return prompt


async def test_lines_run_one_after_the_other_on_one_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeProsody(tmp_path / "prosody", {"b:c()": fake.fails}) as prosody:
        async with running(tmp_path) as service:
            prompt = await typed(service.path, "a:b()", "", "  b:c() ", "c:d()")
        assert prosody.lines == ["a:b()", "b:c()", "c:d()"]
        assert len(prosody.conversations) == 1
    assert prompt.prompts == ["prosody> "] * 5
    said = capsys.readouterr()
    assert said.out == "OK: a:b()\nOK: c:d()\n"
    assert said.err == "half of itError: no\n"


def test_the_greeting_does_not_drive_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(interactive, "at_terminal", lambda: True)
    monkeypatch.setattr(interactive, "greeting", lambda _: "you are \x9b31m.\nType help")
    monkeypatch.setattr(interactive, "best_prompt", lambda *_: Typed())
    monkeypatch.setattr(interactive.Service, "connection", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert interactive.run(parse_arguments(["shell"])) == ExitCode.OK
    assert capsys.readouterr().err == "you are \\x9b31m.\nType help\n"


@pytest.mark.parametrize("word", ["quit", "exit", "bye", " Quit "])
async def test_words_to_leave(tmp_path: Path, word: str) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        prompt = await typed(service.path, "a:b()", word, "c:d()")
        assert prosody.lines == ["a:b()"]
    assert prompt.remembered == ["a:b()"]


async def test_pasted_lines_run_up_to_the_first_that_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pasted = "a:b()\nfail:it()\nc:d()\ne:f()"
    async with FakeProsody(tmp_path / "prosody", {"fail:it()": fake.fails}) as prosody:
        await typed(prosody.path, pasted, "g:h()")
        assert prosody.lines == ["a:b()", "fail:it()", "g:h()"]
        assert "2 more pasted lines not run" in capsys.readouterr().err
        await typed(prosody.path, pasted, options=("--keep-going",))
        assert prosody.lines[3:] == ["a:b()", "fail:it()", "c:d()", "e:f()"]


async def test_an_unfinished_line_goes_on_at_another_prompt(tmp_path: Path) -> None:
    interrupt = KeyboardInterrupt()
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        prompt = await typed(service.path, 'a:b("x', 'y",', "2)", "c:d(", interrupt, "e:f()", "g(")
        assert prosody.lines == ['a:b("xy", 2)', "e:f()"]
    ready, goes_on = "prosody> ", ".......> "
    assert prompt.prompts == [ready, goes_on, goes_on, ready, goes_on, ready, ready, goes_on]


async def test_control_c_at_the_prompt_drops_the_line_only(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        await typed(service.path, KeyboardInterrupt(), "a:b()")
        assert prosody.lines == ["a:b()"]


def test_control_c_ends_a_command_and_not_the_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupts(conversation: Conversation, _: Stanza) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        await fake.reads_on(conversation)

    with in_another_thread(FakeProsody(tmp_path / "prosody", {"w:w()": interrupts})) as prosody:
        run_shell(tmp_path / "prosody", Typed("w:w()\na:b()", "c:d()"))
    assert prosody.lines == ["w:w()", "c:d()"]
    assert len(prosody.conversations) == 2
    said = capsys.readouterr()
    assert said.out == "OK: c:d()\n"
    assert "interrupted" in said.err
    assert "1 more pasted line not run" in said.err


@contextmanager
def in_another_thread(prosody: FakeProsody) -> Iterator[FakeProsody]:
    """Run the fake apart from the main thread, which is the one that signals go to."""
    listens, ends = threading.Event(), threading.Event()

    async def listen() -> None:
        async with prosody:
            listens.set()
            await asyncio.to_thread(ends.wait, PATIENCE)

    with ThreadPoolExecutor() as executor:
        listening = executor.submit(lambda: asyncio.run(listen()))
        listens.wait(PATIENCE)
        yield prosody
        ends.set()
        listening.result(PATIENCE)


async def test_what_is_remembered(tmp_path: Path) -> None:
    lines = ("a:b()", 'user:password("j@h", "secret")', "> return 1", "help")
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        prompt = await typed(service.path, *lines)
    assert prompt.remembered == ["a:b()", "> return 1", "help"]
    assert history_path().read_text() == "a:b()\nhelp\n"


async def test_words_are_a_command_and_their_secrets_are_not_remembered(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        prompt = await typed(service.path, "user list 'a b'", "user password j@h secret", "user '")
    assert prosody.lines == ['user:list("a b")', 'user:password("j@h", "secret")']
    assert history_path().read_text() == "user list 'a b'\n"
    assert "user password j@h secret" not in prompt.remembered


async def test_without_a_place_for_the_history_it_warns_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        prompt = await typed(service.path, "a:b()", "c:d()")
    assert prompt.remembered == ["a:b()", "c:d()"]
    warning = "lines will not be kept for the next time: "
    said = capsys.readouterr().err
    assert said == f"prosody-adminctl: {warning}/dev/null/prosody-adminctl: Not a directory\n"


async def test_a_connection_that_was_lost_is_opened_anew_for_the_next_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        loop = asyncio.get_running_loop()

        async def end_all() -> None:
            for session in service.sessions:
                session.end(Ending("system-shutdown", "a restart"))
            await until(lambda: not service.sessions)

        def after_a_restart() -> str:
            asyncio.run_coroutine_threadsafe(end_all(), loop).result(PATIENCE)
            return "c:d()"

        await typed(service.path, "a:b()", after_a_restart)
        assert prosody.lines == ["a:b()", "c:d()"]
    assert capsys.readouterr() == ("OK: a:b()\nOK: c:d()\n", "")


async def test_a_line_whose_outcome_is_unknown_is_not_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeProsody(tmp_path / "prosody", {"lost:it()": fake.vanishes}) as prosody:
        await typed(prosody.path, "lost:it()", "a:b()")
    assert prosody.lines == ["lost:it()", "a:b()"]
    said = capsys.readouterr()
    assert said.out == "OK: a:b()\n"
    assert "the outcome of the command is unknown" in said.err


async def test_while_nothing_listens_the_shell_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = await typed(tmp_path / "prosody", "a:b()", "c:d()")
    assert len(prompt.prompts) == 3
    assert capsys.readouterr().err.count("systemctl start prosody-admin.socket") == 2


async def test_quiet_leaves_out_what_went_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeProsody(tmp_path / "prosody", {"b:c()": fake.outputs(1, "x")}) as prosody:
        await typed(prosody.path, "a:b()", "b:c()", options=("-q",))
    assert capsys.readouterr() == ("0 x\n", "")


async def test_the_width_is_that_of_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")

    def after_a_resize() -> str:
        monkeypatch.setenv("COLUMNS", "90")
        return "c:d()"

    async with FakeProsody(tmp_path / "prosody") as prosody:
        await typed(prosody.path, "a:b()", after_a_resize)
    assert [line.get("width") for line in prosody.received] == ["70", "90"]


async def test_help_is_that_of_prosody_and_a_line_about_the_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody:
        await typed(prosody.path, "help user", "help")
    *_, own = capsys.readouterr().out.splitlines()
    assert prosody.lines == ["help user", "help"]
    assert "quit, exit, bye and Ctrl-D leave" in own


@pytest.mark.parametrize(
    ("option", "ready"), [("-H", "prosody@xmpp.example> "), ("-M", "prosody@xmpp.example> ")]
)
async def test_the_prompt_says_which_host(tmp_path: Path, option: str, ready: str) -> None:
    arguments = parse_arguments([option, "root@xmpp.example", "shell"])
    prompt = Typed()
    Shell(arguments, Service(lambda: connect(arguments)), prompt).run()
    assert prompt.prompts == [ready]


async def test_completion_asks_the_service_on_the_same_connection(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        arguments = parse_arguments(["--socket", str(service.path), "shell"])
        opened = 0

        def connect_and_count() -> Connection:
            nonlocal opened
            opened += 1
            return connect(arguments)

        with contextlib.closing(Service(connect_and_count)) as reached:
            shell = Shell(arguments, reached, Typed("a:b()"))
            found = await asyncio.to_thread(shell._suggest, "server:ver")
            assert [suggestion.text for suggestion in found] == ["version("]
            await asyncio.to_thread(shell.run)
        assert opened == 1


def test_no_key_opens_a_connection_to_another_host() -> None:
    def connect_no_more() -> Connection:
        raise AssertionError("ssh could ask for a password now")

    arguments = parse_arguments(["-H", "xmpp.example", "shell"])
    assert Shell(arguments, Service(connect_no_more), Typed())._suggest("user:") == []


async def test_the_greeting_says_who_is_there(tmp_path: Path) -> None:
    def greeted(path: Path) -> str:
        with connection_to(str(path)) as connection:
            return greeting(connection)

    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        text = await asyncio.to_thread(greeted, service.path)
        user = pwd.getpwuid(os.geteuid()).pw_name
        assert text.startswith(f"prosody-admin {__version__}: you are {user} (uid {os.geteuid()}")
        assert "may do everything" in text
        # Prosody's own socket answers no questions of ours.
        assert await asyncio.to_thread(greeted, prosody.path) == text.splitlines()[1]


async def test_without_a_terminal_there_is_no_shell() -> None:
    ended = await adminctl("shell", stdin="server:version()\n")
    assert (ended.code, ended.stdout) == (ExitCode.USAGE, "")
    assert "needs a terminal" in ended.stderr
