"""`client/journal/audit_log.py`: the verb `log` and its options, on real journal files."""

import argparse
import json
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.journal_files import START, WRITER, Fields, JournalFiles
from prosody_admin.client.journal.audit_log import LINES, joined, run
from prosody_admin.client.options import parse_arguments
from prosody_admin.errors import UsageError
from prosody_admin.records import MessageId

pytestmark = pytest.mark.skipif(
    not WRITER.exists(), reason="needs systemd-journal-remote to write journal files"
)

SERVICE = Path(__file__).parents[3] / "service"
WAIT_SECONDS = 10.0
"""Deadline of what takes a tenth of a second."""

ALICE: Fields = {"SESSION": "3c6c19e4", "PEER_USER": "alice", "PEER_UID": 1000}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYSTEMD_COLORS", "NO_COLOR", "SYSTEMD_PAGER", "PAGER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    files = JournalFiles(tmp_path)
    files.add(MessageId.SESSION_OPENED, **ALICE, PEER_PID=12)
    files.add(MessageId.COMMAND_REFUSED, **ALICE, COMMAND="user:delete", SEQUENCE=1, RULE="default")
    files.add(MessageId.SESSION_OPENED, SESSION="77", PEER_USER="ж", PEER_PID=13)
    files.write()
    return tmp_path


def parsed(*words: str) -> argparse.Namespace:
    return parse_arguments(["log", *words])


def log(directory: Path, *words: str) -> int:
    return run(parsed("--directory", str(directory), *words))


