"""Points in time as people write them for journalctl(1), after systemd.time(7)."""

import re
from datetime import UTC, datetime, time, timedelta, timezone

_UNITS: dict[str, float] = {}
"""Seconds of each unit of a time span, by all its names."""
for _names, _seconds in (
    ("usec us µs μs", 1e-6),
    ("msec ms", 1e-3),
    ("seconds second sec s", 1),
    ("minutes minute min m", 60),
    ("hours hour hr h", 3600),
    ("days day d", 86400),
    ("weeks week w", 604800),
    ("months month M", 2629800),  # 30.44 days
    ("years year y", 31557600),  # 365.25 days
):
    _UNITS |= dict.fromkeys(_names.split(), _seconds)

_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµμ]+)\s*")
_EPOCH = re.compile(r"@([0-9]+)(?:\.([0-9]{1,6}))?")
_CLOCK = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
    r"(?:(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})(?:[T\s]+|$))?"
    r"(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
    r"\s*(?P<zone>UTC|Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)

EXPECTED = (
    'expected "now", "today", "yesterday", "2 hours ago" or "-2h", "10:00", "2026-11-24", '
    '"2026-11-24 10:00:00", with "UTC" or nothing for local time, or "@" and seconds since 1970'
)


def moment(text: str, now: datetime) -> int:
    """Return microseconds since 1970 for a point in time as it is seen at `now`.

    `now` has a time zone; dates and times of day without one are of this machine's. Raises
    ValueError, which says what was expected.
    """
    said = text.strip()
    if (days := {"today": 0, "yesterday": -1, "tomorrow": 1}.get(said)) is not None:
        day = (now.astimezone() + timedelta(days=days)).date()
        return _microseconds(datetime.combine(day, time.min).astimezone())
    if said == "now":
        return _microseconds(now)
    try:
        if found := _EPOCH.fullmatch(said):
            return int(found[1]) * 1_000_000 + int((found[2] or "").ljust(6, "0"))
        if said.startswith(("-", "+")):
            return _microseconds(now + _span(said[1:]) * (1 if said[0] == "+" else -1))
        if said.endswith(" ago"):
            return _microseconds(now - _span(said.removesuffix(" ago")))
        if (found := _CLOCK.fullmatch(said)) and (found["date"] or found["time"]):
            return _microseconds(_clock(found, now))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r}: {error}; {EXPECTED}") from error
    raise ValueError(f"{text!r}: {EXPECTED}")


def _span(text: str) -> timedelta:
    """Return a time span such as `1h 30min`. Raises ValueError, OverflowError."""
    seconds, position = 0.0, 0
    text = text.strip()
    while position < len(text):
        found = _SPAN.match(text, position)
        if found is None:
            raise ValueError("a number without a unit of time")
        if (unit := _UNITS.get(found[2])) is None:
            raise ValueError(f"{found[2]!r} is no unit of time")
        seconds += float(found[1]) * unit
        position = found.end()
    if not text:
        raise ValueError("how long?")
    return timedelta(seconds=seconds)


def _clock(found: re.Match[str], now: datetime) -> datetime:
    """Return a date, a time of day, or both. Raises ValueError for a day that there is not."""
    zone = _zone(found["zone"])
    today = now.astimezone(zone).date()
    day = today.replace(*map(int, found["date"].split("-"))) if found["date"] else today
    hours, minutes, seconds = ((found["time"] or "0:00") + ":00").split(":")[:3]
    whole, _, fraction = seconds.partition(".")
    clock = time(int(hours), int(minutes), int(whole), int(fraction.ljust(6, "0")))
    return datetime.combine(day, clock, zone).astimezone(zone)


def _zone(name: str | None) -> timezone | None:
    if name is None:
        return None
    if name.upper() in {"UTC", "Z"}:
        return UTC
    offset = timedelta(hours=int(name[1:3]), minutes=int(name[-2:]))
    return timezone(offset if name[0] == "+" else -offset)


def _microseconds(point: datetime) -> int:
    since = point - datetime.fromtimestamp(0, UTC)
    return since // timedelta(microseconds=1)
