"""`client/prompt/history.py`: what is kept of what was typed, and where."""

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prosody_admin.client.prompt import history
from prosody_admin.client.prompt.history import LINE_BYTES, LINES, History, Keep, history_path, keep
from prosody_admin.shell.catalogue import shipped
from prosody_admin.shell.lines import MAX_LINE

SECRET = "Willow-1841"


@pytest.fixture
def kept(tmp_path: Path) -> History:
    return History(tmp_path / "state/prosody-adminctl/history")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "line",
    [
        "help",
        "help user",
        "server:version()",
        "no:such()",
        'user:list("example.com")',
        'user:password("romeo@example.com")',
        'user:password("romeo@example.com", nil)',
        'user:delete("romeo@example.com")',
        'config:get("example.com", "admins")',
        '{"user", "list", "example.com"}',
    ],
)
def test_lines_without_a_secret_go_to_the_file(line: str) -> None:
    assert keep(line) is Keep.FILE


@pytest.mark.parametrize(
    "line",
    [
        f'user:password("romeo@example.com", "{SECRET}")',
        f'user:create("romeo@example.com", "{SECRET}", "member")',
        f'user:create("romeo@example.com", "a", "member", "{SECRET}")',
        f'{{"user", "password", "romeo@example.com", "{SECRET}"}}',
        f'config:set("turn_external_secret", "{SECRET}")',
        f'admin:explain(\'user:password("romeo@example.com", "{SECRET}")\')',
        f"user:password([[romeo@example.com]],\n'{SECRET}' )",
    ],
)
def test_lines_with_a_secret_are_kept_nowhere(line: str) -> None:
    assert keep(line) is Keep.NOWHERE


@pytest.mark.parametrize(
    "line",
    [
        f"> set('{SECRET}')",
        f'user:password("romeo@example.com", "{SECRET}"',
        f'user:password("romeo@example.com", "{SECRET}" .. "x")',
        f'user:password("romeo@example.com", "{SECRET}") -- new',
        f"user password romeo@example.com {SECRET}",
        f'no:such("{SECRET}")',
        f'userpassword("romeo@example.com", "{SECRET}")',
        f'help; user:password("{SECRET}")',
        f"{SECRET}",
        "(" * (MAX_LINE + 1),
        "\ud800",
    ],
)
def test_lines_of_which_nobody_can_tell_stay_in_their_shell(line: str) -> None:
    assert keep(line) is Keep.SHELL


def test_every_secret_of_the_catalogue_is_one() -> None:
    commands = [command for command in shipped() if command.secrets]
    assert commands
    for command in commands:
        for position in command.secrets:
            arguments = ", ".join(["nil"] * (position - 1) + [f'"{SECRET}"'])
            assert keep(f"{command.section}:{command.name}({arguments})") is Keep.NOWHERE


def test_the_next_shell_has_the_lines_of_the_last(kept: History) -> None:
    assert kept.lines() == []
    for line in ("help", "server:version()", 'user:list("m\u00fcnchen.example")'):
        kept.append(line)
    assert History(kept.path).lines() == [
        "help",
        "server:version()",
        'user:list("m\u00fcnchen.example")',
    ]


def test_nobody_else_may_read_it(kept: History) -> None:
    before = os.umask(0)
    try:
        kept.append("help")
    finally:
        os.umask(before)
    assert (mode_of(kept.path.parent), mode_of(kept.path)) == (0o700, 0o600)
    kept.path.chmod(0o644)
    kept.append("server:version()")
    assert mode_of(kept.path) == 0o600


def test_the_latest_lines_stay(kept: History) -> None:
    kept.path.parent.mkdir(parents=True)
    kept.path.write_text("".join(f"help t{number}\n" for number in range(LINES + 5)))
    assert len(kept.lines()) == LINES
    kept.append("help last")
    assert len(kept.path.read_text().splitlines()) == LINES
    assert kept.lines()[-2:] == [f"help t{LINES + 4}", "help last"]


def test_the_same_again_is_one_line(kept: History) -> None:
    for line in ("help", "help", "server:version()", "help"):
        kept.append(line)
    assert kept.lines() == ["help", "server:version()", "help"]


def test_a_command_of_several_lines_is_kept_as_one_that_means_the_same(kept: History) -> None:
    kept.append('user:list(\n  "example.com"\n)')
    kept.append("user:list([[\n\nexample.com]])")
    assert kept.lines() == ['user:list(   "example.com" )']


def test_a_very_long_line_is_not_kept(kept: History) -> None:
    kept.append(f'user:list("{"x" * LINE_BYTES}")')
    assert kept.lines() == []


def test_a_file_that_is_no_text_is_no_error(kept: History) -> None:
    kept.path.parent.mkdir(parents=True)
    kept.path.write_bytes(b"\xff\nhelp\nhalf a line")
    assert kept.lines() == ["\ufffd", "help"]


def test_a_huge_file_is_read_from_its_end(kept: History) -> None:
    kept.path.parent.mkdir(parents=True)
    kept.path.write_bytes(b"x" * (2 * LINES * LINE_BYTES) + b"\nhelp\n")
    assert kept.lines()[-1] == "help"


def test_shells_at_the_same_time_lose_nothing_of_each_other(kept: History) -> None:
    write = (
        "import sys; from pathlib import Path\n"
        "from prosody_admin.client.prompt.history import History\n"
        "for number in range(100): History(Path(sys.argv[1])).append(f'help {sys.argv[2]}{number}')"
    )
    source = str(Path(history.__file__).parents[3])
    shells = [
        subprocess.Popen(
            [sys.executable, "-c", write, str(kept.path), name], env={"PYTHONPATH": source}
        )
        for name in "ab"
    ]
    assert [shell.wait(30) for shell in shells] == [0, 0]
    assert sorted(kept.lines()) == sorted(f"help {name}{n}" for name in "ab" for n in range(100))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_shell_that_was_stopped_does_not_stop_another(
    kept: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.append("help")
    monkeypatch.setattr(history, "_LOCK_SECONDS", 0.05)
    with locked(kept.path), pytest.raises(BlockingIOError):
        kept.append("server:version()")
    kept.append("server:version()")


def test_a_file_behind_a_link_is_left_alone(kept: History, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious\n")
    kept.path.parent.mkdir(parents=True)
    kept.path.symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        kept.append("help")
    assert target.read_text() == "precious\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_the_file_of_somebody_else_is_left_alone(kept: History) -> None:
    kept.append("help")
    os.chown(kept.path, 65534, 65534)
    with pytest.raises(PermissionError, match="yours"):
        kept.append("server:version()")
    assert kept.path.read_text() == "help\n"


def test_a_directory_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        History(tmp_path / "file/prosody-adminctl/history").lines()


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = Path("prosody-adminctl/history")
    assert history_path({"XDG_STATE_HOME": "/x"}) == "/x" / place
    for environment in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}):
        assert history_path(environment) == tmp_path / ".local/state" / place


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)  # in no list of users
    with pytest.raises(FileNotFoundError, match="home"):
        history_path({})
