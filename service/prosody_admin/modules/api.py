"""What a module gets when it is loaded, after `core/moduleapi.lua` of Prosody."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from prosody_admin.access.policy import Policy
from prosody_admin.config import Settings
from prosody_admin.descriptors import DeferredFdCloser
from prosody_admin.events import Events, Handler
from prosody_admin.net.sessions import Sessions


@dataclass(slots=True)
class Service:
    """What modules may use of the running service: `settings` and `policy` in force now."""

    settings: Settings
    policy: Policy
    sessions: Sessions
    closer: DeferredFdCloser


class Module:
    """A loaded module's own view of the service: its hooks belong to it and go with it.

    The entry point of a module is a function that takes this and hooks what it wants.
    """

    def __init__(self, name: str, events: Events, service: Service) -> None:
        self.name = name
        self.service = service
        self.log = logging.getLogger(f"prosody_admin.modules.{name}")
        self._events = events
        self._at_unload: list[Callable[[], None]] = []

    def hook(self, event: str, handler: Handler, priority: int = 0) -> None:
        """Have `handler` called with each `event`; plain or async, the first result wins.

        Events: `admin/<name>`, `admin/<xmlns>:<name>` (with an AdminEvent), `admin-connected`,
        `admin-disconnected` (with a SessionEvent), `server-stopping` (with None).
        """
        self._events.hook(event, handler, priority, owner=self)

    def unhook(self, event: str, handler: Handler) -> None:
        """Take back a `hook`."""
        self._events.unhook(event, handler, owner=self)

    def at_unload(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the module is unloaded, the last one first."""
        self._at_unload.append(callback)

    def unload(self) -> None:
        """Take away all hooks, then let the module clean up; what fails there is only logged."""
        self._events.unhook_all(self)
        while self._at_unload:
            try:
                self._at_unload.pop()()
            except Exception:  # a module may raise anything; it is gone either way
                self.log.exception("module %s failed to clean up", self.name)
