"""The event loop: asyncio's, in which a signal comes before whatever else is there with it.

asyncio hears of signals by a pipe to itself, and takes what is readable together in the order in
which the kernel has it. A command that came with SIGHUP would be decided before the reload.
"""

import asyncio
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


class _OwnPipeFirst(selectors.EpollSelector):
    """Tells first of what was registered first, which is the loop's pipe."""

    def __init__(self) -> None:
        super().__init__()
        self._first: int | None = None

    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if self._first is None:
            self._first = key.fd
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if len(ready) > 1:
            ready.sort(key=lambda each: each[0].fd != self._first)
        return ready


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop for asyncio.Runner."""
    return asyncio.SelectorEventLoop(_OwnPipeFirst())
