"""Waiting in tests: for something, never for a time."""

import asyncio
from collections.abc import Callable

PATIENCE = 10.0
"""Seconds after which a test that waits for something fails."""


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition` holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await one_turn()


async def one_turn() -> None:
    """Let everything run that is queued in the loop at this moment."""
    await asyncio.sleep(0)
