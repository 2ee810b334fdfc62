"""The whole service in the test's own loop, on a socket in a temporary directory."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fakes.client import Client
from fakes.journal import MemoryJournal
from fakes.waiting import PATIENCE
from prosody_admin.access.identity import Identity
from prosody_admin.config import Settings
from prosody_admin.daemon import Daemon
from prosody_admin.descriptors import File
from prosody_admin.net.peer import Peer
from prosody_admin.net.session import Session
from prosody_admin.sd.activation import bind_listener
from prosody_admin.sd.fdstore import FdStore
from prosody_admin.sd.journal import JournalHandler, MessageId


def changed(settings: Settings, **tables: dict[str, Any]) -> Settings:
    """Return settings with keys of some tables replaced; the bounds of files do not apply."""
    return replace(
        settings,
        **{name: replace(getattr(settings, name), **keys) for name, keys in tables.items()},
    )


@dataclass
class Running:
    """A running service, and what it needs from outside."""

    path: Path
    settings: Settings
    journal: MemoryJournal
    daemon: Daemon
    listening: File
    task: asyncio.Task[signal.Signals | None]
    looked_at: bool = False

    @property
    def sessions(self) -> list[Session]:
        return list(self.daemon._service.sessions)

    async def client(self) -> Client:
        """Return a client whose stream is open."""
        return await Client.session(self.path)

    async def client_of(self, identity: Identity) -> Client:
        """Return a client whom the kernel is said to have named so; its stream is open."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.daemon._service.sessions.begin(File.adopt(ours.detach()), Peer(identity, None))
        client = Client(theirs)
        await client.open()
        return client

    async def ended(self) -> signal.Signals | None:
        """Wait until it has stopped by itself."""
        self.looked_at = True
        async with asyncio.timeout(PATIENCE):
            return await asyncio.shield(self.task)


@asynccontextmanager
async def running(
    directory: Path,
    *,
    leaves_when_idle: bool = False,
    read_settings: Callable[[], Settings] | None = None,
    stored: Sequence[File] = (),
    store: FdStore | None = None,
    **tables: dict[str, Any],
) -> AsyncIterator[Running]:
    """Run the service; its Prosody is the socket `prosody` in the same directory."""
    tables.setdefault("prosody", {}).setdefault("socket", directory / "prosody")
    tables.setdefault("service", {}).setdefault("drain_timeout", 0.1)
    settings = changed(Settings(), **tables)
    journal, path = MemoryJournal(), directory / "admin"
    handler = JournalHandler(journal)
    logging.getLogger("prosody_admin").addHandler(handler)
    with bind_listener(path) as listening:
        daemon = Daemon(
            settings,
            [listening],
            journal,
            read_settings or (lambda: settings),
            leaves_when_idle=leaves_when_idle,
            stored=stored,
            store=store,
        )
        task = asyncio.create_task(daemon.run())
        service = Running(path, settings, journal, daemon, listening, task)
        try:
            await journal.wait_for(MessageId.SERVICE_STARTED)
            yield service
        finally:
            daemon.stop("the test ends")
            await asyncio.wait({task}, timeout=PATIENCE)
            logging.getLogger("prosody_admin").removeHandler(handler)
            assert task.done(), "the service does not stop"
        if not service.looked_at:
            task.result()
