"""`client/terminal/output.py`: colour, width and the pager, as systemd's tools decide."""

import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TextIO

import pytest

from prosody_admin.client.terminal import output as terminal
from prosody_admin.client.terminal.output import Colour, coloured, columns, paged, painted

CAPABLE = {"TERM": "xterm"}
PAGER = """\
#!/bin/sh
echo "$0 $*" "LESS=$LESS LESSCHARSET=$LESSCHARSET LESSSECURE=$LESSSECURE" >{record}
cat >>{record}
"""


@pytest.fixture
def tty() -> Iterator[TextIO]:
    """A terminal to write to, of 40 columns."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 40))
    with open(theirs, "w", encoding="utf-8") as stream:
        yield stream
    os.close(ours)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[TextIO]:
    """A file to write to."""
    with (tmp_path / "plain").open("w", encoding="utf-8") as stream:
        yield stream


class Pagers:
    """The pagers of a machine, which record how they were started and what they were given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.record = directory / "record"

    def install(self, *names: str) -> None:
        for name in names:
            path = self.directory / name
            path.write_text(PAGER.format(record=self.record))
            path.chmod(0o755)

    def started(self) -> list[str]:
        """Return the lines of the record, none if no pager was started."""
        return self.record.read_text().splitlines() if self.record.exists() else []


@pytest.fixture
def pagers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pagers:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(terminal, "_owner", os.geteuid)
    found = Pagers(tmp_path)
    found.install("pager", "less")
    return found


def environment(**given: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **CAPABLE, **given}


# Colour.


@pytest.mark.parametrize(
    ("given", "on_a_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"SYSTEMD_COLORS": "1"}, True, True),
        ({"SYSTEMD_COLORS": "true", "NO_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"SYSTEMD_COLORS": "16"}, True, True),
        ({"SYSTEMD_COLORS": "256"}, True, True),
        ({"SYSTEMD_COLORS": "24bit"}, True, True),
        ({"SYSTEMD_COLORS": "0"}, False, False),
        ({"SYSTEMD_COLORS": "no"}, False, False),
        ({"SYSTEMD_COLORS": "auto-16"}, True, False),
        ({"SYSTEMD_COLORS": "auto-256", "NO_COLOR": "1"}, False, False),
        ({"SYSTEMD_COLORS": "mauve"}, True, False),
    ],
)
def test_colours(
    tty: TextIO, plain: TextIO, given: dict[str, str], on_a_terminal: bool, elsewhere: bool
) -> None:
    assert coloured(tty, environment(**given)) is on_a_terminal
    assert coloured(plain, environment(**given)) is elsewhere


def test_a_terminal_that_nobody_named_is_dumb(tty: TextIO) -> None:
    assert not coloured(tty, {})


def test_text_is_painted_only_then() -> None:
    assert painted("no", Colour.WRONG, on=True) == "\x1b[0;1;31mno\x1b[0m"
    assert painted("no", Colour.WRONG, on=False) == "no"
    assert painted("no", None, on=True) == "no"


# Width.


def test_columns(tty: TextIO, plain: TextIO) -> None:
    assert columns(tty, {}) == 40
    assert columns(plain, {}) is None
    assert columns(plain, {"COLUMNS": "120"}) == 120
    assert columns(tty, {"COLUMNS": "120"}) == 120
    assert columns(tty, {"COLUMNS": "wide"}) == 40
    assert columns(tty, {"COLUMNS": "0"}) == 40


def test_a_terminal_without_a_size_has_80_columns(tty: TextIO) -> None:
    termios.tcsetwinsize(tty.fileno(), (0, 0))
    assert columns(tty, {}) == 80


# The pager.


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, "pager LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE="),
        ({"SYSTEMD_LESS": "R"}, "pager LESS=R LESSCHARSET=utf-8 LESSSECURE="),
        ({"SYSTEMD_LESSCHARSET": "dos"}, "pager LESS=FRSXMK LESSCHARSET=dos LESSSECURE="),
        # Only who says how secure it has to be may name a pager.
        ({"SYSTEMD_PAGER": "less -x"}, "pager LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE="),
        (
            {"SYSTEMD_PAGER": "less -x", "SYSTEMD_PAGERSECURE": "0", "LESSSECURE": "1"},
            "less -x LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE=",
        ),
        (
            {"PAGER": "less", "SYSTEMD_PAGERSECURE": "no"},
            "less LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE=",
        ),
        (
            {"SYSTEMD_PAGER": "pager -x", "SYSTEMD_PAGERSECURE": "1"},
            "pager -x LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE=1",
        ),
        ({"SYSTEMD_PAGERSECURE": "1"}, "less LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE=1"),
        ({"SYSTEMD_PAGERSECURE": "?"}, "less LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE=1"),
        (
            {"SYSTEMD_PAGER": "no-such-pager", "SYSTEMD_PAGERSECURE": "0"},
            "pager LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE=",
        ),
    ],
)
def test_which_pager(tty: TextIO, pagers: Pagers, given: dict[str, str], command: str) -> None:
    with paged(tty, True, environment(**given)) as out:
        out.write("some ж\n")
    name, _, rest = command.partition(" ")
    first, *text = pagers.started()
    assert (first.split("/")[-1].split(), text) == ([name, *rest.split()], ["some ж"])


