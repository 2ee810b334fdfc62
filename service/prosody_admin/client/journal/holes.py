"""Where records are missing in the journal, by their numbers."""

from prosody_admin.client.journal.trail import Entry
from prosody_admin.records import PREFIX, RECORD, MessageId


class Holes:
    """Compares each entry with the one shown before it, of the same machine.

    The entries are all that there are between two points in time, forward or in `reverse`. What is
    missing before the first or behind the last cannot be told: the journal's oldest files are
    deleted some day, and nothing follows the last record of a run.
    """

    def __init__(self, *, reverse: bool) -> None:
        self._reverse = reverse
        self._last: dict[str, Entry] = {}

    def before(self, entry: Entry) -> int:
        """Return how many records are missing between the last entry and this one."""
        last = self._last.get(machine := _first(entry, "_MACHINE_ID"))
        self._last[machine] = entry
        if last is None:
            return 0
        return _missing(entry, last) if self._reverse else _missing(last, entry)


def _run(entry: Entry) -> str:
    """Return which run of the service wrote an entry, by what no sender can say.

    Not by its _SYSTEMD_INVOCATION_ID: journald asks for that as it reads a record, and may find the
    next run's for the last records of one that was restarted (seen with systemd 257).
    """
    return f"{_first(entry, '_BOOT_ID')} {_first(entry, '_PID')}"


def _missing(older: Entry, newer: Entry) -> int:
    """Return how many records there were between two neighbours, but those that a gap tells of."""
    before = _number(older, RECORD) if _run(older) == _run(newer) else 0
    told = 0
    if _first(newer, "MESSAGE_ID") == MessageId.AUDIT_GAP.value:
        told = _number(newer, PREFIX + "DROPPED")
    return max(0, _number(newer, RECORD) - before - 1 - told)


def _number(entry: Entry, name: str) -> int:
    """Return a number, 0 without: earlier versions of the service did not count."""
    text = _first(entry, name)
    return int(text) if text.isdecimal() else 0


def _first(entry: Entry, name: str) -> str:
    value = entry.get(name, "")
    return str(value[0] if isinstance(value, list) else value)
