"""`client/journal/times.py`: points in time as systemd.time(7) writes them."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from prosody_admin.client.journal.times import moment

NOW = datetime(2026, 11, 24, 12, 30, 15, 250000, UTC)


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is an hour ahead of UTC, and two in summer."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", utc("2026-11-24 12:30:15") + 250_000),
        ("today", utc("2026-11-23 23:00")),
        ("yesterday", utc("2026-11-22 23:00")),
        ("tomorrow", utc("2026-11-24 23:00")),
        ("-1h", utc("2026-11-24 11:30:15") + 250_000),
        ("+1h", utc("2026-11-24 13:30:15") + 250_000),
        ("2 hours ago", utc("2026-11-24 10:30:15") + 250_000),
        ("1h30min ago", utc("2026-11-24 11:00:15") + 250_000),
        ("-1.5 h 250ms", utc("2026-11-24 11:00:15")),
        ("3 days ago", utc("2026-11-21 12:30:15") + 250_000),
        ("10:00", utc("2026-11-24 09:00")),
        ("10:00:07", utc("2026-11-24 09:00:07")),
        ("2026-07-01", utc("2026-06-30 22:00")),
        (" 2026-07-01 10:00 ", utc("2026-07-01 08:00")),
        ("2026-07-01 10:00:00.5", utc("2026-07-01 08:00") + 500_000),
        ("Wed 2026-07-01 10:00:00 UTC", utc("2026-07-01 10:00")),
        ("2026-07-01T10:00:00Z", utc("2026-07-01 10:00")),
        ("2026-07-01T10:00:00+05:30", utc("2026-07-01 04:30")),
        ("@1790000000", 1_790_000_000_000_000),
        ("@1790000000.25", 1_790_000_000_250_000),
    ],
)
def test_points_in_time(text: str, expected: int) -> None:
    assert moment(text, NOW) == expected


def test_today_is_the_day_here() -> None:
    late = datetime(2026, 11, 24, 23, 30, 0, 0, UTC)  # half past midnight in Berlin
    assert moment("today", late) == utc("2026-11-24 23:00")
    assert moment("10:00", late) == utc("2026-11-25 09:00")
    assert moment("10:00 UTC", late) == utc("2026-11-24 10:00")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'': expected "),
        ("1h", "'1h': expected "),
        ("soon", "'soon': expected "),
        ("2026-11", "'2026-11': expected "),
        ("2026-13-01", "'2026-13-01': month must be in 1..12; expected "),
        ("25:00", "'25:00': hour must be in 0..23; expected "),
        ("-5", "a number without a unit of time; expected "),
        ("5 parsecs ago", "'parsecs' is no unit of time; expected "),
        ("-", "how long?; expected "),
        ("-99999999y", "; expected "),
        ("-" + "9" * 400 + "y", "; expected "),
        ("@", "'@': expected "),
    ],
)
def test_anything_else_is_told_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match='"2 hours ago" or "-2h"') as raised:
        moment(text, NOW)
    assert complaint in str(raised.value)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize(
    "text", ["today", "yesterday", "10:00", "2026-07-01 10:00", "2026-07-01 10:00:00 UTC", "@12"]
)
def test_systemd_agrees(text: str) -> None:
    said = subprocess.run(
        ["systemd-analyze", "timestamp", text],
        env={"PATH": os.environ["PATH"], "TZ": "Europe/Berlin", "LANG": "C.UTF-8"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    seconds = next(
        line.partition("@")[2] for line in said.splitlines() if "UNIX seconds: @" in line
    )
    assert moment(text, datetime.now(UTC)) == int(float(seconds) * 1_000_000)
