"""Commands from a file or standard input."""

import io
from pathlib import Path

import pytest

from fakes.adminctl import Ended, adminctl
from fakes.prosody import Conversation, FakeProsody
from fakes.service import running
from prosody_admin.client.exits import ExitCode
from prosody_admin.client.terminal.progress import Progress, drawn
from prosody_admin.protocol.stanza import Stanza, repl_result


async def fails(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(repl_result("Error: no such host", error=True))


async def vanishes(conversation: Conversation, _: Stanza) -> None:
    conversation.vanish()


ANSWERS = {'user:list("nowhere")': fails, "x:vanish()": vanishes}
SCRIPT = """\
# what is listed
user list "a b"

  user:list('c')
"""


@pytest.mark.parametrize("words", [["-f", "FILE"], ["-f", "-"], []])
async def test_a_script(tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "script"
    file.write_text(SCRIPT)
    named = [str(file) if word == "FILE" else word for word in words]
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        ended = await adminctl(*named, socket=service.path, stdin=SCRIPT)
    assert ended == Ended(0, 'OK: user:list("a b")\nOK: user:list("c")\n', "")
    assert prosody.lines == ['user:list("a b")', 'user:list("c")']
    assert len(prosody.conversations) == 1


async def test_it_stops_at_the_first_error_unless_told_otherwise(tmp_path: Path) -> None:
    script = "user list a\nuser list nowhere\nuser list b\nx:vanish()\nuser list c\n"
    error = "Error: no such host\nprosody-adminctl: -:2: failed\n"
    async with FakeProsody(tmp_path / "prosody", ANSWERS), running(tmp_path) as service:
        ended = await adminctl(socket=service.path, stdin=script)
        assert ended == Ended(ExitCode.FAILED, 'OK: user:list("a")\n', error)
        ended = await adminctl("--keep-going", "-f", "-", socket=service.path, stdin=script)
    assert ended.code == ExitCode.UNREACHABLE
    assert ended.stdout == "".join(f'OK: user:list("{name}")\n' for name in "abc")
    assert ended.stderr.startswith(error + "Error: the outcome of the command is unknown")
    assert ended.stderr.endswith("-:4: failed\n")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"user list a\nuser list 'b\n", "FILE:2: No closing quotation"),
        (b"user list a\ninvite create_account b@c --x\n", "FILE:2: invite create_account: no flag"),
        (b"user list \xff\n", "FILE:1: expected UTF-8"),
    ],
)
async def test_a_file_with_a_line_that_cannot_be_used_does_not_run(
    tmp_path: Path, content: bytes, error: str
) -> None:
    file = tmp_path / "script"
    file.write_bytes(content)
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        ended = await adminctl("-f", str(file), socket=service.path)
    assert (ended.code, ended.stdout, prosody.lines) == (ExitCode.USAGE, "", [])
    assert ended.stderr.startswith(f"prosody-adminctl: {error.replace('FILE', str(file))}")


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    ended = await adminctl("-f", str(tmp_path / "nothing"))
    assert ended.code == ExitCode.USAGE
    assert ended.stderr == f"prosody-adminctl: {tmp_path}/nothing: No such file or directory\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prosody_admin.client.terminal.progress.FIRST_SECONDS", 0.0)
    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        with Progress(stream, 2) as progress:
            progress.step()
    assert file.getvalue() == ""
    assert terminal.getvalue().startswith("\r\x1b[K[###")
    assert terminal.getvalue().endswith(" 1/2  50%\r\x1b[K")


def test_a_short_run_shows_no_progress() -> None:
    terminal = Terminal()
    with Progress(terminal, 2) as progress:
        progress.step()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("columns", [1, 5, 10, 11, 20, 80])
@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_bar_fits(columns: int, done: int) -> None:
    assert len(drawn(done, 3, columns)) < columns


def test_a_bar() -> None:
    assert drawn(1, 4, 22) == "[##        ] 1/4  25%"
    assert drawn(17, None, 80) == "17 done"
