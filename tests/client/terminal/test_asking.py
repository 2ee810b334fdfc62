"""`client/terminal/asking.py`: what is asked at the terminal, and which answers can be used."""

import asyncio
import os
import signal
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.adminctl import SERVICE
from fakes.prosody import Conversation, FakeProsody
from prosody_admin.client.destructive import DESTRUCTIVE
from prosody_admin.client.terminal import asking
from prosody_admin.client.terminal.asking import ask_password, question_about
from prosody_admin.protocol.stanza import Stanza
from prosody_admin.shell.catalogue import shipped


def type_in(monkeypatch: pytest.MonkeyPatch, keys: Iterator[bytes]) -> None:
    monkeypatch.setattr(asking, "at_terminal", lambda: True)
    monkeypatch.setattr(asking, "getpass", lambda _: next(keys).decode())


def test_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, iter(["s\u00e9 \t\U0001f469\u200d".encode()] * 2))
    assert ask_password("password") == "s\u00e9 \t\U0001f469\u200d"


@pytest.mark.parametrize("keys", [b"secret\x1b[A", b"\x01", b"s\xe9cret"])
def test_a_password_that_cannot_be_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keys: bytes
) -> None:
    type_in(monkeypatch, iter([keys, keys]))
    assert ask_password("password") is None
    assert capsys.readouterr().err.endswith("that are no characters: cancelled\n")


async def asks(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(Stanza("repl-request-input", {"type": "password", "id": "1"}))
    assert await conversation.receive() is None


@pytest.mark.parametrize("options", [[], ["-q"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_the_echo_is_back_whatever_ends_the_question(
    tmp_path: Path, options: list[str], number: signal.Signals
) -> None:
    ours, theirs = os.openpty()
    async with FakeProsody(tmp_path / "prosody", {"x:ask()": asks}) as prosody:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "prosody_admin.client", *options, "x", "ask"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"PYTHONPATH": str(SERVICE), "PROSODY_ADMIN_SOCKET": str(prosody.path)},
            start_new_session=True,
        )
        said = b""
        while b"Password: " not in said:
            said += await asyncio.to_thread(os.read, ours, 1000)
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        process.send_signal(number)
        assert await process.wait() == 128 + number
    assert termios.tcgetattr(theirs)[3] & termios.ECHO
    os.close(ours)
    os.close(theirs)


def test_what_destroys_is_what_prosody_has() -> None:
    known = {(command.section, command.name) for command in shipped()}
    assert known >= DESTRUCTIVE
    # Two names of one command, or two sizes of one loss.
    assert question_about('hosts:deactivate("x")')
    assert question_about('pubsub:delete_all_items("x", "y")')


async def test_keys_that_are_no_characters(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prosody_admin.client", "user", "delete", "x"),
        stdin=theirs,
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
        # As in most locales.
        env={"PYTHONIOENCODING": "utf-8:strict", "PYTHONPATH": str(SERVICE)},
        start_new_session=True,
    )
    os.write(ours, b"s\xe9\n")
    said, _ = await process.communicate()
    assert (said, process.returncode) == (b"", 2)
    assert (await asyncio.to_thread(os.read, ours, 1000)).endswith(b"prosody-adminctl: not run\r\n")
    os.close(ours)
    os.close(theirs)
