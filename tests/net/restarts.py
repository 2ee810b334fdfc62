"""A service that is restarted, and the one that comes after it."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fakes.service import Running, running
from fakes.systemd import Systemd
from prosody_admin.sd.fdstore import FdStore


@asynccontextmanager
async def first(directory: Path, **tables: Any) -> AsyncIterator[Running]:
    """The service that is restarted."""
    async with running(directory, store=FdStore(), **tables) as service:
        yield service


@asynccontextmanager
async def second(directory: Path, systemd: Systemd, **tables: Any) -> AsyncIterator[Running]:
    """The service that comes after it."""
    async with running(directory, stored=systemd.hands_over(), **tables) as service:
        assert systemd.stored == [], "nothing comes back a second time"
        yield service


async def restarted(service: Running) -> None:
    signal.raise_signal(signal.SIGINT)
    assert await service.ended() is None