def test_events_are_lines_below_a_heading(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert log(directory) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["TIME", "SESSION", "USER", "EVENT"]
    assert [text.split()[2:] for text in lines] == [
        ["3c6c19e4", "alice", "opened", "by", "process", "12"],
        ["3c6c19e4/1", "alice", "refused", "user:delete,", "by", "default"],
        ["77", "ж", "opened", "by", "process", "13"],
    ]


@pytest.mark.parametrize(
    ("words", "events"),
    [
        (["-n1"], ["by process 13"]),
        (["-n", "2", "-r"], ["by process 13", "user:delete, by default"]),
        (
            ["--lines", "9" * 30, "--user=alice"],
            ["by process 12", "user:delete, by default"],
        ),
        (["--lines", "-r", "--user=alice"], ["user:delete, by default", "by process 12"]),
        (["-n", "all", "--refused"], ["user:delete, by default"]),
        (["--command", "user:*", "--command=x"], ["user:delete, by default"]),
        (["--session=77"], ["by process 13"]),
        (["--until", f"@{START // 1_000_000}"], ["by process 12"]),
        (["-S", "2026-09-21 14:13:22 UTC"], ["by process 13"]),
    ],
)
def test_options_choose(
    directory: Path, capsys: pytest.CaptureFixture[str], words: list[str], events: list[str]
) -> None:
    assert log(directory, "--no-legend", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(events)
    assert all(text.endswith(event) for text, event in zip(lines, events, strict=True))


@pytest.fixture
def with_a_hole(tmp_path: Path) -> Path:
    """Two runs; of the second, records 2 to 4 are missing."""
    files = JournalFiles(tmp_path)
    files.add(MessageId.SERVICE_STARTED, "one", _PID=11, RECORD=1)
    files.add(MessageId.SERVICE_STARTED, "two", _PID=12, RECORD=1)
    files.add(MessageId.SETTINGS_LOADED, "three", _PID=12, RECORD=5)
    files.write()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], ["service one", "service two", "--", "settings three"]),
        (["-r"], ["settings three", "--", "service two", "service one"]),
        (["-n2"], ["service two", "--", "settings three"]),
        (["-n1"], ["settings three"]),
        (["--since", f"@{START // 1_000_000 + 1}"], ["service two", "--", "settings three"]),
        (["--until", f"@{START // 1_000_000 + 1}"], ["service one", "service two"]),
        # What is left out is not missing.
        (["--command=x"], []),
        (["--refused"], []),
        (["--user=x"], []),
        (["--session=x"], []),
    ],
)
def test_where_records_are_missing_it_says_so(
    with_a_hole: Path, capsys: pytest.CaptureFixture[str], words: list[str], shown: list[str]
) -> None:
    assert log(with_a_hole, "--quiet", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [
        "--" if text == "-- 3 records are missing here --" else " ".join(text.split()[4:])
        for text in lines
    ] == shown


def test_json_where_records_are_missing(
    with_a_hole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert log(with_a_hole, "--json=short") == 0
    _, _, hole, record = map(json.loads, capsys.readouterr().out.splitlines())
    assert hole == {"PROSODY_ADMIN_RECORDS_MISSING": "3"}
    assert record["PROSODY_ADMIN_RECORD"] == "5"


def test_nothing_is_said_to_be_nothing(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert log(directory, "--user=bob") == 0
    assert capsys.readouterr().out == "-- No entries --\n"
    for word in ("--quiet", "--json=short", "--no-legend"):
        assert log(directory, "--user=bob", word) == 0
        assert capsys.readouterr().out == ""


def test_in_full(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert log(directory, "-v", "-n1", "--no-legend") == 0
    first, *fields = capsys.readouterr().out.splitlines()
    assert first.endswith("by process 13")
    assert "    PROSODY_ADMIN_PEER_PID=13" in fields
    assert "    _SYSTEMD_UNIT=prosody-admin.service" in fields


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="needs journalctl")
def test_json_says_what_journalctl_says(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert log(directory, "--json=short") == 0
    ours = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    theirs = subprocess.run(
        ["journalctl", f"--directory={directory}", "--output=json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert ours == [
        {name: value for name, value in json.loads(text).items() if not name.startswith("__SEQNUM")}
        for text in theirs
    ]
    assert len(ours) == 3
    assert {"__CURSOR", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "_BOOT_ID"} <= {*ours[0]}


def test_json_that_is_pretty(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert log(directory, "--json=pretty", "-n1") == 0
    pretty = capsys.readouterr().out
    assert pretty.startswith("{\n\t")
    assert json.loads(pretty)["PROSODY_ADMIN_PEER_USER"] == "ж"


def test_colours_where_they_are_wanted(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYSTEMD_COLORS", "1")
    assert log(directory, "--refused", "-q") == 0
    assert "\x1b[0;1;31mrefused   user:delete, by default\x1b[0m\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ([], 12 - LINES),
        (["-n", "2"], 10),
        (["--lines"], 12 - LINES),
        (["-n", "all"], 0),
        (["--since", f"@{START // 1_000_000 + 1}"], 1),
    ],
)
def test_where_following_begins(tmp_path: Path, words: list[str], first: int) -> None:
    files = JournalFiles(tmp_path)
    for number in range(12):
        files.add(MessageId.SETTINGS_LOADED, f"settings {number}.")
    files.write()
    command = [sys.executable, "-m", "prosody_admin.client", "log", "-f", "-q", "-D", str(tmp_path)]
    with subprocess.Popen(
        [*command, *words], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(SERVICE)}
    ) as following:
        assert following.stdout is not None
        ready, _, _ = select.select([following.stdout], [], [], WAIT_SECONDS)
        assert ready, "nothing was shown"
        assert following.stdout.readline().endswith(f" settings {first}.\n")
        following.stdout.close()
        assert following.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize("word", ["--reverse", "--until=now"])
def test_following_has_no_end(directory: Path, word: str) -> None:
    with pytest.raises(UsageError, match="--follow goes with neither --reverse nor --until"):
        log(directory, "--follow", word)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--since", "1h"], "argument -S/--since: '1h': expected \"now\""),
        (["--since", "-5"], "argument -S/--since: '-5': a number without a unit of time"),
        (["-n", "many"], "argument -n/--lines: 'many': expected a number of events, or all"),
        (["-n", "-1"], "argument -n/--lines: '-1': expected a number of events, or all"),
        (["--json=xml"], "argument --json: invalid choice: 'xml'"),
    ],
)
def test_options_that_are_wrong(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(*words)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_times_that_look_like_options() -> None:
    words = ["--since", "-1h", "-S", "-2h", "--until", "-.5s", "-f", "-1", "--since", "-f"]
    assert joined(words) == ["--since=-1h", "-S-2h", "--until=-.5s", "-f", "-1", "--since", "-f"]
    assert parsed("--since", "-1h", "-U", "-30min").until is not None
