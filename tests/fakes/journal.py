"""A journal in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fakes.journald import parse
from fakes.waiting import PATIENCE
from prosody_admin.errors import JournalUnavailableError
from prosody_admin.records import PREFIX, MessageId
from prosody_admin.sd.entries import Journal


@dataclass(frozen=True)
class Record:
    """One record, as journald would have got it; names of fields without our prefix."""

    event: MessageId | None
    message: str
    priority: int
    fields: dict[str, str]


class MemoryJournal(Journal):
    """Keeps every record; while not `available`, those that came by `log` wait."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []
        self.available = True
        self._waiting: list[bytes] = []
        self._changed = asyncio.Event()

    def record(self, entries: Sequence[bytes]) -> None:
        if not self.available:
            raise JournalUnavailableError("not now")
        for payload in [*self._waiting, *entries]:
            self._take(payload)
        self._waiting.clear()

    def keep(self, payload: bytes) -> None:
        self._waiting.append(payload)
        if self.available:
            self.record([])

    def _take(self, payload: bytes) -> None:
        full = parse(payload)
        event = MessageId(full["MESSAGE_ID"]) if "MESSAGE_ID" in full else None
        fields = {
            name.removeprefix(PREFIX): value
            for name, value in full.items()
            if name.startswith(PREFIX)
        }
        self.records.append(Record(event, full["MESSAGE"], int(full["PRIORITY"]), fields))
        self._changed.set()

    def events(self, session: str | None = None) -> list[str]:
        """Return the kinds of all records of sessions and commands, or of one session's."""
        return [
            record.event.name
            for record in self.records
            if record.event is not None
            and record.event.name.startswith(("SESSION", "COMMAND", "STREAM"))
            and session in {None, record.fields["SESSION"]}
        ]

    def of(self, event: MessageId) -> list[Record]:
        """Return the records of one kind."""
        return [record for record in self.records if record.event is event]

    async def wait_for(self, event: MessageId, count: int = 1) -> Record:
        """Wait until there are so many records of a kind; return the last of them."""
        async with asyncio.timeout(PATIENCE):
            while len(self.of(event)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(event)[count - 1]

    def mentions(self, text: str) -> bool:
        """Return whether `text` is anywhere in any record."""
        return any(text in str(record) for record in self.records)
