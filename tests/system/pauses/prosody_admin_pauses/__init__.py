"""Runs in the service: a module that answers `pauses:longest()`, in microseconds."""

import asyncio
import time

from prosody_admin.modules.api import Module
from prosody_admin.net.dispatch import AdminEvent
from prosody_admin.protocol.stanza import Stanza, repl_result
from prosody_admin.shell.lines import Call

INTERVAL = 0.001
"""Seconds between two looks at the clock."""


def load(module: Module) -> None:
    """Begin to measure, and answer what is measured."""
    pauses = Pauses()
    module.hook("admin/repl-input", pauses.line)
    module.at_unload(pauses.stop)


class Pauses:
    """How long the loop did not come round to its timers, because it worked or was blocked.

    That is the time by the clock without that in which the processor was somebody else's: on a
    busy machine others run for many milliseconds, and the service can do nothing about it. The
    time of the processor alone would miss what a blocking system call takes. Of the time between
    two ticks the loop idles INTERVAL and what epoll rounds it up by, a millisecond (epoll_wait(2)),
    which is counted in.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._schedule = open("/proc/thread-self/schedstat", "rb", buffering=0)  # noqa: SIM115 - `stop` closes it
        self._longest = 0
        self._begin()

    def line(self, event: AdminEvent) -> Stanza | None:
        """Answer the longest pause since the last time this was asked."""
        if event.line != Call("pauses", "longest"):
            return None
        longest, self._longest = self._longest, 0
        return repl_result(f"OK: {longest // 1000}")

    def stop(self) -> None:
        """End all that was begun."""
        self._timer.cancel()
        self._schedule.close()

    def _begin(self) -> None:
        self._began, self._kept_waiting = time.monotonic_ns(), self._waited()
        self._timer = self._loop.call_later(INTERVAL, self._tick)

    def _tick(self) -> None:
        took = time.monotonic_ns() - self._began
        pause = took - (self._waited() - self._kept_waiting) - round(INTERVAL * 1e9)
        self._longest = max(self._longest, pause)
        self._begin()

    def _waited(self) -> int:
        """Return for how many nanoseconds this thread could have run and another one did.

        The second number of three, see Documentation/scheduler/sched-stats.rst of Linux.
        """
        self._schedule.seek(0)
        return int(self._schedule.read(100).split()[1])
