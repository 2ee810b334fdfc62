"""Runs in the service: a module that answers `pauses:longest()`, in microseconds."""

import asyncio
import resource
import time

from prosody_admin.modules.api import Module
from prosody_admin.net.dispatch import AdminEvent
from prosody_admin.protocol.stanza import Stanza, repl_result
from prosody_admin.shell.lines import Call


def load(module: Module) -> None:
    """Begin to measure, and answer what is measured."""
    pauses = Pauses()
    module.hook("admin/repl-input", pauses.line)
    module.at_unload(pauses.stop)


class Pauses:
    """How long the loop did not come round, because it worked or was blocked.

    That is from one end of epoll_wait(2) to its next beginning, without the time in which this
    thread could have run and the processor was somebody else's. On a busy machine that is many
    milliseconds, and the service can do nothing about it. What the kernel gave to another thread,
    it counts. What the host of a virtual machine took away it does not; but a thread that never
    went to sleep (getrusage(2), `ru_nvcsw`) was not blocked, and has had its own time only.
    """

    def __init__(self) -> None:
        self._schedule = open("/proc/thread-self/schedstat", "rb", buffering=0)  # noqa: SIM115 - `stop` closes it
        self._longest = 0
        # There is no other place that sees each turn of the loop.
        self._selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined] # private
        self._select = self._selector.select
        self._selector.select = self._measured_select
        self._began = self._clocks()

    def line(self, event: AdminEvent) -> Stanza | None:
        """Answer the longest pause since the last time this was asked."""
        if event.line != Call("pauses", "longest"):
            return None
        longest, self._longest = self._longest, 0
        return repl_result(f"OK: {longest // 1000}")

    def stop(self) -> None:
        """End all that was begun."""
        self._selector.select = self._select
        self._schedule.close()

    def _measured_select(self, timeout: float | None = None) -> object:
        time_passed, worked, waited, sleeps = map(int.__sub__, self._clocks(), self._began)
        self._longest = max(self._longest, time_passed - waited if sleeps else worked)
        ready = self._select(timeout)
        self._began = self._clocks()
        return ready

    def _clocks(self) -> tuple[int, int, int, int]:
        """Return what a clock says, and of this thread for how long it ran, could have and did not.

        All in nanoseconds; and how often it went to sleep. For the third see
        Documentation/scheduler/sched-stats.rst of Linux.
        """
        self._schedule.seek(0)
        waited = int(self._schedule.read(100).split()[1])
        sleeps = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        return time.monotonic_ns(), time.thread_time_ns(), waited, sleeps
