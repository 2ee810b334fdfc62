"""`client/terminal/asking.py`: what is asked at the terminal, and which answers can be used."""

from collections.abc import Iterator

import pytest

from prosody_admin.client.destructive import DESTRUCTIVE
from prosody_admin.client.terminal import asking
from prosody_admin.client.terminal.asking import ask_password, question_about
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


def test_what_destroys_is_what_prosody_has() -> None:
    known = {(command.section, command.name) for command in shipped()}
    assert known >= DESTRUCTIVE
    # Two names of one command, or two sizes of one loss.
    assert question_about('hosts:deactivate("x")')
    assert question_about('pubsub:delete_all_items("x", "y")')
