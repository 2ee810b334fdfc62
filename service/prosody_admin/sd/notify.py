"""What the service tells systemd about itself: sd_notify(3), carried by `sdnotify`."""

import logging
import os
import re
import time
from collections.abc import Mapping

from sdnotify import SystemdNotifier

_log = logging.getLogger(__name__)

STATUS_CHARACTERS = 512
"""The longest STATUS: one line of `systemctl status`; longer ones are cut."""


class Notifier:
    """The state lines to the socket that NOTIFY_SOCKET names; without one, all do nothing.

    A message that cannot be sent is logged and lost: never raised, and never waited for, so that a
    stuck PID 1 does not stop the loop. NOTIFY_SOCKET stays in the environment: descriptors go to
    systemd another way, and NotifyAccess=main makes it worthless to a child.
    """

    def __init__(self) -> None:
        self._notifier = None
        if "NOTIFY_SOCKET" not in os.environ:
            return
        try:
            notifier = SystemdNotifier(debug=True)  # raises instead of swallowing errors
            notifier.socket.setblocking(False)
        except OSError as error:
            _log.warning("NOTIFY_SOCKET cannot be used: %s", error.strerror)
        else:
            self._notifier = notifier

    def ready(self) -> None:
        """Start-up, or a reload, is finished."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows, of at most STATUS_CHARACTERS.

        White space becomes single spaces. What is not printable ASCII becomes `?`: sdnotify
        encodes Latin-1, and systemd drops a message that is not UTF-8. So does a backslash:
        systemd 252 and 257 take it for an escape.
        """
        line = " ".join(text.split())[:STATUS_CHARACTERS]
        self._send("STATUS=" + re.sub(r"[^ -~]|\\", "?", line))

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The service is alive."""
        self._send("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> None:
        """Ask for at least `seconds` from now for the running start, reload or stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def close(self) -> None:
        """Close the socket; later messages do nothing. Idempotent."""
        if self._notifier is not None:
            self._notifier.socket.close()
            self._notifier = None

    def _send(self, state: str) -> None:
        if self._notifier is None:
            return
        try:
            self._notifier.notify(state)
        except OSError as error:
            variable = state.partition("=")[0]
            _log.warning("systemd does not take %s=: %s", variable, error.strerror)


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how often `Notifier.watchdog` is due, in seconds; None if systemd does not watch.

    Half of WATCHDOG_USEC, as sd_watchdog_enabled(3) advises, where WATCHDOG_PID is this process or
    not set. A value that is no positive whole number is logged and counts as none.
    """
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    value = environ.get("WATCHDOG_USEC")
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and int(value) > 0):
        _log.warning("WATCHDOG_USEC: expected microseconds, found %r: no watchdog", value)
        return None
    return int(value) / 2_000_000