@pytest.mark.parametrize(
    "given",
    [
        {"SYSTEMD_PAGER": ""},
        {"SYSTEMD_PAGER": "cat"},
        {"PAGER": "cat"},
        {"SYSTEMD_PAGER": "", "PAGER": "less"},
        {"TERM": "dumb"},
    ],
)
def test_no_pager_if_it_is_switched_off(tty: TextIO, pagers: Pagers, given: dict[str, str]) -> None:
    with paged(tty, True, environment(**given)) as out:
        assert out is tty
    assert pagers.started() == []


def test_no_pager_without_a_terminal_or_a_wish(
    tty: TextIO, plain: TextIO, pagers: Pagers, tmp_path: Path
) -> None:
    with paged(plain, True, environment()) as out:
        out.write("text\n")
    with paged(tty, False, environment()) as out:
        assert out is tty
    assert pagers.started() == []
    assert (tmp_path / "plain").read_text() == "text\n"


def test_without_a_pager_the_terminal_gets_it(
    tty: TextIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with paged(tty, True, environment()) as out:
        assert out is tty


def test_another_ones_login_makes_the_pager_secure(
    tty: TextIO, pagers: Pagers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_owner", lambda: os.geteuid() + 1)
    with paged(tty, True, environment()):
        pass
    assert pagers.started()[0].endswith("less  LESS=FRSXMK LESSCHARSET=utf-8 LESSSECURE=1")


@pytest.mark.parametrize(
    ("cgroup", "owner"),
    [
        ("0::/user.slice/user-1000.slice/session-3.scope\n", 1000),
        ("1:name=x:/\n0::/user.slice/user-7.slice/user@7.service/app.slice\n", 7),
        ("0::/system.slice/cron.service\n", None),
    ],
)
def test_whose_login_it_is(tmp_path: Path, cgroup: str, owner: int | None) -> None:
    (tmp_path / "cgroup").write_text(cgroup)
    assert terminal._owner(tmp_path / "cgroup") == owner
    assert terminal._owner(tmp_path / "nothing") is None


def test_a_pager_that_was_quit_ends_the_block_only(tty: TextIO, pagers: Pagers) -> None:
    (pagers.directory / "pager").write_text("#!/bin/sh\nexit 1\n")
    written = 0
    with paged(tty, True, environment()) as out:
        for _ in range(100_000):
            out.write("a line that is not read\n")
            written += 1
    assert 0 < written < 100_000


def test_other_errors_come_through(tty: TextIO, pagers: Pagers) -> None:
    def fail(out: IO[str]) -> None:
        out.write("before\n")
        raise KeyError

    with pytest.raises(KeyError), paged(tty, True, environment()) as out:
        fail(out)
    assert pagers.started()[1:] == ["before"]


WRITER = """
import sys
from prosody_admin.client.terminal.output import paged
with paged(sys.stdout, True) as out:
    while True:
        out.write("line\\n")
print("after")
sys.exit(3)
"""


def test_a_closed_pipe_is_no_error_and_keeps_the_exit_code() -> None:
    command = [sys.executable, "-W", "error", "-c", WRITER]
    path = {"PYTHONPATH": str(Path(terminal.__file__).parents[3])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=path
    ) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        assert writer.stdout.readline() == "line\n"
        writer.stdout.close()
        assert writer.stderr.read() == ""
        assert writer.wait(10) == 3


INTERRUPTED = """
import signal, sys
from prosody_admin.client.terminal.output import paged
signal.signal(signal.SIGINT, signal.default_int_handler)
with paged(sys.stdout, True) as out:
    out.write("text\\n")
"""


def test_ctrl_c_is_for_the_pager(tmp_path: Path, pagers: Pagers) -> None:
    # It sends SIGINT to who waits for it, as a terminal would, and goes on.
    (pagers.directory / "pager").write_text(
        f"#!/bin/sh\ntrap '' INT\ncat >/dev/null\nkill -INT $PPID\necho still >{tmp_path}/pages\n"
    )
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **environment(SYSTEMD_PAGER="pager", SYSTEMD_PAGERSECURE="0"),
            "PYTHONPATH": str(Path(terminal.__file__).parents[3]),
        },
    ) as reader:
        os.close(theirs)
        _, complaint = reader.communicate(timeout=10)
    os.close(ours)
    assert (reader.returncode, complaint) == (0, "")
    assert (tmp_path / "pages").read_text() == "still\n"
