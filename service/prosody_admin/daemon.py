"""prosody-admind: the composition root. Start-up and shutdown order, and nothing else."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from syslog import LOG_ERR, LOG_INFO

from prosody_admin import __version__
from prosody_admin.config import Settings
from prosody_admin.descriptors import DeferredFdCloser, File
from prosody_admin.errors import SettingsError
from prosody_admin.events import Events
from prosody_admin.modules.api import Service
from prosody_admin.modules.registry import Modules
from prosody_admin.net.accounts import policy_of
from prosody_admin.net.attendant import Ending
from prosody_admin.net.audit import Audit
from prosody_admin.net.dispatch import Dispatcher
from prosody_admin.net.listener import Listener
from prosody_admin.net.sessions import FLUSH_SECONDS, Sessions
from prosody_admin.sd.activation import listening_path
from prosody_admin.sd.fdstore import FdStore, take_back
from prosody_admin.sd.journal import Journal, MessageId
from prosody_admin.sd.notify import Notifier, watchdog_interval

log = logging.getLogger(__name__)

JOURNAL_FLUSH_INTERVAL = 1.0
"""Seconds between two attempts to hand over records that wait for the journal."""

STOPPING = Ending("system-shutdown", "the service is stopping")


class Daemon:
    """The running service, from the first client to the last.

    `listening` are the listening descriptors, which stay their owner's. `read_settings` is called
    at each reload. `leaves_when_idle` says whether somebody starts the service again.

    `stored` is what the process before kept, which it takes over; `store`, if there is one, is
    where to keep sessions when the service is restarted.
    """

    def __init__(
        self,
        settings: Settings,
        listening: Sequence[File],
        journal: Journal,
        read_settings: Callable[[], Settings],
        *,
        leaves_when_idle: bool,
        stored: Sequence[File] = (),
        store: FdStore | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._journal = journal
        self._read_settings = read_settings
        self._leaves_when_idle = leaves_when_idle
        self._stored = stored
        self._store = store
        self._notifier = Notifier()
        self._closer = DeferredFdCloser()
        self._events = Events()
        policy = policy_of(settings.policy, os.getuid())
        self._audit = Audit(journal, required=settings.audit.required)
        self._dispatcher = Dispatcher(self._events, policy, self._audit)
        sessions = Sessions(settings, self._dispatcher, self._closer, self._sessions_changed)
        self._service = Service(settings, policy, sessions, self._closer)
        self._modules = Modules(self._events, self._service)
        self._listeners = [Listener(file, sessions, self._accepting_failed) for file in listening]
        self._places = ", ".join(map(listening_path, listening))
        self._stop: asyncio.Future[str] = self._loop.create_future()
        self._killed_by: asyncio.Future[signal.Signals] = self._loop.create_future()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._keeps_sessions = False
        self._complaint = ""
        self._failure: OSError | None = None

    def stop(self, reason: str, *, keep_sessions: bool = False) -> None:
        """Have `run` end in order; `reason` is for the record. Only the first call counts.

        With `keep_sessions` those at rest are stored for the next process, if there is a store.

        From here on whoever connects stays in the backlog, for which systemd starts the service
        again: nobody is accepted between this decision and what follows from it.
        """
        if self._stop.done():
            return
        for listener in self._listeners:
            listener.stop()
        self._notifier.stopping()
        self._keeps_sessions = keep_sessions
        self._stop.set_result(reason)

    async def run(self) -> signal.Signals | None:
        """Serve until told to stop, or idle; return the signal that cut the ending short.

        Raises OSError if a listening socket failed, after everything else has ended in order.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._signalled, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            self._start()
            await self._shut_down(await self._stop)
        finally:
            for listener in self._listeners:
                listener.close()
            for file in self._stored:
                file.close()
            await self._service.sessions.abort()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self._loop.remove_signal_handler(number)
            for timer in self._timers.values():
                timer.cancel()
            self._modules.unload_all()
            await self._closer.wait_closed()
            self._journal.flush()
            self._notifier.close()
        if self._failure is not None:
            raise self._failure
        return self._killed_by.result() if self._killed_by.done() else None

    def _signalled(self, number: signal.Signals) -> None:
        if not self._stop.done():
            # SIGINT is RestartKillSignal= of the unit.
            self.stop(f"{number.name} received", keep_sessions=number is signal.SIGINT)
        elif not self._killed_by.done():
            self._killed_by.set_result(number)

    def _start(self) -> None:
        self._load_modules()
        self._resume_sessions()
        for listener in self._listeners:
            listener.start()
        if (interval := watchdog_interval()) is not None:
            self._every(interval, "watchdog", self._notifier.watchdog)
        self._every(JOURNAL_FLUSH_INTERVAL, "journal", self._journal.flush)
        self._sessions_changed()
        self._notifier.ready()
        self._journal.log(
            f"prosody-admin {__version__} listens on {self._places}",
            LOG_INFO,
            MessageId.SERVICE_STARTED,
            VERSION=__version__,
        )

    def _resume_sessions(self) -> None:
        if not self._stored:
            return
        from prosody_admin.net.handover import resume_sessions  # here: few starts have any

        notes, files = take_back(self._stored)
        self._stored = ()
        resume_sessions(self._service.sessions, self._audit, self._closer, notes, files)

    def _every(self, seconds: float, name: str, action: Callable[[], object]) -> None:
        """Do `action` now, and from the loop every so many seconds: not if the loop is stuck."""
        action()
        self._timers[name] = self._loop.call_later(seconds, self._every, seconds, name, action)

    def _sessions_changed(self) -> None:
        """Say how many sessions there are, and leave in a while when there are none."""
        idle_timeout = self._service.settings.service.idle_timeout
        if (timer := self._timers.pop("idle", None)) is not None:
            timer.cancel()
        if self._stop.done():  # what systemd shows now is why
            return
        count = len(self._service.sessions)
        status = f"{count} session{'s' if count != 1 else ''}"
        if not count and self._leaves_when_idle and idle_timeout > 0:
            self._timers["idle"] = self._loop.call_later(idle_timeout, self._leave)
            status += f", leaving after {idle_timeout:g} s without one"
        self._notifier.status("; ".join(filter(None, [status, self._complaint])))

    def _leave(self) -> None:
        """Leave, unless somebody came: within the callback that finds nobody there."""
        if not len(self._service.sessions):
            self.stop("idle")

    def _accepting_failed(self, error: OSError) -> None:
        self._failure = error
        self.stop(f"accepting failed: {error.strerror}")

    def _reload(self) -> None:
        """Take new settings, or keep the old ones and say so."""
        if self._stop.done():
            return
        self._notifier.reloading()
        try:
            settings = self._read_settings()
        except SettingsError as error:
            self._complaint = f"settings rejected, the old ones hold: {error}"
            self._journal.log(
                f"Settings rejected, the old ones hold: {error}",
                LOG_ERR,
                MessageId.SETTINGS_REJECTED,
                ERROR=str(error),
            )
        else:
            self._complaint = ""
            self._service.settings = self._service.sessions.settings = settings
            self._service.policy = policy_of(settings.policy, os.getuid())
            self._dispatcher.enforce(self._service.policy)
            self._audit.require(settings.audit.required)
            set_log_level(settings)
            self._load_modules()
            self._journal.log("Settings loaded", LOG_INFO, MessageId.SETTINGS_LOADED)
        self._sessions_changed()
        self._notifier.ready()

    def _load_modules(self) -> None:
        """Load what the settings name; a module that fails must not lock everybody out."""
        for error in self._modules.set_enabled(self._service.settings.modules.enabled):
            log.error("%s", error, exc_info=error.__cause__)
            self._journal.log(str(error), LOG_ERR, MessageId.MODULE_FAILED)

    async def _shut_down(self, reason: str) -> None:
        seconds = self._service.settings.service.drain_timeout
        self._notifier.status(f"stopping: {reason}")
        self._notifier.extend_timeout(2 * seconds + 2 * FLUSH_SECONDS)
        self._journal.log(f"Stopping: {reason}", LOG_INFO, MessageId.SERVICE_STOPPING)
        in_order = asyncio.create_task(self._end_sessions(seconds))
        self._killed_by.add_done_callback(lambda _: in_order.cancel())
        await asyncio.wait({in_order})

    async def _end_sessions(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._events.dispatch("server-stopping", None)
        except (Exception, asyncio.CancelledError):  # of a module; the service stops
            if self._killed_by.done():  # it is this task that is cancelled
                raise
            log.exception("a handler of server-stopping failed")
        deadline = self._loop.time() + seconds
        sessions = self._service.sessions
        if self._keeps_sessions and self._store is not None:
            from prosody_admin.net.handover import keep_sessions  # as above

            await keep_sessions(sessions, self._store, self._closer, seconds)
        await sessions.drain(STOPPING, max(0.0, deadline - self._loop.time()))


def set_log_level(settings: Settings) -> None:
    """Let messages of the level in the settings, and above, be logged."""
    logging.getLogger().setLevel(settings.service.log_level.upper())
